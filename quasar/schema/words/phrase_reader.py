"""The smallest parts of a problem in words: labels, numbers, weights, and lists of them.

`PhraseReader` holds the tokens, the problem that they are about and what has been found; the rules
of the grammar are its subclasses. A method takes the place of a token; it gives what stands there
and the place behind it, or None.
"""

import re
from collections.abc import Sequence
from typing import Any

from quasar.problems.base import GraphProblem
from quasar.schema.words.parsed import Label, ParsedText
from quasar.schema.words.tokens import EDGE_WORDS, KNOWN_WORDS, NODE_WORDS, Token

_LABEL = re.compile(r"[^\W\d_]{1,8}_?[0-9]{1,6}|[^\W\d_]|0[0-9]{1,8}")
_WEIGHT_WORDS = {"weight", "weights", "capacity", "capacities", "cap", "w", "c"}
OPENING = {"(": ")", "[": "]", "{": "}"}


class PhraseReader:
    """Reads parts of a text; keeps what it has found."""

    def __init__(self, tokens: Sequence[Token], problem: GraphProblem | None):
        self.tokens = list(tokens)
        self.problem = problem
        self.found = ParsedText()
        self.declared: set[str] = set()  # labels that a list of nodes names

    def _is(self, i: int, *texts: str) -> bool:
        return 0 <= i < len(self.tokens) and self.tokens[i].lower in texts

    def _kind(self, i: int) -> str:
        return self.tokens[i].kind if 0 <= i < len(self.tokens) else ""

    def _words(self, i: int, words: Sequence[str]) -> int | None:
        """The token behind these words."""
        after = i + len(words)
        return after if [t.lower for t in self.tokens[i:after]] == list(words) else None

    def _touches(self, i: int) -> bool:
        """Whether no space is between this token and the one before."""
        return 0 < i < len(self.tokens) and self.tokens[i - 1].end == self.tokens[i].start

    def _label(self, i: int, *, any_word: bool = False) -> Label | None:
        """The node that the token names; any_word: also a word that is no usual label."""
        kind = self._kind(i)
        if kind == "quoted":
            return self.tokens[i].value
        if kind not in ("number", "word"):
            return None
        text = self.tokens[i].text
        if kind == "number":
            if not text.isdigit():
                return None
            return text if text[0] == "0" and len(text) > 1 else self.tokens[i].value
        # of a script without capitals, words such as 北京 stand beside a link as letters do
        uncased = not text.isascii() and text.lower() == text.upper()
        usual = _LABEL.fullmatch(text) or uncased or text in self.declared
        if usual or (any_word and text.lower() not in KNOWN_WORDS):
            return text
        return None

    def _number(self, i: int) -> tuple[float, int] | None:
        """(number, the token behind it), with its sign; none that a link or a word follows."""
        sign, place = 1, i
        if self._is(i, "-", "−", "+") and self._touches(i + 1):
            sign, place = (1 if self._is(i, "+") else -1), i + 1
        if self._kind(place) != "number" or self._link(place + 1):
            return None
        return sign * self.tokens[place].value, place + 1

    def _link(self, i: int) -> bool:
        """Whether token i joins its neighbours: space on both sides of it or on neither."""
        return (
            self._kind(i) == "link"
            and self._kind(i + 1) in ("number", "word", "quoted")
            and self._touches(i) == self._touches(i + 1)
        )

    def _weight(self, i: int) -> tuple[float | None, int]:
        """The weight that follows an edge, (None, i) where there is none."""
        if self._is(i, ":", "="):
            number = self._number(i + 1)
            return number or (None, i)
        for opening in (True, False):
            place = i
            if opening:
                if not self._is(i, "("):
                    continue
                place += 1
            elif self._is(place, "with", "of", "has"):
                place += 1
            worded = self._kind(place) == "word" and self._is(place, *_WEIGHT_WORDS)
            if worded:
                place += 1
                if self._is(place, "=", ":", "of", "is"):
                    place += 1
            number = self._number(place) if worded or opening else None
            if number is None:
                continue
            if not opening:
                return number
            if self._is(number[1], ")"):
                return number[0], number[1] + 1
        return None, i

    # -- the problem, and what is found
    def _attribute_of(self, name: str) -> bool:
        return self.problem is not None and name in self.problem.attributes

    def _items(self) -> bool:
        """Whether the problem's numbers stand on nodes without edges."""
        return (
            self.problem is not None
            and bool(self.problem.node_fields)
            and not self.problem.edge_fields
        )

    def _give(self, attribute: str, value: Any) -> None:
        given = self.found.attributes
        if attribute in given and given[attribute] != value:
            self.found.faults.append(
                f"{attribute} is given twice: {given[attribute]!r} and {value!r}"
            )
        given[attribute] = value

    def _declare(self, labels: Any) -> None:
        self.found.nodes += [v for v in labels if v not in self.found.nodes]
        self.declared |= {v for v in labels if isinstance(v, str)}

    def _text(self, i: int, after: int) -> str:
        words = self.tokens[i:after]
        return "".join(
            (" " if k and words[k - 1].end < word.start else "") + word.text
            for k, word in enumerate(words)
        )

    def _label_list(self, i: int, *, any_word: bool = True) -> tuple[list[Label], int] | None:
        """Labels with commas, "and" or spaces between them, or in brackets."""
        closing = OPENING.get(self.tokens[i].text) if i < len(self.tokens) else None
        place = i + 1 if closing else i
        found: list[Label] = []
        after = place
        while True:
            label = self._label(place)
            if label is None and any_word and self._alone(place):
                label = self._label(place, any_word=True)
            if label is None or (
                isinstance(label, str) and label.lower() in KNOWN_WORDS and not self._alone(place)
            ):
                break
            if self._link(place + 1):
                break
            if not closing and self._is(place + 1, ":", "=") and self._touches(place + 2):
                break
            if not closing and self._is(place + 1, *NODE_WORDS, *EDGE_WORDS):
                break
            found.append(label)
            after = place = place + 1
            while self._is(place, ",", "and"):
                place += 1
        if closing:
            return (found, after + 1) if found and self._is(after, closing) else None
        return (found, after) if found else None

    def _alone(self, i: int) -> bool:
        """Whether a word of a list stands between commas, brackets or ends of the text."""
        before = self._kind(i - 1) != "number" or self._is(i - 1, ",", "and")
        return before and (i + 1 == len(self.tokens) or self._is(i + 1, *",;.)]}", "and"))

    def _numbers(self, i: int) -> tuple[list[Any], int] | None:
        """Numbers with commas, "and" or spaces between, or in brackets; "0:3/7" is (0, 3, 7)."""
        closing = OPENING.get(self.tokens[i].text) if i < len(self.tokens) else None
        place = i + 1 if closing else i
        found: list[Any] = []
        after = place
        while True:
            number = self._number(place)
            if number is None:
                break
            found.append(number[0])
            after = place = number[1]
            while self._is(place, ",", "and"):
                place += 1
        if closing:
            return (found, after + 1) if found and self._is(after, closing) else None
        return (found, after) if found else None
