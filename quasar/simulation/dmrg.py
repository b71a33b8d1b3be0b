"""Ground states of chains too long for a vector: the density matrix renormalisation group.

Takes a real sum of Pauli strings on single sites and on neighbours; gives a matrix product state,
its energy and how far it can be from a level (White, Phys. Rev. Lett. 69, 2863, 1992; two sites at
a time, as Schollwöck, Annals of Physics 326, 96, 2011, section 6, writes it). The energy is never
below E0, and a level lies within σ of it, σ² = ⟨H²⟩ − ⟨H⟩² (Weinstein, Proc. Natl. Acad. Sci. 20,
529, 1934). That it is the lowest level is what sweeps from two starts find, and no theorem.
"""

import math
from dataclasses import dataclass

import numpy as np

from quasar.errors import SimulationError
from quasar.problems.pauli import PauliSum
from quasar.simulation.matrix_product import MatrixProductState

BOND_DIMENSION = 64
_GROWTH = (8, 16, 32)  # of the first sweeps
_SWEEPS = 20
_CUT = 1e-12  # weight of the singular values that are dropped, a site
_CONVERGED = 1e-10  # change of the energy in a sweep, of Σ|c|
_LANCZOS = 8  # vectors for a pair of sites
_INVARIANT = 1e-9  # what is left of a vector by rounding alone
_SAME = 1e-6  # overlaps nearer to 1 are of one state
# i·Y is real, and of a real sum every string has an even number of Y.
_REAL = {
    "I": np.eye(2),
    "X": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "Y": np.array([[0.0, 1.0], [-1.0, 0.0]]),
    "Z": np.diag([1.0, -1.0]),
}


@dataclass(frozen=True)
class ChainGround:
    """energy: ⟨H⟩ of the state; error: a level lies so near.

    states: the state that was found, normalised and real, and, where X on every site changes it
    and not the Hamiltonian, its image under that. mix: (states, d), the coefficients of d
    orthonormal states with energies within the error of the lowest: the ground space.
    """

    energy: float
    error: float
    states: tuple[MatrixProductState, ...]
    mix: np.ndarray
    gap: None = None  # not known

    def overlap(self, state: MatrixProductState) -> float:
        """The weight of a normalised state in the ground space, [0, 1]."""
        amplitudes = self.mix.T @ [own.overlap(state) for own in self.states]
        return min(1.0, float(np.vdot(amplitudes, amplitudes).real))


def chain_ground(observable: PauliSum) -> ChainGround:
    """The ground state of an open chain of at least four sites.

    Raises SimulationError for a sum with an imaginary string, or with one that is not on one site
    or on two neighbours.
    """
    operator = _operator(observable)
    n = observable.num_qubits
    best: _Chain | None = None
    # All alike, and alternating: sums that keep Σ Z have a ground state with the one or the other.
    for start in ([0] * n, [q % 2 for q in range(n)]):
        chain = _Chain(operator, start)
        chain.converge(_CONVERGED * observable.one_norm)
        if best is None or chain.energy < best.energy - 1e-9 * observable.one_norm:
            best = chain
    assert best is not None
    state = MatrixProductState(tuple(best.tensors))
    error = _deviation(operator, state, best.energy)
    image = state.flipped()
    alike = state.overlap(image).real
    if any(t.signs.bit_count() % 2 for t in observable.terms) or abs(alike) > 1.0 - _SAME:
        return ChainGround(best.energy, error, (state,), np.ones((1, 1)))
    # The even and the odd part of the state, and their energies.
    across = _element(operator, state, image)
    parts = [((best.energy + sign * across) / (1.0 + sign * alike), sign) for sign in (1.0, -1.0)]
    lowest = min(parts)[0]
    mix = [
        [size, sign * size]
        for energy, sign in parts
        if energy - lowest <= 2.0 * error
        for size in [1.0 / math.sqrt(2.0 * (1.0 + sign * alike))]
    ]
    return ChainGround(lowest, error, (state, image), np.array(mix).T)


