"""Candidates verified per second: this project's verifier against plain Qiskit, one core.

    OMP_NUM_THREADS=1 python benchmarks/verification.py [--problems FILE.jsonl] [--repeats 5]

Plain Qiskit reads each program with `qiskit.qasm3.loads`, takes a `Statevector` and the
expectation value of a `SparsePauliOp`: syntax, distribution and expectation only. Ours is measured
with the same stages and, in a second row, with the warm-start stage on top. Medians.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qiskit import qasm3
from qiskit.quantum_info import SparsePauliOp, Statevector
from rich.console import Console
from rich.table import Table

from quasar.config import VerificationConfig, load_config
from quasar.datasets.generate import generate_dataset
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.verification.verifier import Verifier


def plain_qiskit(record: ProblemRecord) -> float:
    """Read, simulate, energy: the straightforward way."""
    circuit = qasm3.loads(record.problem.reference_circuit)
    circuit.remove_final_measurements()
    n = record.problem.num_qubits
    terms = [("Z" * len(w), list(w), c) for c, w in record.problem.hamiltonian.interactions()]
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits=n)
    return float(Statevector(circuit).expectation_value(operator).real)


def seconds_each(check: Callable, records: list[ProblemRecord], repeats: int) -> float:
    """Median over the repeats of the mean seconds a candidate."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        for record in records:
            check(record)
        times.append((time.perf_counter() - started) / len(records))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=Path, help="JSONL with reference circuits")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.problems is None:
        directory = Path(tempfile.mkdtemp())
        generate_dataset(load_config("laptop", ["dataset.num_examples=120"]), directory)
        arguments.problems = directory / "train.jsonl"
    records = [r for r in read_problems(arguments.problems) if r.problem.reference_circuit]

    def verifying(evaluations: int) -> Callable:
        verifier = Verifier(VerificationConfig(gradient_evaluations=evaluations))
        verifier.warm_up()
        return lambda r: verifier.verify(r.problem, r.problem.reference_circuit)

    three, four = verifying(0), verifying(VerificationConfig().gradient_evaluations)
    for record in records:
        assert abs(three(record).expectation.energy - plain_qiskit(record)) < 1e-9
    base = seconds_each(plain_qiskit, records, arguments.repeats)
    table = Table(title=f"{len(records)} reference circuits of {arguments.problems.name}")
    for column in ("", "ms a candidate", "candidates/s", "times plain Qiskit"):
        table.add_column(column, justify="right")
    for name, seconds in (
        ("plain Qiskit, three stages", base),
        ("Quasar, three stages", seconds_each(three, records, arguments.repeats)),
        ("Quasar, four stages", seconds_each(four, records, arguments.repeats)),
    ):
        table.add_row(name, f"{1e3 * seconds:.2f}", f"{1 / seconds:.0f}", f"{base / seconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
