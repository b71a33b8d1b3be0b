"""Whether two runs of `quasar train` are the same run, bit for bit: for changes that must not show.

    python benchmarks/equal_runs.py runs/before runs/after [--ignore validation/]

Compares what was generated (dataset), both step logs without what the clock and the repairs change,
every rollout, the weights of every checkpoint that both kept and of model/final, and the answers of
the final evaluation. Prints a line a part, with the first difference; exit code 1 if there is one.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from safetensors import safe_open

# Names of logged values that begin so are of the clock, of the machine, or of repairs.
CHANGING = ("seconds", "memory", "tokens_per_s", "episodes_remade", "verifier_restarts")
ROWS = ("dataset/*.jsonl", "grpo/rollouts/*.jsonl", "evaluation/*/generations.jsonl")
WEIGHTS = ("model/initial", "sft/checkpoints/*/huggingface", "grpo/checkpoints/*/huggingface",
           "model/final")  # fmt: skip

Reader = Callable[[Path], Iterator[tuple[str, Any]]]


def rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, content) of each line."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        yield f"line {number}", json.loads(line)


def steps(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, value) of each logged value that a repetition should give again."""
    for place, row in rows(path):
        yield place, sorted(row)
        for name, value in row.items():
            if not name.startswith(CHANGING):
                yield f"{place} {name}", value


def tensors(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, shape and digest of the bytes) of each tensor."""
    with safe_open(path / "model.safetensors", framework="pt") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name).contiguous()
            digest = hashlib.sha256(tensor.view(-1).numpy().tobytes()).hexdigest()
            yield name, (tuple(tensor.shape), str(tensor.dtype), digest)


def compare(first: Path, second: Path, pattern: str, read: Reader) -> tuple[int, str]:
    """(values compared, the first difference or "") over the files of a pattern in both runs."""
    here, there = ({p.relative_to(run) for p in run.glob(pattern)} for run in (first, second))
    # Which checkpoints are kept hangs on validation, whose figures may be meant to differ.
    if here != there and not ("checkpoints" in pattern and here & there):
        only = sorted(map(str, here ^ there))
        return 0, f"{only[0]} is in one of them only"
    count = 0
    for place in sorted(here & there):
        one, other = list(read(first / place)), list(read(second / place))
        for (name, value), (_, expected) in zip(one, other, strict=False):
            count += 1
            if value != expected:
                return count, f"{place} {name}: {_short(value)} ≠ {_short(expected)}"
        if len(one) != len(other):
            return count, f"{place}: {len(one)} values ≠ {len(other)}"
    return count, ""


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PREFIX",
        help="logged values that begin so may differ, e.g. validation/",
    )
    arguments = parser.parse_args()
    for run in (arguments.first, arguments.second):
        if not (run / "config.yaml").is_file():
            sys.exit(f"{run}: not a run of quasar train (no config.yaml); give its directory")
    ignored = tuple(arguments.ignore)

    def logged(path: Path) -> Iterator[tuple[str, Any]]:
        return (
            (place, value)
            for place, value in steps(path)
            if not (ignored and place.split(" ")[-1].startswith(ignored))
        )

    parts: list[tuple[str, Reader]] = [("sft/steps.jsonl", logged), ("grpo/steps.jsonl", logged)]
    parts += [(pattern, rows) for pattern in ROWS] + [(pattern, tensors) for pattern in WEIGHTS]
    table = Table(title=f"{arguments.first} and {arguments.second}")
    for column in ("part", "values", "first difference"):
        table.add_column(column)
    differs = False
    for pattern, read in parts:
        count, difference = compare(arguments.first, arguments.second, pattern, read)
        differs = differs or bool(difference)
        table.add_row(pattern, str(count), difference or "equal")
    Console(width=140).print(table)
    sys.exit(1 if differs else 0)


if __name__ == "__main__":
    main()