def _operator(observable: PauliSum) -> list[np.ndarray]:
    """A matrix product operator: (left bond, right bond, out, in) of each site. Bond 0 stands for
    nothing yet, the last for all done, those between for a string that was begun.
    """
    if not observable.is_real:
        raise SimulationError("a chain's Hamiltonian must be real: an even number of Y a string")
    letters = "XYZ"
    found = [np.zeros((5, 5, 2, 2)) for _ in range(observable.num_qubits)]
    for site in found:
        site[0, 0] = site[4, 4] = _REAL["I"]
        for place, letter in enumerate(letters, 1):
            site[0, place] = _REAL[letter]
    found[0][0, 4] += observable.constant * _REAL["I"]
    for term in observable.terms:
        if not term.qubits:
            continue
        last, c = term.qubits[-1], term.coefficient
        if len(term.qubits) == 1:
            found[last][0, 4] += c * _REAL[term.letters]
        elif term.qubits == (last - 1, last):
            place = 1 + letters.index(term.letters[0])
            sign = -1.0 if term.letters == "YY" else 1.0
            found[last][place, 4] += sign * c * _REAL[term.letters[1]]
        else:
            raise SimulationError(f"{term.word} is not on one site or two neighbours of a chain")
    found[0], found[-1] = found[0][:1], found[-1][:, 4:]
    return found


class _Chain:
    """A state that is swept to the lowest energy; its centre is at the left end between sweeps."""

    def __init__(self, operator: list[np.ndarray], start: list[int]):
        self._operator = operator
        self.tensors = [np.eye(2)[bit].reshape(1, 2, 1) for bit in start]
        n = len(start)
        self._lefts = [np.ones((1, 1, 1))] * n  # (bra, operator, ket) of the sites before
        self._rights = [np.ones((1, 1, 1))] * n  # of the sites behind
        for q in range(n - 1, 0, -1):
            self._rights[q - 1] = self._from_right(q)
        self.energy = math.inf

    def converge(self, tolerance: float) -> None:
        """Sweeps until a sweep at the full bond dimension changes the energy by less."""
        for number in range(_SWEEPS):
            before = self.energy
            full = number >= len(_GROWTH)
            bond = BOND_DIMENSION if full else _GROWTH[number]
            pairs = range(len(self.tensors) - 1)
            for q in pairs:
                self._update(q, bond, to_right=True)
            for q in reversed(pairs):
                self._update(q, bond, to_right=False)
            if full and before - self.energy < tolerance:
                break

    def _update(self, q: int, bond: int, *, to_right: bool) -> None:
        """The lowest state of sites q and q + 1 among the others, split at the bond between."""
        pair = np.tensordot(self.tensors[q], self.tensors[q + 1], axes=(2, 0))
        self.energy, pair = self._lowest(q, pair)
        left, _, _, right = pair.shape
        u, weights, v = np.linalg.svd(pair.reshape(left * 2, 2 * right), full_matrices=False)
        lost = np.cumsum(weights[::-1] ** 2)[::-1]  # by keeping those before
        kept = max(1, min(bond, int(np.count_nonzero(lost > _CUT))))
        u, v = u[:, :kept], v[:kept]
        weights = weights[:kept] / np.linalg.norm(weights[:kept])
        if to_right:
            v = weights[:, None] * v
        else:
            u = u * weights
        self.tensors[q] = u.reshape(left, 2, kept)
        self.tensors[q + 1] = v.reshape(kept, 2, right)
        if to_right:
            self._lefts[q + 1] = self._from_left(q)
        else:
            self._rights[q] = self._from_right(q + 1)

    def _lowest(self, q: int, start: np.ndarray) -> tuple[float, np.ndarray]:
        """By Lanczos steps from where the pair is: what the Hamiltonian keeps of it, it keeps."""
        left, right = self._lefts[q], self._rights[q + 1]
        one, two = self._operator[q], self._operator[q + 1]

        def apply(vector: np.ndarray) -> np.ndarray:
            found = np.tensordot(left, vector.reshape(start.shape), axes=(2, 0))  # (l, w, i, j, r)
            found = np.tensordot(found, one, axes=((1, 2), (0, 3)))  # (l, j, r, w, i)
            found = np.tensordot(found, two, axes=((3, 1), (0, 3)))  # (l, r, i, w, j)
            return np.tensordot(found, right, axes=((1, 3), (2, 1))).ravel()

        basis = np.zeros((_LANCZOS, start.size))
        images = np.zeros_like(basis)
        basis[0] = start.ravel() / np.linalg.norm(start)
        size = 0
        for size in range(1, _LANCZOS + 1):
            image = images[size - 1] = apply(basis[size - 1])
            rest = image - basis[:size].T @ (basis[:size] @ image)
            rest -= basis[:size].T @ (basis[:size] @ rest)
            length = np.linalg.norm(rest)
            if size == _LANCZOS or length < _INVARIANT:
                break
            basis[size] = rest / length
        matrix = basis[:size] @ images[:size].T
        levels, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return float(levels[0]), (vectors[:, 0] @ basis[:size]).reshape(start.shape)

    def _from_left(self, q: int) -> np.ndarray:
        site = self.tensors[q]
        found = np.tensordot(self._lefts[q], site, axes=(2, 0))  # (bra, w, i, r)
        found = np.tensordot(found, self._operator[q], axes=((1, 2), (0, 3)))  # (bra, r, w, i)
        return np.tensordot(site, found, axes=((0, 1), (0, 3))).transpose(0, 2, 1)

    def _from_right(self, q: int) -> np.ndarray:
        site = self.tensors[q]
        found = np.tensordot(site, self._rights[q], axes=(2, 2))  # (l, i, bra, w)
        found = np.tensordot(found, self._operator[q], axes=((3, 1), (1, 3)))  # (l, bra, w, i)
        return np.tensordot(site, found, axes=((2, 1), (1, 3))).transpose(0, 2, 1)


