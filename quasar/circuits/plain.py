"""Fast reader for plain OpenQASM 3 programs: regular expressions, no syntax tree.

The subset: header, stdgates include, one bit and one qubit register, standard gates with literal
angles (numbers or multiples of pi), comments, measurement bit by bit or of the whole register.
`read_plain` gives the circuit, raises CircuitError for a program of the subset that breaks a rule,
and gives None for anything outside the subset: then the complete reader decides.
"""

import math
import re
from functools import lru_cache

from quasar.circuits.circuit import STANDARD_GATES, Circuit
from quasar.circuits.expressions import CONSTANTS
from quasar.circuits.rules import (
    CANONICAL_NAMES,
    TOO_MANY_GATES,
    Assembler,
    Limits,
    at_line,
    check_arity,
    check_index,
    check_size,
    refuse,
    refuse_gate,
)
from quasar.circuits.tokens import KEYWORDS
from quasar.errors import CircuitError

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_W = r"[ \t\r\n]*+"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_COUNT = rf"\[{_W}([0-9]{{1,9}}){_W}\]"
_ITEM = rf"{_NAME}{_W}(?:\[[0-9]{{1,9}}\])?+"
_COMMENT = re.compile(r"//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_HEADER = re.compile(
    rf'{_W}OPENQASM[ \t\r\n]++3(?:\.[0-9]+)?{_W};{_W}include{_W}"stdgates\.inc"{_W};'
)
# Groups: 1-3 declaration; 4-7 measurement; 8-10 gate.
_STATEMENT = re.compile(
    rf"{_W}(?:"
    rf"(bit|qubit){_W}{_COUNT}{_W}({_NAME})"
    rf"|({_NAME}){_W}(?:{_COUNT})?{_W}={_W}measure[ \t\r\n]++({_NAME}){_W}(?:{_COUNT})?"
    rf"|({_NAME})(?:{_W}\(([0-9eEpi*/.,+\- \t\r\n]*+)\){_W}|[ \t\r\n]++)"
    rf"({_ITEM}(?:{_W},{_W}{_ITEM})*+)"
    rf"){_W};"
)
_DIGITS = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ANGLE = re.compile(rf"(-?)(?:({_DIGITS})|(?:({_DIGITS})\*)?pi(?:/({_DIGITS}))?)")
_OPERAND = re.compile(rf"({_NAME}){_W}(?:\[([0-9]+)\])?")
RESERVED = KEYWORDS | CONSTANTS.keys()


def read_plain(text: str, limits: Limits) -> Circuit | None:
    """Read a program of the plain subset; None where the text goes beyond it."""
    try:
        text = _without_comments(text)
        header = _HEADER.match(text)
        if header is None:
            return None
        return _Program(text, header.end(), limits).read()
    except _OutsideSubset:
        return None


def _without_comments(text: str) -> str:
    """Comments become blanks; line breaks stay, so that lines keep their numbers."""
    return _COMMENT.sub(_blank, text) if "/" in text else text


def _blank(match: re.Match[str]) -> str:
    comment = match[0]
    if comment.startswith("/*") and (len(comment) < 4 or not comment.endswith("*/")):
        raise _OutsideSubset
    return " " + "\n" * comment.count("\n")


class _OutsideSubset(Exception):
    pass


