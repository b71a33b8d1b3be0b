"""Parser of OpenQASM 3 circuits: text to syntax tree, by recursive descent.

Takes program text; gives a `Program`; raises CircuitError with line and column for text that is
not OpenQASM 3. Statements that stand for no circuit (loops, conditions, subroutines, …) are skimmed
up to their end (`quasar.circuits.qasm.skimming`) and kept as `RefusedStatement`. Grammar: the
OpenQASM 3.0 specification.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from quasar.circuits.circuit import STANDARD_GATES
from quasar.circuits.qasm.ast import (
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
    RefusedStatement,
    Statement,
)
from quasar.circuits.qasm.rules import (
    RESET,
    SYNTAX,
    TOO_MANY_GATES,
    UNSUPPORTED,
    Limits,
    missing_header,
    quoted,
    refuse,
)
from quasar.circuits.qasm.skimming import REFUSED, SkimmingParser, is_block
from quasar.circuits.qasm.tokens import Tokens
from quasar.errors import CircuitError

_MODIFIERS = frozenset({"inv", "pow", "ctrl", "negctrl"})
_CONSTANTS = frozenset({"int", "uint", "float", "angle"})


@dataclass(slots=True)
class Program:
    """Version (None where the text has none) and statements, and the places of errors."""

    version: str | None
    statements: tuple[Statement, ...]
    tokens: Tokens  # for `place`


def parse(text: str, limits: Limits, *, needs_version: bool = True) -> Program:
    """The syntax tree of a program. Raises CircuitError.

    needs_version: a program without header is refused as soon as its first statement shows that it
    is one.
    """
    return StatementParser(Tokens(text), limits).program(needs_version=needs_version)


def _check_header(first: Statement, tokens: Tokens) -> None:
    """A block is no statement that tells a program from other text."""
    if not is_block(first):
        raise tokens.place(missing_header(), first.start)


def _first_trouble(
    statements: list[Statement], error: CircuitError, tokens: Tokens
) -> CircuitError:
    """In place of a syntax error, what is not accepted before it: it may have led there."""
    if error.kind == SYNTAX:
        for statement in statements:
            if isinstance(statement, RefusedStatement) and statement.kind == UNSUPPORTED:
                if is_block(statement):
                    break
                return tokens.place(CircuitError(UNSUPPORTED, statement.why), statement.start)
    return error


class StatementParser(SkimmingParser):
    """A parser at its present token. defined: gates that the text before it defines."""

    def __init__(self, tokens: Tokens, limits: Limits, defined: Iterable[str] = ()):
        super().__init__(tokens)
        self._limits = limits
        self._statements = 0
        self._gates = {*STANDARD_GATES, *defined}
        self._defines = ""  # the gate whose body is read

    def program(self, *, needs_version: bool) -> Program:
        """All statements up to the end of the text."""
        tokens, version, statements = self.tokens, None, []
        try:
            if tokens.take("OPENQASM"):
                version = self._version()
            while not tokens.at_end:
                self._count()
                statements.append(self.statement())
                if version is None and needs_version and len(statements) == 1:
                    _check_header(statements[0], tokens)
        except CircuitError as error:
            error = tokens.place(error, tokens.start)
            raise _first_trouble(statements, error, tokens) from None
        return Program(version, tuple(statements), tokens)

    def _version(self) -> str:
        tokens = self.tokens
        version = tokens.text
        if tokens.kind not in ("int", "float"):
            tokens.refuse_token("a version is missing before")
        tokens.advance()
        tokens.expect(";")
        return version

    def _count(self) -> None:
        self._statements += 1
        if self._statements > self._limits.max_statements:
            refuse(TOO_MANY_GATES, f"more than {self._limits.max_gates} gates")

    def statement(self) -> Statement:
        """Go past one statement."""
        tokens = self.tokens
        while tokens.kind == "annotation":
            tokens.advance()
        start, word = tokens.start, tokens.text
        if word in REFUSED:
            return self.refused(start, word)
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
            self.skim_to_end()
            return RefusedStatement(
                start, UNSUPPORTED, "bits cannot be given a value, only a measurement"
            )
        return Declaration(start, "bits", name, size, self.operand())

    def _old_register(self, start: int, unit: str) -> Declaration:
        name = self.tokens.name()
        return Declaration(start, unit, name, self.designator())

    def _constant(self, start: int) -> Statement:
        kind = self.tokens.text
        if kind not in _CONSTANTS:
            self.skim_to_end()
            return RefusedStatement(
                start, UNSUPPORTED, "a constant must be a number, e.g. 'const float'"
            )
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
        self._gates.add(name)
        if tokens.take("("):
            parameters = () if tokens.text == ")" else self.several(tokens.name, ")")
            tokens.expect(")")
        qubits = self.several(tokens.name, "{")
        tokens.expect("{")
        body = []
        while not tokens.take("}"):
            self._count()
            statement = self.statement()
            if isinstance(statement, Measurement):
                tokens.refuse("a gate definition cannot measure")
            if not isinstance(statement, Application | Barrier | RefusedStatement):
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
        if not modifiers and (tokens.text in ("[", "=") or tokens.kind == "assign"):
            return self._assignment(start, name)
        arguments: tuple[Expression, ...] = ()
        if tokens.text == "(":
            may_be_call = not modifiers and name != "gphase" and name not in self._gates
            if may_be_call and tokens.closing().text == ";":
                return self._call(start, name)
            tokens.advance()
            arguments = () if tokens.text == ")" else self.several(self.expression, ")")
            tokens.expect(")")
        if tokens.text == "[":
            self.skim_to_end()
            tokens.expect(";")
            return RefusedStatement(start, UNSUPPORTED, "gates with durations are not accepted")
        operands: tuple[Operand, ...] = ()
        if name != "gphase" or tokens.text != ";":
            operands = self.several(self.operand, ";")
        tokens.expect(";")
        return Application(start, tuple(modifiers), name, arguments, operands)

    def _call(self, start: int, name: str) -> RefusedStatement:
        self.skim_to_end()
        self.tokens.expect(";")
        why = f"subroutines are not accepted, and {quoted(name)} is called; use a gate definition"
        return RefusedStatement(start, UNSUPPORTED, why)

    def _assignment(self, start: int, name: str) -> Statement:
        target = Operand(name, self.indices())
        if self.tokens.kind == "assign":
            why = f"variables are not accepted, and {quoted(name)} is changed by "
            why += f"'{self.tokens.text}'; write numbers"
            self.tokens.advance()
            if self.tokens.text == ";":
                self.tokens.refuse_token("a value is missing before")
            self.skim_to_end()
            self.tokens.expect(";")
            return RefusedStatement(start, UNSUPPORTED, why)
        if target.indices and (self.tokens.kind == "name" or self.tokens.text == "("):
            refuse(UNSUPPORTED, "gates with durations are not accepted")
        self.tokens.expect("=")
        if self.tokens.take("measure"):
            statement: Statement = Measurement(start, self.operand(), target)
        else:
            self.skim_to_end()
            statement = RefusedStatement(start, UNSUPPORTED, "only a measurement can be assigned")
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

    def _reset(self, start: int) -> RefusedStatement:
        self.operand()
        return RefusedStatement(start, RESET, "'reset' is not accepted; all qubits start in 0")


_STATEMENTS = {
    "include": StatementParser._include,
    "qubit": StatementParser._qubits,
    "bit": StatementParser._bits,
    "qreg": lambda parser, start: parser._old_register(start, "qubits"),
    "creg": lambda parser, start: parser._old_register(start, "bits"),
    "const": StatementParser._constant,
    "let": StatementParser._alias,
    "gate": StatementParser._definition,
    "measure": StatementParser._measure,
    "barrier": StatementParser._barrier,
    "reset": StatementParser._reset,
}
