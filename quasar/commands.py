"""What each command does: build the configuration from the arguments, call one function.

Each function takes the parsed arguments of `quasar.cli` and returns an exit code (None: 0).
Everything heavy (torch, ray) is imported inside, so that `quasar --help` answers at once.
"""

import logging
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from quasar.config import QuasarConfig, load_config, to_commented_yaml, with_overrides
from quasar.errors import CheckpointError, ConfigError, InputError

logger = logging.getLogger(__name__)

JOB_HOME = Path.home() / "quasar"  # of jobs that name no place of their own
RUN_CONFIG_FILE = "config.yaml"  # the resolved configuration that each run keeps

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
    from quasar.main_job import run_main_job

    run_main_job(config)


def generate(arguments: Namespace) -> None:
    config = load(
        arguments,
        **{
            "evaluation.temperature": arguments.temperature,
            "generation.constrained": arguments.constrained,
        },
    )
    problems = existing(arguments.problems, "--problems")
    from quasar.policy.batch import generate_file

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
    from rich.console import Console

    from quasar.evaluation.evaluate import evaluate_files
    from quasar.evaluation.table import rows_table, summary_table
    from quasar.tracking import tracked_output

    with tracked_output(config, arguments.output) as tracker:
        summary = evaluate_files(
            problems,
            generations,
            arguments.output,
            config=config,
            workers=arguments.workers or config.verification.num_workers,
        )
        if tracker is not None:
            tracker.log_metrics(dict(summary.values()), 0)
            for name in ("summary.json", "report.html"):
                tracker.log_artifact(arguments.output / name)
    upload(config, arguments.output)
    console = Console()
    console.print(summary_table(summary))
    console.print(rows_table(summary))
    print(f"report: {arguments.output / 'report.html'}")


def compare(arguments: Namespace) -> None:
    config = load(arguments)
    from rich.console import Console

    from quasar.evaluation.compare import compare as compare_directories
    from quasar.evaluation.compare_report import comparison_tables, write_comparison

    comparison = compare_directories(arguments.directories, seed=config.run.seed)
    console = Console()
    for table in comparison_tables(comparison):
        console.print(table)
    write_comparison(arguments.output, comparison)
    print(f"comparison: {arguments.output}")


def sft(arguments: Namespace) -> None:
    config = load(arguments, **_place_of(arguments))
    from quasar.main_job import prepare

    with prepare(config) as (run, model, _):
        print(f"model: {model}")
        print(f"GRPO goes on from it: quasar train --resume {run.directory}")


def sweep(arguments: Namespace) -> None:
    config = load(arguments)
    space = dict(_sweep_values(text) for text in arguments.params)
    from rich.console import Console

    from quasar.evaluation.sweep_report import gains_table, points_of, sweep_table, write_sweep
    from quasar.learning.sweep import PRESETS, SweepPlan, run_sweep
    from quasar.main_job import prepare, store_uri

    plan = SweepPlan(
        space=space,
        points=PRESETS[arguments.preset] if arguments.preset else {},
        num_samples=arguments.num_samples,
        search=arguments.search,
        scheduler=arguments.scheduler,
    )
    plan.check(config)
    with prepare(config) as (run, model, tracker):
        trials = run_sweep(
            config,
            plan,
            model_directory=model,
            problems_file=run.split("train"),
            directory=run.directory,
            tracking_uri=store_uri(config),
            parent_run_id=tracker.run_id,
        )
        written = write_sweep(trials, run.directory / "sweep-report")
        for path in written:
            tracker.log_artifact(path, "sweep")
    points = points_of(trials)
    Console().print(sweep_table(points))
    if gains := gains_table(points):
        Console().print(gains)
    print("written: " + ", ".join(map(str, written)))


def serve(arguments: Namespace) -> None:
    config = load(arguments)
    from quasar.serving.app import serve_checkpoint, serve_verifier

    if arguments.verifier_only:
        serve_verifier(config)
    else:
        serve_checkpoint(model_directory(arguments.checkpoint), config)


def keys_new(arguments: Namespace) -> None:
    from quasar.serving.keys import new_key

    print(new_key(arguments.id, arguments.file))


def plan(arguments: Namespace) -> int:
    """Exit code 1 where something does not fit."""
    config = load(arguments)
    from rich.console import Console

    from quasar.learning.plan import Hardware, named_shape, plan_run, plan_table

    hardware = Hardware(float(arguments.gpu_memory))
    plans = [
        plan_run(config, named_shape(name, config), name=name, num_gpus=arguments.gpus, on=hardware)
        for name in filter(None, (part.strip() for part in arguments.models.split(",")))
    ]
    Console().print(plan_table(plans, config, hardware))
    return 1 if any(found.problems for found in plans) else 0


def doctor(arguments: Namespace) -> int:
    config = load(arguments)
    from quasar.doctor import run_doctor

    checks = run_doctor(config)
    width = max(len(check.name) for check in checks)
    for check in checks:
        mend = f"  mend: {check.mend}" if check.mend else ""
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name:{width}}  {check.detail}{mend}")
    return 0 if all(check.ok for check in checks) else 1


def model_directory(path: Path) -> Path:
    """The trained model of a run where `path` is a run directory, else `path` itself."""
    trained = path / "model" / "final"
    return trained if (trained / "config.json").is_file() else path


def load(arguments: Namespace, **options: Any) -> QuasarConfig:
    """The configuration; `options` (None: not given) have a command-line option of their own."""
    config = load_config(arguments.config or "laptop", arguments.overrides)
    given = {key: value for key, value in options.items() if value is not None}
    return arguments.prepare(with_overrides(config, given))


def upload(config: QuasarConfig, directory: Path) -> None:
    """Copy a command's output to <run.upload>/<its name>, where that is set."""
    if config.run.upload:
        from quasar.storage import Mirror

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
        if not (run / RUN_CONFIG_FILE).is_file():
            raise CheckpointError(
                f"--resume {arguments.resume}: not a run directory (no {RUN_CONFIG_FILE})"
            )
        arguments.config = str(run / RUN_CONFIG_FILE)
    return {"run.directory": str(run.parent), "run.name": run.name}


def _sweep_values(text: str) -> tuple[str, Any]:
    """`a.b=1,2` → ("a.b", [1, 2]); `a.b=0.1..0.9` → ("a.b", a range)."""
    key, separator, listed = text.partition("=")
    from quasar.learning.sweep import Range

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
