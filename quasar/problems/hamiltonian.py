"""Diagonal (Ising) cost Hamiltonians: terms, text form, and the energy of every bitstring.

Takes a list of (coefficient, wires) terms or the benchmark's text form; gives the energies of all
2**n computational basis states. Little-endian: bit q of a state's index is the measured value of
qubit q, and Z_q = +1 where that bit is 0. An identity term is never stored (energies are shifted
by a constant against the polynomial they come from).
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quasar.errors import ProblemError

_TERM = re.compile(
    r"\s*(?P<c>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*\*\s*"
    r"(?:\((?P<many>\s*Z\(\d+\)(?:\s*@\s*Z\(\d+\))*\s*)\)|Z\((?P<one>\d+)\))\s*"
)
_WIRE = re.compile(r"Z\((\d+)\)")
_EXACT = 1 << 53  # whole numbers to here are doubles
_ROUNDING = 2.0**-53  # of a sum of doubles, relative, a term
_SAFETY = 8  # terms more than there are: the coefficients are sums themselves


@dataclass(frozen=True)
class IsingHamiltonian:
    """H = Σ_k c_k ∏_{q in wires_k} Z_q, terms in the order in which they are printed.

    The order carries no physics, but the published QAOA circuits emit their gates in it.
    """

    num_qubits: int
    terms: tuple[tuple[float, tuple[int, ...]], ...]

    def __post_init__(self):
        if not math.isfinite(sum(abs(coefficient) for coefficient, _ in self.terms)):
            raise ProblemError("Hamiltonian: coefficients are too large: their sum is no number")
        for _, wires in self.terms:
            if not wires or len(set(wires)) != len(wires):
                raise ProblemError(f"Hamiltonian term on qubits {list(wires)}: repeated or none")
            if min(wires) < 0 or max(wires) >= self.num_qubits:
                raise ProblemError(
                    f"Hamiltonian term on qubits {list(wires)}: there are {self.num_qubits} qubits"
                )

    @classmethod
    def from_text(cls, text: str, num_qubits: int) -> "IsingHamiltonian":
        """Read the benchmark's text, e.g. `0.25 * (Z(0) @ Z(1)) + -0.5 * Z(2)`.

        Raises ProblemError naming the first text that is not a term.
        """
        terms, position = [], 0
        while position < len(text):
            match = _TERM.match(text, position)
            if match is None:
                raise ProblemError(f"Hamiltonian: not a term: {text[position : position + 40]!r}")
            wires = tuple(map(int, _WIRE.findall(match["many"]))) if match["many"] else ()
            if match["one"] is not None:
                wires = (int(match["one"]),)
            coefficient = float(match["c"])
            if not math.isfinite(coefficient):
                raise ProblemError(f"Hamiltonian: coefficient {match['c']} is too large")
            terms.append((coefficient, wires))
            position = match.end()
            if position < len(text):
                if text[position] != "+":
                    raise ProblemError(f"Hamiltonian: expected '+' before {text[position:][:40]!r}")
                position += 1
                if not text[position:].strip():
                    raise ProblemError("Hamiltonian: ends with '+', a term is missing")
        return cls(num_qubits, tuple(terms))

    def to_text(self) -> str:
        """The benchmark's text form; `from_text` of it gives an equal Hamiltonian."""
        parts = []
        for coefficient, wires in self.terms:
            product = " @ ".join(f"Z({q})" for q in wires)
            parts.append(f"{coefficient!r} * " + (f"({product})" if len(wires) > 1 else product))
        return " + ".join(parts)

    @cached_property
    def energies(self) -> np.ndarray:
        """Energy of each basis state, shape (2**num_qubits,), float64, index little-endian."""
        index = np.arange(1 << self.num_qubits, dtype=np.int64)
        energies = np.zeros(index.shape)
        for coefficient, wires in self.terms:
            if coefficient == 0.0:
                continue
            mask = sum(1 << q for q in wires)
            odd = np.bitwise_count(index & mask) & 1
            energies += coefficient * (1.0 - 2.0 * odd)
        energies.setflags(write=False)
        return energies

    @cached_property
    def tolerance(self) -> float:
        """Energies closer than this are one level: what the arithmetic cannot tell apart.

        Half of the coefficients' common unit where all energies are exact in double precision
        (whole coefficients, halves, …), else the largest rounding error of a sum of the terms.
        """
        sizes = self._sizes
        if self.is_exact:
            return 1 / (2 * _common_denominator(sizes))  # whole: a double may be too small
        return (_SAFETY + len(sizes)) * _ROUNDING * math.fsum(sizes)

    @property
    def is_exact(self) -> bool:
        """Whether all energies are exact in double precision."""
        return self.holds_exactly(self._sizes)

    def holds_exactly(self, numbers: Iterable[float]) -> bool:
        """Whether sums of the terms that differ by a multiple of these numbers stay exact."""
        return math.fsum(self._sizes) < _EXACT / _common_denominator(map(float, numbers))

    @property
    def _sizes(self) -> list[float]:
        return [abs(float(coefficient)) for coefficient, _ in self.interactions()]

    def __getstate__(self):
        # The cached energies (2**n floats) are rebuilt on the other side rather than shipped.
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state):
        self.__dict__.update(state)

    def energy(self, state: int) -> float:
        """Energy of one basis state, index little-endian."""
        total = 0.0
        for coefficient, wires in self.terms:
            odd = sum(state >> q & 1 for q in wires) & 1
            total += -coefficient if odd else coefficient
        return total

    def interactions(self) -> Iterable[tuple[float, tuple[int, ...]]]:
        """The terms with a coefficient that is not exactly zero."""
        return (term for term in self.terms if term[0] != 0.0)


def _common_denominator(sizes: Iterable[float]) -> int:
    # that of a double is a power of two, so the largest one is common to all
    return max((size.as_integer_ratio()[1] for size in sizes), default=1)


@dataclass(frozen=True)
class Extremes:
    """What there is to say of a diagonal without its 2**n energies."""

    num_qubits: int
    minimum: float
    maximum: float
    mean: float  # expectation value of the uniform superposition
    num_optimal: int  # number of ground states
    optimal: np.ndarray  # indices of ground states, ascending: all, or as many as are kept
    tolerance: float  # energies closer than this are one level (`IsingHamiltonian.tolerance`)

    def approximation_ratio(self, energy: float) -> float:
        """(E_max − E) / (E_max − E_min), in [0, 1]; 1 for a flat spectrum (every state optimal)."""
        width = self.maximum - self.minimum
        return 1.0 if width <= 0.0 else (self.maximum - energy) / width

    @property
    def uniform_optimum_probability(self) -> float:
        """Probability of an optimum under uniform sampling, in (0, 1]."""
        return self.num_optimal / (1 << self.num_qubits)


@dataclass(frozen=True)
class Spectrum(Extremes):
    """The whole diagonal, enumerated; `optimal` has all ground states."""

    energies: np.ndarray  # (2**n,), little-endian

    @classmethod
    def of(cls, hamiltonian: IsingHamiltonian) -> "Spectrum":
        """Enumerate the diagonal; degeneracy is decided with a tolerance, not by equality."""
        energies = hamiltonian.energies
        low, high = float(energies.min()), float(energies.max())
        optimal = np.flatnonzero(energies <= low + hamiltonian.tolerance)
        return cls(
            num_qubits=hamiltonian.num_qubits,
            minimum=low,
            maximum=high,
            mean=float(energies.mean()),
            num_optimal=optimal.size,
            optimal=optimal,
            tolerance=hamiltonian.tolerance,
            energies=energies,
        )
