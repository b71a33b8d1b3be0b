"""Runs in MLflow. Works on an explicit run id and keeps no global MLflow state."""

import json
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from quasar.config import QuasarConfig
from quasar.errors import ConfigError, TrainingError
from quasar.system.plain_text import strip_credentials
from quasar.system.run_paths import RunPaths

ARTIFACT_FOLDER = "mlflow-artifacts"
# Without it MLflow's page asks which kind this is, or opens on traces, of which a run has none;
# with it, on the runs and their curves.
EXPERIMENT_KIND = ("mlflow.experimentKind", "custom_model_development")
# Limits of the MLflow API.
MAX_PARAM_LENGTH = 6000
MAX_PARAMS_PER_BATCH = 100
MAX_METRICS_PER_BATCH = 1000
MODEL_FOLDER = "model"  # of a run's artifacts: the trained model


def tracking_uri(config: QuasarConfig, run_directory: Path) -> str:
    """`tracking.uri`, else MLFLOW_TRACKING_URI, else a SQLite file in the run directory."""
    default = f"sqlite:///{RunPaths(Path(run_directory).resolve()).mlflow_database}"
    return config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default


class MlflowBackend:
    """One MLflow run. See `TrackingBackend`."""

    def __init__(self, client: Any, run_id: str, experiment_id: str, uri: str):
        self.client = client
        self.run_id, self.experiment_id = run_id, experiment_id
        self.uri = strip_credentials(uri)
        self.name = f"MLflow at {self.uri}"

    @classmethod
    def start(
        cls,
        config: QuasarConfig,
        *,
        run_directory: Path,
        name: str | None,
        resume_run_id: str | None,
    ) -> "MlflowBackend":
        """Open a new run, or the run `resume_run_id` again.

        Raises ConfigError where the store cannot be used, TrainingError where the run to resume is
        not in it.
        """
        uri = tracking_uri(config, run_directory)
        try:
            run_directory.mkdir(parents=True, exist_ok=True)
            client = connect(uri)
            experiment_id = _experiment(client, config.tracking.experiment, uri)
            if resume_run_id is None:
                made = client.create_run(experiment_id, run_name=name or config.run.name)
                run_id = made.info.run_id
        except Exception as error:
            raise ConfigError(
                f"tracking.uri {strip_credentials(uri)!r}: MLflow cannot start there "
                f"({one_line_of(error)}); correct tracking.uri or MLFLOW_TRACKING_URI"
            ) from error
        if resume_run_id is not None:
            run_id = _reopen(client, resume_run_id, uri)
        return cls(client, run_id, experiment_id, uri)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entities = [Metric(_key(name), value, now, step) for name, value in metrics.items()]
        for start in range(0, len(entities), MAX_METRICS_PER_BATCH):
            self.client.log_batch(
                self.run_id, metrics=entities[start : start + MAX_METRICS_PER_BATCH]
            )

    def log_params(self, params: Mapping[str, Any]) -> None:
        """One that differs from before becomes a tag `resumed.<key>`: MLflow's are immutable."""
        from mlflow.entities import Param

        known = self.client.get_run(self.run_id).data.params
        texts = {_key(name): _param_text(value) for name, value in params.items()}
        changed = {k: v for k, v in texts.items() if k in known and known[k] != v}
        fresh = [Param(k, v) for k, v in texts.items() if k not in known]
        for start in range(0, len(fresh), MAX_PARAMS_PER_BATCH):
            batch = fresh[start : start + MAX_PARAMS_PER_BATCH]
            self.client.log_batch(self.run_id, params=batch)
        for name, text in changed.items():
            self.client.set_tag(self.run_id, f"resumed.{name}", text)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_tag(self.run_id, _key(name), value)

    def log_text(self, text: str, artifact_file: str) -> None:
        self.client.log_text(self.run_id, text, artifact_file)

    def log_table(self, rows: Sequence[Mapping[str, Any]], artifact_file: str) -> None:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        self.client.log_table(self.run_id, columns, artifact_file)

    def log_figure(self, figure: Any, artifact_file: str) -> None:
        self.client.log_figure(self.run_id, figure, artifact_file)

    def log_artifact(self, path: Path, artifact_path: str | None) -> None:
        self.client.log_artifact(self.run_id, str(path), artifact_path)

    def log_artifacts(self, directory: Path, artifact_path: str | None) -> None:
        self.client.log_artifacts(self.run_id, str(directory), artifact_path)

    def register_model(self, directory: Path, name: str) -> str:
        """A version of the registered model, which is made where it is not there."""
        from mlflow.exceptions import MlflowException

        self.log_artifacts(directory, MODEL_FOLDER)
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self.client.get_run(self.run_id).info.artifact_uri}/{MODEL_FOLDER}"
        version = self.client.create_model_version(name, source, run_id=self.run_id)
        return f"models:/{name}/{version.version}"

    def close(self, status: str) -> None:
        self.client.set_terminated(self.run_id, status)


def connect(uri: str) -> Any:
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
            f"({one_line_of(error)}); use the tracking.uri of the first start"
        ) from error
    return run_id


def _param_text(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = plain if isinstance(plain, str) else json.dumps(plain, default=str)
    return strip_credentials(text)[:MAX_PARAM_LENGTH]


def _key(name: str) -> str:
    """MLflow allows letters, digits and `_-. :/` in names."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:250]


def one_line_of(error: BaseException) -> str:
    """What a store said, in one line without credentials."""
    text = " ".join(str(error).split()) or type(error).__name__
    return strip_credentials(text)[:300]
