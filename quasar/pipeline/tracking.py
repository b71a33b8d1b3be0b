"""Run tracking: the one way to log, to all trackers of `tracking.backends`.

Takes the resolved configuration once, then metrics by step, texts, tables, figures, files and the
trained model. An MLflow run can be opened again by its id, from another process or after a kill,
and goes on as the same run; the other trackers find theirs in the run directory.

Two rules: a tracker that is configured but cannot start stops the job with one line; once it has
started, a failure to log never does (it is warned of once, and tried again later).
"""

import hashlib
import logging
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from quasar.config import QuasarConfig, flatten, to_commented_yaml
from quasar.errors import ConfigError
from quasar.pipeline.trackers.mlflow import MlflowBackend, one_line_of
from quasar.pipeline.trackers.protocol import TrackingBackend
from quasar.pipeline.trackers.tensorboard import TensorBoardBackend
from quasar.pipeline.trackers.wandb import WandbBackend
from quasar.system.locks import held, lock_of_file
from quasar.system.plain_text import strip_credentials
from quasar.system.run_paths import RunPaths

logger = logging.getLogger(__name__)

PACKAGES = (
    "quasar-rl", "ray", "torch", "transformers", "deepspeed", "qiskit", "qiskit-aer",
    "qiskit-aer-gpu", "numpy", "scipy", "mlflow",
)  # fmt: skip
# After a failed call a store is left alone for a while: a dead server must not slow training.
RETRY_AFTER_S = 60.0


class Tracker:
    """One open run. Make it with `Tracker.start`; `close` it, or use it as a context."""

    def __init__(self, backends: Sequence[TrackingBackend]):
        self._outlets = [_Outlet(backend) for backend in backends]
        found = [backend for backend in backends if isinstance(backend, MlflowBackend)]
        self.mlflow = found[0] if found else None

    @property
    def run_id(self) -> str:
        """Of the MLflow run; empty where there is none."""
        return "" if self.mlflow is None else self.mlflow.run_id

    @classmethod
    def start(
        cls,
        config: QuasarConfig,
        *,
        run_directory: Path | str,
        name: str | None = None,
        resume_run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Tracker":
        """Open a new run, or the MLflow run `resume_run_id` again, and log configuration and
        environment.

        name: of a new run; `run.name` where it is None.
        On resume values that changed are kept as tags `resumed.<key>` (MLflow parameters are
        immutable). Raises ConfigError where a store cannot be used or its library is not installed,
        TrainingError where the run to resume is not in it.
        """
        directory, opened = Path(run_directory), []
        for kind in config.tracking.backends:
            try:
                opened.append(_open(kind, config, directory, name, resume_run_id or None))
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"tracking.backends: {kind} needs {error.name}, which is not installed; "
                    'pip install "quasar-rl[trackers]" brings it'
                ) from error
        tracker = cls(opened)
        tracker._log_start(config, resumed=bool(resume_run_id), tags=tags or {})
        return tracker

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at a step; values that are not finite are dropped and named."""
        finite = {k: float(v) for k, v in metrics.items() if math.isfinite(v)}
        if len(finite) < len(metrics):
            dropped = ", ".join(sorted(set(metrics) - set(finite)))
            logger.warning("step %d: not finite, not logged: %s", step, dropped)
        if finite:
            self._each(lambda backend: backend.log_metrics(finite, step))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log values that do not change in a run."""
        self._each(lambda backend: backend.log_params(params))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run (text)."""
        clean = {name: strip_credentials(str(value)) for name, value in tags.items()}
        self._each(lambda backend: backend.set_tags(clean))

    def log_text(self, text: str, artifact_file: str) -> None:
        """Store a text as an artifact, e.g. `log_text(report, "notes/report.md")`."""
        self._each(lambda backend: backend.log_text(text, artifact_file))

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        """Append rows (equal keys) to a table artifact, e.g. sampled circuits in `samples.json`."""
        if rows:
            self._each(lambda backend: backend.log_table(rows, artifact_file))

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        """Store a matplotlib figure as an artifact (format by the file name)."""
        self._each(lambda backend: backend.log_figure(figure, artifact_file))

    def log_artifact(self, path: Path | str, artifact_path: str | None = None) -> None:
        """Store one file, in the artifact folder `artifact_path`."""
        self._each(lambda backend: backend.log_artifact(Path(path), artifact_path))

    def log_artifacts(self, directory: Path | str, artifact_path: str | None = None) -> None:
        """Store all files of a directory."""
        self._each(lambda backend: backend.log_artifacts(Path(directory), artifact_path))

    def register_model(self, directory: Path, name: str) -> list[str]:
        """Keep a model with the run and in each registry that there is; how it is called there."""
        found: list[str] = []

        def register(backend: TrackingBackend) -> None:
            called = backend.register_model(directory, name)
            if called is not None:
                found.append(called)

        self._each(register)
        return found

    def close(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED. It can be opened again by `run_id`."""
        for outlet in self._outlets:
            outlet.silent_until = 0.0
        self._each(lambda backend: backend.close(status))

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.close("FINISHED")
        else:
            self.close("FAILED" if issubclass(kind, Exception) else "KILLED")

    def _log_start(self, config: QuasarConfig, *, resumed: bool, tags: Mapping[str, str]) -> None:
        self.set_tags({**environment_tags(), **tags})
        params = {path: value for path, value, _ in flatten(config)}
        self.log_params({**params, "seed": config.run.seed})
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"config-resumed-{stamp}.yaml" if resumed else "config.yaml"
        self.log_text(strip_credentials(to_commented_yaml(config)) + "\n", name)

    def _each(self, call: Callable[[TrackingBackend], Any]) -> None:
        for outlet in self._outlets:
            outlet.attempt(call)


