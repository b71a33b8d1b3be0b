"""The worked plan: a Clifford circuit found gate by gate, in the comments of its program.

The rows of the target are swept back to those of |0…0⟩ (X and Z of its wire for a logical qubit).
The plan gives a model room to see what is left: a line a gate, and behind it the rows that are not
yet there, on the wires that are still open:

    // start: + X0 Z1 - Z0 X1
    // h 1: + X0 X1 - Z0 Z1
    // cx 0 1: + X0 - Z1

A row that is + Z of one open wire closes that wire, a pair that is X and Z of its wire closes that
one; gates are on open wires. What closes stays as it is, so the sweep is done when nothing is open;
the program is its inverse. Gates are choices, all else follows. Verifier and metrics ignore
comments.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

from quasar.circuits.circuit import Circuit
from quasar.simulation.stabiliser.tableau import INVERSE, CliffordStep, PauliString, as_circuit
from quasar.tasks.programs import program
from quasar.tasks.stabiliser.synthesis import shortened
from quasar.tasks.stabiliser.target import Target
from quasar.tasks.writing import Piece, Script, Step, follow

_LOCAL = ("h", "s", "x", "z")
_START = "// start:"
_LETTERS = {(1, 0): "X", (0, 1): "Z", (1, 1): "Y"}
_STEPS = 10  # of a plan, a qubit, and one more a pair: about twice what the teacher needs
MAX_PLANNED = 20  # qubits: a plan for 40 has 2.5 MB, more than any model reads
Letters = dict[int, str]


class Sweep:
    """Rows of a target that are taken back by gates, and the wires that are still open."""

    def __init__(self, target: Target):
        self.target = target
        self._rows = target.tableau()
        self.steps: list[CliffordStep] = []
        self.open = list(range(target.num_qubits))
        self.stabilisers = list(range(len(target.stabilisers)))  # places of those not closed
        self.logical = list(range(target.num_logical))
        # Of each row: on how many open wires it is not the identity. Kept up gate by gate, as
        # counting anew takes n² a gate.
        self._weights = [(row.flips | row.signs).bit_count() for row in target.rows]
        self._close()

    @property
    def num_steps_left(self) -> int:
        """Gates that the plan may still have."""
        n = self.target.num_qubits
        return n * (n + _STEPS) - len(self.steps)

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do, and room for it."""
        return bool(self.stabilisers or self.logical) and self.num_steps_left > 0

    def pair(self, a: int) -> tuple[int, int]:
        """Places of the X and the Z row of a logical qubit."""
        first = len(self.target.stabilisers)
        return first + a, first + self.target.num_logical + a

    def letters(self, row: int) -> Letters:
        """The row on each open wire where it is not the identity."""
        flips, signs = self._rows.flips, self._rows.signs
        found = {q: (flips[q] >> row & 1, signs[q] >> row & 1) for q in self.open}
        return {q: _LETTERS[letter] for q, letter in found.items() if letter != (0, 0)}

    def is_negative(self, row: int) -> bool:
        """Whether its sign is −."""
        return bool(self._rows.negative >> row & 1)

    def weight(self, row: int) -> int:
        """Letters of the row."""
        return self._weights[row]

    def burden(self, wire: int) -> int:
        """Rows that are not the identity on a wire."""
        return self._support(wire).bit_count()

    def take(self, name: str, *wires: int) -> None:
        """One gate on open wires; closes what is done."""
        before = [self._support(q) for q in wires]
        self._rows.step(name, wires)
        for q, old in zip(wires, before, strict=True):
            new = self._support(q)
            self._count(new & ~old, 1)
            self._count(old & ~new, -1)
        self.steps.append((name, wires))
        self._close()

    def text(self) -> str:
        """The rows that are left, as in a line of the plan."""
        rows = [("", row) for row in self.stabilisers]
        for place, letter in enumerate("XZ"):
            rows += [(f"{letter}{a}", self.pair(a)[place]) for a in self.logical]
        return rows_text([(name, self.is_negative(row), self.letters(row)) for name, row in rows])

    def circuit(self) -> Circuit:
        """The inverse of the gates so far: where nothing is open, a circuit for the target."""
        inverse = [(INVERSE.get(name, name), wires) for name, wires in reversed(self.steps)]
        return as_circuit(self.target.num_qubits, shortened(inverse))

    def _support(self, wire: int) -> int:
        """The rows that are not the identity on a wire, as a mask."""
        return self._rows.flips[wire] | self._rows.signs[wire]

    def _count(self, rows: int, change: int) -> None:
        while rows:
            low = rows & -rows
            self._weights[low.bit_length() - 1] += change
            rows ^= low

    def _close_wire(self, wire: int) -> None:
        self.open.remove(wire)
        self._count(self._support(wire), -1)

    def _close(self) -> None:
        before = -1
        while before != len(self.open):
            before = len(self.open)
            for a in list(self.logical):
                row_x, row_z = self.pair(a)
                if self._weights[row_x] != 1 or self._weights[row_z] != 1:
                    continue
                there = self.letters(row_x) == {a: "X"} and self.letters(row_z) == {a: "Z"}
                if there and not (self.is_negative(row_x) or self.is_negative(row_z)):
                    self.logical.remove(a)
                    self._close_wire(a)
            for row in list(self.stabilisers):
                if self._weights[row] != 1:
                    continue
                letters = self.letters(row)
                if list(letters.values()) != ["Z"] or self.is_negative(row):
                    continue
                (wire,) = letters
                if wire not in self.logical:
                    self.stabilisers.remove(row)
                    self._close_wire(wire)


