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


def pack(
    sequences: Sequence[TokenSequence],
    *,
    num_ranks: int,
    max_tokens: int,
    pad_id: int,
    share_prompts: bool = False,
) -> list[list[MicroBatch]]:
    """Micro-batches for each rank: equal count, each at most `max_tokens` padded tokens (one
    sequence that is longer than that gets a micro-batch of its own). Deterministic.

    share_prompts: a prompt that several sequences of a micro-batch begin with is computed once.
    """
    bins: list[list[int]] = []
    for i in _order(sequences, share_prompts):
        if bins and _padded([sequences[j] for j in [*bins[-1], i]], share_prompts) <= max_tokens:
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
    batches = [_pad([sequences[i] for i in members], pad_id, share_prompts) for members in bins]
    by_cost = sorted(range(len(batches)), key=lambda b: (-batches[b].padded_tokens, b))
    # Deal the micro-batches out in turns, costliest first, so that ranks carry equal work.
    return [[batches[b] for b in by_cost[rank::num_ranks]] for rank in range(num_ranks)]


def _order(sequences: Sequence[TokenSequence], share_prompts: bool) -> list[int]:
    """Ascending lengths; with shared prompts, those of a prompt together."""
    lengths = [len(s) for s in sequences]
    longest = dict.fromkeys((_key(s) for s in sequences), 0) if share_prompts else {}
    for s in sequences if share_prompts else ():
        longest[_key(s)] = max(longest[_key(s)], len(s))

    def place(i: int):
        if not share_prompts:
            return lengths[i], i
        key = _key(sequences[i])
        return longest[key], key, lengths[i], i

    return sorted(range(len(sequences)), key=place)


def _key(sequence: TokenSequence) -> bytes:
    return sequence.prompt_ids.tobytes()


def _padded(sequences: Sequence[TokenSequence], share_prompts: bool) -> int:
    """Padded tokens of a micro-batch of these."""
    if not share_prompts:
        return len(sequences) * max(map(len, sequences))
    prompts = {_key(s): len(s.prompt_ids) - 1 for s in sequences}
    rows = len(sequences) * max(len(s.response_ids) + 1 for s in sequences)
    return rows + len(prompts) * max(1, *prompts.values())


def _pad(sequences: Sequence[TokenSequence], pad_id: int, share_prompts: bool) -> MicroBatch:
    prefix: dict[str, np.ndarray] = {}
    prompts = [s.prompt_ids for s in sequences]
    if share_prompts:
        prefix = _prefixes(prompts, pad_id)
        prompts = [p[-1:] for p in prompts]
    ends = [len(p) + len(s.response_ids) for p, s in zip(prompts, sequences, strict=True)]
    rows, width = max(1, len(sequences)), max(ends, default=2)
    input_ids = np.full((rows, width), pad_id, np.int64)
    attention_mask = np.zeros((rows, width), np.int64)
    attention_mask[:, 0] = 1  # a row of an empty micro-batch still attends to something
    trained = np.zeros((rows, width - 1), bool)
    sampler_log_probs = np.zeros((rows, width - 1), np.float32)
    for r, (s, prompt, end) in enumerate(zip(sequences, prompts, ends, strict=True)):
        start = len(prompt)
        input_ids[r, :start], input_ids[r, start:end] = prompt, s.response_ids
        attention_mask[r, :end] = 1
        trained[r, start - 1 : end - 1] = s.mask
        sampler_log_probs[r, start - 1 : end - 1] = s.sampler_log_probs
    advantages = np.array([s.advantage for s in sequences] or [0.0], np.float32)
    weights = np.array([s.weight for s in sequences] or [1.0], np.float32)
    legal = concatenate(
        (int(s.mask.sum()), s.legal and s.legal.select(s.mask.astype(bool))) for s in sequences
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
