"""The best answers without entanglement: product states, found by alternating over the qubits.

Takes an observable or vectors; gives the product state of lowest energy, or of largest overlap.
With all other qubits fixed the best state of one qubit is known in closed form, so that no step is
worse than the one before; the best of several seeded starts is taken. Little-endian.
"""

from dataclasses import dataclass
from math import acos, atan2

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.pauli import PauliSum

_RANDOM_STARTS = 18
_SWEEPS = 300
_CONVERGED = 1e-11
_SEED = 0
_AXES = np.concatenate((np.eye(3), -np.eye(3)))  # X, Y, Z and their opposites on a Bloch sphere
_AMPLITUDES = np.array(
    [[1, 1], [1, 1j], [1, 0], [1, -1], [1, -1j], [0, 1]], dtype=np.complex128
) / np.sqrt([[2], [2], [1], [2], [2], [1]])  # of the same six states


@dataclass(frozen=True)
class ProductState:
    """value: the energy, or the overlap, [0, 1]; qubits: complex128 (n, 2), amplitudes of each."""

    value: float
    qubits: np.ndarray

    @property
    def circuit(self) -> Circuit:
        """One or two rotations a qubit; angles that are 0 are left out."""
        return Circuit(
            len(self.qubits),
            tuple(gate for q, state in enumerate(self.qubits) for gate in _rotations(q, state)),
        )

    @property
    def vector(self) -> np.ndarray:
        """Amplitudes, complex128 (2**n,)."""
        vector = np.ones(1, dtype=np.complex128)
        for state in self.qubits:
            vector = np.kron(state, vector)
        return vector


def lowest_product_state(observable: PauliSum) -> ProductState:
    """The product state of lowest energy (mean field) that was found."""
    n = observable.num_qubits
    letters = np.zeros((len(observable.terms), n), dtype=np.int64)  # 0: not on this qubit
    for row, term in zip(letters, observable.terms, strict=True):
        row[list(term.qubits)] = ["XYZ".index(letter) + 1 for letter in term.letters]
    coefficients = np.array([term.coefficient for term in observable.terms])
    touching = [_Touching.of(letters, coefficients, q) for q in range(n)]
    vectors = _starts(n, np.random.default_rng(_SEED))
    extended = np.concatenate((np.ones((*vectors.shape[:2], 1)), vectors), axis=2)
    values = np.full(len(extended), np.inf)
    for _ in range(_SWEEPS):
        before = values
        for q in range(n):
            field = touching[q].field(extended)
            length = np.linalg.norm(field, axis=1, keepdims=True)
            turned = np.divide(-field, length, out=extended[:, q, 1:].copy(), where=length > 1e-14)
            extended[:, q, 1:] = turned
        values = _energies(extended, letters, coefficients)
        if np.all(before - values < _CONVERGED * (1.0 + observable.one_norm)):
            break
    best = int(np.argmin(np.round(values, 9)))
    return ProductState(float(values[best]), np.array([*map(_amplitudes, extended[best, :, 1:])]))


def closest_product_state(vectors: np.ndarray) -> ProductState:
    """The product state with the largest Σ_d |⟨vector_d|state⟩|² that was found.

    vectors: (2**n, d), orthonormal columns; (2**n,) for one.
    """
    vectors = vectors.reshape(len(vectors), -1)
    n = len(vectors).bit_length() - 1
    # Axis k of the tensor is qubit n − 1 − k; the vectors come last.
    tensor = vectors.conj().reshape((2,) * n + (-1,))
    best, found = -1.0, np.zeros((n, 2), dtype=np.complex128)
    for start in _overlap_starts(vectors, n):
        qubits, value = start, 0.0
        for _ in range(_SWEEPS):
            before = value
            for q in range(n):
                rest = tensor
                for k in range(n):  # from the highest qubit down
                    if n - 1 - k != q:
                        axis = 1 if n - 1 - k < q else 0
                        rest = np.tensordot(rest, qubits[n - 1 - k], axes=(axis, 0))
                levels, states = np.linalg.eigh(rest.conj() @ rest.T)
                qubits[q], value = states[:, -1], float(levels[-1])
            if value - before < _CONVERGED:
                break
        if value > best + 1e-9:
            best, found = value, qubits
    return ProductState(min(1.0, best), found)


