"""What a Clifford circuit is asked to do: one form for states, encoders and operators.

A target on n qubits with k logical ones has n − k stabilisers and, for each logical qubit, the
images of its X and its Z. A circuit U is right where, with qubits 0…k−1 holding any state and all
others |0⟩, what comes out is stabilised by each stabiliser, and the logical operators are those of
the input. k = 0 asks for a state, k = n for a whole operator.

Taken back through the circuit, a row P is right where U†PU has a + sign and is Z or I on the qubits
from k on, and on the first k qubits: the identity for a stabiliser, X_a or Z_a for a logical one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.errors import TaskError
from quasar.simulation.stabiliser.tableau import (
    INVERSE,
    PauliString,
    Tableau,
    as_circuit,
    local_cliffords,
)

_SWEEPS = 20
_RANDOM_STARTS = 6
_FEWER_STARTS = 30  # qubits above which the first starts must do


@dataclass(frozen=True)
class Target:
    """The rows of a target, in the order stabilisers, logical X, logical Z."""

    num_qubits: int
    stabilisers: tuple[PauliString, ...]
    logical_x: tuple[PauliString, ...] = ()
    logical_z: tuple[PauliString, ...] = ()

    @property
    def num_logical(self) -> int:
        """k."""
        return len(self.logical_x)

    @cached_property
    def rows(self) -> tuple[PauliString, ...]:
        """All rows."""
        return (*self.stabilisers, *self.logical_x, *self.logical_z)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each row: S0, …, X0, …, Z0, …."""
        k = range(self.num_logical)
        stabilisers = [f"S{j}" for j in range(len(self.stabilisers))]
        return (*stabilisers, *(f"X{a}" for a in k), *(f"Z{a}" for a in k))

    @cached_property
    def wanted(self) -> tuple[list[int], list[int]]:
        """Columns of what the rows must be when taken back: X parts of all qubits, Z parts of the
        first k.
        """
        n, k, first = self.num_qubits, self.num_logical, len(self.stabilisers)
        flips = [1 << (first + q) if q < k else 0 for q in range(n)]
        return flips, [1 << (first + k + q) for q in range(k)]

    def tableau(self) -> Tableau:
        """The rows, to be taken back through a circuit."""
        return Tableau(self.num_qubits, self.rows)

    def wrong(self, taken_back: Tableau) -> tuple[int, int]:
        """(rows that are wrong, of them those wrong in their sign alone), bit masks."""
        flips, signs = self.wanted
        wrong = 0
        for column, right in zip(taken_back.flips, flips, strict=True):
            wrong |= column ^ right
        for column, right in zip(taken_back.signs, signs, strict=False):
            wrong |= column ^ right
        return wrong | taken_back.negative, taken_back.negative & ~wrong

    def check(self) -> None:
        """Raises TaskError where there is no such circuit: rows that do not commute as they must,
        or that depend on each other.
        """
        n, k = self.num_qubits, self.num_logical
        if len(self.stabilisers) != n - k:
            raise TaskError(
                f"stabiliser: {len(self.stabilisers)} stabilisers and {k} logical qubits on {n} "
                f"qubits; there must be {n - k} stabilisers"
            )
        first = len(self.stabilisers)
        for i, one in enumerate(self.rows):
            for j in range(i):
                pair = j >= first and i - j == k
                if one.commutes_with(self.rows[j]) == pair:
                    must = "anticommute" if pair else "commute"
                    raise TaskError(
                        f"stabiliser: rows {self.names[j]} and {self.names[i]} must {must}"
                    )
        pivots: dict[int, int] = {}
        for name, row in zip(self.names, self.stabilisers, strict=False):
            value = row.flips | row.signs << n
            while value and value.bit_length() in pivots:
                value ^= pivots[value.bit_length()]
            if not value:
                raise TaskError(
                    f"stabiliser: row {name} is a product of the rows before it, or the identity"
                )
            pivots[value.bit_length()] = value


def best_local_layer(target: Target) -> tuple[int, Circuit]:
    """(rows that it gets right, the layer): gates on single qubits alone, the best that was found
    by changing qubit after qubit from several seeded starts, the identity among them.
    """
    n, words = target.num_qubits, local_cliffords()
    options = [_local_options(target, q) for q in range(n)]
    rng = np.random.default_rng(0)
    starts = [[choice] * n for choice in range(len(words))]
    starts += rng.integers(0, len(words), (_RANDOM_STARTS, n)).tolist()
    if n > _FEWER_STARTS:
        starts = starts[:_RANDOM_STARTS]
    best, found = -1, starts[0]
    for chosen in starts:
        right = _climb(target, options, chosen)
        if right > best:
            best, found = right, chosen
    steps = [(name, (q,)) for q in range(n) for name, _ in words[found[q]]]
    return best, as_circuit(n, steps)


def is_local(target: Target) -> bool:
    """Whether gates on single qubits alone get every row right."""
    for q in range(target.num_qubits):
        if all(wrong for wrong, _ in _local_options(target, q)):
            return False  # whatever the gates on the other qubits
    return best_local_layer(target)[0] == len(target.rows)


def _local_options(target: Target, q: int) -> list[tuple[int, int]]:
    """For each gate on the qubit: (rows that are wrong there, rows whose sign it turns)."""
    rows = target.tableau()
    flips, signs = target.wanted
    found = []
    for word in local_cliffords():
        one = Tableau(1, ())
        one.flips, one.signs = [rows.flips[q]], [rows.signs[q]]
        for name, qubits in reversed(word):
            one.step(INVERSE.get(name, name), qubits)
        wrong = one.flips[0] ^ flips[q]
        if q < target.num_logical:
            wrong |= one.signs[0] ^ signs[q]
        found.append((wrong, one.negative))
    return found


def _climb(target: Target, options: list[list[tuple[int, int]]], chosen: list[int]) -> int:
    """Changes qubit after qubit of `chosen` as long as it helps; gives how many rows are right."""
    full = (1 << len(target.rows)) - 1
    negative = target.tableau().negative
    for q, choice in enumerate(chosen):
        negative ^= options[q][choice][1]
    right = -1
    for _ in range(_SWEEPS):
        before, left = right, 0  # rows that are wrong on a qubit before this one
        behind = [0]  # and, by qubit from the last, on one behind it
        for q in range(len(chosen) - 1, 0, -1):
            behind.append(behind[-1] | options[q][chosen[q]][0])
        for q in range(len(chosen)):
            others = left | behind.pop()
            rest = negative ^ options[q][chosen[q]][1]
            counts = [
                (full & ~(others | wrong | (rest ^ turned))).bit_count()
                for wrong, turned in options[q]
            ]
            if max(counts) > counts[chosen[q]]:
                chosen[q] = counts.index(max(counts))
            left |= options[q][chosen[q]][0]
            negative = rest ^ options[q][chosen[q]][1]
            right = counts[chosen[q]]
        if right == before:
            break
    return right
