"""Which configuration and which model the arguments of a command name.

Takes the parsed arguments of `quasar.cli.main`; each of what is named twice, or is not there, is
refused in one line.
"""

import logging
import os
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quasar.config import QuasarConfig, flatten, load_config, with_overrides
from quasar.config.task_names import GRAPH_TASK
from quasar.errors import ConfigError, InputError
from quasar.system.run_paths import RunPaths, model_directory
from quasar.system.shipped import MODELS, named_run, shipped_for, shipped_run

if TYPE_CHECKING:
    from quasar.serving.models import Checkpoint

logger = logging.getLogger(__name__)

JOB_HOME = Path.home() / "quasar"  # of jobs that name no place of their own
# What a model was taught to read and write: another value asks it for something else.
_TAUGHT = ("dataset.prompts", "generation.tool_format")
_REGISTERED = ("models:/", "runs:/")  # how MLflow names what it keeps

Prepare = Callable[[QuasarConfig], QuasarConfig]


def unchanged(config: QuasarConfig) -> QuasarConfig:
    """The `Prepare` that does nothing."""
    return config


def in_job(config: QuasarConfig) -> QuasarConfig:
    """The `Prepare` of a Ray job.

    The job's working directory goes away when the job has ended: a relative run directory is
    placed under the home directory of the node that runs the job.
    """
    # The job's own env_vars may name variables that we set as well: ours are added, not refused.
    os.environ.setdefault("RAY_OVERRIDE_JOB_RUNTIME_ENV", "1")
    directory = Path(config.run.directory)
    if directory.is_absolute():
        return config
    place = JOB_HOME / directory
    logger.info("runs are written to %s (choose: --set run.directory=/shared/runs)", place)
    return with_overrides(config, {"run.directory": str(place)})


def remote_settings(arguments: Namespace) -> dict[str, Any] | None:
    """The settings of a model behind a server, where the arguments name one.

    Raises ConfigError where they name another model too, or options of a server without one.
    """
    options = {
        "remote.model": arguments.model,
        "remote.api_key_env": arguments.api_key_env,
        "remote.concurrency": arguments.concurrency,
    }
    if arguments.endpoint is None:
        for name, value in options.items():
            if value is not None:
                option = name.removeprefix("remote.").replace("_", "-")
                raise ConfigError(f"--{option} goes with --endpoint URL; give both")
        return None
    if arguments.checkpoint is not None:
        raise ConfigError("--checkpoint and --endpoint: name one of them")
    if sets_model(arguments):
        raise ConfigError("--endpoint and --set policy.model: name one of them")
    if arguments.model is None:
        raise ConfigError("--endpoint goes with --model NAME; the server lists its own at /models")
    return {"remote.url": arguments.endpoint, **options}


def sets_model(arguments: Namespace) -> bool:
    """Whether `--set` names a model; that of a preset or file may be what a run wrote down."""
    return any(text.partition("=")[0].strip() == "policy.model" for text in arguments.overrides)


def take_model(
    arguments: Namespace, tasks: Callable[[], Collection[str]] = lambda: (GRAPH_TASK,)
) -> None:
    """Where no checkpoint is named: `policy.model` if it is set, else the model of the package that
    was trained on the tasks, which are asked for then alone. A model of the package is found by its
    name, and one that MLflow keeps is fetched. Raises ConfigError, also where `--set` names another
    model beside the checkpoint; CheckpointError where MLflow has it not.
    """
    given = _given(arguments, arguments.checkpoint)
    if arguments.checkpoint is None:
        model = given.policy.model
        arguments.checkpoint = shipped_for(tasks()) if model == "build" else Path(model)
    arguments.checkpoint = _located(arguments.checkpoint, given)


def checkpoints_to_serve(arguments: Namespace) -> "list[Checkpoint]":
    """The models of `quasar serve`, each with the configuration that it brings along: those named,
    else `policy.model` if it is set, else all of the package. Raises as `take_model`.
    """
    from quasar.serving.models import Checkpoint

    named = arguments.checkpoint
    given = _given(arguments, None if named is None else named[0])
    if named is None:
        model = given.policy.model
        named = [*map(shipped_run, MODELS)] if model == "build" else [Path(model)]
    found = []
    for path in named:
        one = Namespace(**vars(arguments) | {"checkpoint": _located(path, given)})
        found.append(Checkpoint.of(model_directory(one.checkpoint), load(one)))
    return found