@dataclass(frozen=True)
class _Touching:
    """The terms with a letter on one qubit."""

    others: np.ndarray  # (n − 1, 1): the other qubits
    letters: np.ndarray  # (n − 1, terms), theirs; 0: none
    weights: np.ndarray  # (terms, 3): the coefficient where the qubit's letter is X, Y, Z

    @classmethod
    def of(cls, letters: np.ndarray, coefficients: np.ndarray, q: int) -> "_Touching":
        rows = letters[:, q] > 0
        others = np.flatnonzero(np.arange(letters.shape[1]) != q)
        weights = coefficients[rows, None] * (letters[rows, q, None] == [1, 2, 3])
        return cls(others[:, None], letters[rows][:, others].T, weights)

    def field(self, extended: np.ndarray) -> np.ndarray:
        """Gradient of the energies by the Bloch vector of the qubit, (starts, 3)."""
        return extended[:, self.others, self.letters].prod(axis=1) @ self.weights


def _energies(extended: np.ndarray, letters: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    products = np.ones((len(extended), len(coefficients)))
    for k in range(letters.shape[1]):
        products *= extended[:, k, letters[:, k]]
    return products @ coefficients


def _starts(n: int, rng: np.random.Generator) -> np.ndarray:
    """Bloch vectors, (starts, n, 3): all qubits alike, Néel states of each axis, and random."""
    alike = np.repeat(_AXES[:, None], n, axis=1)
    signs = (-1.0) ** np.arange(n)[:, None]
    # Not exactly an axis, which may be a saddle of the energy.
    jitter = 1e-3 * rng.normal(size=(12, n, 3))
    random = rng.normal(size=(_RANDOM_STARTS, n, 3))
    vectors = np.concatenate((np.concatenate((alike, alike * signs)) + jitter, random))
    return vectors / np.linalg.norm(vectors, axis=2, keepdims=True)


def _overlap_starts(vectors: np.ndarray, n: int) -> list[np.ndarray]:
    """The likeliest basis state, all qubits alike, a few random ones; complex128 (n, 2) each."""
    rng = np.random.default_rng(_SEED)
    likeliest = int(np.argmax((abs(vectors) ** 2).sum(axis=1)))
    starts = [_AMPLITUDES[[5 if likeliest >> q & 1 else 2 for q in range(n)]]]
    starts += [np.repeat(state[None], n, axis=0) for state in _AMPLITUDES]
    starts += [rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2)) for _ in range(5)]
    jittered = [s + 1e-3 * (rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))) for s in starts]
    return [s / np.linalg.norm(s, axis=1, keepdims=True) for s in jittered]


def _amplitudes(vector: np.ndarray) -> np.ndarray:
    """Of the state with this Bloch vector."""
    x, y, z = vector
    theta, phi = acos(min(1.0, max(-1.0, z))), atan2(y, x)
    return np.array([np.cos(theta / 2), np.exp(1j * phi) * np.sin(theta / 2)])


def _rotations(q: int, state: np.ndarray) -> list[Gate]:
    theta = 2.0 * atan2(abs(state[1]), abs(state[0]))
    phi = float(np.angle(state[1] * state[0].conjugate())) if abs(state[0] * state[1]) else 0.0
    # A half turn of phase is a rotation the other way.
    if abs(abs(phi) - np.pi) < 1e-6:
        theta, phi = -theta, 0.0
    gates = [Gate("ry", (q,), (theta,))] if abs(theta) > 1e-6 else []
    return [*gates, Gate("rz", (q,), (phi,))] if abs(phi) > 1e-6 else gates
