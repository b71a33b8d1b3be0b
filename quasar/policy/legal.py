"""The legal sets of constrained sequences, from the sampler to the learner.

A program has few distinct sets (about a hundred for six qubits), so a sequence carries each once
and an index a token, not a mask of the vocabulary a token. Pure numpy.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class LegalTokens:
    """What was legal at each token of a sequence: token t was drawn from sets[index[t]].

    An index of −1 stands for the whole vocabulary (tokens that were not constrained, or only read).
    """

    index: np.ndarray  # (tokens,), int32
    sets: tuple[np.ndarray, ...]  # sorted token ids, int32

    @property
    def free(self) -> np.ndarray:
        """(tokens,) bool: True where there was more than one token to choose from."""
        sizes = np.array([*map(len, self.sets), 2], np.int64)  # the last: of the vocabulary
        return sizes[self.index] > 1

    def select(self, chosen: np.ndarray) -> "LegalTokens":
        """The record of the tokens where `chosen`, (tokens,) bool, is True, with their sets alone:
        a learner makes a mask of the vocabulary of each.
        """
        index = self.index[chosen]
        used = np.unique(index[index >= 0])
        places = np.searchsorted(used, index).astype(np.int32)
        return LegalTokens(
            np.where(index < 0, np.int32(-1), places), tuple(self.sets[i] for i in used)
        )

    def table(self, vocab_size: int) -> np.ndarray:
        """(sets + 1, vocab_size) bool, True where a token is legal; table[index] is each token's
        mask, the last row being that of index −1.
        """
        table = np.zeros((len(self.sets) + 1, vocab_size), bool)
        for row, tokens in enumerate(self.sets):
            table[row, tokens] = True
        table[-1] = True
        return table


def concatenate(parts: Iterable[tuple[int, LegalTokens | None]]) -> LegalTokens | None:
    """One record for consecutive pieces of `n` tokens each; None where no piece was constrained."""
    index: list[np.ndarray] = []
    places: dict[bytes, int] = {}
    sets: list[np.ndarray] = []
    for length, legal in parts:
        if legal is None:
            index.append(np.full(length, -1, np.int32))
            continue
        moved = np.array([place_of(s, places, sets) for s in legal.sets], np.int32)
        index.append(np.where(legal.index < 0, -1, moved[legal.index]).astype(np.int32))
    return LegalTokens(np.concatenate(index), tuple(sets)) if sets else None


def place_of(tokens: np.ndarray, places: dict[bytes, int], sets: list[np.ndarray]) -> int:
    """Index of a set in `sets`, where it is appended if it is new; `places` finds it again."""
    key = tokens.tobytes()
    if key not in places:
        places[key] = len(sets)
        sets.append(tokens)
    return places[key]
