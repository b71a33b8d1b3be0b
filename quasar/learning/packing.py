"""From token sequences to micro-batches.

Takes sequences (prompt + response with a mask); gives each rank the same number of right-padded
micro-batches under a token budget. Sequences of similar length share a micro-batch. Where the
number does not divide, a rank gets an empty micro-batch of weight zero: every rank must run the
same number of forward and backward passes, or collectives hang. Pure numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.policy.legal import LegalTokens, concatenate


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One trained sequence. `mask`, `sampler_log_probs` belong to the response tokens."""

    prompt_ids: np.ndarray  # (prompt,), int32
    response_ids: np.ndarray  # (response,), int32
    mask: np.ndarray  # (response,), 1 where the token is trained on
    sampler_log_probs: np.ndarray  # (response,), float32, of the policy that sampled
    advantage: float = 0.0
    weight: float = 1.0  # of each trained token in the loss, see losses.token_weights
    legal: LegalTokens | None = None  # (response,): what constrained tokens were drawn from

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.response_ids)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Right-padded. Target j of row i is input_ids[i, j + 1]; weight marks trained targets."""

    input_ids: np.ndarray  # (rows, time), int64
    attention_mask: np.ndarray  # (rows, time), int64
    trained: np.ndarray  # (rows, time − 1), bool: the next token is trained on
    sampler_log_probs: np.ndarray  # (rows, time − 1), float32
    advantages: np.ndarray  # (rows,), float32
    weights: np.ndarray  # (rows,), float32: of the row's trained tokens in the loss
    legal: LegalTokens | None = None  # of the trained tokens, row by row

    @property
    def num_tokens(self) -> int:
        """Trained tokens."""
        return int(self.trained.sum())


def pack(
    sequences: Sequence[TokenSequence], *, num_ranks: int, max_tokens: int, pad_id: int
) -> list[list[MicroBatch]]:
    """Micro-batches for each rank: equal count, each at most `max_tokens` padded tokens (one
    sequence that is longer than that gets a micro-batch of its own). Deterministic.
    """
    order = sorted(range(len(sequences)), key=lambda i: (len(sequences[i]), i))
    bins: list[list[int]] = []
    width = 0
    for i in order:  # ascending lengths: the newest member is the widest
        width = len(sequences[i])
        if bins and width * (len(bins[-1]) + 1) <= max_tokens:
            bins[-1].append(i)
        else:
            bins.append([i])
    while len(bins) % num_ranks or not bins:
        largest = max(range(len(bins)), key=lambda b: len(bins[b]), default=None)
        if largest is None or len(bins[largest]) < 2:
            bins.append([])
        else:  # halve the fullest bin rather than run an empty pass
            full = bins[largest]
            bins[largest] = full[: len(full) // 2]
            bins.append(full[len(full) // 2 :])
    batches = [_pad([sequences[i] for i in members], pad_id) for members in bins]
    by_cost = sorted(range(len(batches)), key=lambda b: (-batches[b].input_ids.size, b))
    # Deal the micro-batches out in turns, costliest first, so that ranks carry equal work.
    return [[batches[b] for b in by_cost[rank::num_ranks]] for rank in range(num_ranks)]


def _pad(sequences: Sequence[TokenSequence], pad_id: int) -> MicroBatch:
    rows, width = max(1, len(sequences)), max((len(s) for s in sequences), default=2)
    input_ids = np.full((rows, width), pad_id, np.int64)
    attention_mask = np.zeros((rows, width), np.int64)
    attention_mask[:, 0] = 1  # a row of an empty micro-batch still attends to something
    trained = np.zeros((rows, width - 1), bool)
    sampler_log_probs = np.zeros((rows, width - 1), np.float32)
    for r, s in enumerate(sequences):
        start, end = len(s.prompt_ids), len(s)
        input_ids[r, :start], input_ids[r, start:end] = s.prompt_ids, s.response_ids
        attention_mask[r, :end] = 1
        trained[r, start - 1 : end - 1] = s.mask
        sampler_log_probs[r, start - 1 : end - 1] = s.sampler_log_probs
    advantages = np.array([s.advantage for s in sequences] or [0.0], np.float32)
    weights = np.array([s.weight for s in sequences] or [1.0], np.float32)
    legal = concatenate(
        (int(s.mask.sum()), s.legal and s.legal.select(s.mask.astype(bool))) for s in sequences
    )
    return MicroBatch(
        input_ids, attention_mask, trained, sampler_log_probs, advantages, weights, legal
    )
