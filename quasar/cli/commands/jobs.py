"""What each command does: build the configuration from the arguments, call one function.

Each function takes the parsed arguments of `quasar.cli.main` and returns an exit code (None: 0).
Everything heavy (torch, ray) is imported inside, so that `quasar --help` answers at once.
"""

import logging
import os
import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from quasar.config import (
    QuasarConfig,
    flatten,
    load_config,
    to_commented_yaml,
    with_overrides,
)
from quasar.errors import CheckpointError, ConfigError, InputError
from quasar.evaluation.baseline_names import check_names
from quasar.system.invocation import command
from quasar.system.run_paths import EvaluationPaths, RunPaths
from quasar.system.shipped import shipped_run

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


def config_show(arguments: Namespace) -> None:
    if arguments.source and arguments.config:
        raise ConfigError("config show: give the preset or file once")
    arguments.config = arguments.config or arguments.source
    print(to_commented_yaml(load(arguments)))


def train(arguments: Namespace) -> None:
    config = load(arguments, **_place_of(arguments))
    from quasar.pipeline.main_job import run_main_job

    run_main_job(config)


def generate(arguments: Namespace) -> None:
    remote = remote_settings(arguments)
    if remote is None:
        take_model(arguments)
    config = load(
        arguments,
        **{
            "evaluation.temperature": arguments.temperature,
            "generation.constrained": arguments.constrained,
        },
        **(remote or {}),
    )
    problems = existing(arguments.problems, "--problems")
    from quasar.episodes.generate import generate_file, generate_remotely

    if remote is not None:
        used = generate_remotely(
            problems, samples=arguments.samples, output=arguments.output, config=config
        )
        print(f"{arguments.output}: {used}")
        return
    generate_file(
        model_directory(arguments.checkpoint),
        problems,
        samples=arguments.samples,
        output=arguments.output,
        config=config,
    )


def evaluate(arguments: Namespace) -> None:
    noise = True if arguments.device else None
    config = load(arguments, **{"evaluation.device": arguments.device, "evaluation.noise": noise})
    problems = existing(arguments.problems, "--problems")
    generations = existing(arguments.generations, "--generations")
    check_names(arguments.baselines)
    from rich.console import Console

    from quasar.pipeline.evaluate import evaluate_files
    from quasar.pipeline.tracking import tracked_output
    from quasar.reports.console import rows_table, summary_table
    from quasar.reports.family_table import family_console
    from quasar.reports.task_table import task_console
    from quasar.verification.clients import open_verifiers

    paths = EvaluationPaths(arguments.output)
    num_workers = arguments.workers or config.verification.num_workers
    with (
        tracked_output(config, arguments.output) as tracker,
        open_verifiers(config, num_workers=num_workers) as verifiers,
    ):
        summary = evaluate_files(
            problems,
            generations,
            arguments.output,
            config=config,
            verifiers=verifiers,
            baselines=arguments.baselines,
        )
        if tracker is not None:
            tracker.log_metrics(dict(summary.values()), 0)
            for written in (paths.summary, paths.report):
                tracker.log_artifact(written)
    upload(config, arguments.output)
    console = Console()
    console.print(summary_table(summary))
    console.print(rows_table(summary))
    families = family_console({"this evaluation": summary, **summary.baselines})
    if families is not None:
        console.print(families)
    tasks = task_console({"this evaluation": summary, **summary.baselines})
    if tasks is not None:
        console.print(tasks)
    print(f"report: {paths.report}")


def compare(arguments: Namespace) -> None:
    config = load(arguments)
    from rich.console import Console

    from quasar.evaluation.compare import compare as compare_directories
    from quasar.reports.compare_report import comparison_tables, write_comparison

    comparison = compare_directories(arguments.directories, seed=config.run.seed)
    console = Console()
    for table in comparison_tables(comparison):
        console.print(table)
    write_comparison(arguments.output, comparison)
    print(f"comparison: {arguments.output}")


def sft(arguments: Namespace) -> None:
    config = load(arguments, **_place_of(arguments))
    from quasar.pipeline.main_job import fine_tuned_run

    with fine_tuned_run(config) as (run, model, _):
        print(f"model: {model}")
        words = (command("quasar"), "train", "--resume", str(run.directory))
        print(f"GRPO goes on from it: {shlex.join(words)}")


def improve(arguments: Namespace) -> None:
    config = load(arguments, **_place_of(arguments))
    from quasar.pipeline.improve import run_improvement

    improved = run_improvement(config)
    print(f"model: {improved.model}")
    words = (command("quasar"), "train", "--resume", str(improved.run))
    print(f"GRPO goes on from it: {shlex.join(words)}")


def sweep(arguments: Namespace) -> None:
    config = load(arguments)
    space = dict(_sweep_values(text) for text in arguments.params)
    from rich.console import Console

    from quasar.pipeline.main_job import fine_tuned_run, store_uri
    from quasar.reports.sweep_report import gains_table, points_of, sweep_table, write_sweep
    from quasar.training.sweep import PRESETS, SweepPlan, run_sweep

    plan = SweepPlan(
        space=space,
        points=PRESETS[arguments.preset] if arguments.preset else {},
        num_samples=arguments.num_samples,
        search=arguments.search,
        scheduler=arguments.scheduler,
    )
    plan.check(config)
    with fine_tuned_run(config) as (run, model, tracker):
        trials = run_sweep(
            run.config,
            plan,
            model_directory=model,
            problems_file=run.split("train"),
            directory=run.directory,
            tracking_uri=store_uri(run.config),
            parent_run_id=tracker.run_id,
        )
        written = write_sweep(trials, run.sweep_report)
        for path in written:
            tracker.log_artifact(path, "sweep")
    points = points_of(trials)
    Console().print(sweep_table(points))
    if gains := gains_table(points):
        Console().print(gains)
    print("written: " + ", ".join(map(str, written)))


