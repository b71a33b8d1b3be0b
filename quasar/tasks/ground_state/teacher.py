"""The teacher of ground states where angles do not follow the parameters (`smooth`): the smallest
circuit of a ladder of forms that is good enough.

Real Hamiltonians have real ground states: layers of ry and cx, tuned by exact gradients from seeded
starts. Where a number of layers is not enough, more are taken; where none is, the state is prepared
exactly. Angles have four decimals.
"""

from collections.abc import Callable

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.problems.pauli import PauliSum
from quasar.simulation.eigensolver import GroundSpace
from quasar.tasks.programs import prepared, real_layers, rounded, tuned

_MOST_LAYERS = 6
_STARTS, _STEPS = 3, 300
_TUNED_QUBITS = 10  # above, descents take minutes: the exact preparation is taken


def teach(
    hamiltonian: PauliSum,
    ground: GroundSpace,
    is_good: Callable[[Circuit], bool],
    *,
    seed: int,
) -> Circuit:
    """The first tuned circuit that is good, else one that prepares a ground state exactly. The same
    arguments give the same circuit.
    """
    n, rng = hamiltonian.num_qubits, np.random.default_rng(seed)
    if hamiltonian.is_real and n <= _TUNED_QUBITS:
        for layers in range(1, _MOST_LAYERS + 1):
            form = real_layers(n, layers)
            if form.num_two_qubit_gates > _exact_cost(n):
                break
            circuit = rounded(tuned(form, hamiltonian, rng, starts=_STARTS, steps=_STEPS)[1])
            if is_good(circuit):
                return circuit
    basis = ground.basis
    # Of a degenerate space the vector nearest to one basis state: with few branches, often.
    place = int(np.argmax((np.abs(basis) ** 2).sum(axis=1)))
    vector = basis @ basis[place].conj()
    return rounded(prepared((vector / np.linalg.norm(vector)).astype(np.complex128)))


def _exact_cost(num_qubits: int) -> int:
    return 1 << num_qubits
