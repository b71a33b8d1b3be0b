"""The lowest level of an observable, everything that belongs to it, and the gap above it.

Takes a `PauliSum` of up to 14 qubits; gives a `GroundSpace`. Small ones are diagonalised as dense
matrices. Larger ones by the Lanczos method (ARPACK), without a matrix; what it finds is then
shifted up and the lowest level sought again until it lies above, so that no state of a degenerate
ground level is missed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quasar.errors import SimulationError
from quasar.problems.pauli import PauliSum
from quasar.simulation.statevector.exact import apply

MAX_QUBITS = 14
DENSE_QUBITS = 8  # 256 states: about ten milliseconds
# Levels nearer than this, relative to Σ|c_k|, are one.
DEGENERACY = 1e-9
_AT_ONCE = 4
_SEED = 0


@dataclass(frozen=True)
class GroundSpace:
    """energy: the lowest level E0; gap: to the next level, 0 where there is none; basis: (2**n, d),
    orthonormal columns that span the ground space.
    """

    energy: float
    gap: float
    basis: np.ndarray

    @cached_property
    def degeneracy(self) -> int:
        """d, the number of independent ground states."""
        return self.basis.shape[1]

    def overlap(self, state: np.ndarray) -> float:
        """Σ_d |⟨ground_d|state⟩|², the weight of a normalised state in the ground space, [0, 1]."""
        amplitudes = self.basis.conj().T @ state
        return min(1.0, float(np.vdot(amplitudes, amplitudes).real))


def ground_space(observable: PauliSum, states: np.ndarray | None = None) -> GroundSpace:
    """Exact to rounding: E0 to about 1e-10 of Σ|c_k|.

    states: indices of the basis states of a sector that the observable does not leave, ascending;
    None: all. Raises SimulationError above `MAX_QUBITS`, for a sector that it does leave, or where
    the method does not converge.
    """
    from scipy.linalg import eigh

    n = observable.num_qubits
    if n > MAX_QUBITS:
        raise SimulationError(
            f"the ground space of {n} qubits is not computed; the limit is {MAX_QUBITS}"
        )
    states = np.arange(1 << n) if states is None else states
    width = DEGENERACY * (observable.one_norm or 1.0)
    if states.size <= 1 << DENSE_QUBITS:
        levels, vectors = eigh(matrix(observable, states))
    else:
        levels, vectors = _lowest(observable, states, width)
    degeneracy = int(np.searchsorted(levels, levels[0] + width, side="right"))
    gap = float(levels[degeneracy] - levels[0]) if degeneracy < levels.size else 0.0
    basis = np.zeros((1 << n, degeneracy), vectors.dtype)
    basis[states] = vectors[:, :degeneracy]
    return GroundSpace(float(levels[0]), gap, basis)


def matrix(observable: PauliSum, states: np.ndarray | None = None) -> np.ndarray:
    """The dense matrix on all basis states, or on those of a sector; real where the observable is.

    Raises SimulationError where the observable leaves the sector.
    """
    states = np.arange(1 << observable.num_qubits) if states is None else states
    found = np.zeros((states.size, states.size), observable.tables.dtype)
    places = np.arange(states.size)
    for group, table in zip(observable.groups, observable.tables, strict=True):
        reached = states ^ group.flips
        at = np.minimum(np.searchsorted(states, reached), states.size - 1)
        inside = states[at] == reached
        if np.any(np.abs(table[states[~inside]]) > 1e-12):
            raise SimulationError("the observable leaves the sector that it is diagonalised in")
        found[at[inside], places[inside]] += table[states[inside]]
    return found


def warm_up() -> None:
    """Load what a first call would otherwise wait for."""
    import scipy.linalg
    import scipy.sparse.linalg  # noqa: F401


def _lowest(
    observable: PauliSum, states: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Levels ascending with their vectors: the whole ground level, and at least one above it."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    size = states.size
    dtype = np.float64 if observable.is_real else np.complex128
    # Above every level by more than the widest spectrum, so that what is found goes to the top.
    shift = 4.0 * observable.one_norm + 1.0
    levels, vectors = np.empty(0), np.empty((size, 0), dtype)
    whole = np.zeros(1 << observable.num_qubits, dtype)

    def shifted(vector: np.ndarray) -> np.ndarray:
        vector = np.ascontiguousarray(vector.ravel(), dtype)
        whole[states] = vector
        return apply(observable, whole)[states] + shift * (vectors @ (vectors.conj().T @ vector))

    rng = np.random.default_rng(_SEED)
    operator = LinearOperator((size, size), matvec=shifted, dtype=dtype)  # pyright: ignore[reportCallIssue]  # as scipy documents it
    while True:
        try:
            more, found = eigsh(operator, k=_AT_ONCE, which="SA", v0=rng.normal(size=size), tol=0)
        except RuntimeError as error:  # ArpackNoConvergence is one
            raise SimulationError(f"the eigensolver did not converge: {error}") from error
        lowest = levels.min(initial=np.inf)
        levels = np.concatenate((levels, more))
        vectors = np.linalg.qr(np.concatenate((vectors, found), axis=1))[0]
        if more.min() > lowest + width:
            break
    order = np.argsort(levels)
    return levels[order], vectors[:, order]
