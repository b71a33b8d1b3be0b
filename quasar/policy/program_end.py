"""Where a program that is being written ends: at the measurement of its last qubit."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from quasar.policy.tool_calls import CALL, CALL_END

_COMMENT = re.compile(r"//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_DECLARED = re.compile(r"\b(?:qubit|qreg)\b")
_REGISTER = re.compile(
    r"\bqubit\s*+(?:\[\s*+(\d{1,4})\s*+\])?+\s*+([A-Za-z_]\w*+)\s*+;"
    r"|\bqreg\s++([A-Za-z_]\w*+)\s*+(?:\[\s*+(\d{1,4})\s*+\])?+\s*+;"
)
_MEASURED = re.compile(
    r"\bmeasure\s++([A-Za-z_]\w*+)\s*+(?:\[\s*+(\d{1,4})\s*+\])?+\s*+(?:;|->|\Z)"
)
_OPEN_THOUGHT, _CLOSED_THOUGHT = "<think>", "</think>"


def measures_all(program: str) -> bool:
    """Whether the program's text, as far as it goes, has measured every qubit it declares.

    False for what is not plain: sizes that are no numbers, measurements of ranges and aliases.
    """
    program = _COMMENT.sub(" ", program)
    sizes = {
        name or old: int(size or old_size or 1)
        for size, name, old, old_size in _REGISTER.findall(program)
    }
    if not sizes or len(_DECLARED.findall(program)) != len(sizes):
        return False
    measured: dict[str, set[int]] = {name: set() for name in sizes}
    for name, index in _MEASURED.findall(program):
        if name in sizes:
            measured[name] |= {int(index)} if index else set(range(sizes[name]))
    return all(measured[name] >= set(range(size)) for name, size in sizes.items())


class EndOfProgram:
    """Watches one answer, token by token, for the end of its program (or of its tool call)."""

    __slots__ = ("_call", "_pieces", "_program", "_statement", "_thinks")

    def __init__(self, pieces: Sequence[str]):
        self._pieces = pieces  # text of each token id
        self._program = ""  # whole statements since the last header
        self._statement = ""  # what follows them
        self._thinks = False  # within a thought, whose programs are no answer
        self._call: str | None = None  # the end of the text so far, within a tool call

    def take(self, token: int) -> bool:
        """Add a token; True where it closes the program."""
        piece = self._pieces[token]
        if self._call is not None:
            # The program is a JSON string here: the call's own end is what counts.
            self._call = (self._call + piece)[-2 * len(CALL_END) - len(piece) :]
            return CALL_END in self._call
        self._statement += piece
        if CALL in self._statement:
            self._call = self._statement.rpartition(CALL)[2]
            return False
        if ";" not in piece:
            return False
        text, self._statement = self._statement, ""
        opened, closed = text.rfind(_OPEN_THOUGHT), text.rfind(_CLOSED_THOUGHT)
        self._thinks = opened > closed if opened != closed else self._thinks
        if self._thinks:
            self._program = ""
            return False
        header = text.rfind("OPENQASM")
        self._program = text[header:] if header >= 0 else self._program + text
        return "measure" in text and measures_all(self._program)


def token_pieces(tokenizer: Any, *, vocab_size: int) -> list[str]:
    """Text of each id below `vocab_size`; empty for ids that the tokenizer does not have."""
    ids: Iterable[list[int]] = ([i] for i in range(len(tokenizer)))
    texts = tokenizer.batch_decode(list(ids), clean_up_tokenization_spaces=False)
    return texts + [""] * (vocab_size - len(texts))