class _Program:
    def __init__(self, text: str, start: int, limits: Limits):
        self._text, self._start, self._limits = text, start, limits
        self._assembler = Assembler(limits)
        self._bits: tuple[str, int] | None = None
        self._qubits: tuple[str, int] | None = None

    def read(self) -> Circuit:
        """Syntax of all statements first, then their meaning one by one."""
        statements = self._statements()
        statement = None
        try:
            for statement in statements:
                bit_or_qubit, size, name, bits, bit, qubits, qubit, *gate = statement.groups()
                if gate[0]:
                    self._gate(*gate)
                elif bits:
                    self._measure(bits, bit, qubits, qubit)
                else:
                    self._declare(bit_or_qubit, int(size), name)
        except CircuitError as error:
            # A syntax error further down comes first, and only the complete reader can tell.
            if not all(map(_is_well_formed, statements)):
                raise _OutsideSubset from None
            raise at_line(error, self._line_of(statement)) from None
        if self._qubits is None:
            raise _OutsideSubset
        return self._assembler.finish(self._qubits[1])

    def _statements(self) -> list[re.Match[str]]:
        text, place, match = self._text, self._start, _STATEMENT.match
        end = len(text.rstrip(" \t\r\n"))
        statements = []
        while place < end:
            statement = match(text, place)
            if statement is None:
                raise _OutsideSubset
            statements.append(statement)
            place = statement.end()
            if len(statements) > self._limits.max_statements:
                refuse(TOO_MANY_GATES, f"more than {self._limits.max_gates} gates")
        return statements

    def _line_of(self, statement: re.Match[str]) -> int:
        """1-based line of a statement's first character."""
        first = statement.end() - len(statement[0].lstrip(" \t\r\n"))
        return self._text.count("\n", 0, first) + 1

    def _declare(self, kind: str, size: int, name: str) -> None:
        declared = self._qubits if kind == "qubit" else self._bits
        other = self._bits if kind == "qubit" else self._qubits
        if declared is not None or size == 0 or name in RESERVED or name in STANDARD_GATES:
            raise _OutsideSubset
        if other is not None and other[0] == name:
            raise _OutsideSubset
        if kind == "qubit":
            check_size(size, limit=self._limits.max_qubits, unit="qubits")
            self._qubits = (name, size)
        else:
            check_size(size, limit=self._limits.max_bits, unit="bits")
            self._bits = (name, size)

    def _gate(self, name: str, angles: str | None, operands: str) -> None:
        registers, places = _operands(operands)
        params = _angles(angles) if angles and not angles.isspace() else ()
        if name in RESERVED or params is None or self._qubits is None:
            raise _OutsideSubset
        register, size = self._qubits
        if any(operand != register for operand in registers):
            raise _OutsideSubset
        arity = STANDARD_GATES.get(name)
        if arity is None:
            refuse_gate(name)
        check_arity(name, expected=arity, given=(len(params), len(places)))
        name = CANONICAL_NAMES.get(name, name)
        if -1 in places:  # a whole register
            if len(places) > 1:
                raise _OutsideSubset
            for place in range(size):
                self._assembler.gate(name, (place,), params)
            return
        for index in places:
            if index >= size:
                check_index(register, index=index, size=size, unit="qubits")
        self._assembler.gate(name, places, params)

    def _measure(self, bits: str, bit: str | None, qubits: str, qubit: str | None) -> None:
        if self._bits is None or self._qubits is None or bool(bit) != bool(qubit):
            raise _OutsideSubset
        if bits != self._bits[0] or qubits != self._qubits[0]:
            raise _OutsideSubset
        num_bits, num_qubits = self._bits[1], self._qubits[1]
        if bit:
            check_index(qubits, index=int(qubit), size=num_qubits, unit="qubits")
            check_index(bits, index=int(bit), size=num_bits, unit="bits")
            self._assembler.measure(int(qubit), int(bit))
        elif num_bits != num_qubits:
            raise _OutsideSubset
        else:
            for place in range(num_qubits):
                self._assembler.measure(place, place)


def _is_well_formed(statement: re.Match[str]) -> bool:
    """Whether a match of the statement pattern is valid syntax: the pattern is a little wider."""
    _, _, declared, bits, _, qubits, _, gate, angles, operands = statement.groups()
    names = {declared, bits, qubits, gate}
    if operands:
        names |= _operands(operands)[0]
        if angles and not angles.isspace() and _angles(angles) is None:
            return False
    return not names & RESERVED


@lru_cache(maxsize=1 << 14)
def _operands(text: str) -> tuple[frozenset[str], tuple[int, ...]]:
    """Register names and indices of `q[0], q[1]`; index -1 stands for a whole register."""
    operands = _OPERAND.findall(text)
    names = frozenset(name for name, _ in operands)
    return names, tuple(int(index) if index else -1 for _, index in operands)


@lru_cache(maxsize=1 << 14)
def _angles(text: str) -> tuple[float, ...] | None:
    """Angles between the parentheses: numbers and `3*pi/4`; None where one is anything else."""
    angles = []
    for part in text.split(","):
        match = _ANGLE.fullmatch(part.strip(" \t\r\n"))
        if match is None:
            return None
        sign, number, factor, divisor = match.groups()
        if number is None:
            angle = (float(factor) if factor else 1.0) * math.pi
            if divisor and float(divisor) == 0.0:
                return None
            angle = angle / float(divisor) if divisor else angle
        else:
            angle = float(number)
        angles.append(-angle if sign else angle)
    return tuple(angles)
