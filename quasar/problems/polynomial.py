"""Polynomials of binary variables and their Ising form.

Takes coefficients on sets of variables (0/1); gives the value on an assignment and the diagonal
Hamiltonian under x = (1 + Z)/2, the benchmark's convention: x = 1 ⇔ the qubit is measured 0.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from quasar.problems.hamiltonian import IsingHamiltonian

CANCELLED = 1e-12


class BinaryPolynomial:
    """Σ_S c_S ∏_{i∈S} x_i over variables 0…n−1; the empty set is the constant."""

    def __init__(self, num_variables: int):
        self.num_variables = num_variables
        self.coefficients: dict[tuple[int, ...], float] = {}

    def add(self, coefficient: float, *variables: int) -> None:
        """Add coefficient·∏x; repeated variables collapse because x² = x."""
        key = tuple(sorted(set(variables)))
        self.coefficients[key] = self.coefficients.get(key, 0.0) + coefficient

    def add_squared(self, linear: Iterable[tuple[float, int]], constant: float, weight: float):
        """Add weight·(Σ a_i x_i + constant)²."""
        linear = list(linear)
        self.add(weight * constant * constant)
        for a, i in linear:
            self.add(weight * (a * a + 2 * a * constant), i)
        for (a, i), (b, j) in combinations(linear, 2):
            self.add(2 * weight * a * b, i, j)

    def add_product_of_complements(self, coefficient: float, variables: Iterable[int]) -> None:
        """Add coefficient·∏(1 − x_i), expanded into all 2**k monomials of k variables."""
        distinct = sorted(set(variables))
        for size in range(len(distinct) + 1):
            for subset in combinations(distinct, size):
                self.add(-coefficient if size % 2 else coefficient, *subset)

    def value(self, assignment: Sequence[int]) -> float:
        """The polynomial on a 0/1 assignment (one entry per variable)."""
        return sum(c for key, c in self.coefficients.items() if all(assignment[i] for i in key))

    def to_ising(self) -> IsingHamiltonian:
        """∏_{i∈S} x_i = 2^{-|S|} Σ_{T⊆S} ∏_{i∈T} Z_i; products first, then single-qubit terms.

        Both groups are sorted by their qubits, so that equal problems give equal texts. Terms that
        cancel are kept with coefficient 0.0, as the benchmark prints them.
        """
        ising: dict[tuple[int, ...], float] = {}
        for key, c in self.coefficients.items():
            for size in range(1, len(key) + 1):
                for subset in combinations(key, size):
                    ising[subset] = ising.get(subset, 0.0) + c / 2 ** len(key)
        in_order = sorted(ising.items(), key=lambda term: (len(term[0]) == 1, term[0]))
        return IsingHamiltonian(
            self.num_variables, tuple((_without_dust(c), wires) for wires, c in in_order)
        )


def bits_up_to(most: int) -> list[int]:
    """Units of the bits whose sums are exactly 0…most, most ≥ 1: 1, 2, …, 2^(M−1), most + 1 − 2^M.

    M = ⌊log2 most⌋; some sums are reached in several ways.
    """
    top = most.bit_length() - 1
    return [*(2**i for i in range(top)), most + 1 - 2**top]


def _without_dust(coefficient: float) -> float:
    """Zero where only floating-point dust is left of terms that cancel."""
    return 0.0 if abs(coefficient) < CANCELLED else coefficient
