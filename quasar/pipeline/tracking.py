"""Run tracking with MLflow: the one way to log.

Takes the resolved configuration once, then metrics by step, texts, tables, figures and files; gives
an MLflow run that can be opened again by its id, from another process or after a kill, and goes on
as the same run. Works on an explicit run id and keeps no global MLflow state.

Two rules: a tracker that is configured but cannot start stops the job with one line; once it has
started, a failure to log never does (it is warned of once, and tried again later).
"""

import hashlib
import json
import logging
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from quasar.config import QuasarConfig, flatten, to_commented_yaml
from quasar.errors import ConfigError, TrainingError
from quasar.system.locks import held, lock_of_file
from quasar.system.plain_text import strip_credentials
from quasar.system.run_paths import RunPaths

logger = logging.getLogger(__name__)

PACKAGES = (
    "quasar-rl", "ray", "torch", "transformers", "deepspeed", "qiskit", "qiskit-aer",
    "qiskit-aer-gpu", "numpy", "scipy", "mlflow",
)  # fmt: skip
ARTIFACT_FOLDER = "mlflow-artifacts"
# Without it MLflow's page asks which kind this is, or opens on traces, of which a run has none;
# with it, on the runs and their curves.
EXPERIMENT_KIND = ("mlflow.experimentKind", "custom_model_development")
# Limits of the MLflow API.
MAX_PARAM_LENGTH = 6000
MAX_PARAMS_PER_BATCH = 100
MAX_METRICS_PER_BATCH = 1000
# After a failed call the store is left alone for a while: a dead server must not slow training.
RETRY_AFTER_S = 60.0


def tracking_uri(config: QuasarConfig, run_directory: Path) -> str:
    """`tracking.uri`, else MLFLOW_TRACKING_URI, else a SQLite file in the run directory."""
    default = f"sqlite:///{RunPaths(Path(run_directory).resolve()).mlflow_database}"
    return config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default