def _element(operator: list[np.ndarray], bra: MatrixProductState, ket: MatrixProductState) -> float:
    """⟨bra|H|ket⟩."""
    found = np.ones((1, 1, 1))  # (bra, operator, ket)
    for one, term, other in zip(bra.tensors, operator, ket.tensors, strict=True):
        found = np.tensordot(found, other, axes=(2, 0))  # (bra, w, i, r)
        found = np.tensordot(found, term, axes=((1, 2), (0, 3)))  # (bra, r, w, i)
        found = np.tensordot(one, found, axes=((0, 1), (0, 3))).transpose(0, 2, 1)
    return float(found.ravel()[0])


def _deviation(operator: list[np.ndarray], state: MatrixProductState, energy: float) -> float:
    """σ of the energy in the state, and what rounding leaves of it. H − E is squared, not H: of the
    difference of two large squares half of the digits would be lost.
    """
    first = operator[0].copy()
    first[0, -1] -= energy * _REAL["I"]
    found = np.ones((1, 1, 1, 1))  # (bra, first operator, second operator, ket)
    for site, term in zip(state.tensors, [first, *operator[1:]], strict=True):
        found = np.tensordot(found, site, axes=(3, 0))  # (bra, v, w, i, r)
        found = np.tensordot(found, term, axes=((2, 3), (0, 3)))  # (bra, v, r, w, j)
        found = np.tensordot(found, term, axes=((1, 4), (0, 3)))  # (bra, r, w, v, k)
        found = np.tensordot(site, found, axes=((0, 1), (0, 4))).transpose(0, 3, 2, 1)
    rounding = 1e-14 * max(1.0, abs(energy))
    return math.sqrt(max(0.0, float(found.ravel()[0])) + rounding)
