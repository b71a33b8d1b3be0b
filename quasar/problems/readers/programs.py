"""Quadratic programs with linear constraints as QUBOs: LP files, CQMs, QuadraticPrograms.

Whole-number variables become bits, inequalities get a slack of bits, and every constraint becomes
P·(violation)² with P above the range of the objective, so that an answer that breaks one is never
the best. Coefficients of constraints are scaled to whole numbers: a violation is then 1 at least.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from quasar.errors import ProblemError
from quasar.problems.polynomial import BinaryPolynomial, bits_up_to
from quasar.problems.readers.pauli_operators import constant_note
from quasar.problems.readers.reading import SourceReading, plain_number, quadratic_graph

Sense = Literal["<=", ">=", "=="]
MAX_SCALE = 10**6  # that makes coefficients whole
MAX_VARIABLES = 2000


@dataclass(frozen=True, slots=True)
class Constraint:
    """Σ linear·variable `sense` bound."""

    name: str
    linear: Mapping[str, float]
    sense: Sense
    bound: float


@dataclass(slots=True)
class ConstrainedProgram:
    """bounds: (least, most) of each variable, (0, 1) of a binary one; quadratic: each pair once, a
    variable with itself is its square."""

    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    linear: dict[str, float] = field(default_factory=dict)
    quadratic: dict[tuple[str, str], float] = field(default_factory=dict)
    constant: float = 0.0
    maximise: bool = False
    constraints: list[Constraint] = field(default_factory=list)


WeightedBits = list[tuple[int, int]]  # (units, place of the bit)


class _Builder:
    """The names of the bits, and what each variable is in them."""

    def __init__(self, program: ConstrainedProgram):
        self.names: list[str] = []
        self.notes: list[str] = []
        self.bits: dict[str, WeightedBits] = {}
        self.least: dict[str, int] = {}
        for name, (low, high) in program.bounds.items():
            if not math.isfinite(low) or not math.isfinite(high) or high - low > 10**6:
                raise ProblemError(f"{name}: a whole number needs bounds, at most 10^6 apart")
            if high < low:
                raise ProblemError(f"{name}: its bounds {low} and {high} leave nothing")
            self.least[name] = int(low)
            if (low, high) == (0, 1):
                self.bits[name] = [(1, self._new(name))]
                continue
            units = bits_up_to(int(high - low)) if high > low else []
            self.bits[name] = [(u, self._new(f"{name} bit {k}")) for k, u in enumerate(units)]
            told = [f"{u}·bit {k}" for k, u in enumerate(units)]
            self.notes.append(f"{name} = {' + '.join([str(low), *told])}")

    def _new(self, name: str) -> int:
        if len(self.names) >= MAX_VARIABLES:
            raise ProblemError(f"more than {MAX_VARIABLES} bits are needed")
        self.names.append(name)
        return len(self.names) - 1

    def slack(self, name: str, most: int) -> WeightedBits:
        """WeightedBits whose sums are 0…most."""
        units = bits_up_to(most) if most else []
        return [(u, self._new(f"{name} slack {k}")) for k, u in enumerate(units)]

    def in_bits(self, linear: Mapping[str, Any]) -> tuple[dict[int, Any], Any]:
        """(coefficient of each bit, constant) of a sum of variables."""
        found: dict[int, Any] = {}
        constant: Any = 0
        for name, c in linear.items():
            constant += c * self.least[name]
            for units, bit in self.bits[name]:
                found[bit] = found.get(bit, 0) + c * units
        return found, constant


def program_reading(program: ConstrainedProgram, form: str) -> SourceReading:
    """The QUBO of a program. Raises ProblemError, which names the constraint or variable."""
    if not program.bounds:
        raise ProblemError("there are no variables")
    builder = _Builder(program)
    sign = -1.0 if program.maximise else 1.0
    objective, constant = _objective(program, builder, sign)
    penalty = sum(abs(c) for c in objective.values())
    penalty += max(map(abs, objective.values()), default=0.0) or 1.0
    notes = list(builder.notes)
    pieces: list[tuple[dict[int, int], int, WeightedBits, bool]] = []
    for constraint in program.constraints:
        notes += _constrain(constraint, builder, pieces)
    polynomial = BinaryPolynomial(len(builder.names))
    for key, c in objective.items():
        polynomial.add(c, *key)
    for coefficients, bound, slack, pairwise in pieces:
        _add_penalty(polynomial, coefficients, bound, slack, penalty, pairwise=pairwise)
    if pieces:
        notes.append(
            f"constraints broken cost {plain_number(penalty)} or more each ({len(pieces)} of them)"
        )
    if program.maximise:
        notes.insert(0, "maximised: the QUBO is the objective with the other sign")
    if constant:
        notes.append(constant_note(constant))
    names = builder.names
    linear = {name: polynomial.coefficients.get((q,), 0.0) for q, name in enumerate(names)}
    quadratic = {
        (names[key[0]], names[key[1]]): c
        for key, c in polynomial.coefficients.items()
        if len(key) == 2
    }
    graph = quadratic_graph(linear, quadratic)
    return SourceReading(form, graph, primitive="qubo", directed=False, notes=tuple(notes))


def _objective(
    program: ConstrainedProgram, builder: _Builder, sign: float
) -> tuple[dict[tuple[int, ...], float], float]:
    polynomial = BinaryPolynomial(len(builder.names))
    linear, constant = builder.in_bits(program.linear)
    polynomial.add(sign * (program.constant + constant))
    for bit, c in linear.items():
        polynomial.add(sign * c, bit)
    for (u, v), c in program.quadratic.items():
        of_u, of_v = ([*builder.bits[name], (builder.least[name], -1)] for name in (u, v))
        for a, i in of_u:
            for b, j in of_v:
                if a and b:
                    polynomial.add(sign * c * a * b, *(bit for bit in (i, j) if bit >= 0))
    found = {key: c for key, c in polynomial.coefficients.items() if key and c}
    # told in the program's own sign
    return found, sign * polynomial.coefficients.get((), 0.0)


def _constrain(
    constraint: Constraint,
    builder: _Builder,
    pieces: list[tuple[dict[int, int], int, WeightedBits, bool]],
) -> list[str]:
    """Add what a constraint costs; what to tell of it."""
    name, sense = constraint.name, constraint.sense
    exact = {v: Fraction(repr(float(c))) for v, c in constraint.linear.items()}
    found, constant = builder.in_bits(exact)
    bound = Fraction(repr(float(constraint.bound))) - constant
    found = {bit: c for bit, c in found.items() if c}
    scale = math.lcm(*(c.denominator for c in (*found.values(), Fraction(bound))))
    if scale > MAX_SCALE:
        raise ProblemError(f"{name}: its numbers have too many decimals; round them")
    sign = -1 if sense == ">=" else 1
    coefficients = {bit: sign * int(c * scale) for bit, c in found.items()}
    limit = sign * int(bound * scale)
    common = math.gcd(*coefficients.values()) if coefficients else 1
    if sense == "==" and limit % common:
        raise ProblemError(f"{name}: nothing satisfies it")
    coefficients = {bit: c // common for bit, c in coefficients.items()}
    limit //= common  # of an inequality rounded down: the sum is whole
    least = sum(c for c in coefficients.values() if c < 0)
    most = sum(c for c in coefficients.values() if c > 0)
    if least > limit or (sense == "==" and most < limit):
        raise ProblemError(f"{name}: nothing satisfies it")
    if sense != "==" and most <= limit:
        return [f"{name} always holds and costs nothing"]
    if sense == "==":
        pieces.append((coefficients, limit, [], False))
        return []
    if limit == 1 and all(c == 1 for c in coefficients.values()):
        pieces.append((coefficients, limit, [], True))  # at most one: no slack is needed
        return []
    # more slack than the largest sum can leave below the limit is of no use
    slack = builder.slack(name, limit - least)
    pieces.append((coefficients, limit, slack, False))
    return [f"{name}: {len(slack)} bits of slack"] if slack else []


def _add_penalty(
    polynomial: BinaryPolynomial,
    coefficients: Mapping[int, int],
    bound: int,
    slack: WeightedBits,
    penalty: float,
    *,
    pairwise: bool,
) -> None:
    if pairwise:
        bits = sorted(coefficients)
        for k, i in enumerate(bits):
            for j in bits[:k]:
                polynomial.add(penalty, i, j)
        return
    linear = [(float(c), bit) for bit, c in coefficients.items()]
    linear += [(float(units), bit) for units, bit in slack]
    polynomial.add_squared(linear, -float(bound), penalty)


def sum_pairs(pairs: Iterable[tuple[str, str, float]]) -> dict[tuple[str, str], float]:
    """Each pair once, whichever way it stood."""
    found: dict[tuple[str, str], float] = {}
    for u, v, c in pairs:
        key = (v, u) if (v, u) in found else (u, v)
        found[key] = found.get(key, 0.0) + float(c)
    return found
