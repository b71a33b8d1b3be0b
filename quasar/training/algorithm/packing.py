"""From token sequences to micro-batches.

Takes sequences (prompt + response with a mask). `deal` gives each rank the same number of
right-padded micro-batches under a token budget, by the sequences' counts alone; `pad` makes the
arrays of one. Sequences of similar length share a micro-batch. Where the number does not divide, a
rank gets an empty micro-batch of weight zero: every rank must run the same number of forward and
backward passes, or collectives hang. Pure numpy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quasar.policy.legal import LegalTokens, concatenate
from quasar.policy.sequence import TokenCounts, TokenSequence


@dataclass(frozen=True, slots=True)
class TrainingSequence:
    """A sequence as it enters the loss. Its tokens, or where they are."""

    tokens: Any  # TokenSequence, or StoredTokens until a learner fetches them
    counts: TokenCounts
    advantage: float = 0.0
    weight: float = 1.0  # of each trained token in the loss, see losses.token_weights

    @classmethod
    def of(cls, tokens: TokenSequence, advantage: float = 0.0) -> "TrainingSequence":
        """A sequence at hand."""
        return cls(tokens, tokens.counts, advantage)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Right-padded. Target j of row i is input_ids[i, j + 1]; trained marks trained targets.

    A row is a whole sequence, or, where `prefix_ids` is given, what follows the prefix that it
    shares with other rows: the last token of the prompt and the response.
    """

    input_ids: np.ndarray  # (rows, time), int64
    attention_mask: np.ndarray  # (rows, time), int64
    trained: np.ndarray  # (rows, time − 1), bool: the next token is trained on
    sampler_log_probs: np.ndarray  # (rows, time − 1), float32
    advantages: np.ndarray  # (rows,), float32
    weights: np.ndarray  # (rows,), float32: of the row's trained tokens in the loss
    legal: LegalTokens | None = None  # of the trained tokens, row by row
    prefix_ids: np.ndarray | None = None  # (prefixes, prefix time), int64
    prefix_lengths: np.ndarray | None = None  # (prefixes,), int64
    prefix_of: np.ndarray | None = None  # (rows,), int64: index of each row's prefix

    @property
    def num_tokens(self) -> int:
        """Trained tokens."""
        return int(self.trained.sum())

    @property
    def padded_tokens(self) -> int:
        """Tokens that the model computes, padding included."""
        return self.input_ids.size + (0 if self.prefix_ids is None else self.prefix_ids.size)


def deal(
    sequences: Sequence[TrainingSequence],
    *,
    num_ranks: int,
    max_tokens: int,
    share_prompts: bool = False,
) -> list[list[list[TrainingSequence]]]:
    """Micro-batches for each rank, by the sequences' counts alone: equal number, each at most
    `max_tokens` padded tokens (one sequence that is longer than that gets a micro-batch of its
    own). Deterministic.

    share_prompts: a prompt that several sequences of a micro-batch begin with is computed once.
    """
    bins: list[list[TrainingSequence]] = []
    for sequence in sorted(sequences, key=_order(sequences, share_prompts)):
        if bins and _padded([*bins[-1], sequence], share_prompts) <= max_tokens:
            bins[-1].append(sequence)
        else:
            bins.append([sequence])
    while len(bins) % num_ranks or not bins:
        largest = max(range(len(bins)), key=lambda b: len(bins[b]), default=None)
        if largest is None or len(bins[largest]) < 2:
            bins.append([])
        else:  # halve the fullest bin rather than run an empty pass
            full = bins[largest]
            bins[largest] = full[: len(full) // 2]
            bins.append(full[len(full) // 2 :])
    # Deal the micro-batches out in turns, costliest first, so that ranks carry equal work.
    by_cost = sorted(bins, key=lambda members: -_padded(members, share_prompts))
    return [by_cost[rank::num_ranks] for rank in range(num_ranks)]


def _order(
    sequences: Sequence[TrainingSequence], share_prompts: bool
) -> Callable[[TrainingSequence], Any]:
    """Ascending lengths; with shared prompts, those of a prompt together."""
    longest: dict[int, int] = {}
    for s in sequences:
        key = s.counts.prompt_key
        longest[key] = max(longest.get(key, 0), s.counts.total)

    def place(s: TrainingSequence) -> Any:
        key, length = s.counts.prompt_key, s.counts.total
        return (longest[key], key, length) if share_prompts else length

    return place


def _padded(sequences: Sequence[TrainingSequence], share_prompts: bool) -> int:
    """Padded tokens of a micro-batch of these."""
    counts = [s.counts for s in sequences]
    if not share_prompts:
        return len(counts) * max((c.total for c in counts), default=0)
    prompts = {c.prompt_key: c.prompt - 1 for c in counts}
    rows = len(counts) * max((c.scored + 1 for c in counts), default=0)
    return rows + len(prompts) * max(1, *prompts.values(), 0)


def pad(
    members: Sequence[TrainingSequence], *, pad_id: int, share_prompts: bool = False
) -> MicroBatch:
    """One micro-batch of sequences whose tokens are at hand."""
    sequences = [s.tokens for s in members]
    prefix: dict[str, np.ndarray] = {}
    prompts = [s.prompt_ids for s in sequences]
    if share_prompts:
        prefix = _prefixes(prompts, pad_id)
        prompts = [p[-1:] for p in prompts]
    ends = [len(p) + m.counts.scored for p, m in zip(prompts, members, strict=True)]
    rows, width = max(1, len(sequences)), max(ends, default=2)
    input_ids = np.full((rows, width), pad_id, np.int64)
    attention_mask = np.zeros((rows, width), np.int64)
    attention_mask[:, 0] = 1  # a row of an empty micro-batch still attends to something
    trained = np.zeros((rows, width - 1), bool)
    sampler_log_probs = np.zeros((rows, width - 1), np.float32)
    for r, (s, prompt, end) in enumerate(zip(sequences, prompts, ends, strict=True)):
        start, scored = len(prompt), slice(end - len(prompt))
        input_ids[r, :start], input_ids[r, start:end] = prompt, s.response_ids[scored]
        attention_mask[r, :end] = 1
        trained[r, start - 1 : end - 1] = s.trained[scored]
        sampler_log_probs[r, start - 1 : end - 1] = s.log_probs[scored]
    advantages = np.array([s.advantage for s in members] or [0.0], np.float32)
    weights = np.array([s.weight for s in members] or [1.0], np.float32)
    legal = concatenate(
        (m.counts.trained, s.legal and s.legal.select(s.trained))
        for m, s in zip(members, sequences, strict=True)
    )
    return MicroBatch(
        input_ids, attention_mask, trained, sampler_log_probs, advantages, weights, legal, **prefix
    )


def _prefixes(prompts: Sequence[np.ndarray], pad_id: int) -> dict[str, np.ndarray]:
    """The distinct prompts without their last token. Never empty: every rank runs as many passes,
    and a rank without sequences must run this one too."""
    index = {p.tobytes(): p[:-1] for p in prompts} or {b"": np.zeros(0, np.int32)}
    places = {key: place for place, key in enumerate(index)}
    lengths = np.array([len(p) for p in index.values()], np.int64)
    ids = np.full((len(index), max(1, lengths.max())), pad_id, np.int64)
    for row, prompt in zip(ids, index.values(), strict=True):
        row[: len(prompt)] = prompt
    of = np.array([places[p.tobytes()] for p in prompts] or [0], np.int64)
    return dict(prefix_ids=ids, prefix_lengths=lengths, prefix_of=of)
