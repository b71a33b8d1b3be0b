"""Fast reader for plain OpenQASM 3 programs: regular expressions, no syntax tree.

The subset: header, stdgates include, one bit and one qubit register, standard gates with literal
angles (numbers or multiples of pi), comments, measurement bit by bit or of the whole register.
`read_plain` gives the circuit, raises CircuitError for a program of the subset that breaks a rule,
and gives None for anything outside the subset: then the complete reader decides.
"""

import math
import re
from functools import lru_cache
from typing import NamedTuple

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.circuits.qasm.expressions import CONSTANTS
from quasar.circuits.qasm.operand_parser import MAX_DIGITS
from quasar.circuits.qasm.rules import (
    CANONICAL_NAMES,
    Assembler,
    Limits,
    at_line,
    check_arity,
    check_index,
    check_size,
    refuse_gate,
)
from quasar.circuits.qasm.tokens import KEYWORDS
from quasar.errors import CircuitError

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_W = r"[ \t\r\n]*+"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_COUNT = rf"\[{_W}([0-9]{{1,9}}){_W}\]"
_ITEM = rf"{_NAME}{_W}(?:\[[0-9]{{1,9}}\])?+"
_COMMENT = re.compile(r"//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
PLAIN_HEADER = re.compile(
    rf'{_W}OPENQASM[ \t\r\n]++3(?:\.[0-9]+)?{_W};{_W}include{_W}"stdgates\.inc"{_W};'
)
# Groups: 1-3 gate; 4-6 declaration; 7-10 measurement.
_STATEMENT = re.compile(
    rf"{_W}(?:"
    rf"({_NAME})(?:{_W}\(([0-9eEpi*/.,+\- \t\r\n]*+)\){_W}|[ \t\r\n]++)"
    rf"({_ITEM}(?:{_W},{_W}{_ITEM})*+)"
    rf"|(bit|qubit){_W}{_COUNT}{_W}({_NAME})"
    rf"|({_NAME}){_W}(?:{_COUNT})?{_W}={_W}measure[ \t\r\n]++({_NAME}){_W}(?:{_COUNT})?"
    rf"){_W}"
)
_DIGITS = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ANGLE = re.compile(rf"(-?)(?:({_DIGITS})|(?:({_DIGITS})\*)?pi(?:/({_DIGITS}))?)")
_OPERAND = re.compile(rf"({_NAME}){_W}(?:\[([0-9]+)\])?")
RESERVED = KEYWORDS | CONSTANTS.keys()


def read_plain(text: str, limits: Limits) -> Circuit | None:
    """Read a program of the plain subset; None where the text goes beyond it."""
    try:
        text = without_comments(text)
        header = PLAIN_HEADER.match(text)
        if header is None:
            return None
        return _Program(text, header.end(), limits).read()
    except OutsideSubset:
        return None


def skip_plain(text: str, start: int) -> int:
    """The place behind the plain statements that begin there; names of gates are the standard's."""
    end = text.find(";", start)
    while end >= 0 and end - start <= _SHORT:
        try:
            found = _short_statement(text[start:end])
        except OutsideSubset:
            break
        if type(found) is _GateStatement and found.name not in STANDARD_GATES:
            break
        start = end + 1
        end = text.find(";", start)
    return start


def without_comments(text: str) -> str:
    """Comments become blanks; line breaks stay, so that lines keep their numbers."""
    return _COMMENT.sub(_blank, text) if "/" in text else text


def _blank(match: re.Match[str]) -> str:
    comment = match[0]
    if comment.startswith("/*") and (len(comment) < 4 or not comment.endswith("*/")):
        raise OutsideSubset
    return " " + "\n" * comment.count("\n")


class OutsideSubset(Exception):
    """The text goes beyond what a fast reader takes."""


class _GateStatement(NamedTuple):
    """A gate with literal angles. `gate` is None where it is not one gate on single qubits, or
    where it breaks a rule that needs no register.
    """

    name: str
    params: tuple[float, ...]
    places: tuple[int, ...]  # -1 for a whole register
    registers: frozenset[str]
    register: str
    highest: int
    gate: Gate | None


class _Declaration(NamedTuple):
    unit: str
    name: str
    size: int


class _Measurement(NamedTuple):
    bits: str
    bit: int | None
    qubits: str
    qubit: int | None


_Statement = _GateStatement | _Declaration | _Measurement


class _Program:
    def __init__(self, text: str, start: int, limits: Limits):
        self._text, self._start, self._limits = text, start, limits
        self._assembler = Assembler(limits)
        self._bits: tuple[str, int] = ("", 0)
        self._qubits: tuple[str, int] = ("", 0)

    def read(self) -> Circuit:
        """Syntax of all statements first, then their meaning one by one."""
        statements = self._statements()
        at = 0
        try:
            for at, statement in enumerate(statements):  # noqa: B007
                if isinstance(statement, _GateStatement):
                    self._gate(statement)
                elif isinstance(statement, _Measurement):
                    self._measure(statement)
                else:
                    self._declare(statement)
        except CircuitError as error:
            raise at_line(error, self._line_of(at)) from None
        if not self._qubits[1]:
            raise OutsideSubset
        return self._assembler.finish(self._qubits[1])

    def _statements(self) -> list[_Statement]:
        text, start = self._text, self._start
        if text.count(";", start) > self._limits.max_statements:
            raise OutsideSubset
        parts = text[start:].split(";")
        if parts.pop().strip(" \t\r\n"):
            raise OutsideSubset
        return [
            _short_statement(part) if len(part) <= _SHORT else _statement(part) for part in parts
        ]

    def _line_of(self, at: int) -> int:
        """1-based line of the first character of a statement, given its number."""
        first = self._start
        for _ in range(at):
            first = self._text.index(";", first) + 1
        first += len(self._text[first:]) - len(self._text[first:].lstrip(" \t\r\n"))
        return self._text.count("\n", 0, first) + 1

    def _declare(self, new: _Declaration) -> None:
        declared = self._qubits if new.unit == "qubit" else self._bits
        other = self._bits if new.unit == "qubit" else self._qubits
        if declared[1] or other[0] == new.name:
            raise OutsideSubset
        if new.unit == "qubit":
            check_size(new.size, limit=self._limits.max_qubits, unit="qubits")
            self._qubits = (new.name, new.size)
        else:
            check_size(new.size, limit=self._limits.max_bits, unit="bits")
            self._bits = (new.name, new.size)

    def _gate(self, found: _GateStatement) -> None:
        register, size = self._qubits
        if found.register == register and found.highest < size and found.gate is not None:
            self._assembler.checked_gate(found.gate)
            return
        if any(name != register for name in found.registers):
            raise OutsideSubset
        arity = STANDARD_GATES.get(found.name)
        if arity is None:
            refuse_gate(found.name)
        check_arity(found.name, expected=arity, given=(len(found.params), len(found.places)))
        name = CANONICAL_NAMES.get(found.name, found.name)
        if -1 in found.places:  # a whole register
            if len(found.places) > 1:
                raise OutsideSubset
            for place in range(size):
                self._assembler.gate(name, (place,), found.params)
            return
        for index in found.places:
            if index >= size:
                check_index(register, index=index, size=size, unit="qubits")
        self._assembler.gate(name, found.places, found.params)

    def _measure(self, found: _Measurement) -> None:
        (bits, num_bits), (qubits, num_qubits) = self._bits, self._qubits
        if found.bits != bits or found.qubits != qubits:
            raise OutsideSubset
        if found.bit is not None and found.qubit is not None:
            check_index(qubits, index=found.qubit, size=num_qubits, unit="qubits")
            check_index(bits, index=found.bit, size=num_bits, unit="bits")
            self._assembler.measure(found.qubit, found.bit)
        elif num_bits != num_qubits or (found.bit, found.qubit) != (None, None):
            raise OutsideSubset
        else:
            for place in range(num_qubits):
                self._assembler.measure(place, place)


def _statement(text: str) -> _Statement:
    """What one statement says, taken by itself; `text` is without its semicolon."""
    match = _STATEMENT.fullmatch(text)
    if match is None:
        raise OutsideSubset
    name, angles, operands, unit, size, declared, bits, bit, qubits, qubit = match.groups()
    if name:
        return _gate_statement(name, angles, operands)
    if unit:
        if declared in RESERVED or declared in STANDARD_GATES or int(size) == 0:
            raise OutsideSubset
        return _Declaration(unit, declared, int(size))
    if bits in RESERVED or qubits in RESERVED:
        raise OutsideSubset
    return _Measurement(bits, int(bit) if bit else None, qubits, int(qubit) if qubit else None)


# Answers to one problem repeat most of their statements. Long ones are not kept: memory is bounded.
_SHORT = 100  # characters
_short_statement = lru_cache(maxsize=1 << 14)(_statement)


def _gate_statement(name: str, angles: str | None, operands: str) -> _GateStatement:
    found = _OPERAND.findall(operands)
    registers = frozenset(register for register, _ in found)
    if name in RESERVED or registers & RESERVED:
        raise OutsideSubset
    places = tuple(int(index) if index else -1 for _, index in found)
    params = _angles(angles) if angles and not angles.isspace() else ()
    gate = None
    if (
        STANDARD_GATES.get(name) == (len(params), len(places))
        and len(registers) == 1
        and -1 not in places
        and len(set(places)) == len(places)
        and all(map(math.isfinite, params))
    ):
        gate = Gate(CANONICAL_NAMES.get(name, name), places, params)
    return _GateStatement(name, params, places, registers, found[0][0], max(places), gate)


def _angles(text: str) -> tuple[float, ...]:
    """Angles between the parentheses: numbers and `3*pi/4`."""
    angles = []
    for part in text.split(","):
        match = _ANGLE.fullmatch(part.strip(" \t\r\n"))
        if match is None or len(part) > MAX_DIGITS:
            raise OutsideSubset
        sign, number, factor, divisor = match.groups()
        if number is None:
            angle = (float(factor) if factor else 1.0) * math.pi
            if divisor and float(divisor) == 0.0:
                raise OutsideSubset
            angle = angle / float(divisor) if divisor else angle
        else:
            angle = float(number)
        angles.append(-angle if sign else angle)
    return tuple(angles)
