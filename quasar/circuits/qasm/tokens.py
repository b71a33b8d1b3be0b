"""Words of OpenQASM 3: text to tokens, one after the other.

Takes program text; gives its tokens without blanks and comments, each with its place. Characters
that belong to no word, open comments and open strings are tokens too, which the parser accepts
nowhere: so the statement before them is whole.
"""

import re
import unicodedata
from typing import NoReturn

from quasar.circuits.qasm.rules import SYNTAX, at_line, quoted
from quasar.errors import CircuitError

# Words that cannot be names.
# fmt: off
KEYWORDS = frozenset({
    "OPENQASM", "include", "defcalgrammar", "def", "cal", "defcal", "gate", "extern", "box", "let",
    "break", "continue", "if", "else", "end", "return", "for", "while", "in", "switch", "case",
    "default", "pragma", "input", "output", "const", "readonly", "mutable", "qreg", "qubit", "creg",
    "bool", "bit", "int", "uint", "float", "angle", "complex", "array", "void", "duration",
    "stretch", "gphase", "inv", "pow", "ctrl", "negctrl", "durationof", "delay", "reset",
    "measure", "barrier", "true", "false", "im",
})
# fmt: on

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_DIGITS = r"[0-9](?:_?[0-9])*+"
_POWER = rf"[eE][+-]?{_DIGITS}"
_TOKEN = re.compile(
    rf"""
    (?P<blank>[ \t\r\n]++|//[^\r\n]*+|/\*.*?\*/)
    |(?P<pragma>\#?pragma\b[^\r\n]*+)
    |(?P<name>[^\W\d]\w*+)
    |(?P<float>(?:{_DIGITS}\.(?:{_DIGITS})?|\.{_DIGITS})(?:{_POWER})?|{_DIGITS}{_POWER})
    |(?P<int>0[xX][0-9a-fA-F](?:_?[0-9a-fA-F])*+|0[bB][01](?:_?[01])*+|0o[0-7](?:_?[0-7])*+
        |{_DIGITS})
    |(?P<open>/\*|["'](?![^"'\r\n\t]*+["']))
    |(?P<string>"[^"\r\n\t]*+"|'[^'\r\n\t]*+')
    |(?P<annotation>@[^\W\d][\w.]*+[^\r\n]*+)
    |(?P<hardware>\$[0-9]++)
    |(?P<dim>\#dim\b)
    |(?P<assign>(?:\*\*|<<|>>|[-+*/%&|^~])=)
    |(?P<sign>\*\*|\+\+|->|<<|>>|&&|\|\||[=!<>]=|[-+*/%(){{}}\[\];:,=@.<>!~&|^])
    |(?P<strange>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"})
_END = "end"


class Tokens:
    """A cursor over the tokens of a text: `kind`, `text` and `start` of the present one."""

    __slots__ = ("_matches", "_program", "end", "kind", "start", "text")

    def __init__(self, program: str, start: int = 0):
        self._program = program
        self._matches = _TOKEN.finditer(program, start)
        self.kind, self.text, self.start = "", "", start
        self.advance()

    def advance(self) -> None:
        """Go to the next token; kind "end" behind the last. `end`: of the one that was left."""
        self.end = self.start + len(self.text)
        for match in self._matches:
            kind = match.lastgroup
            if kind != "blank":
                self.kind, self.text, self.start = kind, match[0], match.start()
                if kind == "name":
                    self._check_name()
                return
        self.kind, self.text, self.start = _END, "", len(self._program)

    @property
    def at_end(self) -> bool:
        """Whether all tokens have been read."""
        return self.kind == _END

    def take(self, text: str) -> bool:
        """Go past the present token where it is this sign or keyword."""
        if self.text == text:
            self.advance()
            return True
        return False

    def expect(self, text: str) -> None:
        """Go past this sign or keyword, or refuse what stands in its place."""
        if not self.take(text):
            self.refuse_token(f"'{text}' is missing before")

    def name(self) -> str:
        """Go past a name; refuses a keyword or anything else."""
        if self.kind != "name" or self.text in KEYWORDS:
            self.refuse_token("a name is missing before")
        text = self.text
        self.advance()
        return text

    @property
    def is_word(self) -> bool:
        """Whether the token is a word of the language at all."""
        return self.kind != "strange" and self.kind != "open"

    def closing(self) -> "Tokens":
        """A cursor of its own behind the bracket that closes the present one, or at the end."""
        other, depth = Tokens(self._program, self.start), 0
        while not other.at_end:
            depth += (other.text in ("(", "[", "{")) - (other.text in (")", "]", "}"))
            other.advance()
            if depth == 0:
                break
        return other

    def refuse_token(self, what: str = "unexpected") -> NoReturn:
        """Refuse the present token as not valid here."""
        if not self.is_word:
            self._refuse_character()
        found = "the end of the program" if self.at_end else quoted(self.text)
        self.refuse(f"not valid OpenQASM 3: {what} {found}")

    def refuse(self, message: str) -> NoReturn:
        """Raise a syntax error at the present token."""
        raise self.place(CircuitError(SYNTAX, message), self.start)

    def place(self, error: CircuitError, start: int) -> CircuitError:
        """The same error with line and column of a place in the text."""
        line = self._program.count("\n", 0, start) + 1
        return at_line(error, line, start - self._program.rfind("\n", 0, start))

    def _check_name(self) -> None:
        """The pattern takes all word characters; marks and odd digits are no part of a name."""
        if not self.text.isascii():
            for k, character in enumerate(self.text):
                ascii_part = character == "_" or "0" <= character <= "9"
                if not ascii_part and unicodedata.category(character) not in _LETTERS:
                    self.kind, self.start, self.text = "strange", self.start + k, character
                    return

    def _refuse_character(self) -> NoReturn:
        if self.text == "/*":
            self.refuse("a comment '/*' is never closed")
        if self.kind == "open":
            self.refuse(f"a string {self.text} is never closed")
        self.refuse(f"not valid OpenQASM 3: unexpected character {quoted(self.text)}")
