"""What saying what to fix costs: a verification with and without diagnosis, and the plain way.

    OMP_NUM_THREADS=1 python benchmarks/diagnostics.py [--problems FILE.jsonl] [--repeats 7]

The plain way differentiates by two simulations an angle and takes each term's expectation value by
a product of signs over all basis states. Each row is one size; medians of interleaved repeats.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import read_qasm
from quasar.config import VerificationConfig, load_config
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.problems import ProblemInstance
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.verifier import Verifier

STEP = 1e-6


def plain_diagnosis(circuit: Circuit, problem: ProblemInstance) -> tuple[np.ndarray, list[float]]:
    """(gradient by central differences, expectation value of each term)."""
    encoded, energies = encode(circuit), problem.spectrum.energies
    angles, gradient = encoded.angles, np.empty(encoded.angles.size)
    for k in range(angles.size):
        shift = np.zeros_like(angles)
        shift[k] = STEP
        above, below = (
            probabilities(encoded, angles + shift),
            probabilities(encoded, angles - shift),
        )
        gradient[k] = (above - below) @ energies / (2 * STEP)
    measured, states = probabilities(encoded), np.arange(energies.size)
    means = []
    for _, wires in problem.hamiltonian.interactions():
        signs = np.ones(energies.size)
        for q in wires:
            signs *= 1.0 - 2.0 * (states >> q & 1)
        means.append(float(measured @ signs))
    return gradient, means


def milliseconds(ways: Sequence[Callable], items: Sequence, repeats: int) -> list[float]:
    """Median over the repeats of the mean milliseconds an item, for each way; interleaved."""
    times: list[list[float]] = [[] for _ in ways]
    for repeat in range(repeats + 1):
        for way, spent in zip(ways, times, strict=True):
            started = time.perf_counter()
            for item in items:
                way(item)
            if repeat:  # the first round warms caches
                spent.append(1e3 * (time.perf_counter() - started) / len(items))
    return [statistics.median(spent) for spent in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=Path, help="JSONL with reference circuits")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.problems is None:
        directory = Path(tempfile.mkdtemp())
        generate_dataset(load_config("published", ["dataset.num_examples=120"]), directory)
        arguments.problems = directory / "train.jsonl"
    records = [r for r in read_problems(arguments.problems) if r.problem.reference_circuit]
    verifier = Verifier(VerificationConfig())
    verifier.warm_up()

    def verify(record: ProblemRecord) -> None:
        verifier.verify(record.problem, record.problem.reference_circuit)

    def diagnose(record: ProblemRecord) -> None:
        verifier.verify(record.problem, record.problem.reference_circuit, diagnose=True)

    circuits = {r.sample_index: read_qasm(r.problem.reference_circuit) for r in records}

    def plainly(record: ProblemRecord) -> None:
        plain_diagnosis(circuits[record.sample_index], record.problem)

    table = Table(title=f"{len(records)} reference circuits of {arguments.problems.name}")
    columns = (
        "qubits",
        "rows",
        "verify ms",
        "diagnosed ms",
        "ratio",
        "plain diagnosis ms",
        "ours ms",
    )
    for column in columns:
        table.add_column(column, justify="right")
    records.sort(key=lambda r: r.problem.num_qubits)
    for qubits, group in groupby(records, key=lambda r: r.problem.num_qubits):
        rows = list(group)
        bare, asked, plain = milliseconds((verify, diagnose, plainly), rows, arguments.repeats)
        figures = (f"{bare:.3f}", f"{asked:.3f}", f"{asked / bare:.2f}", f"{plain:.3f}")
        table.add_row(str(qubits), str(len(rows)), *figures, f"{asked - bare:.3f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
