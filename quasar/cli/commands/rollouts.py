"""What `quasar rollouts` does: as `quasar.cli.commands.jobs`."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from quasar.cli.settings import load
from quasar.errors import InputError


def rollouts_list(arguments: Namespace) -> None:
    _, log = _opened(arguments)
    from rich.console import Console

    from quasar.reports.rollout_view import rollouts_table, steps_of, steps_table

    if arguments.step is None:
        if arguments.json:
            print(json.dumps(steps_of(log), indent=1))
        else:
            Console().print(steps_table(log))
        return
    rollouts = log.read(arguments.step)
    if arguments.json:
        _print_json(rollouts)
    else:
        Console().print(rollouts_table(rollouts, step=arguments.step))


def rollouts_show(arguments: Namespace) -> None:
    config, log = _opened(arguments)
    from rich.console import Console

    from quasar.reports.rollout_view import rollout_text
    from quasar.verification.limits import program_limits

    shown = _chosen(arguments, log.read(arguments.step), log.path(arguments.step))
    if arguments.json:
        _print_json([rollout for _, rollout in shown])
        return
    console, limits = Console(highlight=False), program_limits(config.verification)
    for title, rollout in shown:
        console.print(
            rollout_text(
                rollout, step=arguments.step, title=title, limits=limits, width=console.width
            )
        )


def rollouts_rescore(arguments: Namespace) -> None:
    after, log = _opened(arguments)
    from rich.console import Console

    from quasar.config import load_config
    from quasar.pipeline.rescore import rescore
    from quasar.reports.rescore_table import rescore_table
    from quasar.system.run_paths import RunPaths

    kept = RunPaths(log.run).config_file
    if not kept.is_file():
        raise InputError(f"{log.run}: no {kept.name}, which says by what the rollouts were graded")
    found = rescore(
        log,
        load_config(kept),
        after,
        steps=[arguments.step] if arguments.step else log.steps,
        workers=arguments.workers or after.verification.num_workers,
        verify=arguments.verify,
    )
    if arguments.json:
        told = {"verified": found.verified, "why": found.why, **found.change.to_dict()}
        print(json.dumps(told, indent=1))
    else:
        Console().print(rescore_table(found.change, verified=found.verified, why=found.why))


def rollouts_export(arguments: Namespace) -> None:
    _, log = _opened(arguments)
    from quasar.datasets.io import write_json_rows
    from quasar.episodes.export import RankedAnswers, require_some
    from quasar.system.locks import held_file

    pairs, gap, output = arguments.format == "dpo", arguments.least_gap, arguments.output
    if gap is not None and not (pairs and gap > 0):
        raise InputError(f"--least-gap {gap:g}: above 0, and goes with --format dpo")
    if output.suffix != ".jsonl":
        raise InputError(f"--output {output}: JSON lines are written; name it FILE.jsonl")
    steps = [arguments.step] if arguments.step else log.steps
    answers = RankedAnswers(
        ((step, row) for step in steps for row in log.read(step)),
        min_reward=arguments.min_reward,
    )
    if pairs:
        rows = list(answers.pairs(arguments.best, least_gap=0.1 if gap is None else gap))
    else:
        rows = list(answers.best(arguments.best))
    require_some(rows, answers, source=log.run)
    with held_file(output):
        write_json_rows(output, rows)
    found = len({row["problem_key"] for row in rows})
    what = "pairs" if pairs else "answers"
    print(f"{output}: {len(rows)} {what} to {found} problems, of {answers.num_prompts} prompts")


def _chosen(arguments: Namespace, rollouts: list, path: Path) -> list[tuple[str, Any]]:
    """(title, rollout) of those with the numbers asked for, else of the extremes."""
    from quasar.episodes.log import extremes

    group, sample = arguments.group, arguments.sample
    if group is None and sample is None:
        shown = [*extremes(rollouts).items()]
        if not shown:
            raise InputError(f"{path}: no rollout was graded; name one with --group and --sample")
        return shown
    shown = [("", r) for r in rollouts if group in (None, r.group) and sample in (None, r.sample)]
    if not shown:
        groups, samples = (sorted({getattr(r, n) for r in rollouts}) for n in ("group", "sample"))
        raise InputError(
            f"{path}: no rollout with that --group and --sample; groups go from {groups[0]} to "
            f"{groups[-1]}, samples from {samples[0]} to {samples[-1]}"
        )
    return shown


def _opened(arguments: Namespace):
    """(configuration, rollouts) of the run that is a directory, or has this name under
    run.directory; the configuration is the run's own unless --config is given.
    """
    from quasar.episodes.log import RolloutLog

    named = Path(arguments.run_name)
    if not (named.is_dir() or len(named.parts) > 1):
        named = Path(load(arguments).run.directory) / named
    arguments.run_directory = named
    return load(arguments), RolloutLog(named)


def _print_json(rollouts: list) -> None:
    print(json.dumps([r.model_dump() for r in rollouts], indent=1, ensure_ascii=False))
