"""Parser of OpenQASM 3 circuits: text to syntax tree, by recursive descent.

Takes program text; gives a `Program`; raises CircuitError with line and column for text that is
not OpenQASM 3. Statements that stand for no circuit (loops, conditions, subroutines, …) are skimmed
up to their end and kept as `Refused`. Grammar: the OpenQASM 3.0 specification.
"""

from dataclasses import dataclass
from typing import NoReturn

from quasar.circuits.operand_parser import OperandParser
from quasar.circuits.rules import (
    CONTROL_FLOW,
    RESET,
    TOO_MANY_GATES,
    UNSUPPORTED,
    Limits,
    quoted,
    refuse,
)
from quasar.circuits.tokens import Tokens
from quasar.circuits.tree import (
    Alias,
    Application,
    Barrier,
    Constant,
    Declaration,
    Definition,
    Expression,
    Include,
    Measurement,
    Modifier,
    Operand,
    Refused,
    Statement,
)
from quasar.errors import CircuitError

_LOOP = (CONTROL_FLOW, "loops are not accepted; write the gates out")
_CONDITION = (CONTROL_FLOW, "conditions on measured bits are not accepted")
_VARIABLE = (
    UNSUPPORTED,
    "only bits and constants can be declared; write 'const float theta = 0.5;'",
)
_INPUT = (UNSUPPORTED, "inputs and outputs are not accepted; write the angles as numbers")
_CALIBRATION = (UNSUPPORTED, "calibrations are not accepted in a circuit")
_TIMING = (UNSUPPORTED, "timing is not accepted in a circuit")
# First words of statements that have no place here: kind, and why in words.
_REFUSED = {
    "for": _LOOP, "while": _LOOP, "break": _LOOP, "continue": _LOOP,
    "if": _CONDITION, "switch": _CONDITION,
    "end": (CONTROL_FLOW, "'end' is not accepted; the program ends with its text"),
    "def": (UNSUPPORTED, "subroutines are not accepted; use a gate definition"),
    "extern": (UNSUPPORTED, "external functions are not accepted"),
    "return": (UNSUPPORTED, "subroutines are not accepted; use a gate definition"),
    "input": _INPUT, "output": _INPUT,
    "reset": (RESET, "reset is not accepted; all qubits start in 0"),
    "cal": _CALIBRATION, "defcal": _CALIBRATION, "defcalgrammar": _CALIBRATION,
    "delay": _TIMING, "box": _TIMING, "duration": _TIMING, "stretch": _TIMING,
    "int": _VARIABLE, "uint": _VARIABLE, "float": _VARIABLE, "angle": _VARIABLE,
    "bool": _VARIABLE, "complex": _VARIABLE, "array": _VARIABLE,
    "{": (UNSUPPORTED, "blocks are not accepted; write the statements without braces"),
}  # fmt: skip
_MODIFIERS = frozenset({"inv", "pow", "ctrl", "negctrl"})
_CONSTANTS = frozenset({"int", "uint", "float", "angle"})
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(slots=True)
class Program:
    """Version (None where the text has none) and statements, and the places of errors."""

    version: str | None
    statements: tuple[Statement, ...]
    tokens: Tokens  # for `place`


def parse(text: str, limits: Limits) -> Program:
    """The syntax tree of a program. Raises CircuitError."""
    return _Parser(text, limits).program()


