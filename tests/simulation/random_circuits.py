"""Random circuits and Hamiltonians for the tests of the simulators."""

import numpy as np
from hypothesis import strategies as st

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian


def gates(num_qubits: int):
    """One standard gate on any of the qubits, any angles."""

    @st.composite
    def one(draw):
        name = draw(st.sampled_from(sorted(STANDARD_GATES)))
        num_params, arity = STANDARD_GATES[name]
        qubits = tuple(draw(st.permutations(range(num_qubits)))[:arity])
        return Gate(name, qubits, tuple(draw(st.floats(-7, 7)) for _ in range(num_params)))

    return one()


def circuits(num_qubits: int = 4, *, max_gates: int = 12):
    """Random gates after a layer that leaves no amplitude zero and no two qubits alike."""
    start = tuple(Gate("U", (q,), (0.7 + q, 0.3 * q, 1.1 - q)) for q in range(num_qubits))
    some = st.lists(gates(num_qubits), max_size=max_gates)
    return some.map(lambda found: Circuit(num_qubits, (*start, *found)))


def hamiltonian(num_qubits: int, seed: int = 0) -> IsingHamiltonian:
    """No two qubits alike: every field and every product of neighbours, all three of the first."""
    rng = np.random.default_rng(seed)
    terms = [(float(rng.normal()), (q,)) for q in range(num_qubits)]
    terms += [(float(rng.normal()), (q, q + 1)) for q in range(num_qubits - 1)]
    terms += [(float(rng.normal()), (0, 1, 2))] if num_qubits > 2 else []
    return IsingHamiltonian(num_qubits, tuple(terms))


def one_at(num_qubits: int, qubits: tuple[int, ...]) -> Circuit:
    """X on those qubits."""
    return Circuit(num_qubits, tuple(Gate("x", (q,)) for q in qubits))


def entangled(num_qubits: int, *, seed: int = 0) -> Circuit:
    """Two rounds of ry and a ladder of cx: one two-qubit gate between neighbours a round."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2):
        found += [Gate("ry", (q,), (float(rng.uniform(0, 2)),)) for q in range(num_qubits)]
        found += [Gate("cx", (q, q + 1)) for q in range(num_qubits - 1)]
    return Circuit(num_qubits, tuple(found))
