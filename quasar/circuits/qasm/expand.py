"""Gate definitions, and their expansion into standard gates within a budget.

Takes definitions that were checked when they were made (`GateDefinition`); gives standard gates,
one call of `emit` each. A definition that names others many times over may stand for more steps
than there are atoms, so every step counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from quasar.circuits.qasm.ast import Expression
from quasar.circuits.qasm.expressions import angle
from quasar.circuits.qasm.rules import TOO_MANY_GATES, Modifiers, refuse

MAX_STEPS = 300_000  # applications and arithmetic of one program, about 1 µs each
MAX_DEPTH = 64  # definitions within one another
MAX_MODIFIED = 2_000  # units of work on different modified gates of one program: `effort`

Emit = Callable[[str, tuple[int, ...], tuple[float, ...]], None]  # standard gate or "gphase"


@dataclass(frozen=True, slots=True)
class Applied:
    """A gate within a definition: its qubits and angles in terms of the definition's own."""

    target: "str | GateDefinition"  # a standard gate, or "gphase"
    modifiers: Modifiers
    arguments: tuple[Expression, ...]  # resolved
    slots: tuple[int, ...]

    @property
    def steps(self) -> int:
        """What the application costs before it is expanded."""
        return 1 + sum(map(len, self.arguments))


@dataclass(frozen=True, slots=True, eq=False)
class GateDefinition:
    """A gate of the program's own."""

    name: str
    arity: tuple[int, int]  # angles, qubits
    body: tuple[Applied, ...]
    depth: int  # definitions within one another, itself included


class Expansion:
    """Expands the applications of one program."""

    def __init__(self) -> None:
        self._steps = 0
        self._modified: dict = {}  # what has been worked out already
        self._effort = 0

    def spend(self, steps: int) -> None:
        """Count steps; raises CircuitError (too many gates) when the budget is used up."""
        self._steps += steps
        if self._steps > MAX_STEPS:
            refuse(TOO_MANY_GATES, f"the program takes more than {MAX_STEPS} steps to expand")

    def apply(
        self,
        target: str | GateDefinition,
        modifiers: Modifiers,
        angles: tuple[float, ...],
        places: tuple[int, ...],
        emit: Emit,
    ) -> None:
        """Emit the standard gates of one application; `places` are controls, then qubits."""
        if modifiers:
            self._apply_modified(target, modifiers, angles, places, emit)
        elif isinstance(target, str):
            emit(target, places, angles)
        else:
            for inner in target.body:
                self.spend(inner.steps)
                values = tuple([angle(argument, angles) for argument in inner.arguments])
                qubits = tuple([places[slot] for slot in inner.slots])
                self.apply(inner.target, inner.modifiers, values, qubits, emit)

    def _apply_modified(
        self,
        target: str | GateDefinition,
        modifiers: Modifiers,
        angles: tuple[float, ...],
        places: tuple[int, ...],
        emit: Emit,
    ) -> None:
        # Qiskit takes a second to import, and few programs have modifiers.
        from quasar.circuits.qasm.modifiers import effort, modified

        num_qubits = len(places) - controls_of(modifiers)
        operations: list = []

        def record(name: str, qubits: tuple[int, ...], values: tuple[float, ...]) -> None:
            operations.append((name, qubits, values))
            if len(operations) > MAX_MODIFIED:
                _refuse_modified()

        self.apply(target, (), angles, tuple(range(num_qubits)), record)
        key = (tuple(operations), num_qubits, modifiers)
        if key not in self._modified:
            self._effort += effort(key[0], modifiers)
            if self._effort > MAX_MODIFIED:
                _refuse_modified()
            self._modified[key] = modified(*key)
        for name, local, values in self._modified[key]:
            self.spend(1)
            emit(name, tuple(places[slot] for slot in local), values)


def _refuse_modified() -> NoReturn:
    refuse(TOO_MANY_GATES, "modifiers are used on too many gates, or on too large ones")


def controls_of(modifiers: Modifiers) -> int:
    """Number of control qubits that modifiers add."""
    return sum(int(value) for kind, value in modifiers if kind in ("ctrl", "negctrl"))
