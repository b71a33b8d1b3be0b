"""Runs as TensorBoard event files, in the run directory's folder `tensorboard`.

A run that goes on appends another event file there; TensorBoard shows them as one curve.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"


class TensorBoardBackend:
    """See `TrackingBackend`. Raises ModuleNotFoundError without tensorboardX (extra `trackers`)."""

    def __init__(self, run_directory: Path):
        from tensorboardX import SummaryWriter

        self.name = f"TensorBoard in {run_directory / FOLDER}"
        # Of its own: files are else named by host and second, and a second start would write over.
        suffix = f".{secrets.token_hex(4)}"
        self._writer = SummaryWriter(str(run_directory / FOLDER), filename_suffix=suffix)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._writer.add_text("settings", _listed(params), 0)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._writer.add_text("tags", _listed(tags), 0)

    def log_text(self, text: str, artifact_file: str) -> None:
        self._writer.add_text(artifact_file, f"```\n{text}\n```")

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        self._writer.add_text(artifact_file, "\n\n".join(map(_listed, rows)))

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        self._writer.add_figure(artifact_file, figure, close=False)

    def log_artifact(self, path: Path, artifact_path: str | None) -> None:
        """Nothing: the files lie in the run directory."""

    def log_artifacts(self, directory: Path, artifact_path: str | None) -> None:
        """Nothing."""

    def register_model(self, directory: Path, name: str) -> None:
        """Nothing: there is no registry."""

    def close(self, status: str) -> None:
        self._writer.add_text("status", status)
        self._writer.close()


def _listed(values: Mapping[str, Any]) -> str:
    """As Markdown."""
    return "\n".join(f"- `{name}`: {value}" for name, value in values.items())
