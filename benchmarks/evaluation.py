"""Candidates evaluated per second on two workers, against the plain way with Qiskit.

    OMP_NUM_THREADS=1 python benchmarks/evaluation.py --data DIR [--workers 2] [--repeats 3]

DIR holds the benchmark's `problems.jsonl` and `generations_*_pass10.jsonl`. Rows: `quasar evaluate`
as it is called (all metrics, compiled for the device, random angles, warm start, every baseline,
report and figures); the same without baselines; that without compiling, random angles and warm
start; and the plain way on as many processes: read with the reference Python parser
(`qiskit_qasm3_import`), `Statevector`, energy on the diagonal, and no other metric. Seconds include
the start of the workers, in all rows alike. Medians, the rows taken in turns.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from qiskit.quantum_info import Statevector
from qiskit_qasm3_import import parse
from rich.console import Console
from rich.progress import track
from rich.table import Table

from quasar.circuits.extraction import extract_program
from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.io import read_generations, read_problems
from quasar.evaluation.baselines import BASELINES
from quasar.pipeline.evaluate import evaluate_files

LEAN = {
    "evaluation.device": "none",
    "evaluation.random_draws": 0,
    "verification.gradient_evaluations": 0,
}


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    problems = arguments.data / "problems.jsonl"
    found = sorted(arguments.data.glob("generations_*_pass10.jsonl"))
    if not problems.is_file() or not found:
        raise SystemExit(f"{arguments.data}: no problems.jsonl with generations_*_pass10.jsonl")
    generations = found[0]
    rows = read_generations(generations)
    candidates = sum(len(row.completions) for row in rows)
    config = load_config()
    lean = with_overrides(config, LEAN)
    workers, every = arguments.workers, tuple(BASELINES)
    calls = {
        "quasar evaluate": lambda: _ours(problems, generations, config, workers, every),
        "the same, no baselines": lambda: _ours(problems, generations, config, workers, ()),
        "no compiling, draws, warm start": lambda: _ours(problems, generations, lean, workers, ()),
        "Python parser, Statevector, energy": lambda: _plain(
            problems, generations, arguments.workers
        ),
    }
    seconds = _medians(calls, arguments.repeats)
    plain = list(seconds.values())[-1]
    table = Table(title=f"{candidates} candidates, {arguments.workers} processes")
    for head in ("", "seconds", "candidates/s", "ratio"):
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    for name, taken in seconds.items():
        table.add_row(name, f"{taken:.1f}", f"{candidates / taken:.1f}", f"{plain / taken:.2f}")
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, metavar="DIR")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def _medians(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in track(range(repeats), console=Console(stderr=True), description="repeats"):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def _ours(
    problems: Path,
    generations: Path,
    config: QuasarConfig,
    workers: int,
    baselines: tuple[str, ...],
) -> None:
    with tempfile.TemporaryDirectory() as output:
        evaluate_files(
            problems,
            generations,
            output,
            config=config,
            workers=workers,
            progress=False,
            baselines=baselines,
        )


def _plain(problems: Path, generations: Path, workers: int) -> None:
    tasks = [(problems, row.sample_index, row.completions) for row in read_generations(generations)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for _ in pool.imap_unordered(_plain_problem, tasks):
            pass


@lru_cache
def _energies_of(problems: Path) -> dict[int, np.ndarray]:
    return {r.sample_index: r.problem.spectrum.energies for r in read_problems(problems)}


def _plain_problem(task: tuple[Path, int, tuple[str, ...]]) -> list[float | None]:
    """Energies of the candidates of one problem, None where one is not read."""
    problems, index, texts = task
    diagonal = _energies_of(problems)[index]
    return [_plain_energy(text, diagonal) for text in texts]


def _plain_energy(text: str, diagonal: np.ndarray) -> float | None:
    try:
        circuit = parse(extract_program(text))
        circuit.remove_final_measurements()
        probabilities = Statevector(circuit).probabilities()
    except Exception:  # the parser and the simulator raise whatever they meet
        return None
    return float(probabilities @ diagonal) if probabilities.size == diagonal.size else None


if __name__ == "__main__":
    main()
