"""A run's directory: its paths, and the configuration that it keeps.

Takes the configuration that a run is started with; refuses one that would compute something else
than what lies there.
"""

import logging
from pathlib import Path
from typing import Any

from quasar.config import QuasarConfig, flatten, load_config, to_commented_yaml
from quasar.datasets.io import write_text
from quasar.errors import ConfigError
from quasar.storage import Mirror
from quasar.tracking import TRACKED_AS

logger = logging.getLogger(__name__)

# What may change where a run goes on: where it runs and on how much, not what it computes.
_PLACEMENT = (
    "run.name",
    "run.directory",
    "run.upload",
    "cluster.",
    "serving.",
    "dataset.num_workers",
    "rollout.",
    "verification.num_workers",
    "verification.cpus_per_worker",
    "verification.gpus_per_worker",
    "verification.start_timeout_s",
    "learner.num_learners",
    "learner.cpus_per_learner",
    "learner.gpus_per_learner",
    "learner.start_timeout_s",
    "learner.torch_threads",
    "learner.zero_stage",
    "learner.micro_batch_tokens",
)


class Run:
    """Paths of a run, and its configuration written down: one for ever, but for `_PLACEMENT`."""

    def __init__(self, config: QuasarConfig):
        self.config = config
        self.directory = config.run_directory
        self.dataset = self.directory / "dataset"
        self.initial_model = self.directory / "model" / "initial"
        self.final_model = self.directory / "model" / "final"
        self.copy: Mirror | None = None
        if config.run.upload:
            self.copy = Mirror(self.directory, f"{config.run.upload}/{config.run.name}")
            if not self.directory.exists() and (files := self.copy.fetch()):
                logger.info("going on with the run at %s (%d files)", self.copy.url, files)
        self.directory.mkdir(parents=True, exist_ok=True)
        written = self.directory / "config.yaml"
        if written.is_file():
            there, here = (_training(c) for c in (load_config(written), config))
            differing = [
                f"{k} is {there[k]!r}, not {v!r}" for k, v in here.items() if v != there[k]
            ]
            if differing:
                raise ConfigError(
                    f"{self.directory} holds a run with another configuration "
                    f"({', '.join(differing[:3])}{', …' if differing[3:] else ''}); name a new one "
                    "with --set run.name=NAME, or delete that directory"
                )
        write_text(written, to_commented_yaml(config) + "\n")

    @property
    def tracked_as(self) -> str | None:
        """Id of the MLflow run, None before the first start."""
        marker = self.directory / TRACKED_AS
        return marker.read_text().strip() if marker.is_file() else None

    def require_own_copy(self) -> None:
        """Raises ConfigError where another run was copied to this run's place."""
        there = self.copy.read_text(TRACKED_AS) if self.copy else None
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
        return self.dataset / f"{name}.{self.config.dataset.format}"


def _training(config: QuasarConfig) -> dict[str, Any]:
    """What a run computes, by dotted path."""
    return {k: v for k, v, _ in flatten(config) if not k.startswith(_PLACEMENT)}