def serve(arguments: Namespace) -> None:
    if not arguments.verifier_only:
        take_model(arguments)
    config = load(arguments)
    from quasar.serving.app import serve_checkpoint, serve_verifier

    if arguments.verifier_only:
        serve_verifier(config)
    else:
        serve_checkpoint(model_directory(arguments.checkpoint), config)


def push(arguments: Namespace) -> None:
    load(arguments)
    from quasar.pipeline.hub import push as push_run

    run = RunPaths(arguments.run_directory)
    print(push_run(run, arguments.repository, private=arguments.private))


def pull(arguments: Namespace) -> None:
    load(arguments)
    from quasar.pipeline.hub import pull as pull_run

    output = arguments.output or Path(arguments.repository.rpartition("/")[2])
    made = pull_run(arguments.repository, output, revision=arguments.revision)
    print(f"model: {made}")
    print(f"serve it: {shlex.join((command('quasar'), 'serve', '--checkpoint', str(made)))}")


def keys_new(arguments: Namespace) -> None:
    load(arguments)
    from quasar.serving.keys import new_key

    print(new_key(arguments.id, arguments.file))


def plan(arguments: Namespace) -> int:
    """Exit code 1 where something does not fit."""
    config = load(arguments)
    from rich.console import Console

    from quasar.training.capacity.plan import Hardware, named_shape, plan_run, plan_table

    hardware = Hardware(float(arguments.gpu_memory))
    plans = [
        plan_run(
            config,
            named_shape(name, config),
            name=name,
            num_gpus=arguments.gpus,
            on=hardware,
            response_tokens=arguments.response_tokens,
        )
        for name in filter(None, (part.strip() for part in arguments.models.split(",")))
    ]
    tokens = arguments.response_tokens
    Console().print(plan_table(plans, config, hardware, response_tokens=tokens))
    return 1 if any(found.problems for found in plans) else 0


def doctor(arguments: Namespace) -> int:
    config = load(arguments)
    from quasar.cli.doctor import run_doctor

    checks = run_doctor(config)
    width = max(len(check.name) for check in checks)
    for check in checks:
        hint = f"  hint: {check.hint}" if check.hint else ""
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name:{width}}  {check.detail}{hint}")
    return 0 if all(check.ok for check in checks) else 1


def remote_settings(arguments: Namespace) -> dict[str, Any] | None:
    """The settings of a model behind a server, where the arguments name one.

    Raises ConfigError where they name a checkpoint too, or options of a server without one.
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
    if arguments.model is None:
        raise ConfigError("--endpoint goes with --model NAME; the server lists its own at /models")
    return {"remote.url": arguments.endpoint, **options}


def take_model(arguments: Namespace) -> None:
    """Where no checkpoint is named: `policy.model` if it is set, else the model of the package. One
    that MLflow keeps is fetched: raises ConfigError, or CheckpointError where MLflow has it not.
    """
    given = load_config(arguments.config or "laptop", arguments.overrides)
    if arguments.checkpoint is None:
        model = given.policy.model
        arguments.checkpoint = shipped_run() if model == "build" else Path(model)
    name = str(arguments.checkpoint)
    if name.startswith(_REGISTERED):
        from quasar.pipeline.registry import fetch_registered

        uri = given.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
        arguments.checkpoint = fetch_registered(name, uri)


def model_directory(path: Path) -> Path:
    """The trained model of a run where `path` is a run directory, else `path` itself."""
    trained = RunPaths(path).final_model
    return trained if (trained / "config.json").is_file() else path


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


def upload(config: QuasarConfig, directory: Path) -> None:
    """Copy a command's output to <run.upload>/<its name>, where that is set."""
    if config.run.upload:
        from quasar.pipeline.storage import Mirror

        Mirror(directory, f"{config.run.upload}/{directory.resolve().name}").push()


def existing(path: Path, option: str) -> Path:
    """The path, which must be a file's; InputError names the option otherwise."""
    if not path.is_file():
        raise InputError(f"{option} {path}: no such file")
    return path


def _place_of(arguments: Namespace) -> dict[str, str]:
    """Directory and name of the run that is to go on, whose configuration is taken over."""
    if arguments.resume is None:
        return {}
    run = arguments.resume.resolve()
    if not run.is_dir():
        raise CheckpointError(f"--resume {arguments.resume}: no such run directory")
    if arguments.config is None:
        kept = RunPaths(run).config_file
        if not kept.is_file():
            raise CheckpointError(
                f"--resume {arguments.resume}: not a run directory (no {kept.name})"
            )
        arguments.config = str(kept)
    return {"run.directory": str(run.parent), "run.name": run.name}


def _sweep_values(text: str) -> tuple[str, Any]:
    """`a.b=1,2` → ("a.b", [1, 2]); `a.b=0.1..0.9` → ("a.b", a range)."""
    key, separator, listed = text.partition("=")
    from quasar.training.sweep import Range

    found = Range.read(listed) if separator else None
    if found is not None:
        return key, found
    try:
        values = yaml.safe_load(f"[{listed}]")
    except yaml.YAMLError:
        values = None
    if not separator or not values:
        raise ConfigError(
            f"--param {text!r}: write it as section.key=value,value or section.key=low..high"
        )
    return key, values