def script(target: Target) -> Script:
    """Of the plan and the program behind it. The program's header comes first."""
    text = program(Circuit(target.num_qubits, ()))
    header, registers, _ = text.partition("bit[")
    sweep = Sweep(target)
    text = f"{header}{_START}{sweep.text()}\n"
    while sweep.is_open:
        gates = {_step_text(step): step for step in _open_steps(sweep.open)}
        name, wires = gates[(yield Step(text, tuple(gates)))]
        sweep.take(name, *wires)
        text = f"{sweep.text()}\n"
    yield Step(text + registers + program(sweep.circuit()).partition(registers)[2], ())


def worked(target: Target) -> str | None:
    """The script's text with the gates of `advised`; None where the plan has no room for them, and
    above `MAX_PLANNED` qubits.
    """
    if target.num_qubits > MAX_PLANNED:
        return None
    sweep = Sweep(target)

    def choose(gates: tuple[str, ...]) -> str:
        step = advised(sweep)
        sweep.take(step[0], *step[1])
        return _step_text(step)

    text = follow(script(target), choose)
    return text if not (sweep.stabilisers or sweep.logical) else None


def swept(target: Target) -> Circuit:
    """The circuit of the gates of `advised`, however many."""
    sweep = Sweep(target)
    while sweep.stabilisers or sweep.logical:
        step = advised(sweep)
        sweep.take(step[0], *step[1])
    return sweep.circuit()


def advised(sweep: Sweep) -> CliffordStep:
    """The next gate of an open sweep: logical pairs first, then the row with the fewest letters.
    The number of two-qubit gates that its circuits have is near the teacher's.
    """
    if sweep.logical:
        return _for_pair(sweep, sweep.logical[0])
    row = min(sweep.stabilisers, key=sweep.weight)
    letters = sweep.letters(row)
    for q, letter in letters.items():
        if letter != "Z":
            return ("h" if letter == "X" else "s", (q,))
    pivot = min(letters, key=sweep.burden)
    for q in letters:
        if q != pivot:
            return ("cx", (q, pivot))  # Z_q Z_pivot → Z_pivot
    return ("x", (pivot,))


def _for_pair(sweep: Sweep, a: int) -> CliffordStep:
    row_x, row_z = sweep.pair(a)
    on_x, on_z = sweep.letters(row_x), sweep.letters(row_z)
    if set(on_x) == set(on_z) == {a}:
        return _on_wire(sweep, a)
    if on_x != {a: "X"}:
        for q, letter in on_x.items():
            if letter != "X":
                return ("h" if letter == "Z" else "s", (q,))
        if a not in on_x:
            return ("cx", (min(on_x, key=sweep.burden), a))  # X_q → X_q X_a
        return ("cx", (a, next(q for q in on_x if q != a)))  # X_a X_q → X_a
    for q, letter in on_z.items():
        if q != a and letter != "Z":
            return ("h" if letter == "X" else "s", (q,))
    return ("cx", (next(q for q in on_z if q != a), a))  # Z_q Z_a → Z_a, Z_q Y_a → Y_a


def _on_wire(sweep: Sweep, a: int) -> CliffordStep:
    """Towards X and Z of one wire, where both rows are on it alone."""
    row_x, row_z = sweep.pair(a)
    letters = sweep.letters(row_x)[a] + sweep.letters(row_z)[a]
    if letters == "XZ":
        return ("z" if sweep.is_negative(row_x) else "x", (a,))
    return ("h" if letters in ("ZX", "XY") else "s", (a,))  # ZY → ZX, YX → XY, YZ → XZ


def rows_text(rows: Sequence[tuple[str, bool, Letters]]) -> str:
    """Rows as prompts and plans write them: (name of an image or "", negative, letters) each."""
    text = ""
    for name, negative, letters in rows:
        text += f" {name} ->" if name else ""
        text += " -" if negative else " +"
        text += "".join(f" {letter}{q}" for q, letter in letters.items())
    return text


def target_text(strings: Sequence[PauliString], letter: str, num_qubits: int) -> str:
    """Whole rows; letter: "" for stabilisers, "X" or "Z" for images."""
    return rows_text(
        [
            (
                f"{letter}{a}" if letter else "",
                string.negative,
                {
                    q: _LETTERS[string.flips >> q & 1, string.signs >> q & 1]
                    for q in range(num_qubits)
                    if (string.flips | string.signs) >> q & 1
                },
            )
            for a, string in enumerate(strings)
        ]
    )


def pieces(max_qubits: int) -> Iterator[Piece]:
    """Of rows and plans."""
    yield Piece(_START, ("step", "start"))
    yield Piece(" +", ("sign", "sign +"))
    yield Piece(" -", ("sign", "sign -"))
    for q in range(max_qubits):
        for letter in "XYZ":
            yield Piece(f" {letter}{q}", ("letter", f"factor {letter}", f"q {q}"))
        for letter in "XZ":
            yield Piece(f" {letter}{q} ->", ("image", f"factor {letter}", f"q {q}"))
    for step in _open_steps(range(max_qubits)):
        name, wires = step
        on = ("q",) if len(wires) == 1 else ("control", "target")
        yield Piece(
            _step_text(step),
            ("step", f"gate {name}", *(f"{k} {q}" for k, q in zip(on, wires, strict=True))),
        )


def _open_steps(wires: Sequence[int]) -> list[CliffordStep]:
    local = [(name, (q,)) for q in wires for name in _LOCAL]
    return [*local, *(("cx", pair) for pair in permutations(wires, 2))]


def _step_text(step: CliffordStep) -> str:
    return f"// {step[0]} {' '.join(map(str, step[1]))}:"
