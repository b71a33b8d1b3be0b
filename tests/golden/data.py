"""The golden fixture: facts of 37 published problems, and answers that are made of them by rule.

`rows()` are the facts as `problems.jsonl` holds them; from them come the Hamiltonian, the reference
circuit and the row in the benchmark's own form. No program is stored: `reference_circuit` emits the
published one, and the row has its SHA-256. `RULES` makes ten answers to a problem, without any
model: `figures.json` says what each of them is worth.
"""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from quasar.circuits.ansatz import Ansatz, get_ansatz
from quasar.circuits.ansatz.adaptive import Adaptive
from quasar.circuits.circuit import Circuit, Gate
from quasar.datasets.records import ProblemRecord
from quasar.problems.hamiltonian import IsingHamiltonian

PROBLEMS = Path(__file__).with_name("problems.jsonl")
FIGURES = Path(__file__).with_name("figures.json")
Row = dict[str, Any]


@lru_cache
def rows() -> tuple[Row, ...]:
    """The facts of each problem. To be read only."""
    return tuple(map(json.loads, PROBLEMS.read_text("utf-8").splitlines()))


@lru_cache
def figures() -> dict[str, Any]:
    """What the answers are worth. To be read only."""
    return json.loads(FIGURES.read_text("utf-8"))


@lru_cache
def records() -> dict[int, ProblemRecord]:
    """sample_index -> the problem with its reference circuit."""
    found = map(ProblemRecord.from_dict, map(benchmark_row, rows()))
    return {record.sample_index: record for record in found}


def hamiltonian(row: Row) -> IsingHamiltonian:
    """The cost Hamiltonian, its terms in the published order."""
    terms = tuple((coefficient, tuple(wires)) for coefficient, wires in row["terms"])
    return IsingHamiltonian(row["n_qubits"], terms)


def ansatz(row: Row) -> Ansatz:
    """The family of the reference circuit, for an adaptive one with its operators."""
    if row["ansatz"] == "adaptive":
        return Adaptive(tuple((name, tuple(wires)) for name, *wires in row["operators"]))
    return get_ansatz(row["ansatz"])


def reference_circuit(row: Row) -> Circuit:
    """The published reference circuit, rebuilt from its parameters."""
    return ansatz(row).build(hamiltonian(row), row["parameters"], layers=row["layers"])


def sha256(text: str) -> str:
    """Of a program's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def benchmark_row(row: Row) -> Row:
    """The row in the benchmark's own form, of the fields that we have."""
    kept = ("sample_index", "problem_type", "optimization_type", "n_qubits", "n_layers")
    return {
        **{name: row[name] for name in kept},
        "graph": row["graph"],
        "problem_specific_attributes": row["problem_specific_attributes"],
        "cost_hamiltonian": hamiltonian(row).to_text(),
        "reference_circuit": reference_circuit(row).to_qasm(),
        "exact_solution": exact_solution(row),
    }


def exact_solution(row: Row) -> Row:
    """The recorded ground states; their eigenvalues are all equal to the smallest one."""
    count = row["number_of_smallest_eigenvalues"]
    return {
        "smallest_eigenvalues": [row["smallest_eigenvalue"]] * count,
        "number_of_smallest_eigenvalues": count,
        "first_excited_energy": row["first_excited_energy"],
        "smallest_bitstrings": row["smallest_bitstrings"],
    }


def _moved(width: float) -> Callable[[Row], str]:
    """The reference with each angle moved by up to `width`, at random but seeded.

    `Random.random` of a seed that is text is the same on every version of Python.
    """

    def make(row: Row) -> str:
        random = Random(f"{row['sample_index']} {width}")
        circuit = reference_circuit(row)
        angles = [a + width * (2 * random.random() - 1) for a in circuit.parameters]
        return circuit.with_parameters(angles).to_qasm()

    return make


def _all_h(extra_qubits: int) -> Callable[[Row], str]:
    def make(row: Row) -> str:
        n = row["n_qubits"] + extra_qubits
        return Circuit(n, tuple(Gate("h", (q,)) for q in range(n))).to_qasm()

    return make


def _optimum(row: Row) -> str:
    """X gates that prepare the first recorded ground state; a variable is 1 where 0 is measured."""
    bits = row["smallest_bitstrings"][0]
    flips = tuple(Gate("x", (q,)) for q, bit in enumerate(bits) if bit == "0")
    return Circuit(row["n_qubits"], flips).to_qasm()


def _widened(row: Row) -> str:
    """The reference with one more qubit, and a gate on it."""
    circuit, n = reference_circuit(row), row["n_qubits"]
    return Circuit(n + 1, (*circuit.gates, Gate("h", (n,)))).to_qasm()


def _with_line(line: str) -> Callable[[Row], str]:
    """The reference with one more line before its measurements."""

    def make(row: Row) -> str:
        head, measure, tail = reference_circuit(row).to_qasm().partition("c[0] = measure")
        return head + line.format(n=row["n_qubits"]) + "\n" + measure + tail

    return make


RULES: dict[str, Callable[[Row], str]] = {
    "nearly the reference": _moved(0.03),
    "angles moved by up to 1": _moved(1.0),
    "H on every qubit": _all_h(0),
    "one optimal bitstring": _optimum,
    "empty circuit": lambda row: Circuit(row["n_qubits"], ()).to_qasm(),
    "H on all qubits but one": _all_h(-1),
    "reference and one more qubit": _widened,
    "qubit that is not there": _with_line("x q[{n}];"),
    "loop": _with_line("for int i in [0:1] {{ h q[i]; }}"),
    "no program": lambda row: "There is no circuit for this problem.",
}
