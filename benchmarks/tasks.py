"""Verifications a second of the tasks, by size, beside the plain way with Qiskit in the same run.

    python benchmarks/tasks.py [--repeats 5]

One instance a size, its facts known; the program is the teacher's. Ours: text in, report out, all
that a rollout pays. Qiskit's: the text parsed by `qasm3.loads`, then `Statevector` with
`expectation_value` and overlap with the ground state, `state_fidelity`, or `Clifford`. The floor is
reading the text by our reader and nothing else. Medians of interleaved repeats.
"""

import argparse
from collections.abc import Callable

import numpy as np
from qiskit import qasm3
from qiskit.quantum_info import Clifford, SparsePauliOp, Statevector, state_fidelity
from rich.console import Console
from rich.table import Table
from simulation import medians

from quasar.circuits.qasm import Limits, read_qasm
from quasar.config import VerificationConfig
from quasar.tasks import get_task
from quasar.tasks.ground_state.task import GroundFacts
from quasar.verification.verifier import Verifier

SIZES = (
    ("ground_state", "tfim_chain", (2, 4, 6, 8)),
    ("ground_state", "lih", (4,)),
    ("state_preparation", "ghz", (3, 6, 8, 12)),
    ("state_preparation", "real", (4,)),
    ("stabiliser", "clifford", (3, 6, 8)),
    ("stabiliser", "graph", (20, 50, 100)),
)


def plain(text: str, facts) -> Callable[[], object]:
    """The same verification as one writes it with Qiskit."""

    def circuit():
        found = qasm3.loads(text)
        found.remove_final_measurements()
        return found

    if isinstance(facts, GroundFacts):
        terms = [(t.letters, list(t.qubits), t.coefficient) for t in facts.hamiltonian.terms]
        operator = SparsePauliOp.from_sparse_list(terms, num_qubits=facts.hamiltonian.num_qubits)

        def energy():
            state = Statevector(circuit())
            return state.expectation_value(operator), facts.ground.overlap(state.data)

        return energy
    if hasattr(facts, "teacher") and hasattr(facts, "trivial_rows"):
        return lambda: Clifford(circuit())
    target = Statevector(facts.target)
    return lambda: state_fidelity(Statevector(circuit()), target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    verifier, console = Verifier(VerificationConfig()), Console(width=120)
    table = Table(title="verifications a second")
    for column in ("task", "qubits", "gates", "ours", "Qiskit", "times", "floor, of ours"):
        table.add_column(column, justify="right")
    for name, family, sizes in SIZES:
        task = get_task(name)
        task.warm_up()
        for n in sizes:
            rng = np.random.default_rng(n)
            instance = task.generate(rng, family=family, num_qubits=n)
            facts = verifier.tasks.facts(instance)
            text, limits = task.reference(instance, facts), Limits(max_qubits=n)
            calls = {
                "ours": lambda i=instance, t=text: verifier.tasks.verify(i, t),
                "floor": lambda t=text, within=limits: read_qasm(t, within),
                "Qiskit": plain(text, facts),
            }
            assert calls["ours"]().task.success
            found = medians(calls, repeats)
            gates = len(read_qasm(text, limits).gates)
            table.add_row(
                *(f"{name}, {family}", str(n), str(gates)),
                *(f"{1 / found[key]:.0f}" for key in ("ours", "Qiskit")),
                f"{found['Qiskit'] / found['ours']:.0f}",
                f"{found['floor'] / found['ours']:.0%}",
            )
    console.print(table)


if __name__ == "__main__":
    main()
