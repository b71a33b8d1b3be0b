"""Where a program ends within the text that follows its header.

Takes the text from a header up to a fence, another header or the end of the answer; gives the place
behind the program. The text is read statement by statement, as the reader does. Where that comes to
a stop, what is left is either prose, and the program has ended, or program text that is wrong, and
the reader has to see it: no broken statement may vanish. The rule: docs/openqasm.md.
"""

import re
from typing import TypeGuard

from quasar.circuits.circuit import STANDARD_GATES
from quasar.circuits.qasm.ast import Application, Statement
from quasar.circuits.qasm.fast_reader import PLAIN_HEADER, skip_plain
from quasar.circuits.qasm.parser import StatementParser
from quasar.circuits.qasm.rules import Limits
from quasar.circuits.qasm.skimming import is_block
from quasar.circuits.qasm.tokens import KEYWORDS, Tokens
from quasar.errors import CircuitError

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_NAME = r"[^\W\d]\w*+"
_OPERAND = rf"{_NAME}[ \t]*+(?:\[[ \t]*+[0-9]++[ \t]*+\])?+"
_LAST_MEASUREMENT = re.compile(
    rf"\s*+(?:{_OPERAND}\s*+=\s*+measure\s++{_OPERAND}|measure\s++{_OPERAND}\s*+->\s*+{_OPERAND})"
    r"\s*+"
)
_HEADER = re.compile(r"OPENQASM[ \t\r\n]++[0-9]++(?:\.[0-9]++)?+[ \t\r\n]*+;")
_WORD = re.compile(_NAME)
_COMMENT = re.compile(r"//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_PIECE = re.compile(r"([^;\r\n{]*+)([;\r\n{]|\Z)")
_TAG = re.compile(r"</?[A-Za-z][\w-]*+>|<\|\w++\|>")
_OBJECT = re.compile(r"\{\s*+[\"']")  # no statement begins with a text
_LABEL = re.compile(rf"(?:{_NAME}[ \t]*+)++:")
_OTHER_START = re.compile(rf";|/\*|@{_NAME}|\#?pragma\b")
# Keywords that begin no statement.
_WITHIN = frozenset({
    "in", "else", "case", "default", "true", "false", "im", "void", "durationof", "readonly",
    "mutable",
})  # fmt: skip
_DECLARE = frozenset({
    "gate", "def", "extern", "let", "input", "output", "const", "qreg", "qubit", "creg", "bool",
    "bit", "int", "uint", "float", "angle", "complex", "array", "duration", "stretch", "for",
})  # fmt: skip
_OPEN_BLOCKS = frozenset({"gate", "def", "defcal", "cal", "for", "while", "if", "switch", "box"})
_LIMITS = Limits()


def end_of_program(text: str) -> int:
    """The place behind the program that the text begins with (at its header, or without one)."""
    if _ends_in_measurement(text):
        return len(text)
    header = PLAIN_HEADER.match(text) or _HEADER.match(text)
    if header is None and text.startswith("OPENQASM"):
        return len(text)  # the reader says what is wrong with the header
    return _read(text, skip_plain(text, header.end() if header else 0))


def _ends_in_measurement(text: str) -> bool:
    """The usual end, seen at once: nothing behind the last statement, which measures."""
    last = len(text.rstrip()) - 1
    if last < 0 or text[last] != ";":
        return False
    before = max(text.rfind(sign, 0, last) for sign in ";}\n")
    return _LAST_MEASUREMENT.fullmatch(text, before + 1, last) is not None


def _read(text: str, start: int) -> int:
    """Go on from a place between two statements."""
    tokens = Tokens(text, start)
    parser, names = StatementParser(tokens, _LIMITS), _Names(text)
    while not tokens.at_end:
        start = tokens.start
        try:
            statement = parser.statement()
        except CircuitError:
            break
        if _may_be_prose(statement) and not names.up_to(start) & _words_of(statement):
            break
        if is_block(statement) and _OBJECT.match(text, start):
            break
    else:
        return len(text)
    return len(text) if _is_program_text(text, start, names.up_to(start)) else start


class _Names:
    """The words that a program has used so far."""

    def __init__(self, text: str):
        self._text, self._end = text, 0
        self._names: set[str] = set()

    def up_to(self, end: int) -> set[str]:
        self._names.update(_WORD.findall(_COMMENT.sub(" ", self._text[self._end : end])))
        self._end = end
        return self._names


def _may_be_prose(statement: Statement) -> TypeGuard[Application]:
    """Two words and a semicolon are an application of a gate, too."""
    return (
        isinstance(statement, Application)
        and statement.name not in STANDARD_GATES
        and not statement.modifiers
        and not statement.arguments
        and not any(operand.indices for operand in statement.operands)
    )


def _words_of(statement: Application) -> set[str]:
    return {statement.name, *(operand.name for operand in statement.operands)}


def _is_program_text(text: str, start: int, names: set[str]) -> bool:
    """Whether what no statement could be read of is OpenQASM gone wrong, rather than prose."""
    if _OTHER_START.match(text, start):
        return True
    first = _PIECE.match(text, start)
    assert first is not None  # it takes any text
    if _is_statement(first[1], first[2], names):
        return True
    pieces = _PIECE.finditer(text, first.end())
    return any(p[2] in (";", "{") and p[2] and _is_statement(p[1], p[2], names) for p in pieces)


def _is_statement(piece: str, end: str, names: set[str]) -> bool:
    """Whether a piece of text begins as a statement and has no words that are strange in it.

    end: the sign behind it.
    """
    piece = _TAG.sub(" ", piece).lstrip()
    first = _WORD.match(piece)
    if first is None or _LABEL.match(piece):
        return False
    word = first[0]
    keyword, gate = word in KEYWORDS and word not in _WITHIN, word in STANDARD_GATES
    if not keyword and not gate and (word not in names or word in KEYWORDS):
        return False
    if end == "{" and word in _OPEN_BLOCKS:
        return True
    words = _WORD.findall(piece)
    strange = sum(w not in names and w not in KEYWORDS and w not in STANDARD_GATES for w in words)
    if strange > (word in _DECLARE):
        return False
    following = piece[first.end() :].lstrip()[:1]
    if gate:
        return following.isalpha() or (following != "" and following in "_($[")
    return keyword or end == ";" or "measure" in words
