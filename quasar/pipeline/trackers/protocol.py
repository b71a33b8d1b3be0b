"""What every tracker does. `quasar.pipeline.tracking.Tracker` gives to all that are configured.

A method may raise whatever its library raises: the caller warns once and goes on. What a kind of
store has no place for, its tracker leaves out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class TrackingBackend(Protocol):
    """One open run in one store."""

    @property
    def name(self) -> str:
        """The store, for messages, without credentials."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Finite numbers at a step."""
        ...

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Values that do not change in a run."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Texts about the run, without credentials."""
        ...

    def log_text(self, text: str, artifact_file: str) -> None:
        """A text under a name."""
        ...

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        """Rows with equal keys, appended to the table of that name."""
        ...

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        """A matplotlib figure."""
        ...

    def log_artifact(self, path: Path, artifact_path: str | None) -> None:
        """One file, in a folder."""
        ...

    def log_artifacts(self, directory: Path, artifact_path: str | None) -> None:
        """All files of a directory, in a folder."""
        ...

    def register_model(self, directory: Path, name: str) -> str | None:
        """Keep a model's files with the run and name them in a registry; how they are called
        there, None where the store has no registry.
        """
        ...

    def close(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        ...
