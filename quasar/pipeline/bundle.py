"""A run's trained model as others take it: files of the model, its configuration, its card.

The layout is that of a model on the Hugging Face hub, so that transformers loads it by its name;
`unpack` makes a run of it again, which every command takes as `--checkpoint`. Settings that name
places of a machine (paths, stores, keys) are left out both ways: they are nobody else's, and a
stranger's must not decide where this machine writes.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from quasar.config import (
    QuasarConfig,
    RunConfig,
    flatten,
    load_config,
    marked,
    to_commented_yaml,
    with_overrides,
)
from quasar.datasets.io import write_text
from quasar.errors import CheckpointError, InputError
from quasar.pipeline.run import Run
from quasar.pipeline.tracking import Tracker
from quasar.system.plain_text import strip_credentials
from quasar.system.run_paths import RunPaths, partial

logger = logging.getLogger(__name__)

CONFIG, CARD = "quasar.yaml", "README.md"
# What a model's directory may have; nothing that is run when it is read.
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", CARD, CONFIG)


def pack(run: RunPaths, directory: Path) -> None:
    """Write the bundle of a run's final model. Raises CheckpointError where it has none."""
    if not (run.final_model / "config.json").is_file() or not run.config_file.is_file():
        raise CheckpointError(
            f"{run.directory}: no run with a trained model (config.yaml, model/final); finish it "
            f"with quasar train --resume {run.directory}"
        )
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted(run.final_model.iterdir()):
        if any(path.match(pattern) for pattern in PATTERNS):
            shutil.copy(path, directory / path.name)
    config = _without_places(load_config(str(run.config_file)))
    write_text(directory / CONFIG, strip_credentials(to_commented_yaml(config)) + "\n")
    if run.card.is_file():
        shutil.copy(run.card, directory / CARD)


@contextmanager
def packed(run: RunPaths) -> Iterator[Path]:
    """The bundle of a run in a directory that goes away with the block."""
    with TemporaryDirectory(prefix="quasar-model-") as place:
        pack(run, Path(place))
        yield Path(place)


def register_model(run: Run, tracker: Tracker) -> None:
    """Keep the run's model with its tracked run, where the configuration names it in a registry."""
    name = run.config.tracking.register_as
    if name is None:
        return
    with packed(run) as bundle:
        for called in tracker.register_model(bundle, name):
            logger.info("the model is %s", called)


def unpack(bundle: Path, directory: Path) -> Path:
    """Make a run directory of a bundle; the directory. Nothing is left where it fails.

    Raises InputError where the directory is there, CheckpointError for a bundle without a model.
    """
    if directory.exists():
        raise InputError(f"{directory}: is there already; choose another place with --output")
    if not (bundle / "config.json").is_file():
        raise CheckpointError(f"{bundle.name}: holds no model (no config.json)")
    made = RunPaths(partial(directory))
    shutil.rmtree(made.directory, ignore_errors=True)
    try:
        made.final_model.mkdir(parents=True)
        for path in sorted(bundle.iterdir()):
            if path.name == CARD:
                shutil.copy(path, made.card)
            elif path.name == CONFIG:
                config = _without_places(load_config(str(path)))
                write_text(made.config_file, to_commented_yaml(config) + "\n")
            elif path.is_file() and any(path.match(pattern) for pattern in PATTERNS):
                shutil.copy(path, made.final_model / path.name)
        made.directory.rename(directory)
    finally:
        shutil.rmtree(made.directory, ignore_errors=True)
    return directory


def _without_places(config: QuasarConfig) -> QuasarConfig:
    """With the defaults of all settings that name a place; a starting model keeps its last name."""
    defaults = {path: value for path, value, _ in flatten(QuasarConfig())}
    values = {path: value for path, value, _ in flatten(config)}
    places = {path: defaults[path] for path in marked(config, "place") if path != "policy.model"}
    start = str(values["policy.model"])
    if start.startswith(("/", ".", "~")):
        start = Path(start).name or "build"
    uploads = {"run.upload": RunConfig().upload, "remote.url": None}
    return with_overrides(config, {**places, **uploads, "policy.model": start})