class Tracker:
    """One open MLflow run. Make it with `Tracker.start`; `close` it, or use it as a context."""

    def __init__(self, client: Any, run_id: str, experiment_id: str, uri: str):
        self._client = client
        self._silent_until = 0.0
        self._warned = False
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.uri = strip_credentials(uri)

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
        """Open a new run, or the run `resume_run_id` again, and log configuration and environment.

        name: of a new run; `run.name` where it is None.
        On resume values that changed are kept as tags `resumed.<key>` (MLflow parameters are
        immutable). Raises ConfigError where the store cannot be used, TrainingError where the run
        to resume is not in it.
        """
        directory = Path(run_directory)
        uri = tracking_uri(config, directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            client = _connect(uri)
            experiment_id = _experiment(client, config.tracking.experiment, uri)
            if resume_run_id is None:
                made = client.create_run(experiment_id, run_name=name or config.run.name)
                run_id = made.info.run_id
        except Exception as error:
            raise ConfigError(
                f"tracking.uri {strip_credentials(uri)!r}: MLflow cannot start there "
                f"({_one_line(error)}); correct tracking.uri or MLFLOW_TRACKING_URI"
            ) from error
        if resume_run_id is not None:
            run_id = _reopen(client, resume_run_id, uri)
        tracker = cls(client, run_id, experiment_id, uri)
        tracker._log_start(config, resumed=resume_run_id is not None, tags=tags or {})
        return tracker

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at a step in batches; values that are not finite are dropped and named."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {k: float(v) for k, v in metrics.items() if math.isfinite(v)}
        if len(finite) < len(metrics):
            dropped = ", ".join(sorted(set(metrics) - set(finite)))
            logger.warning("step %d: not finite, not logged: %s", step, dropped)
        entities = [Metric(_key(name), value, now, step) for name, value in finite.items()]
        for start in range(0, len(entities), MAX_METRICS_PER_BATCH):
            batch = entities[start : start + MAX_METRICS_PER_BATCH]
            self._attempt(lambda batch=batch: self._client.log_batch(self.run_id, metrics=batch))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log values that do not change in a run; one that differs from before becomes a tag."""
        self._attempt(lambda: self._put_params(params))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run (text)."""
        for name, value in tags.items():
            text = strip_credentials(str(value))
            self._attempt(lambda n=name, v=text: self._client.set_tag(self.run_id, _key(n), v))

    def log_text(self, text: str, artifact_file: str) -> None:
        """Store a text as an artifact, e.g. `log_text(report, "notes/report.md")`."""
        self._attempt(lambda: self._client.log_text(self.run_id, text, artifact_file))

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        """Append rows (equal keys) to a table artifact, e.g. sampled circuits in `samples.json`."""
        if rows:
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            self._attempt(lambda: self._client.log_table(self.run_id, columns, artifact_file))

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        """Store a matplotlib figure as an artifact (format by the file name)."""
        self._attempt(lambda: self._client.log_figure(self.run_id, figure, artifact_file))

    def log_artifact(self, path: Path | str, artifact_path: str | None = None) -> None:
        """Store one file, in the artifact folder `artifact_path`."""
        self._attempt(lambda: self._client.log_artifact(self.run_id, str(path), artifact_path))

    def log_artifacts(self, directory: Path | str, artifact_path: str | None = None) -> None:
        """Store all files of a directory."""
        self._attempt(
            lambda: self._client.log_artifacts(self.run_id, str(directory), artifact_path)
        )

    def close(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED. It can be opened again by `run_id`."""
        self._silent_until = 0.0
        self._attempt(lambda: self._client.set_terminated(self.run_id, status))

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

    def _put_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        texts = {_key(name): _param_text(value) for name, value in params.items()}
        changed = {k: v for k, v in texts.items() if k in known and known[k] != v}
        fresh = [Param(k, v) for k, v in texts.items() if k not in known]
        for start in range(0, len(fresh), MAX_PARAMS_PER_BATCH):
            batch = fresh[start : start + MAX_PARAMS_PER_BATCH]
            self._client.log_batch(self.run_id, params=batch)
        for name, text in changed.items():
            self._client.set_tag(self.run_id, f"resumed.{name}", text)

    def _attempt(self, call: Callable[[], Any]) -> None:
        """Run one logging call; a failure is warned of once and pauses logging for a while."""
        if time.monotonic() < self._silent_until:
            return
        try:
            call()
        except Exception as error:  # whatever the store raises: logging never breaks training
            self._silent_until = time.monotonic() + RETRY_AFTER_S
            if not self._warned:
                self._warned = True
                logger.warning(
                    "MLflow at %s does not take logs (%s); the run goes on, logging is tried "
                    "again every %.0f s",
                    self.uri, _one_line(error), RETRY_AFTER_S,
                )  # fmt: skip


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


def _connect(uri: str) -> Any:
    """A client on the store. The environment defaults keep a dead server from blocking for long."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient

    for chatty in ("alembic", "mlflow.store.db.utils"):  # else each table made is a line
        logging.getLogger(chatty).setLevel(logging.WARNING)
    database = _sqlite_file(uri)
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri)


def _sqlite_file(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path[1:])) if parts.scheme == "sqlite" and parts.path else None


def _experiment(client: Any, name: str, uri: str) -> str:
    """The experiment's id; made where it is not there, with artifacts beside a SQLite file."""
    found = client.get_experiment_by_name(name)
    if found is None:
        database = _sqlite_file(uri)
        place = (database.resolve().parent / ARTIFACT_FOLDER).as_uri() if database else None
        try:
            return client.create_experiment(
                name, artifact_location=place, tags=dict([EXPERIMENT_KIND])
            )
        except Exception:
            found = client.get_experiment_by_name(name)  # another process may have been faster
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise ValueError(f"experiment {name!r} is deleted there; restore it or rename it")
    if EXPERIMENT_KIND[0] not in found.tags:  # a kind that was chosen there is kept
        client.set_experiment_tag(found.experiment_id, *EXPERIMENT_KIND)
    return found.experiment_id


def _reopen(client: Any, run_id: str, uri: str) -> str:
    try:
        run = client.get_run(run_id)
        if run.info.lifecycle_stage != "active":
            raise ValueError("the run is deleted")
        client.update_run(run_id, status="RUNNING")
    except Exception as error:
        raise TrainingError(
            f"tracking: MLflow run {run_id!r} cannot be resumed at {strip_credentials(uri)!r} "
            f"({_one_line(error)}); use the tracking.uri of the first start"
        ) from error
    return run_id


def _param_text(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = plain if isinstance(plain, str) else json.dumps(plain, default=str)
    return strip_credentials(text)[:MAX_PARAM_LENGTH]


def _key(name: str) -> str:
    """MLflow allows letters, digits and `_-. :/` in names."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:250]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return strip_credentials(text)[:300]
