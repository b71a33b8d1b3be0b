"""The worked plan: an assignment of the qubits, worked out in the comments of a program.

A hardware-efficient or adaptive circuit needs the solution before its first gate. The plan gives a
model room to work it out, a line a qubit: the terms that the qubit closes, its neighbours' bits
beside them, the field that these add up to, and the bit that is measured, 1 where the field is
positive and nothing speaks against it (a coefficient stands behind its qubits: they tell which it
is):

    // q3: q3 -0.2 q1=1 0.42 = -0.6 -> 0

Qubits are taken in the order of their fields, the largest first: what is clear is decided before
what is not. (Of the two ways to go over the qubits, this one alone makes a greedy choice right
three times as often as the order of their numbers.) An improving pass follows: the qubit that
stands most with its field is taken again, all its terms beside it, until none does. Verifier and
metrics ignore comments.
"""

from collections.abc import Sequence

import numpy as np

from quasar.circuits.canonical import NormalisedTerm
from quasar.circuits.circuit import format_angle

START = "// q"
SMALL_FIELD = 0.1  # a smaller one has two decimals, others one
_LEVEL = 1e-9  # fields nearer than this are equal


class PartialAssignment:
    """Qubits decided one after another, with what each term still says of the others.

    The field on an undecided qubit is Σ c·∏ s over the terms whose other qubits are decided, s = 1
    where a bit is 0 and −1 where it is 1.
    """

    def __init__(
        self,
        terms: Sequence[NormalisedTerm],
        num_qubits: int,
        order: Sequence[int] = (),
        *,
        bits: Sequence[int] = (),
    ):
        """order: in which the first pass takes qubits, the others follow by their fields. bits: of
        all qubits, where they are decided from the start.
        """
        self._terms = terms
        self._order = order
        self._of_qubit: list[list[int]] = [[] for _ in range(num_qubits)]
        self._weight = np.zeros(num_qubits)
        for place, term in enumerate(terms):
            for q in term.wires:
                self._of_qubit[q].append(place)
                self._weight[q] += abs(term.coefficient)
        # What is left of each term: the product of its decided spins, and how many are open.
        self._product = [term.coefficient for term in terms]
        self._open = [len(term.wires) for term in terms]
        self.undecided = set(range(num_qubits))
        self.bits: dict[int, int] = {}  # of the decided qubits
        self._fields = np.zeros(num_qubits)
        for q in range(num_qubits):
            self._fields[q] = sum(self._product[t] for t in self._closed(q))
        self._left = sum(self._open)  # factors that the improving pass may still restate
        self._kept: set[int] = set()  # qubits that it has taken and left as they were
        for q, bit in enumerate(bits):
            self.decide(q, int(bit))

    def next(self) -> int | None:
        """The qubit of the next line; None where the plan ends."""
        if not self.undecided:
            return self.improvable()
        done = len(self.bits)
        return self._order[done] if done < len(self._order) else self.clearest()

    def clearest(self) -> int:
        """The undecided qubit with the largest field. Equal fields: the one with the larger
        coefficients first, then the lower one.
        """
        largest = max(abs(self._fields[q]) for q in self.undecided)
        level = [q for q in self.undecided if abs(self._fields[q]) >= largest - _LEVEL]
        return min(level, key=lambda q: (-round(self._weight[q], 9), q))

    def improvable(self) -> int | None:
        """With all qubits decided: the one whose other bit lowers the energy most; of equals the
        lower. None where there is none, or where its line would make the improving pass longer than
        the first one.
        """
        gains = {q: self.argument(q) for q in self.bits if q not in self._kept}
        best = max(sorted(gains), key=lambda q: gains[q], default=None)
        if best is None or gains[best] <= _LEVEL or self._length(best) > self._left:
            return None
        return best

    def field(self, qubit: int) -> float:
        """On a qubit, of the terms whose other qubits are decided."""
        return float(self._fields[qubit])

    def argument(self, qubit: int) -> float:
        """With all qubits decided: what argues against the qubit's bit, half of what the other bit
        would gain; below 0 it would cost.
        """
        return (1 - 2 * self.bits[qubit]) * self.field(qubit)

    @property
    def energy(self) -> float:
        """With all qubits decided: of all terms, in units of the energies' standard deviation."""
        return float(sum(self._product))

    def worked(self, qubit: int) -> str:
        """Between the colon and the arrow of a qubit's line: the terms that it closes, or all of
        its terms if it has been decided before, and their field on it.
        """
        words = []
        for term in (self._terms[t] for t in self._closed(qubit)):
            others = "".join(f" q{w}={self.bits[w]}" for w in term.wires if w != qubit)
            words.append(f"{others or f' q{qubit}'} {term.text}")
        field = float(self._fields[qubit])
        total = format_angle(field, 2 if abs(field) < SMALL_FIELD else 1)
        return f"{''.join(words)} = {total}"

    def decide(self, qubit: int, bit: int) -> None:
        """Set a qubit; one that has been decided may be set again where none is undecided."""
        if qubit in self.bits:
            self._left -= self._length(qubit)
            if self.bits[qubit] == bit:
                self._kept.add(qubit)
            else:
                self._flip(qubit)
            return
        self.undecided.remove(qubit)
        self.bits[qubit] = bit
        for t in self._of_qubit[qubit]:
            self._product[t] *= -1.0 if bit else 1.0
            self._open[t] -= 1
            if self._open[t] == 1:
                (last,) = (w for w in self._terms[t].wires if w in self.undecided)
                self._fields[last] += self._product[t]
        if not self.undecided:
            for q in self.bits:
                self._fields[q] = self._full_field(q)

    def _flip(self, qubit: int) -> None:
        self.bits[qubit] = 1 - self.bits[qubit]
        for t in self._of_qubit[qubit]:
            self._product[t] = -self._product[t]
        changed = {w for t in self._of_qubit[qubit] for w in self._terms[t].wires}
        for q in changed:
            self._fields[q] = self._full_field(q)
        self._kept -= changed

    def _full_field(self, qubit: int) -> float:
        """Of all terms, where every qubit is decided."""
        own = 1 - 2 * self.bits[qubit]
        return own * sum(self._product[t] for t in self._of_qubit[qubit])

    def _closed(self, qubit: int) -> list[int]:
        """The terms of which this qubit alone is open; with none undecided, all of its terms."""
        of_qubit = self._of_qubit[qubit]
        return [t for t in of_qubit if self._open[t] == 1] if self.undecided else of_qubit

    def _length(self, qubit: int) -> int:
        """Factors of the qubit's terms: what a line of the improving pass restates."""
        return sum(len(self._terms[t].wires) for t in self._of_qubit[qubit])


def worked_plan(
    terms: Sequence[NormalisedTerm],
    bits: Sequence[int],
    first: Sequence[int] | None = None,
    order: Sequence[int] = (),
) -> str:
    """The lines, a comment each, that end in these bits (qubit 0 first).

    first: the bits of the first pass; default: the same. order: see `PartialAssignment`.
    Each line of the improving pass decides as
    `bits` has it, so that a plan may end elsewhere where single flips do not lead there.
    """
    lines, assignment = [], PartialAssignment(terms, len(bits), order)
    while (qubit := assignment.next()) is not None:
        given = bits if first is None or not assignment.undecided else first
        bit = int(given[qubit])
        lines.append(f"{START}{qubit}:{assignment.worked(qubit)}{decision(bit)}")
        assignment.decide(qubit, bit)
    return "".join(lines)


def decision(bit: int) -> str:
    """The end of a qubit's line."""
    return f" -> {bit}\n"
