"""What the commands on problems and datasets do: as `quasar.cli.commands.jobs`."""

import json
from argparse import Namespace
from collections.abc import Mapping

from quasar.cli.commands.jobs import upload
from quasar.cli.settings import existing, load

OWN = "own"  # of solve --ansatz: what each row's reference circuit is


def dataset_generate(arguments: Namespace) -> None:
    config = load(arguments)
    from quasar.datasets.generation.generate import generate_dataset

    summary = generate_dataset(config, arguments.output)
    upload(config, arguments.output)
    splits = ", ".join(f"{name} {count}" for name, count in summary.splits.items())
    print(f"{summary.directory}: {splits}")
    if too_long := summary.rejected.get("max_program_bytes"):
        print(
            f"left out: {too_long} programs longer than dataset.max_program_bytes "
            f"({config.dataset.max_program_bytes})"
        )


def dataset_describe(arguments: Namespace) -> int:
    load(arguments)
    from rich.console import Console

    from quasar.datasets.hub.card import write_card
    from quasar.datasets.hub.describe import describe_dataset, description_table

    found = describe_dataset(arguments.dataset, progress=True)
    Console().print(description_table(found))
    print(f"splits: {', '.join(f'{name} {count}' for name, count in found.splits.items())}")
    made_by = (f"{name or 'others'} {count}" for name, count in found.teachers.items())
    print(f"circuits made by: {', '.join(made_by)}")
    print(
        f"problems in two splits: {found.shared_problems}; rows with a wrong or unread optimum: "
        f"{len(found.unsound)}; rows that repeat a problem: {found.duplicates}"
    )
    for fault in found.unsound[:10]:
        print(f"  {fault}")
    if arguments.output is not None:
        patterns = {split: f"{split}.*" for split in found.splits}
        print(f"card: {write_card(found, arguments.output, data_files=patterns)}")
    return 0 if found.is_clean else 1


def dataset_import(arguments: Namespace) -> None:
    load(arguments)
    from quasar.datasets.hub.importer import import_published

    rows, skipped = import_published(arguments.source, arguments.output)
    print(f"{arguments.output}: {rows} problems" + (f", {skipped} left out" if skipped else ""))


def dataset_export(arguments: Namespace) -> None:
    load(arguments)
    from quasar.datasets.hub.export import export_dataset

    found = export_dataset(
        arguments.dataset, arguments.output, rows_per_file=arguments.rows_per_file
    )
    print(f"{arguments.output}: {found.everything.rows} rows, card in README.md")


def dataset_traces(arguments: Namespace) -> None:
    config = load(arguments)
    problems = existing(arguments.problems, "--problems")
    from quasar.datasets.generation.traces import write_traces

    share = arguments.share
    if share is None:
        share = config.sft.traces_per_example or 1.0
    written = write_traces(problems, arguments.output, config, share=share)
    print(f"{arguments.output}: {written} traces")


def problems_list(arguments: Namespace) -> None:
    load(arguments)
    from quasar.problems import get_problem, problem_names

    print_summaries({name: get_problem(name).summary for name in problem_names()}, arguments)


def print_summaries(found: Mapping[str, str], arguments: Namespace) -> None:
    """Names and summaries, a line each, or as JSON."""
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    width = max(map(len, found))
    for name, summary in found.items():
        print(f"{name:{width}}  {summary}")


def problems_show(arguments: Namespace) -> None:
    load(arguments)
    from quasar.problems.description import describe

    shown = describe(arguments.primitive)
    if arguments.json:
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    for key, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value)
        print(f"{key}:" + (f"\n{text}" if "\n" in text else f" {text}"))


def problems_check(arguments: Namespace) -> int:
    load(arguments)
    problems = existing(arguments.problems, "--problems")
    from quasar.datasets.hub.check import check_problems
    from quasar.datasets.io import read_problems

    found = check_problems(read_problems(problems))
    if arguments.json:
        print(json.dumps({name: check.to_dict() for name, check in found.items()}, indent=1))
    else:
        width = max(map(len, found), default=0)
        for name, check in found.items():
            forms = "; ".join(f"{count} {form}" for form, count in check.by_form.items())
            print(f"{name:{width}}  {check.exact} of {check.rows} exact  {forms}".rstrip())
    return 0 if all(check.exact == check.rows for check in found.values()) else 1


def solve(arguments: Namespace) -> None:
    config = load(arguments)
    problems = existing(arguments.problems, "--problems")
    from rich.console import Console

    from quasar.circuits.ansatz import get_ansatz
    from quasar.datasets.generation.resolve import SolveOptions, solve_file, solved_table
    from quasar.datasets.solver.published import require_published

    ansatz = None if arguments.ansatz == OWN else arguments.ansatz
    teacher = config.dataset.teacher
    if ansatz is not None:  # refuses what there is not before any work
        family = get_ansatz(ansatz)
        if teacher == "published":
            require_published(family)
    order = SolveOptions(ansatz, arguments.layers, arguments.decimals, config.run.seed, teacher)
    figures = solve_file(problems, arguments.output, order, config)
    Console().print(solved_table(figures))
    print(f"solved: {arguments.output}")
