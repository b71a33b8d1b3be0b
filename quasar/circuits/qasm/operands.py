"""Registers of qubits and bits, and what indices take of them.

Takes operands from the syntax tree; gives places, counted over all registers of a kind in order of
declaration. Indices follow the specification: negative ones count from the end, both ends of a
range belong to it, and everything that is named must be there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quasar.circuits.qasm.ast import Expression, IndexRange, IndexSet, Operand, SingleIndex
from quasar.circuits.qasm.rules import (
    REPEATED_QUBIT,
    UNSUPPORTED,
    WRONG_ARGUMENTS,
    check_index,
    quoted,
    refuse,
)

Whole = Callable[[Expression, str], int]  # value of an index expression; what it is, in words


@dataclass(frozen=True, slots=True)
class Register:
    """Places of qubits or bits; `single` has no index and stands for its one place."""

    unit: str  # "qubits" or "bits"
    places: tuple[int, ...]
    single: bool = False


def pick(register: Register, operand: Operand, whole: Whole) -> Register:
    """What the operand's indices take of the register it names."""
    for index in operand.indices:
        register = _pick_once(register, operand.name, index=index, whole=whole)
    return register


def _pick_once(
    register: Register, name: str, *, index: SingleIndex | IndexRange | IndexSet, whole: Whole
) -> Register:
    if register.single:
        refuse(
            UNSUPPORTED, f"{quoted(name)} cannot be indexed here: it is one of the {register.unit}"
        )
    size = len(register.places)

    def place(value: Expression) -> int:
        number = whole(value, "an index")
        at = number + size if -size <= number < 0 else number
        if not 0 <= at < size:
            check_index(name, index=number, size=size, unit=register.unit)
        return at

    def end(value: Expression) -> int:
        # Readers differ on negative ends of a range, so they are not guessed.
        if whole(value, "an end of a range") < 0:
            refuse(UNSUPPORTED, "the ends of a range cannot be negative; count from 0")
        return place(value)

    if isinstance(index, SingleIndex):
        return Register(register.unit, (register.places[place(index.value)],), True)
    if isinstance(index, IndexSet):
        return Register(register.unit, tuple(register.places[place(v)] for v in index.values))
    step = 1 if index.step is None else whole(index.step, "a step")
    if step == 0:
        refuse(UNSUPPORTED, "the step of a range cannot be 0")
    first, last = (0, size - 1) if step > 0 else (size - 1, 0)
    first = first if index.start is None else end(index.start)
    last = last if index.end is None else end(index.end)
    taken = range(first, last + (1 if step > 0 else -1), step)
    return Register(register.unit, tuple(register.places[at] for at in taken))


def broadcast(registers: list[Register]) -> Iterator[tuple[int, ...]]:
    """Places of each application of a gate: registers element by element, single qubits repeated.

    Raises CircuitError where sizes differ, or where an application names a qubit twice.
    """
    length = max((1 if r.single else len(r.places) for r in registers), default=1)
    for register in registers:
        if not register.single and len(register.places) != length:
            refuse(WRONG_ARGUMENTS, "registers of different sizes cannot be used in one statement")
    columns = [r.places * length if r.single else r.places for r in registers]
    for places in zip(*columns, strict=True) if columns else [()]:
        if len(set(places)) != len(places):
            refuse(REPEATED_QUBIT, "a gate names the same qubit twice")
        yield places
