"""Statements that are OpenQASM 3 and no part of a circuit: loops, conditions, subroutines, ….

They are told by their first word and skimmed up to their end, brackets and blocks included.
"""

from quasar.circuits.qasm.ast import RefusedStatement
from quasar.circuits.qasm.operand_parser import OperandParser
from quasar.circuits.qasm.rules import CONTROL_FLOW, UNSUPPORTED
from quasar.circuits.qasm.tokens import KEYWORDS, Tokens

_TYPES = frozenset({
    "bit", "int", "uint", "float", "angle", "bool", "complex", "duration", "stretch", "array",
})  # fmt: skip
_BRACKET, _BLOCK, _END = frozenset({"("}), frozenset({"{"}), frozenset({";"})
_NAME = frozenset({"a name"})  # of no keyword
_LOOP = (CONTROL_FLOW, "loops ('{}') are not accepted; write the gates out")
_CONDITION = (CONTROL_FLOW, "conditions ('{}') on measured bits are not accepted")
_VARIABLE = (
    UNSUPPORTED,
    "variables ('{}') are not accepted; write a constant, e.g. 'const float theta = 0.5;'",
)
_INPUT = (UNSUPPORTED, "inputs and outputs ('{}') are not accepted; write the angles as numbers")
_SUBROUTINE = (UNSUPPORTED, "subroutines ('{}') are not accepted; use a gate definition")
_CALIBRATION = (UNSUPPORTED, "calibrations ('{}') are not accepted in a circuit")
_TIMING = (UNSUPPORTED, "timing ('{}') is not accepted in a circuit")
# First words of statements that have no place here: kind, why in words, and what must follow, since
# prose begins with such words too.
REFUSED = {
    "for": (*_LOOP, _TYPES | _NAME), "while": (*_LOOP, _BRACKET),
    "break": (*_LOOP, _END), "continue": (*_LOOP, _END),
    "if": (*_CONDITION, _BRACKET), "switch": (*_CONDITION, _BRACKET),
    "end": (CONTROL_FLOW, "'{}' is not accepted; the program ends with its text", _END),
    "def": (*_SUBROUTINE, _NAME), "return": (*_SUBROUTINE, None),
    "extern": (UNSUPPORTED, "external functions ('{}') are not accepted", _NAME),
    "input": (*_INPUT, _TYPES), "output": (*_INPUT, _TYPES),
    "cal": (*_CALIBRATION, _BLOCK), "defcalgrammar": (*_CALIBRATION, None),
    "defcal": (*_CALIBRATION, _NAME | {"measure", "reset", "delay"}),
    "delay": (*_TIMING, frozenset({"["})), "box": (*_TIMING, _BLOCK | {"["}),
    "duration": (*_TIMING, _NAME), "stretch": (*_TIMING, _NAME),
    **{
        word: (*_VARIABLE, _NAME | _BRACKET | {"["})
        for word in ("int", "uint", "float", "angle", "bool", "complex")
    },
    "array": (UNSUPPORTED, "arrays ('{}') are not accepted", frozenset({"["})),
    "{": (UNSUPPORTED, "blocks are not accepted; write the statements without braces", None),
}  # fmt: skip
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def is_block(statement: object) -> bool:
    """Whether it is a refused block in braces."""
    return isinstance(statement, RefusedStatement) and statement.why == REFUSED["{"][1]


class SkimmingParser(OperandParser):
    """Goes past what is refused."""

    def refused(self, start: int, word: str) -> RefusedStatement:
        """Go past a statement that is OpenQASM 3 and has no place here, with its blocks."""
        tokens = self.tokens
        kind, why, follows = REFUSED[word]
        if follows is not None:
            tokens.advance()
            named = tokens.kind == "name" and tokens.text not in KEYWORDS
            if ("a name" if named else tokens.text) not in follows:
                tokens.refuse_token(f"'{word}' cannot be followed by")
        if word == "for":
            self._loop_head()
        if word == "return":
            self._returned()
        else:
            self._skim(tokens)
        return RefusedStatement(start, kind, why.format(word))

    def _loop_head(self) -> None:
        """Up to the set that a loop runs over; older programs have no type there."""
        tokens = self.tokens
        if tokens.text in _TYPES:
            tokens.advance()
            self.designator()
        tokens.name()
        tokens.expect("in")

    def _returned(self) -> None:
        tokens = self.tokens
        tokens.advance()
        if tokens.take("measure"):
            self.operand()
        elif tokens.text != ";":
            self.expression()
        tokens.expect(";")

    def _skim(self, tokens: Tokens) -> None:
        ends = self.skim_to_end(braces=True)
        if ends == ";":
            tokens.expect(";")
        while tokens.text == "else":
            if self.skim_to_end(braces=True) == ";":
                tokens.expect(";")

    def skim_to_end(self, *, braces: bool = False) -> str:
        """Go to the ';' of a statement, or past the block that ends it; brackets must close."""
        tokens, closing = self.tokens, []
        while not tokens.at_end:
            if not tokens.is_word:
                tokens.refuse_token()
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
