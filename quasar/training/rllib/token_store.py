"""Where the tokens of rollouts are while they wait for the learners: in Ray's object store.

A rollout worker returns its rollouts' tokens as an object of its own, which belongs to the process
that asked (so it outlives the worker); that process passes on the reference, and each learner reads
the sequences of its own micro-batches.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import ray

from quasar.policy.sequence import TokenSequence


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The tokens of one rollout: an entry of a stored list."""

    share: ray.ObjectRef  # of a list[TokenSequence]
    index: int


def fetch(stored: Iterable[StoredTokens | TokenSequence]) -> list[TokenSequence]:
    """The sequences, each stored list being read once. Raises RayError where one was lost."""
    stored = list(stored)
    shares = list({s.share: None for s in stored if isinstance(s, StoredTokens)})
    lists = dict(zip(shares, ray.get(shares), strict=True))
    return [lists[s.share][s.index] if isinstance(s, StoredTokens) else s for s in stored]
