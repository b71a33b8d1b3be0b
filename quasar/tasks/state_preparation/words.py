"""States in a person's words: `prepare a GHZ state on five qubits`."""

import re
from typing import Any

from quasar.tasks.words import Words, refuse

TASK = "state_preparation"
ACCEPTED = (
    "e.g. prepare a GHZ state on 5 qubits (GHZ, W, Bell phi+, Dicke state with 2 ones, cluster "
    "state of a ring, graph state of the edges 0-1 1-2, or kets as |0>|+>|-i>)"
)
_KET = r"\|(?:[01]|[+-]i?)>"
_NAMES = r"\b(ghz|bell|w|dicke|cluster|graph)[- ]states?\b"


def read_words(text: str) -> tuple[str, dict[str, Any], int, tuple[str, ...]] | None:
    """(family, content, qubits, notes); None where no state is asked for.

    Raises TaskError where one is, and not all of the text is understood.
    """
    words = Words(text)
    kets = _kets(words)
    named = words.take(_NAMES)
    if not kets and named is None:
        return None
    n, notes = words.size("qubit"), ()
    if kets:
        family, content = "known", {"states": kets}
        if named is not None or n not in (None, len(kets)):
            refuse(TASK, f"{len(kets)} kets stand beside another state or size", ACCEPTED)
        n = len(kets)
    else:
        assert named is not None
        family = named[1].lower()
        content, notes = _content(family, words)
        n = _qubits(family, content, n)
    words.require_read(TASK, ACCEPTED)
    return family, content, n, notes


def _kets(words: Words) -> list[str]:
    """One ket a qubit, standing together."""
    found = words.take(rf"(?:{_KET}\s*)+")
    return [] if found is None else [ket[1:-1] for ket in re.findall(_KET, found[0])]


def _content(family: str, words: Words) -> tuple[dict[str, Any], tuple[str, ...]]:
    if family == "ghz":
        return {"sign": -1 if words.take(r"\b(?:with a )?minus(?: sign)?\b") else 1}, ()
    if family == "bell":
        which = words.take(r"\b(phi|psi)\s?([+-])")
        notes = () if which else ("the Bell state is phi+, for none was named",)
        return {"which": f"{which[1].lower()}{which[2]}" if which else "phi+"}, notes
    if family == "dicke":
        ones = words.take(r"\b(\d+) (?:ones?|excitations?)\b")
        if ones is None:
            refuse(TASK, "how many ones the Dicke state has is not said", ACCEPTED)
        return {"ones": int(ones[1])}, ()
    if family == "cluster":
        shape = words.take(r"\b(chain|ring|rows)\b")
        notes = () if shape else ("the cluster is a chain, for no shape was named",)
        return {"shape": shape[1].lower() if shape else "chain"}, notes
    if family == "graph":
        edges = [tuple(map(int, e.split("-"))) for e in words.take_all(r"\b\d+-\d+\b")]
        words.take(r"\b(?:edges|graph)\b")
        if not edges:
            refuse(TASK, "the graph state has no edges", ACCEPTED)
        return {"edges": [list(edge) for edge in edges]}, ()
    return {}, ()


def _qubits(family: str, content: dict[str, Any], n: int | None) -> int:
    if family == "bell":
        return 2 if n is None else n
    if family == "graph":
        return 1 + max(map(max, content["edges"])) if n is None else n
    if n is None:
        refuse(TASK, "the number of qubits is not said", ACCEPTED)
    return n