def _given(arguments: Namespace, checkpoint: Path | None) -> QuasarConfig:
    """The configuration as it is given, not a run's. Raises ConfigError where it names a model
    beside the checkpoint.
    """
    if checkpoint is not None and sets_model(arguments):
        raise ConfigError(f"--checkpoint {checkpoint} and --set policy.model: name one of them")
    return load_config(arguments.config or "laptop", arguments.overrides)


def _located(checkpoint: Path, given: QuasarConfig) -> Path:
    """The model of the package that is named so, one that MLflow keeps, or the path itself."""
    name = str(checkpoint)
    if not name.startswith(_REGISTERED):
        return named_run(checkpoint)
    from quasar.pipeline.registry import fetch_registered

    return fetch_registered(name, given.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI"))


def tasks_in(problems: Path) -> tuple[str, ...]:
    """The tasks that the rows of a problem file name. Raises InputError where it cannot be read."""
    from quasar.datasets.io import read_rows

    rows = (row for _, row in read_rows(problems) if isinstance(row, Mapping))
    return tuple(dict.fromkeys(str(row.get("task") or GRAPH_TASK) for row in rows))


def load(arguments: Namespace, **options: Any) -> QuasarConfig:
    """The configuration: `--config`, else that of the run whose checkpoint or directory is named,
    else the laptop's, or, of a model that no run brings along, that of the published style, in
    which any model can be asked; with `--set`. `options` (None: not given) have an option of their
    own.
    """
    run = _run_of(arguments)
    own = None if run is None else str(run.config_file)
    strange = getattr(arguments, "checkpoint", None) is not None and own is None
    preset = "published" if strange else "laptop"
    if getattr(arguments, "endpoint", None) is not None:
        preset = "remote"
    config = load_config(arguments.config or own or preset, arguments.overrides)
    if own is not None:
        _say_what_clashes(config, load_config(own), own)
    given = {key: value for key, value in options.items() if value is not None}
    return arguments.prepare(with_overrides(config, given))


def require_trained(arguments: Namespace, config: QuasarConfig, tasks: Iterable[str]) -> None:
    """Raise InputError for a task that the run of the checkpoint was not trained on. Of a model
    that no run brings along nothing is known.
    """
    known = config.dataset.tasks
    if _run_of(arguments) is None:
        return
    for task in tasks:
        if task not in known:
            raise InputError(
                f"{arguments.checkpoint.resolve().name} was not trained on {task} (it was on "
                f"{', '.join(known)}); use a checkpoint that was, e.g. --checkpoint tasks-2m"
            )


def _run_of(arguments: Namespace) -> RunPaths | None:
    """The run that the command reads a model or rollouts of."""
    named = getattr(arguments, "checkpoint", None) or getattr(arguments, "run_directory", None)
    return None if named is None else RunPaths.enclosing(named)


def _say_what_clashes(config: QuasarConfig, taught: QuasarConfig, own: str) -> None:
    """Warn where --config or --set asks the model for what it was not taught."""
    from quasar.serving.trained_range import trained_families

    here, there = ({k: v for k, v, _ in flatten(c)} for c in (config, taught))
    for name in _TAUGHT:
        if here[name] != there[name]:
            logger.warning(
                "%s is %r, the model was trained with %r (%s): expect poor answers",
                name, here[name], there[name], own,
            )  # fmt: skip
    families = trained_families(taught)
    if config.serving.ansatz not in families:
        logger.info(
            "serving.ansatz is %r, the model was trained on %s (%s)",
            config.serving.ansatz, ", ".join(families), own,
        )  # fmt: skip


def existing(path: Path, option: str) -> Path:
    """The path, which must be a file's; InputError names the option otherwise."""
    if not path.is_file():
        raise InputError(f"{option} {path}: no such file")
    return path
