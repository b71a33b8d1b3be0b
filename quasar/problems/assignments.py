"""Good assignments without a search of all: one qubit after the other, and single flips.

Takes an `IsingHamiltonian`; gives the measured bits of every qubit, qubit 0 first. The field on a
qubit is the sum of the coefficients of its terms whose other qubits are set, each with the sign of
their product: setting the qubit against its field lowers the energy of these terms.
"""

from collections.abc import Callable, Sequence

import numpy as np

from quasar.problems.hamiltonian import IsingHamiltonian

Bits = tuple[int, ...]
_Term = tuple[float, tuple[int, ...]]  # coefficient, the other qubits


class SpinFields:
    """The fields of one Hamiltonian; spins are +1 (bit 0), −1 (bit 1), 0 (not set yet)."""

    def __init__(self, hamiltonian: IsingHamiltonian):
        self.num_qubits = hamiltonian.num_qubits
        self.tolerance = hamiltonian.tolerance  # smaller fields are ties
        self._terms: list[list[_Term]] = [[] for _ in range(self.num_qubits)]
        for coefficient, wires in hamiltonian.interactions():
            for q in wires:
                self._terms[q].append((coefficient, tuple(w for w in wires if w != q)))

    def on(self, qubit: int, spins: Sequence[int]) -> float:
        """The field on a qubit, in units of the energy."""
        total = 0.0
        for coefficient, others in self._terms[qubit]:
            for other in others:
                coefficient *= spins[other]
            total += coefficient
        return total

    def favoured(self, qubit: int, spins: Sequence[int], rng: np.random.Generator) -> int:
        """The spin against the field; drawn where there is none."""
        field = self.on(qubit, spins)
        if abs(field) <= self.tolerance:
            return int(rng.choice((-1, 1)))
        return -1 if field > 0 else 1


def greedy(
    hamiltonian: IsingHamiltonian,
    rng: np.random.Generator,
    *,
    order: Sequence[int] | None = None,
) -> Bits:
    """Each qubit in turn to the side that the fields of those already set favour.

    order: of the qubits, ascending by default. A qubit without a field is drawn from `rng`.
    """
    fields = SpinFields(hamiltonian)
    spins = [0] * fields.num_qubits
    for q in range(fields.num_qubits) if order is None else order:
        spins[q] = fields.favoured(q, spins, rng)
    return _bits(spins)


def greedy_by_strength(hamiltonian: IsingHamiltonian, rng: np.random.Generator) -> Bits:
    """The same, always the qubit next whose field is the strongest; of equals the first."""
    fields = SpinFields(hamiltonian)
    spins = [0] * fields.num_qubits
    while left := [q for q, spin in enumerate(spins) if spin == 0]:
        strengths = {q: abs(fields.on(q, spins)) for q in left}
        strongest = max(strengths.values()) - fields.tolerance
        chosen = next(q for q in left if strengths[q] >= strongest)
        spins[chosen] = fields.favoured(chosen, spins, rng)
    return _bits(spins)


def descend(hamiltonian: IsingHamiltonian, bits: Sequence[int]) -> Bits:
    """Single flips while they help, always the one that helps most: a local minimum."""
    fields = SpinFields(hamiltonian)
    spins = [1 - 2 * bit for bit in bits]
    while True:
        gains = [2 * spins[q] * fields.on(q, spins) for q in range(fields.num_qubits)]
        best = int(np.argmax(gains))
        if gains[best] <= fields.tolerance:
            return _bits(spins)
        spins[best] = -spins[best]


def random_bits(hamiltonian: IsingHamiltonian, rng: np.random.Generator) -> Bits:
    """Every bit drawn evenly."""
    return tuple(rng.integers(0, 2, hamiltonian.num_qubits).tolist())


def best_of(hamiltonian: IsingHamiltonian, tries: int, draw: Callable[[int], Bits]) -> Bits:
    """The lowest energy of draw(0) … draw(tries − 1); of equals the first."""
    return min(map(draw, range(tries)), key=lambda bits: hamiltonian.energy(as_state(bits)))


def as_state(bits: Sequence[int]) -> int:
    """The index of the basis state, little-endian."""
    return sum(bit << q for q, bit in enumerate(bits))


def _bits(spins: Sequence[int]) -> Bits:
    return tuple(int(spin < 0) for spin in spins)
