"""The teacher of Clifford circuits: rows are swept away, one after another, with few gates.

Takes a target; gives a circuit that does it. Gates are sought that take the rows back to X and Z of
single qubits, logical pairs first, then stabilisers, the row that is lightest next (van den Berg,
IEEE Int. Conf. on Quantum Computing and Engineering 2021, arXiv 2008.06011, the sweep of a row;
Bravyi, Shaydulin, Hu, Maslov, Quantum 5, 580, 2021, the greedy choice). The circuit is their
inverse: the best of several seeded orders and, for small operators, of Qiskit's synthesis.
"""

from collections.abc import Callable

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.simulation.stabiliser.tableau import INVERSE, CliffordStep, as_circuit
from quasar.tasks.programs import from_qiskit
from quasar.tasks.stabiliser.target import Target

_TRIES, _TRIED_QUBITS = 8, 16  # seeded orders up to so many qubits; one above
_QISKIT_QUBITS = 8  # of an operator
Letter = tuple[int, int]  # (flip, sign)
_TO_Z: dict[Letter, tuple[str, ...]] = {(1, 0): ("h",), (1, 1): ("s", "h"), (0, 1): ()}
_TO_X: dict[Letter, tuple[str, ...]] = {(1, 0): (), (1, 1): ("s",), (0, 1): ("h",)}


def synthesise(target: Target) -> Circuit:
    """A circuit that is right in every row; the same target gives the same circuit."""
    found = [_Sweep(target, None).circuit()]
    if target.num_qubits <= _TRIED_QUBITS:
        rngs = (np.random.default_rng(k) for k in range(_TRIES))
        found += [_Sweep(target, rng).circuit() for rng in rngs]
    if target.num_logical == target.num_qubits <= _QISKIT_QUBITS:
        found.append(_by_qiskit(target))
    return min(found, key=lambda c: (c.num_two_qubit_gates, len(c.gates)))


class _Sweep:
    """Gates that take the rows of a target back, in one order; rng decides ties."""

    def __init__(self, target: Target, rng: np.random.Generator | None):
        self._target, self._rng = target, rng
        self._rows = target.tableau()
        self._steps: list[CliffordStep] = []
        self._open = list(range(target.num_qubits))

    def circuit(self) -> Circuit:
        first, k = len(self._target.stabilisers), self._target.num_logical
        waiting = list(range(k))
        while waiting:
            a = self._least(
                waiting, lambda a: len(self._letters(first + a)) + len(self._letters(first + k + a))
            )
            waiting.remove(a)
            self._sweep_pair(a, first + a, first + k + a)
        waiting, order = list(range(first)), []
        while waiting:
            row = self._least(waiting, lambda row: len(self._letters(row)))
            waiting.remove(row)
            order.append((row, self._sweep_stabiliser(row)))
        self._fix_signs(order)
        inverse = [(INVERSE.get(name, name), qubits) for name, qubits in reversed(self._steps)]
        return as_circuit(self._target.num_qubits, shortened(inverse))

    def _step(self, name: str, *qubits: int) -> None:
        self._rows.step(name, qubits)
        self._steps.append((name, qubits))

    def _least(self, items: list[int], weight: Callable[[int], int]) -> int:
        weights = [weight(item) for item in items]
        least = [item for item, w in zip(items, weights, strict=True) if w == min(weights)]
        return least[0 if self._rng is None else int(self._rng.integers(len(least)))]

    def _letters(self, row: int) -> dict[int, Letter]:
        """The row on each open wire where it is not the identity."""
        flips, signs = self._rows.flips, self._rows.signs
        letters = {q: (flips[q] >> row & 1, signs[q] >> row & 1) for q in self._open}
        return {q: letter for q, letter in letters.items() if letter != (0, 0)}

    def _burden(self, wire: int) -> int:
        """Rows that are not the identity on a wire."""
        return (self._rows.flips[wire] | self._rows.signs[wire]).bit_count()

    def _to_letter(self, letters: dict[int, Letter], words: dict[Letter, tuple[str, ...]]) -> None:
        for q, letter in letters.items():
            for name in words[letter]:
                self._step(name, q)

    def _sweep_pair(self, a: int, row_x: int, row_z: int) -> None:
        """To X and Z of wire a, which is then closed."""
        letters = self._letters(row_x)
        self._to_letter(letters, _TO_X)
        if a not in letters:
            self._step("cx", self._least(list(letters), self._burden), a)  # X_q → X_q X_a
        for q in letters:
            if q != a:
                self._step("cx", a, q)  # X_a X_q → X_a
        # The other row has Z or Y on a. What follows leaves X_a as it is.
        letters = self._letters(row_z)
        del letters[a]
        self._to_letter(letters, _TO_Z)
        for q in letters:
            self._step("cx", q, a)  # Z_q Z_a → Z_a, Z_q Y_a → Y_a
        if self._rows.flips[a] >> row_z & 1:
            for name in ("h", "s", "h"):
                self._step(name, a)
        self._open.remove(a)

    def _sweep_stabiliser(self, row: int) -> int:
        """To Z of an open wire, which is closed and given; closed wires may keep a Z."""
        letters = self._letters(row)
        self._to_letter(letters, _TO_Z)
        pivot = self._least(list(letters), self._burden)
        for q in letters:
            if q != pivot:
                self._step("cx", q, pivot)  # Z_q Z_pivot → Z_pivot
        self._open.remove(pivot)
        return pivot

    def _fix_signs(self, order: list[tuple[int, int]]) -> None:
        first, k = len(self._target.stabilisers), self._target.num_logical
        for a in range(k):
            if self._rows.negative >> (first + a) & 1:
                self._step("z", a)
            if self._rows.negative >> (first + k + a) & 1:
                self._step("x", a)
        for row, wire in order:  # a row has Z on wires that were closed before its own, at most
            if self._rows.negative >> row & 1:
                self._step("x", wire)


def shortened(steps: list[CliffordStep]) -> list[CliffordStep]:
    """Without pairs of neighbours that undo each other."""
    kept: list[CliffordStep] = []
    last: dict[int, list[int]] = {}  # wire -> places in `kept` of the steps on it, still there
    for name, qubits in steps:
        before = {last[q][-1] if last.get(q) else -1 for q in qubits}
        place = before.pop() if len(before) == 1 else -1
        if place >= 0 and kept[place] == (INVERSE.get(name, name), qubits):
            kept[place] = ("", ())
            for q in qubits:
                last[q].pop()
            continue
        for q in qubits:
            last.setdefault(q, []).append(len(kept))
        kept.append((name, qubits))
    return [step for step in kept if step[0]]


def _by_qiskit(target: Target) -> Circuit:
    from qiskit.quantum_info import Clifford
    from qiskit.synthesis import synth_clifford_full

    n = target.num_qubits
    table = np.zeros((2 * n, 2 * n + 1), dtype=bool)
    for k, row in enumerate(target.rows):
        for q in range(n):
            table[k, q], table[k, n + q] = row.flips >> q & 1, row.signs >> q & 1
        table[k, -1] = row.negative
    found = synth_clifford_full(Clifford(table)).decompose(["sx", "sxdg"])
    return from_qiskit(found)
