"""Stabiliser circuits in a person's words: `stabiliser state of +XXX +ZZI +IZZ`."""

from typing import Any

from quasar.tasks.stabiliser.families import code
from quasar.tasks.words import Words, refuse

TASK = "stabiliser"
ACCEPTED = (
    "e.g. stabiliser state of +XXX +ZZI +IZZ (one string a qubit, the first letter is of qubit 0), "
    "or encoder of the 5-qubit code (or Steane, Shor, 3-qubit repetition, distance-3 surface code)"
)
_CODES = {
    r"\b5[- ]qubit (?:perfect )?code\b": ("five_qubit", 5),
    r"\bsteane(?:'s)?(?: code)?\b": ("steane", 7),
    r"\bshor(?:'s)?(?: code)?\b": ("shor", 9),
}


def read_words(text: str) -> tuple[str, dict[str, Any], int | None, tuple[str, ...]] | None:
    """(family, content, qubits, notes); None where no stabiliser circuit is asked for.

    Raises TaskError where one is, and not all of the text is understood.
    """
    words = Words(text)
    cue = words.take(r"\b(?:stabili[sz]ers?|clifford|encoders?|encode)\b(?: states?\b)?")
    if cue is None:
        return None
    words.take_all(r"\b(?:stabili[sz]ed?(?: by)?|clifford|encoders?|circuit|logical qubit)\b")
    named = _code(words)
    if named is not None:
        family, n = named
        words.size("qubit")
        words.require_read(TASK, ACCEPTED)
        return family, code(family, n), n, ()
    rows = words.take_all(r"(?<!\w)[+-]?[IXYZ]{2,}\b", exact=True)
    if not rows:
        refuse(TASK, "no strings and no code are named", ACCEPTED)
    n = words.size("qubit")
    words.require_read(TASK, ACCEPTED)
    if len(rows) != len(rows[0].lstrip("+-")):
        refuse(
            TASK,
            f"{len(rows)} strings of {len(rows[0].lstrip('+-'))} letters are no state",
            ACCEPTED,
        )
    return "custom", {"stabilisers": rows}, n, ()


def _code(words: Words) -> tuple[str, int] | None:
    for pattern, found in _CODES.items():
        if words.take(pattern) is not None:
            return found
    size = words.take(r"\b(\d+)[- ](?:qubit|bit) repetition(?: code)?\b")
    if size is not None:
        return "repetition", int(size[1])
    surface = words.take(r"\bdistance[- ](\d+) (?:rotated )?surface(?: code)?\b")
    return None if surface is None else ("surface", int(surface[1]) ** 2)
