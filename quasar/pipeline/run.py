"""A run of the main job: its directory, held while it is written, and the configuration it keeps.

Takes the configuration that a run is started with; refuses one that would compute something else
than what lies there, and a second process beside the one that writes it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quasar.config import (
    QuasarConfig,
    computed,
    load_config,
    to_commented_yaml,
    with_absolute_places,
)
from quasar.datasets.io import write_text
from quasar.errors import ConfigError
from quasar.pipeline.storage import Mirror
from quasar.system.locks import held, lock_of_file
from quasar.system.run_paths import TRACKED_AS, RunPaths

logger = logging.getLogger(__name__)

# Sections that the dataset and the starting model are made from: fixed once there is one.
_BEFORE_TRAINING = ("run.", "dataset.", "policy.")


class Run(RunPaths):
    """One run: its paths, its configuration, its copy elsewhere (`run.upload`).

    The configuration's places are absolute. Between starts what the fields mark as `RESUMES` may
    change; the rest may, too, until something that depends on it has been made.
    """

    def __init__(self, config: QuasarConfig, *, moved_store: bool = False):
        """Made by `open`. moved_store: the last start had another `tracking.uri`."""
        super().__init__(config.run_directory)
        self.config = config
        self.moved_store = moved_store
        self.copy: Mirror | None = None
        if config.run.upload:
            self.copy = Mirror(self.directory, f"{config.run.upload}/{config.run.name}")

    @classmethod
    @contextmanager
    def open(cls, config: QuasarConfig) -> Iterator["Run"]:
        """Begin a run or go on with it; it is this process's own until the block is left.

        Raises InputError where another process writes it, ConfigError where it computes something
        else, StorageError where its copy cannot be read.
        """
        config = with_absolute_places(config)
        run = cls(config)
        # Beside the directory, which a copy that is fetched makes as a whole.
        with held(lock_of_file(run.directory), run.directory):
            if run.copy and not run.directory.exists() and (files := run.copy.fetch()):
                logger.info("going on with the run at %s (%d files)", run.copy.url, files)
            before = run._kept_config()
            if before is not None:
                run._require_same(before)
                run.moved_store = before.tracking.uri != config.tracking.uri
            write_text(run.config_file, to_commented_yaml(config) + "\n")
            yield run

    @property
    def tracked_as(self) -> str | None:
        """Id of the MLflow run, None before the first start."""
        marker = self.tracked_as_file
        return marker.read_text().strip() if marker.is_file() else None

    def require_own_copy(self) -> None:
        """Raises ConfigError where another run was copied to this run's place."""
        if self.copy is None:
            return
        there = self.copy.read_text(TRACKED_AS)
        if there is not None and there.strip() != self.tracked_as:
            raise ConfigError(
                f"{self.copy.url} holds another run than {self.directory}; name a new one with "
                "--set run.name=NAME, or delete that directory to go on with the one there"
            )

    def upload(self) -> None:
        """Copy what is new (`run.upload`); what does not succeed is tried again next time."""
        if self.copy:
            self.copy.try_push()

    def split(self, name: str) -> Path:
        """The file of a split: train, validation or test."""
        return self.split_file(name, self.config.dataset.format)

    def _kept_config(self) -> QuasarConfig | None:
        if not self.config_file.is_file():
            return None
        return with_absolute_places(load_config(self.config_file))

    def _require_same(self, before: QuasarConfig) -> None:
        there, here = computed(before), computed(self.config)
        differing = [
            f"{k} is {there[k]!r}, not {v!r}"
            for k, v in here.items()
            if v != there[k] and self._is_fixed(k)
        ]
        if differing:
            raise ConfigError(
                f"{self.directory} holds a run with another configuration "
                f"({', '.join(differing[:3])}{', …' if differing[3:] else ''}); name a new one "
                "with --set run.name=NAME, or delete that directory"
            )

    def _is_fixed(self, setting: str) -> bool:
        """Whether something has been made that depends on a setting."""
        if setting.startswith("improve."):
            return self.improve.directory.exists()
        if setting.startswith("grpo."):  # fine-tuning knows nothing of it
            return self.grpo.checkpoints.exists() or self.improve.directory.exists()
        phases = (self.sft.checkpoints, self.improve.directory, self.grpo.checkpoints)
        if any(path.exists() for path in (*phases, self.traces)):
            return True
        made = self.dataset_summary.exists() or self.initial_model.exists()
        return made and setting.startswith(_BEFORE_TRAINING)
