"""From chat text to a program: what counts as "the program" in a model's answer.

The last complete program counts, without fences, tags, prose and thoughts; the rule in full is in
docs/openqasm.md. Text without any program is returned as it is, for the reader to refuse.
"""

import json
import re
from collections.abc import Iterator

from quasar.circuits.program_end import end_of_program

_OPEN_THOUGHT, _CLOSED_THOUGHT = "<think>", "</think>"
# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_HEADER = re.compile(r"OPENQASM[ \t\r\n]++[0-9]")
_CLOSED_HEADER = re.compile(r"OPENQASM[ \t\r\n]++[0-9]++(?:\.[0-9]++)?+[ \t\r\n]*+;")
_QUOTE_MARKS = re.compile(r"[ \t]*+>[ \t>]*+")
_QUOTED_LINE = re.compile(r"(?<=\n)[ \t]*+>[ \t>]*+")
_JSON_BLANKS = re.compile(r'"(?:[ \t\r\n]|\\[nrt])*+')
_MAX_BEFORE = 40  # characters
_MARK = re.compile(r"//[^\r\n]*+|/\*|```|~~~|OPENQASM")
_QUBIT = re.compile(r"(?:qubit|qreg)\b")
_MEASURE = re.compile(r"measure\b")
_AFTER_STATEMENT = re.compile(r"[;}][ \t]*+")
# What a program without header is known by: an include, a declaration, a measurement.
_BODY = re.compile(
    r'\binclude[ \t]*+"[^"\r\n]*+"[ \t]*+;'
    r"|\b(?:qubit|bit)[ \t]*+\[[^\[\]\r\n;]*+\][ \t]*+\w++[ \t]*+[;=]"
    r"|\bqubit[ \t]++\w++[ \t]*+;|\b(?:qreg|creg)[ \t]++\w++[ \t]*+\["
    r"|\b\w++(?:\[[0-9]++\])?+[ \t]*+=[ \t]*+measure[ \t]++\w++(?:\[[0-9]++\])?+[ \t]*+;"
)


def extract_program(text: str) -> str:
    """The program within a model's answer (the rule: docs/openqasm.md)."""
    text = _without_thoughts(text)
    starts = _starts(text)
    if not starts:
        return _without_header(text)
    chosen, best = "", -1
    for program in _programs(text, starts):
        rank = _rank(program)
        if rank == _COMPLETE:
            program = _trim(program)
            rank = _rank(program)
        if rank >= best:
            chosen, best = program, rank
    return chosen if best == _COMPLETE else _trim(chosen)


def _without_thoughts(text: str) -> str:
    closed = text.rfind(_CLOSED_THOUGHT)
    if closed >= 0:
        text = text[closed + len(_CLOSED_THOUGHT) :]
    return text.partition(_OPEN_THOUGHT)[0]


def _starts(text: str) -> list[int]:
    """Places of the headers; one that lacks its semicolon counts where all others do, too."""
    found, closed = [], []
    place = text.find("OPENQASM")
    while place >= 0:
        if _HEADER.match(text, place):
            found.append(place)
            if _CLOSED_HEADER.match(text, place):
                closed.append(place)
        place = text.find("OPENQASM", place + 1)
    return _without_repeated(text, closed) if closed else found[:1]


def _without_repeated(text: str, starts: list[int]) -> list[int]:
    """A header right behind a statement of a program that is not complete is an error in it."""
    kept, since, declares, measures = starts[:1], starts[0] if starts else 0, False, False
    for start in starts[1:]:
        between = text[since:start]
        since = start
        qubit = _QUBIT.search(between)
        measures |= (
            _MEASURE.search(between, 0 if declares else (qubit and qubit.end()) or 0) is not None
        )
        declares |= qubit is not None
        line = max(text.rfind("\n", 0, start) + 1, start - _MAX_BEFORE)
        after = max(text.rfind(sign, line, start) for sign in ";}")
        joined = after >= 0 and _AFTER_STATEMENT.fullmatch(text, after, start) is not None
        if joined and not (declares and measures):
            continue
        kept.append(start)
        declares = measures = False
    return kept


def _programs(text: str, starts: list[int]) -> Iterator[str]:
    """The programs that start there; a start within a comment of one before it is none."""
    marks, end = set(starts), -1
    for start in starts:
        if start < end:
            continue
        escaped = _escaped(text, start)
        if escaped is not None:
            program, end = escaped
            yield program
            continue
        end = _end(text, start, marks)
        program = text[start:end]
        line = text.rfind("\n", max(0, start - _MAX_BEFORE), start) + 1
        if _QUOTE_MARKS.fullmatch(text, line, start):
            program = _QUOTED_LINE.sub("", program)
        yield program


def _escaped(text: str, start: int) -> tuple[str, int] | None:
    """A program that is a JSON string, and the place behind it; None for any other."""
    quote = text.rfind('"', max(0, start - _MAX_BEFORE), start)
    if quote < 0 or _JSON_BLANKS.fullmatch(text, quote, start) is None:
        return None
    try:
        program, end = json.decoder.scanstring(  # pyright: ignore[reportAttributeAccessIssue]  # not in its stub
            text, quote + 1, False
        )
    except ValueError:
        return None
    if "\\" not in text[start:end]:
        return None  # a quotation mark before plain text
    return program.lstrip(), end


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


_COMPLETE = 2


def _rank(program: str) -> int:
    """How far a program has come: 1 where it declares qubits, 2 where it measures, too."""
    if _CLOSED_HEADER.match(program) is None:
        return 0
    qubit = _QUBIT.search(program)
    if qubit is None:
        return 0
    return _COMPLETE if _MEASURE.search(program, qubit.end()) else 1


def _trim(program: str) -> str:
    return program[: end_of_program(program)].rstrip()


def _without_header(text: str) -> str:
    """From the first statement that is surely one, for the reader to miss the header."""
    body = _BODY.search(text)
    if body is None:
        return text.strip()
    return _trim(text[body.start() : _end(text, body.start(), set())])
