"""How often the two teachers make the published references: shares within 0.1 bit, and seconds.

    python benchmarks/published_teacher.py DATA [--seeds 3] [--max-qubits 16]

DATA is a directory with the published benchmark's `problems.jsonl`. Each problem is solved with the
family and layers of its reference. A circuit counts where its KL divergence from the reference's
distribution is below 0.1 bit, as in HQCR; a problem that the published rule drops does not count.
Beside the teachers: H on every qubit. One process, one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from quasar.circuits.ansatz.recognition import Recognised, recognise
from quasar.circuits.circuit import PUBLISHED_DECIMALS
from quasar.circuits.qasm import Limits, read_qasm
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import NotAccepted, solve
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.published import PublishedEvaluator
from quasar.evaluation.summary import GUESSING
from quasar.simulation.statevector.exact import ExactSimulator

SIZES = ((2, 6), (7, 9), (10, 12), (13, 16))  # qubits, from and to
ALL_SIZES = (SIZES[0][0], SIZES[-1][1])
TEACHERS = ("solver", "published")
FAMILIES = {"qaoa": "qaoa", "hardware_efficient": "template", "adaptive": "adaptive"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One problem: shares over the seeds, and the median of the seconds."""

    family: str
    num_qubits: int
    uniform: float
    shares: dict[str, float]  # teacher -> of its circuits that are within 0.1 bit
    same: float  # of the published teacher's circuits that are the reference, byte for byte
    dropped: float  # of its runs that gave no circuit
    seconds: dict[str, float]


def measured(record: ProblemRecord, seeds: int) -> Measured:
    """One row of the benchmark."""
    problem = record.problem
    assert problem.reference_circuit is not None
    reference = read_qasm(problem.reference_circuit)
    found = recognise(reference, problem.hamiltonian)
    assert found is not None, f"sample_index {record.sample_index}: a reference of no known family"
    evaluator = PublishedEvaluator(problem, reference, Limits(), ExactSimulator().probabilities)

    def counts(text: str) -> bool:
        return bool(evaluator.grade(text)["published_hqcr"])

    uniform = build_baseline(GUESSING, problem, seed=[0])
    assert uniform is not None
    shares, seconds, same, dropped = {}, {}, 0, 0
    for teacher in TEACHERS:
        hits, spent = [], []
        for seed in range(seeds if teacher == "published" and found.family != "adaptive" else 1):
            started = time.perf_counter()
            text = made(record, found, teacher, seed)
            spent.append(time.perf_counter() - started)
            hits.append(text is not None and counts(text))
            if teacher == "published":
                same += text == problem.reference_circuit
                dropped += text is None
        shares[teacher] = statistics.fmean(hits)
        seconds[teacher] = statistics.median(spent)
    return Measured(
        found.family,
        problem.num_qubits,
        float(counts(uniform)),
        shares,
        same / len(hits),
        dropped / len(hits),
        seconds,
    )


def made(record: ProblemRecord, found: Recognised, teacher: str, seed: int) -> str | None:
    """The teacher's program; None where it drops the problem."""
    try:
        solution = solve(
            record.problem,
            ansatz=found.ansatz.name,
            layers=found.layers,
            decimals=PUBLISHED_DECIMALS,
            seed=seed,
            teacher="published" if teacher == "published" else "solver",
        )
    except NotAccepted:
        return None
    return solution.circuit.to_qasm()


def table(rows: Sequence[Measured], seeds: int) -> Table:
    """A line a family and size, then a line a family, then all."""
    shown = Table(
        title="References within 0.1 bit",
        caption="H: on every qubit; publ.: the published rule, of QAOA and templates the\n"
        f"mean of {seeds} seed(s); same: byte for byte; lost: no circuit; ms: median",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    shown.add_column("family", no_wrap=True)
    for name in ("qubits", "rows", "H", "solver", "publ.", "%", "same", "lost"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("solver ms", "publ. ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    for family in (*FAMILIES, "all"):
        for low, high in (*SIZES, ALL_SIZES):
            group = [
                row
                for row in rows
                if family in (row.family, "all") and low <= row.num_qubits <= high
            ]
            if not group or (family == "all" and (low, high) != ALL_SIZES):
                continue
            add_line(shown, FAMILIES.get(family, family), f"{low}–{high}", group)
        shown.add_section()
    return shown


def add_line(shown: Table, family: str, qubits: str, group: Sequence[Measured]) -> None:
    """Sums over the group; a share that depends on the seed has a decimal."""

    def total(value: Callable[[Measured], float]) -> str:
        return f"{sum(map(value, group)):.1f}".removesuffix(".0")

    published = sum(row.shares["published"] for row in group) / len(group)
    shown.add_row(
        family,
        qubits,
        str(len(group)),
        total(lambda row: row.uniform),
        total(lambda row: row.shares["solver"]),
        total(lambda row: row.shares["published"]),
        f"{100 * published:.0f}",
        total(lambda row: row.same),
        total(lambda row: row.dropped),
        *(f"{1e3 * statistics.median(row.seconds[t] for row in group):.1f}" for t in TEACHERS),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Imitation of the published references.")
    parser.add_argument("data", type=Path, help="directory with problems.jsonl")
    parser.add_argument("--seeds", type=int, default=3, help="of the published teacher")
    parser.add_argument("--max-qubits", type=int, default=ALL_SIZES[1])
    arguments = parser.parse_args()
    records = [
        record
        for record in read_problems(arguments.data / "problems.jsonl")
        if record.problem.num_qubits <= arguments.max_qubits
    ]
    console = Console()
    with threadpool_limits(limits=1):
        measured(min(records, key=lambda r: r.problem.num_qubits), 1)  # loads the kernels
        with console.status("solving"):
            rows = [measured(record, arguments.seeds) for record in records]
    console.print(table(rows, arguments.seeds))


if __name__ == "__main__":
    main()
