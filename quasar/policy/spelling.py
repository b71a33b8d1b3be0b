"""How a tokenizer spells what a program's grammar forces and what it leaves to choose.

A text that is tokenised piece by piece must give the ids of the whole, else a model under the
grammar writes in ids that it was never taught. Two kinds of pieces do: those that a tokenizer keeps
as one token each, as the small policy's does, and those that end where the tokenizer always cuts.
Byte-level tokenizers cut before a blank and behind a line break, so that ` 0.53;\\n` is spelt alike
wherever it stands; whether this one does is tried out.
"""

from collections.abc import Sequence, Set
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

_KEPT = 4096  # texts whose ids are kept


class Frame(NamedTuple):
    """What stands around a number that is chosen: forced before it, and chosen along with it."""

    opening: str  # the end of the forced text
    before: str
    after: str

    def choices(self, numbers: Sequence[str]) -> tuple[str, ...]:
        """What is chosen, of each number."""
        return tuple(f"{self.before}{number}{self.after}" for number in numbers)


WHOLE = Frame(" = ", "", "")  # a number is one token
SPELT = Frame(" =", " ", ";\n")  # a number is several, up to the end of its line


class Spelling:
    """Ids of texts, by one tokenizer."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self.encode = lru_cache(maxsize=_KEPT)(self._encode)
        self.keeps = lru_cache(maxsize=_KEPT)(self._keeps)

    @cached_property
    def whole(self) -> Set[str]:
        """Texts that the tokenizer never cuts, whatever stands around them."""
        added = self._tokenizer.added_tokens_decoder.values()
        return {
            token.content
            for token in added
            if not (token.special or token.normalized or token.single_word)
            and not (token.lstrip or token.rstrip)
        }

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def _keeps(self, before: str, choices: tuple[str, ...], after: str) -> bool:
        """Whether each choice is spelt as it is alone, between these texts, and so are they; and
        none is the beginning of another.
        """
        head, tail = self._encode(before), self._encode(after)
        alone = [self._encode(choice) for choice in choices]
        ordered = sorted(alone)
        return all(
            self._encode(before + choice + after) == head + ids + tail
            for choice, ids in zip(choices, alone, strict=True)
        ) and not any(b[: len(a)] == a for a, b in pairwise(ordered))
