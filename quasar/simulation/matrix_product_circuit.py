"""Circuits on matrix product states, with a bound on what truncation moves.

Takes a `Circuit`; gives the normalised final state and ε, by how much it can differ in norm from
the circuit's own. An operation on several qubits is 1 + ∏|1⟩⟨1| ⊗ (U − 1), so that it doubles the
bonds between its qubits, wherever these lie; a sweep to the right makes them orthogonal, one back
to the left drops the smallest singular values (Schollwöck, Annals of Physics 326, 96, 2011,
section 4). All others being orthogonal, what a bond drops is the weight w of the state itself,
which moves it by at most √(2w); ε is the sum over all bonds and operations.
"""

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.simulation.base import MatrixProductLimits
from quasar.simulation.matrix_product import PAULIS, MatrixProductState
from quasar.simulation.statevector.encoding import NUM_ANGLES, encode
from quasar.simulation.statevector.matrices import matrices

_REAL = 1e-15  # what rounding leaves of an imaginary part
_IDENTITY, _ONE = PAULIS["I"], np.diag([0.0, 1.0])


def run_circuit(circuit: Circuit, limits: MatrixProductLimits) -> tuple[MatrixProductState, float]:
    """(the truncated state, ε ≥ 0). limits.truncation: the largest weight that a bond may drop
    although there is room for more.
    """
    encoded = encode(circuit)
    found = _Growing(circuit.num_qubits, limits)
    for operation, target, mask, first in encoded.rows.tolist():
        angles = np.zeros(3)
        count = NUM_ANGLES.get(operation, 0)
        angles[:count] = encoded.angles[first : first + count]
        matrix = matrices(np.array(operation), angles)
        if np.abs(np.imag(matrix)).max() < _REAL:  # real tensors are swept in a quarter of the time
            matrix = np.real(matrix)
        found.apply(matrix, target, mask)
    return MatrixProductState(tuple(found.tensors)), found.moved


class _Growing:
    """A state in the canonical form: sites before the centre are orthogonal from the left, those
    behind it from the right.
    """

    def __init__(self, num_qubits: int, limits: MatrixProductLimits):
        zero = np.array([1.0, 0.0]).reshape(1, 2, 1)
        self.tensors = [zero] * num_qubits
        self.moved = 0.0
        self._centre = 0
        self._limits = limits

    def apply(self, matrix: np.ndarray, target: int, controls: int) -> None:
        """A 2×2 operation on a qubit where all of a mask of control qubits are 1."""
        if not controls:
            self.tensors[target] = _on(self.tensors[target], matrix)
            return
        first = min(target, (controls & -controls).bit_length() - 1)
        last = max(target, controls.bit_length() - 1)
        self._move_centre(first)
        for q in range(first, last + 1):
            site = self.tensors[q]
            acting = matrix - _IDENTITY if q == target else _ONE if controls >> q & 1 else None
            changed = site if acting is None else _on(site, acting)
            if q == first:
                self.tensors[q] = np.concatenate((site, changed), axis=2)
            elif q == last:
                self.tensors[q] = np.concatenate((site, changed), axis=0)
            else:
                left, _, right = site.shape
                both = np.zeros((2 * left, 2, 2 * right), dtype=changed.dtype)
                both[:left, :, :right], both[left:, :, right:] = site, changed
                self.tensors[q] = both
        self._move_centre(last)
        for q in range(last, first, -1):
            self._truncate(q)
        self._centre = first

    def _move_centre(self, place: int) -> None:
        while self._centre < place:
            site, q = self.tensors[self._centre], self._centre
            left, _, right = site.shape
            own, rest = np.linalg.qr(site.reshape(left * 2, right))
            self.tensors[q] = own.reshape(left, 2, -1)
            self.tensors[q + 1] = np.tensordot(rest, self.tensors[q + 1], axes=(1, 0))
            self._centre += 1
        while self._centre > place:
            site, q = self.tensors[self._centre], self._centre
            left, _, right = site.shape
            own, rest = np.linalg.qr(site.reshape(left, 2 * right).T)
            self.tensors[q] = own.T.reshape(-1, 2, right)
            self.tensors[q - 1] = np.tensordot(self.tensors[q - 1], rest.T, axes=(2, 0))
            self._centre -= 1

    def _truncate(self, q: int) -> None:
        """The bond before the centre q; the centre moves to the left."""
        left, _, right = self.tensors[q].shape
        u, values, v = np.linalg.svd(self.tensors[q].reshape(left, 2 * right), full_matrices=False)
        weights = values**2 / (values @ values)
        behind = np.cumsum(weights[::-1])[::-1]  # of each value and all smaller ones
        kept = max(1, int((behind > self._limits.truncation).sum()))
        kept = min(kept, self._limits.bond_dimension)
        dropped = float(behind[kept]) if kept < len(values) else 0.0
        self.moved += (2.0 * dropped) ** 0.5
        values = values[:kept] / np.linalg.norm(values[:kept])
        self.tensors[q] = v[:kept].reshape(kept, 2, right)
        carried = u[:, :kept] * values
        self.tensors[q - 1] = np.tensordot(self.tensors[q - 1], carried, axes=(2, 0))


def _on(site: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A 2×2 matrix on the qubit of a site."""
    return np.einsum("ab,lbr->lar", matrix, site)
