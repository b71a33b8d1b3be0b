"""What each command does: build the configuration from the arguments, call one function.

Each function takes the parsed arguments of `quasar.cli.main` and returns an exit code (None: 0).
Everything heavy (torch, ray) is imported inside, so that `quasar --help` answers at once.
"""

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from quasar.cli.settings import (
    checkpoints_to_serve,
    existing,
    load,
    remote_settings,
    require_trained,
    take_model,
    tasks_in,
)
from quasar.config import QuasarConfig, to_commented_yaml
from quasar.errors import CheckpointError, ConfigError
from quasar.evaluation.baseline_names import check_names
from quasar.system.invocation import command
from quasar.system.run_paths import EvaluationPaths, RunPaths, model_directory


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
        take_model(arguments, lambda: tasks_in(existing(arguments.problems, "--problems")))
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
    require_trained(arguments, config, tasks_in(problems))
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
            best_of=arguments.best_of,
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
        checkpoints = checkpoints_to_serve(arguments)
        from quasar.serving.app import serve_checkpoints

        serve_checkpoints(checkpoints)
        return
    if unused := [text for text in arguments.overrides if text.startswith("policy.")]:
        raise ConfigError(
            f"serve --verifier-only: {unused[0]} is not used, as no model is loaded; take it out"
        )
    config = load(arguments)
    from quasar.serving.app import serve_verifier

    serve_verifier(config)


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


def upload(config: QuasarConfig, directory: Path) -> None:
    """Copy a command's output to <run.upload>/<its name>, where that is set."""
    if config.run.upload:
        from quasar.pipeline.storage import Mirror

        Mirror(directory, f"{config.run.upload}/{directory.resolve().name}").push()


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
