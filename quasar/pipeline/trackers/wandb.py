"""Runs in Weights & Biases: project `tracking.experiment`, the rest by its own variables.

WANDB_API_KEY or `wandb login` for the key, WANDB_ENTITY, WANDB_BASE_URL; WANDB_MODE=offline writes
into the run directory's folder `wandb`, for `wandb sync`. A run that goes on is the same run there.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quasar.config import QuasarConfig
from quasar.errors import ConfigError
from quasar.system.plain_text import one_line, strip_credentials

_RUN_ID = "quasar-run-id"  # in the folder that wandb writes
_EXIT_CODES = {"FINISHED": 0, "FAILED": 1, "KILLED": 255}


class WandbBackend:
    """See `TrackingBackend`. Raises ModuleNotFoundError without wandb (extra `trackers`)."""

    def __init__(self, run: Any, wandb: Any):
        self._run, self._wandb = run, wandb
        self._axes: set[str] = set()
        self.name = f"Weights & Biases, project {run.project}"

    @classmethod
    def start(
        cls, config: QuasarConfig, *, run_directory: Path, name: str | None
    ) -> "WandbBackend":
        """Open the run of this directory, a new one where it has none. Raises ConfigError."""
        import wandb

        library: Any = wandb
        marker = run_directory / "wandb" / _RUN_ID
        marker.parent.mkdir(parents=True, exist_ok=True)
        identity = marker.read_text().strip() if marker.is_file() else secrets.token_hex(4)
        try:
            run = library.init(
                project=config.tracking.experiment,
                name=name or config.run.name,
                id=identity,
                resume="allow",
                dir=str(run_directory),
                settings=library.Settings(silent=True, console="off"),
            )
        except Exception as error:  # whatever the library raises: no key, no network, a bad name
            told = one_line(strip_credentials(str(error)), max_chars=300)
            raise ConfigError(
                f"tracking.backends: wandb cannot start ({told}); run wandb login, set "
                "WANDB_MODE=offline, or leave wandb out"
            ) from error
        marker.write_text(identity)
        return cls(run, library)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        # Steps of the phases begin anew: each phase is plotted over its own step.
        phase = next(iter(metrics), "").partition("/")[0]
        axis = f"{phase}/step"
        if phase not in self._axes:
            self._axes.add(phase)
            self._run.define_metric(f"{phase}/*", step_metric=axis)
        self._run.log({**metrics, axis: step})

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._run.config.update(dict(params), allow_val_change=True)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._run.config.update({"tags": dict(tags)}, allow_val_change=True)

    def log_text(self, text: str, artifact_file: str) -> None:
        place = Path(self._run.dir) / artifact_file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        self._run.save(str(place), base_path=self._run.dir, policy="now")

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        columns = list(rows[0])
        data = [[row[column] for column in columns] for row in rows]
        key = artifact_file.rpartition(".")[0] or artifact_file
        self._run.log({key: self._wandb.Table(columns=columns, data=data)})

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        key = artifact_file.rpartition(".")[0] or artifact_file
        self._run.log({key: self._wandb.Image(figure)})

    def log_artifact(self, path: Path, artifact_path: str | None) -> None:
        artifact = self._wandb.Artifact(f"{self._run.id}-{path.stem}", type="file")
        artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def log_artifacts(self, directory: Path, artifact_path: str | None) -> None:
        name = artifact_path or directory.name
        artifact = self._wandb.Artifact(f"{self._run.id}-{name}", type="files")
        artifact.add_dir(str(directory))
        self._run.log_artifact(artifact)

    def register_model(self, directory: Path, name: str) -> str:
        """A version of the artifact of that name, type model."""
        artifact = self._wandb.Artifact(name, type="model")
        artifact.add_dir(str(directory))
        self._run.log_artifact(artifact)
        return f"{name} (wandb artifact)"

    def close(self, status: str) -> None:
        self._run.finish(exit_code=_EXIT_CODES.get(status, 1))
