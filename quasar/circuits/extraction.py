"""From chat text to a program: what counts as "the program" in a model's answer.

The last complete program counts, without fences, prose and thoughts; the rule in full is in
docs/openqasm.md. Text without any header is returned as it is, for the reader to refuse.
"""

import re
from collections.abc import Iterator

_OPEN_THOUGHT, _CLOSED_THOUGHT = "<think>", "</think>"
# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_HEADER = re.compile(r"OPENQASM[ \t\r\n]++[0-9]")
_CLOSED_HEADER = re.compile(r"OPENQASM[ \t\r\n]++[0-9]++(?:\.[0-9]++)?+[ \t\r\n]*+;")
_BEFORE_HEADER = re.compile(r"[ \t>*`~\ufeff]*+(?:(?:open)?qasm[0-9.]*+)?+[ \t`]*+")
_MAX_BEFORE = 40  # characters
_MARK = re.compile(r"//[^\r\n]*+|/\*|```|~~~|OPENQASM")
_COMMENT = re.compile(r"//.*|/\*.*?(?:\*/|\Z)")
_QUBIT = re.compile(r"(?:qubit|qreg)\b")
_MEASURE = re.compile(r"measure\b")


def extract_program(text: str) -> str:
    """The program within a model's answer (the rule: docs/openqasm.md)."""
    text = _without_thoughts(text)
    headers = list(_headers(text))
    starts = [place for place, begins_line in headers if begins_line]
    starts = starts or [place for place, _ in headers]
    if not starts:
        return text.strip()
    chosen = None
    for program in _programs(text, starts):
        if chosen is None or _is_complete(program) or not _is_complete(chosen):
            chosen = program
    return chosen


def _without_thoughts(text: str) -> str:
    closed = text.rfind(_CLOSED_THOUGHT)
    if closed >= 0:
        text = text[closed + len(_CLOSED_THOUGHT) :]
    return text.partition(_OPEN_THOUGHT)[0]


def _headers(text: str) -> Iterator[tuple[int, bool]]:
    """Places of all headers, and whether they begin a line."""
    place = text.find("OPENQASM")
    while place >= 0:
        if _HEADER.match(text, place):
            first = max(0, place - _MAX_BEFORE)
            line = text.rfind("\n", first, place) + 1
            begins = line > 0 or first == 0
            yield place, begins and _BEFORE_HEADER.fullmatch(text, line, place) is not None
        place = text.find("OPENQASM", place + 1)


def _programs(text: str, starts: list[int]) -> Iterator[str]:
    """The programs that start there; a start within a comment of one before it is none."""
    marks, end = set(starts), -1
    for start in starts:
        if start >= end:
            end = _end(text, start, marks)
            yield _trim(text[start:end])


def _end(text: str, start: int, marks: set[int]) -> int:
    """Place of the fence or header that ends the program, or the end of the text."""
    place, may_close = start + 1, True
    while (mark := _MARK.search(text, place)) is not None:
        place = mark.end()
        if mark[0] == "/*":
            closed = text.find("*/", place) if may_close else -1
            may_close = closed >= 0  # so that the text is not searched again and again
            place = closed + 2 if may_close else place
        elif not mark[0].startswith("/") and (mark[0] != "OPENQASM" or mark.start() in marks):
            return mark.start()
    return len(text)


def _is_complete(program: str) -> bool:
    if _CLOSED_HEADER.match(program) is None:
        return False
    qubit = _QUBIT.search(program)
    return qubit is not None and _MEASURE.search(program, qubit.end()) is not None


def _trim(text: str) -> str:
    """Cut after the last line that ends a statement."""
    lines = text.split("\n")
    for last in range(len(lines) - 1, -1, -1):
        line = lines[last]
        if "/" in line:
            line = _COMMENT.sub("", line)
        if line.rstrip().endswith((";", "}")):
            return "\n".join(lines[: last + 1]).rstrip()
    return text.strip()