class _Outlet:
    """One tracker; a call that fails is warned of once and pauses it for a while."""

    def __init__(self, backend: TrackingBackend):
        self._backend = backend
        self.silent_until = 0.0
        self._warned = False

    def attempt(self, call: Callable[[TrackingBackend], Any]) -> None:
        if time.monotonic() < self.silent_until:
            return
        try:
            call(self._backend)
        except Exception as error:  # whatever the store raises: logging never breaks training
            self.silent_until = time.monotonic() + RETRY_AFTER_S
            if not self._warned:
                self._warned = True
                logger.warning(
                    "%s does not take logs (%s); the run goes on, logging is tried again every "
                    "%.0f s",
                    self._backend.name, one_line_of(error), RETRY_AFTER_S,
                )  # fmt: skip


def _open(
    kind: str, config: QuasarConfig, directory: Path, name: str | None, resume_run_id: str | None
) -> TrackingBackend:
    if kind == "tensorboard":
        return TensorBoardBackend(directory)
    if kind == "wandb":
        return WandbBackend.start(config, run_directory=directory, name=name)
    return MlflowBackend.start(
        config, run_directory=directory, name=name, resume_run_id=resume_run_id
    )


@contextmanager
def tracked_output(config: QuasarConfig, output: Path) -> Iterator[Tracker | None]:
    """The MLflow run of a command that is not a training run and writes `output`, named after it.

    None where no store is named: a short command makes no database. One that was killed goes on
    with its run. Raises as `Tracker.start`.
    """
    if not (config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")):
        yield None
        return
    marker = RunPaths(output).tracked_as_file
    # Else a second process would go on with the first one's run, and end it.
    with held(lock_of_file(marker), output):
        tracker = Tracker.start(
            config,
            run_directory=output,
            name=output.resolve().name,
            resume_run_id=marker.read_text() if marker.is_file() else None,
        )
        marker.write_text(tracker.run_id)
        with tracker:
            yield tracker
        marker.unlink()


def environment_tags() -> dict[str, str]:
    """Git revision (with a mark for uncommitted changes), digest of the sources, package versions.

    A job's working directory comes without `.git`: there the revision is that of the environment
    variable QUASAR_GIT_REVISION, and the digest tells two states of the sources apart without it.
    """
    tags = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            tags[f"version.{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    tags["source.sha256"] = source_digest()
    revision = git_revision() or os.environ.get("QUASAR_GIT_REVISION")
    return {**tags, "git.revision": revision} if revision else tags


def source_digest() -> str:
    """SHA-256 over names and contents of this package's Python files: 16 hex digits."""
    root, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def git_revision() -> str | None:
    """Commit of the checkout that this package is part of, `-dirty` appended; None outside one."""
    here = Path(__file__).resolve()
    # Tracked there, not merely inside some other project's checkout (e.g. its virtual environment).
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    revision = _git(here.parent, "rev-parse", "HEAD")
    changes = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return revision and (f"{revision}-dirty" if changes else revision)


def _git(directory: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
