"""Arguments of the commands around datasets and problems: dataset, problems, solve."""

import argparse
from collections.abc import Callable
from pathlib import Path

from quasar.cli.arguments.types import add_source, positive, share
from quasar.cli.commands import data as data_commands
from quasar.cli.commands import sources as source_commands


def add_dataset(group: argparse.ArgumentParser, command: Callable) -> None:
    """`quasar dataset`."""
    under = group.add_subparsers(metavar="COMMAND", required=True)
    generate = command(
        "generate",
        data_commands.dataset_generate,
        "generate solved problems as training, validation and test files",
        "quasar dataset generate --output data --set dataset.num_examples=200",
        under=under,
    )
    generate.add_argument("--output", required=True, type=Path, metavar="DIR")

    describe = command(
        "describe",
        data_commands.dataset_describe,
        "count, measure and check a dataset (exit 1: a leak or a wrong optimum); write its card",
        "quasar dataset describe data --output data",
        under=under,
    )
    describe.add_argument("dataset", type=Path, metavar="DIR|FILE")
    describe.add_argument(
        "--output", type=Path, metavar="DIR", help="write README.md and figures there"
    )
    traces = command(
        "traces",
        data_commands.dataset_traces,
        "write mistakes, the tool's answers to them, and the corrected circuits",
        "quasar dataset traces --problems data/train.jsonl --output traces.jsonl",
        under=under,
    )
    traces.add_argument("--problems", required=True, type=Path, metavar="FILE")
    traces.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    traces.add_argument(
        "--share",
        type=share,
        metavar="S",
        help="of the rows, in (0, 1]; default: sft.traces_per_example, or all where that is 0",
    )
    importing = command(
        "import",
        data_commands.dataset_import,
        "turn the published system's raw records into a problem file",
        "quasar dataset import raw_records/ --output published.jsonl",
        under=under,
    )
    importing.add_argument("source", type=Path, metavar="DIR|FILE")
    importing.add_argument("--output", required=True, type=Path, metavar="FILE")
    export = command(
        "export",
        data_commands.dataset_export,
        "write a dataset as Parquet shards with a card, in the Hugging Face layout",
        "quasar dataset export data --output hub",
        under=under,
    )
    export.add_argument("dataset", type=Path, metavar="DIR")
    export.add_argument("--output", required=True, type=Path, metavar="DIR")
    export.add_argument("--rows-per-file", type=positive, default=5000, metavar="N")


def add_problems(group: argparse.ArgumentParser, command: Callable) -> None:
    """`quasar problems`."""
    under = group.add_subparsers(metavar="COMMAND", required=True)
    listed = command(
        "list",
        data_commands.problems_list,
        "name the problems that can be built, each with its question",
        "quasar problems list",
        under=under,
    )
    show = command(
        "show",
        data_commands.problems_show,
        "explain one problem: formula, answer, attributes, sizes, an example",
        "quasar problems show max_flow",
        under=under,
    )
    show.add_argument("primitive", metavar="NAME", help="as `quasar problems list` gives it")
    read = command(
        "read",
        source_commands.problems_read,
        "show what is understood of a file: JSON, GraphML, edge list, Gset, DIMACS, MatrixMarket, "
        "QUBO, LP, dimod",
        "quasar problems read network.graphml --as max_cut",
        under=under,
    )
    read.add_argument("file", type=Path, metavar="FILE")
    read.add_argument("--format", metavar="NAME", help="where the file's name does not say it")
    add_source(read)
    check = command(
        "check",
        data_commands.problems_check,
        "count the rows of a file whose Hamiltonian is rebuilt term by term (exit 1: not all)",
        "quasar problems check --problems data/test.jsonl --json",
        under=under,
    )
    check.add_argument("--problems", required=True, type=Path, metavar="FILE")
    for made in (listed, show, read, check):
        made.add_argument("--json", action="store_true", help="print JSON")


def add_solve(command: Callable) -> None:
    """`quasar solve`."""
    solve = command(
        "solve",
        data_commands.solve,
        "solve the problems of a file anew and compare with its reference circuits",
        "quasar solve --problems data/test.jsonl --ansatz qaoa --layers 4 --output solved.jsonl",
    )
    solve.add_argument("--problems", required=True, type=Path, metavar="FILE")
    solve.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    solve.add_argument(
        "--ansatz",
        default=data_commands.OWN,
        metavar="NAME",
        help="qaoa, ma_qaoa, sim_1 to sim_19, adaptive, or own (default): that of each row's "
        "reference circuit",
    )
    solve.add_argument("--layers", type=positive, metavar="P", help="default: those of each row")
    solve.add_argument(
        "--decimals", type=positive, default=4, metavar="D", help="of the angles; default: 4"
    )
