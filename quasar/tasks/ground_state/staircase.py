"""Circuits for a matrix product state: staircases of gates on neighbours, fitted pair by pair.

Takes a real state of a chain; gives the circuit of the fewest staircases that is good. A staircase
has a rotation of SO(4) on qubits 0 and 1, then on 1 and 2, and so on, two cx each; one of them is a
state of bond dimension 2, and more come before it (Ran, Phys. Rev. A 101, 032310, 2020). With all
other gates fixed, the rotation that brings the circuit nearest to the state is known in closed
form, by a singular value decomposition of what surrounds it (Evenbly, Vidal, Phys. Rev. B 79,
144108, 2009), so that no step is worse than the one before.
"""

from collections.abc import Callable

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.simulation.matrix_product import MatrixProductState, step
from quasar.tasks.programs import from_qiskit, rounded

MAX_STAIRCASES = 6
_SWEEPS = 40  # with each number of staircases
_STILL = 2e-5  # relative gain of overlap in a sweep that is none
_BOND = 16  # of the states in between
_CUT = 1e-7  # singular values that are dropped there


def staircases(target: MatrixProductState, is_good: Callable[[Circuit], bool]) -> Circuit | None:
    """The fewest staircases whose circuit is good, with angles as programs print them; None where
    no number of them is. target: real, normalised.
    """
    n = target.num_qubits
    goal = _Centred(list(target.tensors), n - 1)
    goal.move_to(0)
    # Drawn: |0…0⟩ may have no overlap at all with a state that keeps Σ Z.
    rng = np.random.default_rng(0)
    gates = [_nearest_rotation(rng.normal(size=(4, 4))) for _ in range(n - 1)]
    for number in range(MAX_STAIRCASES):
        if number:
            gates = [*(np.eye(4) for _ in range(n - 1)), *gates]
        _fit(gates, goal)
        circuit = _circuit(n, gates)
        if is_good(circuit):
            return circuit
    return None


class _Centred:
    """A normalised state with a centre: to its left and right the tensors are isometries."""

    def __init__(self, tensors: list[np.ndarray], centre: int):
        self.tensors, self.centre = tensors, centre
        if centre:  # of tensors that are any
            for q in range(centre):
                self._pass_right(q)
            tensors[centre] = tensors[centre] / np.linalg.norm(tensors[centre])

    def copy(self) -> "_Centred":
        """With a list of its own; tensors are never changed."""
        found = _Centred.__new__(_Centred)
        found.tensors, found.centre = list(self.tensors), self.centre
        return found

    def move_to(self, q: int) -> None:
        """Bonds that are passed to the left are cut where they are too large."""
        while self.centre < q:
            self._pass_right(self.centre)
            self.centre += 1
        while self.centre > q:
            self._pass_left(self.centre)
            self.centre -= 1

    def pair(self, q: int) -> np.ndarray:
        """The tensor of qubits q and q + 1, (left bond, 4, right bond)."""
        both = np.tensordot(self.tensors[q], self.tensors[q + 1], axes=(2, 0))
        return both.reshape(both.shape[0], 4, both.shape[3])

    def apply(self, q: int, gate: np.ndarray) -> None:
        """A rotation of qubits q and q + 1, one of which is the centre; q + 1 is it then."""
        pair = np.einsum("ab,lbr->lar", gate, self.pair(q))
        left, _, right = pair.shape
        u, weights, v = _cut(pair.reshape(left * 2, 2 * right))
        self.tensors[q] = u.reshape(left, 2, -1)
        self.tensors[q + 1] = (weights[:, None] * v).reshape(-1, 2, right)
        self.centre = q + 1

    def _pass_right(self, q: int) -> None:
        left, _, right = self.tensors[q].shape
        rest, carried = np.linalg.qr(self.tensors[q].reshape(left * 2, right))
        self.tensors[q] = rest.reshape(left, 2, -1)
        self.tensors[q + 1] = np.tensordot(carried, self.tensors[q + 1], axes=(1, 0))

    def _pass_left(self, q: int) -> None:
        left, _, right = self.tensors[q].shape
        u, weights, v = _cut(self.tensors[q].reshape(left, 2 * right))
        self.tensors[q] = v.reshape(-1, 2, right)
        self.tensors[q - 1] = np.tensordot(self.tensors[q - 1], u * weights, axes=(2, 0))


def _cut(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, weights, v = np.linalg.svd(matrix, full_matrices=False)
    kept = max(1, min(_BOND, int(np.count_nonzero(weights > _CUT))))
    return u[:, :kept], weights[:kept] / np.linalg.norm(weights[:kept]), v[:kept]


def _fit(gates: list[np.ndarray], goal: _Centred) -> None:
    """Sweeps over all gates from the last to the first, each anew; changes the list."""
    n, reached = len(goal.tensors), 0.0
    zeros = [np.array([1.0, 0.0]).reshape(1, 2, 1)] * n
    for _ in range(_SWEEPS):
        state, states = _Centred(list(zeros), 0), []
        for place, gate in enumerate(gates):
            q = place % (n - 1)
            state.move_to(q)
            states.append(state.copy())
            state.apply(q, gate)
        wanted, before = goal.copy(), reached
        for place in reversed(range(len(gates))):
            q, state = place % (n - 1), states[place]
            around = _around(wanted, state, q)
            gates[place] = _nearest_rotation(around)
            reached = float((around * gates[place]).sum())
            wanted.move_to(min(max(wanted.centre, q), q + 1))
            wanted.apply(q, gates[place].T)
        if reached < (1.0 + _STILL) * before:
            break


def _around(wanted: _Centred, state: _Centred, q: int) -> np.ndarray:
    """A of Σ A·G, the overlap with a gate G between the two on qubits q and q + 1, (4, 4)."""
    left = right = np.ones((1, 1))
    for bra, ket in zip(wanted.tensors[:q], state.tensors[:q], strict=True):
        left = step(left, bra, ket)
    for k in range(len(state.tensors) - 1, q + 1, -1):
        mirrored = (t.tensors[k].transpose(2, 1, 0) for t in (wanted, state))
        right = step(right, *mirrored)
    around = np.tensordot(
        wanted.pair(q), np.tensordot(left, state.pair(q), axes=(1, 0)), axes=(0, 0)
    )
    return np.tensordot(around, right, axes=((1, 3), (0, 1)))


def _nearest_rotation(around: np.ndarray) -> np.ndarray:
    """The G of SO(4) with the largest Σ around·G."""
    u, _, v = np.linalg.svd(around)
    if np.linalg.det(u @ v) < 0.0:  # a reflection would take a third cx
        u[:, -1] = -u[:, -1]
    return u @ v


def _circuit(num_qubits: int, gates: list[np.ndarray]) -> Circuit:
    from qiskit import QuantumCircuit, transpile
    from qiskit.circuit.library import CXGate
    from qiskit.synthesis import TwoQubitBasisDecomposer

    decompose = TwoQubitBasisDecomposer(CXGate(), euler_basis="U")
    whole = QuantumCircuit(num_qubits)
    swap = np.eye(4)[[0, 2, 1, 3]]  # Qiskit's first qubit is the lower bit
    for place, gate in enumerate(gates):
        q = place % (num_qubits - 1)
        whole.compose(decompose(swap @ gate @ swap), [q, q + 1], inplace=True)
    merged = transpile(whole, basis_gates=["u", "cx"], optimization_level=1, seed_transpiler=0)
    return rounded(from_qiskit(merged))
