"""From chat text to a program: what counts as "the program" in a model's answer.

The rule, in one place. A program starts at a line that begins with `OPENQASM` and a version (code
fences, bullets and quotes before it are ignored; only where no line begins so, a header within a
line counts). It ends before the next such header or closing code fence, and after the last line of
it that ends a statement (`;` or `}`), so that prose behind it is left out. Of several programs the
last complete one counts (it declares qubits and measures); with no complete one, the last. Text
without any header is returned as it is, for the reader to refuse with its own message.
"""

import re

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_LINE_HEADER = re.compile(
    r"^[ \t>*`]*+(?:qasm3?|openqasm)?+[ \t`]*+(OPENQASM[ \t]++[0-9])", re.MULTILINE
)
_ANY_HEADER = re.compile(r"(OPENQASM[ \t\r\n]++[0-9])")
_FENCE = re.compile(r"```|~~~")
_QUBIT = re.compile(r"\bqubit\b")
_MEASURE = re.compile(r"\bmeasure\b")
_COMMENT = re.compile(r"//.*|/\*.*?(?:\*/|\Z)")


def extract_program(text: str) -> str:
    """The program within a model's answer (see the module's first lines for the rule)."""
    starts = [match.start(1) for match in _LINE_HEADER.finditer(text)]
    if not starts:
        starts = [match.start(1) for match in _ANY_HEADER.finditer(text)]
    if not starts:
        return text.strip()
    programs = [
        _trim(text[start:end]) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
    ]
    complete = [program for program in programs if _is_complete(program)]
    return (complete or programs)[-1]


def _is_complete(program: str) -> bool:
    qubit = _QUBIT.search(program)
    return qubit is not None and _MEASURE.search(program, qubit.end()) is not None


def _trim(text: str) -> str:
    """Cut at the closing fence and after the last line that ends a statement."""
    fence = _FENCE.search(text)
    if fence is not None:
        text = text[: fence.start()]
    lines = text.split("\n")
    for last in range(len(lines) - 1, -1, -1):
        if _COMMENT.sub("", lines[last]).rstrip().endswith((";", "}")):
            return "\n".join(lines[: last + 1]).rstrip()
    return text.strip()
