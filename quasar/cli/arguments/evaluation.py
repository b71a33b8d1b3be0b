"""Arguments of the commands that sample and measure: generate, evaluate, compare."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from quasar.cli.arguments.types import CHECKPOINT, DEVICES, positive
from quasar.cli.commands import bench as bench_commands
from quasar.cli.commands import jobs as commands
from quasar.evaluation.baseline_names import BASELINE_NAMES


def add_generate(command: Callable) -> None:
    """`quasar generate`."""
    generate = command(
        "generate",
        commands.generate,
        "sample completions for a file of problems",
        "quasar generate --checkpoint runs/laptop --problems data/test.jsonl "
        "--samples 10 --output g.jsonl",
    )
    add_model(generate)
    generate.add_argument("--problems", required=True, type=Path, metavar="FILE")
    generate.add_argument("--samples", required=True, type=positive, metavar="K")
    generate.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    generate.add_argument(
        "--temperature", type=float, metavar="T", help="the same as --set evaluation.temperature=T"
    )
    generate.add_argument(
        "--constrained",
        action="store_true",
        default=None,
        help="only valid programs; the same as --set generation.constrained=true",
    )


def add_model(command: ArgumentParser) -> None:
    """Which model answers: a checkpoint, or one behind a server."""
    command.add_argument("--checkpoint", type=Path, metavar="DIR", help=CHECKPOINT)
    command.add_argument(
        "--endpoint",
        metavar="URL",
        help="an OpenAI-compatible server that writes the answers, e.g. http://127.0.0.1:8000/v1; "
        "the same as --set remote.url=URL",
    )
    command.add_argument("--model", metavar="NAME", help="the model's name at --endpoint")
    command.add_argument(
        "--api-key-env",
        metavar="VARIABLE",
        help="environment variable with the key of --endpoint; default: OPENAI_API_KEY",
    )
    command.add_argument(
        "--concurrency",
        type=positive,
        metavar="N",
        help="requests under way at --endpoint; the same as --set remote.concurrency=N",
    )


def add_bench(command: Callable) -> None:
    """`quasar bench`."""
    bench = command(
        "bench",
        bench_commands.bench,
        "measure any model on fixed problem sets beside baselines, or check a result file",
        "quasar bench ising-v1 --endpoint http://127.0.0.1:8000/v1 --model NAME --output r.json",
    )
    add_model(bench)
    bench.add_argument("--baseline", metavar="NAME", help="a baseline by name, in place of a model")
    bench.add_argument(
        "sets",
        nargs="*",
        metavar="SET",
        help="sets (--list names them; published goes with --data); default: ising-v1",
    )
    bench.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="rows of the published benchmark (quasar dataset import), for the set 'published'",
    )
    bench.add_argument("--samples", type=positive, default=1, metavar="K", help="answers a problem")
    bench.add_argument(
        "--temperature", type=float, metavar="T", help="the same as --set evaluation.temperature=T"
    )
    bench.add_argument(
        "--baselines", nargs="*", metavar="NAME", help="rows beside it; default: those of the set"
    )
    bench.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="verifying processes"
    )
    bench.add_argument("--output", type=Path, metavar="FILE.json", help="where the result goes")
    bench.add_argument("--list", action="store_true", help="name the sets")
    bench.add_argument(
        "--submit",
        type=Path,
        metavar="FILE.json",
        help="check a result: set, every answer verified again, every figure worked out anew",
    )
    bench.add_argument("--schema", action="store_true", help="print the JSON schema of a result")


def add_evaluate(command: Callable) -> None:
    """`quasar evaluate`."""
    evaluate = command(
        "evaluate",
        commands.evaluate,
        "score a file of completions and write metrics and a report",
        "quasar evaluate --problems data/test.jsonl --generations g.jsonl --output report",
    )
    evaluate.add_argument("--problems", required=True, type=Path, metavar="FILE")
    evaluate.add_argument("--generations", required=True, type=Path, metavar="FILE")
    evaluate.add_argument("--output", required=True, type=Path, metavar="DIR")
    evaluate.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that verify, on a cluster actors; default: verification.num_workers",
    )
    evaluate.add_argument(
        "--best-of",
        type=positive,
        metavar="N",
        help="measure also the one answer with the highest reward of N; default: of all samples",
    )
    evaluate.add_argument(
        "--device",
        choices=DEVICES,
        metavar="NAME",
        help="compile for this device and run one circuit a problem under its noise: "
        "%(choices)s; default: compile for evaluation.device, no noise",
    )
    evaluate.add_argument(
        "--baselines",
        nargs="*",
        default=BASELINE_NAMES,
        metavar="NAME",
        help="rows beside it, by default all: " + ", ".join(map(repr, BASELINE_NAMES)),
    )


def add_compare(command: Callable) -> None:
    """`quasar compare`."""
    compare = command(
        "compare",
        commands.compare,
        "put evaluations side by side, with paired tests over the same problems",
        "quasar compare eval/before eval/after --output comparison.html",
    )
    compare.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    compare.add_argument(
        "--output",
        type=Path,
        default=Path("comparison.html"),
        metavar="FILE",
        help="page to write; default: comparison.html",
    )
