"""Parser of expressions and operands, the part that all statements share.

Takes tokens; gives expressions in postfix order and operands with their indices. Raises
CircuitError without a place for what is understood and not accepted, with one for bad syntax.
"""

from collections.abc import Callable
from typing import TypeVar

from quasar.circuits.qasm.ast import (
    Expression,
    ExpressionStep,
    IndexRange,
    IndexSet,
    Operand,
    SingleIndex,
)
from quasar.circuits.qasm.rules import NON_FINITE_ANGLE, TOO_DEEP, UNSUPPORTED, quoted, refuse
from quasar.circuits.qasm.tokens import KEYWORDS, Tokens

MAX_NESTING = 64  # brackets, signs and powers within one another
MAX_DIGITS = 1_000  # of an integer; no finite angle has more than 309
# Binding strength of binary operators; a sign before an operand binds between * and **.
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_SIGN = 3
_OTHER_OPERATORS = frozenset(
    {"%", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^", "&&", "||", "~", "!"}
)
# Keywords that may stand within an expression: casts, and what has no number here.
_VALUE_WORDS = frozenset({
    "int", "uint", "float", "angle", "bool", "bit", "complex", "array", "duration", "stretch",
    "true", "false", "durationof", "measure", "pow",
})  # fmt: skip
_UNITS = frozenset({"ns", "us", "µs", "μs", "ms", "s", "dt", "im"})
_Read = TypeVar("_Read")


class OperandParser:
    """A parser at its present token."""

    def __init__(self, tokens: Tokens):
        self.tokens = tokens
        self._depth = 0

    def several(self, read: Callable[[], _Read], end: str) -> tuple[_Read, ...]:
        """One or more, with commas between; a comma before the end does no harm."""
        found = [read()]
        while self.tokens.take(",") and self.tokens.text != end:
            found.append(read())
        return tuple(found)

    def designator(self) -> Expression | None:
        if not self.tokens.take("["):
            return None
        size = self.expression()
        self.tokens.expect("]")
        return size

    def operand(self) -> Operand:
        if self.tokens.kind == "hardware":
            refuse(UNSUPPORTED, "physical qubits are not accepted; declare 'qubit[n] q;'")
        return Operand(self.tokens.name(), self.indices())

    def indices(self) -> tuple[SingleIndex | IndexRange | IndexSet, ...]:
        indices = []
        while self.tokens.take("["):
            indices.append(self._index())
            if self.tokens.text == ",":
                refuse(UNSUPPORTED, "registers have one index")
            self.tokens.expect("]")
        return tuple(indices)

    def _index(self) -> SingleIndex | IndexRange | IndexSet:
        tokens = self.tokens
        if tokens.take("{"):
            values = self.several(self.expression, "}")
            tokens.expect("}")
            return IndexSet(values)
        start = None if tokens.text == ":" else self.expression()
        if start is not None and not tokens.take(":"):
            return SingleIndex(start)
        if start is None:
            tokens.expect(":")
        middle = None if tokens.text in ("]", ",", ":") else self.expression()
        if not tokens.take(":"):
            return IndexRange(start, middle, None)
        return IndexRange(start, self.expression(), middle)

    def expression(self) -> Expression:
        steps: list[ExpressionStep] = []
        self._binary(steps, 0)
        return tuple(steps)

    def _binary(self, steps: list[ExpressionStep], strength: int) -> None:
        """Append the steps of an operand and of all operators that bind stronger."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            refuse(TOO_DEEP, f"an expression is nested more than {MAX_NESTING} deep")
        self._primary(steps)
        while (found := _STRENGTH.get(self.tokens.text, 0)) > strength:
            operator = self.tokens.text
            self.tokens.advance()
            # Powers associate to the right.
            self._binary(steps, found - 1 if operator == "**" else found)
            steps.append((operator, None))
        self._refuse_operator()
        self._depth -= 1

    def _primary(self, steps: list[ExpressionStep]) -> None:
        tokens = self.tokens
        if tokens.kind in ("int", "float"):
            steps.append(("push", _number(tokens.text, tokens.kind)))
            tokens.advance()
            if tokens.text in _UNITS and tokens.start == tokens.end:
                refuse(UNSUPPORTED, f"numbers with a unit ('{tokens.text}') are not accepted")
        elif tokens.take("-"):
            self._binary(steps, _SIGN)
            steps.append(("neg", None))
        elif tokens.take("("):
            self._binary(steps, 0)
            tokens.expect(")")
        elif tokens.kind == "string":
            refuse(UNSUPPORTED, "bit strings are not accepted within an expression")
        elif tokens.kind == "dim":
            refuse(UNSUPPORTED, "arrays ('#dim') are not accepted")
        elif tokens.kind == "hardware":
            refuse(UNSUPPORTED, "physical qubits are not accepted; declare 'qubit[n] q;'")
        elif tokens.kind == "name" and tokens.text in KEYWORDS:
            self._refuse_value()
        elif tokens.kind != "name":
            self._refuse_operator()
            tokens.refuse_token("a number is missing before")
        else:
            self._name_or_call(steps)

    def _name_or_call(self, steps: list[ExpressionStep]) -> None:
        name = self.tokens.name()
        if self.tokens.text == "[":
            refuse(UNSUPPORTED, f"{quoted(name)} is indexed within an expression; write a number")
        if not self.tokens.take("("):
            steps.append(("name", name))
            return
        count = 0
        while not self.tokens.take(")"):
            if count:
                self.tokens.expect(",")
            self._binary(steps, 0)
            count += 1
        steps.append(("call", (name, count)))

    def _refuse_operator(self) -> None:
        if self.tokens.text in _OTHER_OPERATORS:
            refuse(UNSUPPORTED, f"operator '{self.tokens.text}' is not accepted")

    def _refuse_value(self) -> None:
        if self.tokens.text in _VALUE_WORDS:
            refuse(UNSUPPORTED, f"'{self.tokens.text}' is not accepted within an expression")
        self.tokens.refuse_token()


def _number(text: str, kind: str) -> int | float:
    if kind == "float":
        return float(text)
    if len(text) > MAX_DIGITS:
        refuse(NON_FINITE_ANGLE, f"a number has more than {MAX_DIGITS} digits")
    return int(text, 0) if text[:2].lower() in ("0x", "0b", "0o") else int(text)