class _Parser(OperandParser):
    def __init__(self, text: str, limits: Limits):
        super().__init__(Tokens(text))
        self._limits = limits
        self._statements = 0
        self._defines = ""  # the gate whose body is read

    def program(self) -> Program:
        tokens, version, statements = self.tokens, None, []
        try:
            if tokens.take("OPENQASM"):
                version = tokens.text
                if tokens.kind not in ("int", "float"):
                    tokens.refuse_token("a version is missing before")
                tokens.advance()
                tokens.expect(";")
            while not tokens.at_end:
                self._count()
                statements.append(self._statement())
        except CircuitError as error:
            raise tokens.place(error, tokens.start) from None
        return Program(version, tuple(statements), tokens)

    def _count(self) -> None:
        self._statements += 1
        if self._statements > self._limits.max_statements:
            refuse(TOO_MANY_GATES, f"more than {self._limits.max_gates} gates")

    def _statement(self) -> Statement:
        tokens = self.tokens
        while tokens.kind == "annotation":
            tokens.advance()
        start, word = tokens.start, tokens.text
        if word in _REFUSED:
            return self._skim(start, *_REFUSED[word])
        if tokens.kind == "pragma":
            refuse(UNSUPPORTED, "pragmas are not accepted")
        parse = _STATEMENTS.get(word)
        if parse is None:
            return self._named(start)
        tokens.advance()
        statement = parse(self, start)
        if not isinstance(statement, Definition):
            tokens.expect(";")
        return statement

    def _include(self, start: int) -> Include:
        file, kind = self.tokens.text[1:-1], self.tokens.kind
        if kind != "string":
            self.tokens.refuse_token("a file name in quotes is missing before")
        self.tokens.advance()
        return Include(start, file)

    def _qubits(self, start: int) -> Declaration:
        size = self.designator()
        return Declaration(start, "qubits", self.tokens.name(), size)

    def _bits(self, start: int) -> Statement:
        size = self.designator()
        name = self.tokens.name()
        if not self.tokens.take("="):
            return Declaration(start, "bits", name, size)
        if not self.tokens.take("measure"):
            self._skim_to_end()
            return Refused(start, UNSUPPORTED, "bits cannot be given a value, only a measurement")
        return Declaration(start, "bits", name, size, self.operand())

    def _old_register(self, start: int, unit: str) -> Declaration:
        name = self.tokens.name()
        return Declaration(start, unit, name, self.designator())

    def _constant(self, start: int) -> Statement:
        kind = self.tokens.text
        if kind not in _CONSTANTS:
            self._skim_to_end()
            return Refused(start, UNSUPPORTED, "a constant must be a number, e.g. 'const float'")
        self.tokens.advance()
        self.designator()
        name = self.tokens.name()
        self.tokens.expect("=")
        return Constant(start, kind, name, self.expression())

    def _alias(self, start: int) -> Alias:
        name = self.tokens.name()
        self.tokens.expect("=")
        parts = [self.operand()]
        while self.tokens.take("++"):
            parts.append(self.operand())
        return Alias(start, name, tuple(parts))

    def _definition(self, start: int) -> Definition:
        tokens, parameters = self.tokens, ()
        if self._defines:
            self._refuse_in_gate()
        name = self._defines = tokens.name()
        if tokens.take("("):
            parameters = () if tokens.text == ")" else self.several(tokens.name, ")")
            tokens.expect(")")
        qubits = self.several(tokens.name, "{")
        tokens.expect("{")
        body = []
        while not tokens.take("}"):
            self._count()
            statement = self._statement()
            if isinstance(statement, Measurement):
                tokens.refuse("a gate definition cannot measure")
            if not isinstance(statement, Application | Barrier | Refused):
                self._refuse_in_gate()
            body.append(statement)
        self._defines = ""
        return Definition(start, name, parameters, qubits, tuple(body))

    def _refuse_in_gate(self) -> NoReturn:
        refuse(UNSUPPORTED, f"gate {quoted(self._defines)} may hold gates only")

    def _measure(self, start: int) -> Measurement:
        operand = self.operand()
        return Measurement(start, operand, self.operand() if self.tokens.take("->") else None)

    def _barrier(self, start: int) -> Barrier:
        return Barrier(start, () if self.tokens.text == ";" else self.several(self.operand, ";"))

    def _named(self, start: int) -> Statement:
        """A gate application, or an assignment; both may begin with a name."""
        tokens, modifiers = self.tokens, []
        while tokens.text in _MODIFIERS and tokens.kind == "name":
            modifiers.append(self._modifier())
        if tokens.text == "gphase":
            name = "gphase"
            tokens.advance()
        else:
            name = tokens.name()
        if not modifiers and tokens.text in ("[", "="):
            return self._assignment(start, name)
        arguments: tuple[Expression, ...] = ()
        if tokens.take("("):
            arguments = () if tokens.text == ")" else self.several(self.expression, ")")
            tokens.expect(")")
        if tokens.text == "[":
            self._skim_to_end()
            tokens.expect(";")
            return Refused(start, UNSUPPORTED, "gates with durations are not accepted")
        operands: tuple[Operand, ...] = ()
        if name != "gphase" or tokens.text != ";":
            operands = self.several(self.operand, ";")
        tokens.expect(";")
        return Application(start, tuple(modifiers), name, arguments, operands)

    def _assignment(self, start: int, name: str) -> Statement:
        target = Operand(name, self.indices())
        self.tokens.expect("=")
        if self.tokens.take("measure"):
            statement: Statement = Measurement(start, self.operand(), target)
        else:
            self._skim_to_end()
            statement = Refused(start, UNSUPPORTED, "only a measurement can be assigned")
        self.tokens.expect(";")
        return statement

    def _modifier(self) -> Modifier:
        kind, argument = self.tokens.text, None
        self.tokens.advance()
        if kind == "pow" or (kind != "inv" and self.tokens.text == "("):
            self.tokens.expect("(")
            argument = self.expression()
            self.tokens.expect(")")
        self.tokens.expect("@")
        return Modifier(kind, argument)

    def _skim(self, start: int, kind: str, why: str) -> Refused:
        """Go past a statement with its blocks."""
        tokens = self.tokens
        ends = self._skim_to_end(braces=True)
        if ends == ";":
            tokens.expect(";")
        while tokens.text == "else":
            if self._skim_to_end(braces=True) == ";":
                tokens.expect(";")
        return Refused(start, kind, why)

    def _skim_to_end(self, *, braces: bool = False) -> str:
        """Go to the ';' of a statement, or past the block that ends it; brackets must close."""
        tokens, closing = self.tokens, []
        while not tokens.at_end:
            text = tokens.text if tokens.kind == "sign" else ""
            if not closing and text == ";":
                return ";"
            if text in _CLOSING:
                closing.append(_CLOSING[text])
            elif text and text in ")]}":
                if not closing or closing.pop() != text:
                    tokens.refuse_token()
                if braces and not closing and text == "}":
                    tokens.advance()
                    return "}"
            tokens.advance()
        tokens.refuse_token()


_STATEMENTS = {
    "include": _Parser._include,
    "qubit": _Parser._qubits,
    "bit": _Parser._bits,
    "qreg": lambda parser, start: parser._old_register(start, "qubits"),
    "creg": lambda parser, start: parser._old_register(start, "bits"),
    "const": _Parser._constant,
    "let": _Parser._alias,
    "gate": _Parser._definition,
    "measure": _Parser._measure,
    "barrier": _Parser._barrier,
}
