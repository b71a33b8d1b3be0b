"""Models that MLflow keeps, as checkpoints: `models:/NAME/1`, `models:/NAME@ALIAS`, `runs:/ID`."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from quasar.errors import CheckpointError, ConfigError
from quasar.pipeline.bundle import unpack
from quasar.pipeline.trackers.mlflow import MODEL_FOLDER, connect, one_line_of


def fetch_registered(name: str, uri: str | None) -> Path:
    """The model in a run directory that goes away with this process.

    uri: of the MLflow store. Raises ConfigError without one, CheckpointError where the store does
    not have it.
    """
    if not uri:
        raise ConfigError(
            f"--checkpoint {name}: names a model in MLflow; say in which store with "
            "MLFLOW_TRACKING_URI or --set tracking.uri=URI"
        )
    from mlflow.artifacts import download_artifacts

    place = Path(tempfile.mkdtemp(prefix="quasar-model-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    bundle = place / "bundle"
    bundle.mkdir()
    try:
        source = _source(connect(uri), name)
        found = download_artifacts(source, dst_path=str(bundle), tracking_uri=uri)
    except Exception as error:  # whatever the store and its artifact store raise
        raise CheckpointError(
            f"--checkpoint {name}: MLflow has no such model there ({one_line_of(error)})"
        ) from error
    title = "-".join(name.partition(":/")[2].replace("@", "/").split("/")) or "model"
    return unpack(Path(found), place / title)


def _source(client: Any, name: str) -> str:
    """Where the artifacts lie. A run without a path has its model under its own folder."""
    if name.startswith("runs:/"):
        path = name.removeprefix("runs:/").strip("/")
        return f"runs:/{path}" if "/" in path else f"runs:/{path}/{MODEL_FOLDER}"
    path = name.removeprefix("models:/").strip("/")
    model, _, alias = path.partition("@")
    if alias:
        version = client.get_model_version_by_alias(model, alias).version
    else:
        model, _, version = path.partition("/")
    return client.get_model_version_download_uri(model, version)
