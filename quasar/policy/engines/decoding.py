"""The rows that are decoded together: one forward pass a token, over a shared key/value cache.

Rows are padded on the left, so that all end at the same column. A row that has ended is dropped,
and its place may be taken by a waiting one: `admit` reads the prompts of new rows in a pass of
their own, each distinct prompt once, and joins the two caches. The cache lives no longer than the
rows, so it never outlives the weights.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad
from transformers.cache_utils import Cache, DynamicLayer

from quasar.policy.engines.protocol import Sampling
from quasar.policy.grammar import ProgramPath
from quasar.policy.program_end import EndOfProgram

# Rows that have ended are dropped when they are at least this share of the batch: dropping copies
# the cache.
_COMPACT_SHARE = 0.25
_ROOM = 32  # columns by which a cache grows
_LIKELY = 64  # tokens among which a nucleus is looked for first


class Drawn(NamedTuple):
    """A token as it was drawn."""

    token: int
    log_prob: float
    legal: int  # number of the legal set it was drawn from; -1: the whole vocabulary


@dataclass(slots=True)
class DecodingRow:
    """One sequence: its prompt, what it may still write, and what it has written."""

    key: int  # the caller's
    prompt: Sequence[int]
    sampling: Sampling
    draws: np.ndarray  # (max_tokens,) uniform numbers in [0, 1)
    path: ProgramPath | None = None  # where it stands in the grammar, if it is held to one
    end: EndOfProgram | None = None
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    sets: list[int] = field(default_factory=list)  # numbers of the legal sets drawn from
    versions: list[int] = field(default_factory=list)  # of the weights that each was drawn from
    version: int = 0  # of the weights that the next one is drawn from
    finished: bool = False
    dropped: bool = False  # the caller does not want it any more

    @property
    def running(self) -> bool:
        """Whether it writes on."""
        return not (self.finished or self.dropped) and len(self.ids) < self.sampling.max_tokens

    def legal(self) -> int:
        """Number of the legal set of its next token."""
        assert self.path is not None  # asked of constrained rows only
        # Where the turn ends with the program, the end needs no token of its own.
        return self.path.row(
            self.sampling.max_tokens - len(self.ids) + self.sampling.stop_at_program_end
        )

    def skip(self, *, end_ids: Container[int], to_choice: bool) -> None:
        """Write what the grammar forces next without the model: to the end of the turn or, with
        `to_choice`, to the next choice. It has probability 1.
        """
        if self.path is None:
            return
        tokens, ends = self.path.forced()
        for token in tokens if ends or to_choice else ():
            if not self.running:
                return
            self.sets.append(self.legal())
            self._append(token, 0.0, end_ids)

    def write(self, drawn: Drawn, *, end_ids: Container[int]) -> None:
        """Append a sampled token and see whether it ends the turn."""
        if self.path is not None:
            self.sets.append(drawn.legal)
        self._append(drawn.token, drawn.log_prob, end_ids)
        self.skip(end_ids=end_ids, to_choice=False)

    def _append(self, token: int, log_prob: float, end_ids: Container[int]) -> None:
        self.ids.append(token)
        self.log_probs.append(log_prob)
        self.versions.append(self.version)
        self.finished = token in end_ids
        if self.path is not None:
            self.path.take(token)
            ends = self.sampling.stop_at_program_end and self.path.complete
            self.finished = self.finished or ends
        elif self.end is not None:
            self.finished = self.end.take(token) or self.finished


class GrowingLayer(DynamicLayer):
    """Has room for further columns, so that a step copies what is new and not all that was."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._kept: list[torch.Tensor] = [torch.empty(0), torch.empty(0)]
        self._shown: list[torch.Tensor | None] = [None, None]  # what there is of `_kept`

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As DynamicLayer's. Keys and values may have been replaced since the last call."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys = self._append(0, self.keys, key_states)
        self.values = self._append(1, self.values, value_states)
        return self.keys, self.values

    def _append(self, which: int, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        if old.numel() == 0:
            return new
        before, after = old.shape[-2], old.shape[-2] + new.shape[-2]
        kept = self._kept[which]
        if old is not self._shown[which] or kept.shape[-2] < after:
            kept = old.new_empty(*old.shape[:-2], after + _ROOM, old.shape[-1])
            kept[..., :before, :] = old
            self._kept[which] = kept
        kept[..., before:after, :] = new
        shown = self._shown[which] = kept[..., :after, :]
        return shown


def _layers(cache: Cache | None) -> list[Any]:
    """The layers of a cache that has been filled, each a GrowingLayer."""
    assert cache is not None
    return cache.layers


class Decoding:
    """Rows under way. All methods run without gradients."""

    def __init__(self, model: Any, *, end_ids: Container[int], pad_id: int):
        self.model = model
        self._end_ids, self._pad_id = end_ids, pad_id
        self.rows: list[DecodingRow] = []
        self._cache: Cache | None = None
        self._mask = torch.zeros(0, 0, dtype=torch.long, device=model.device)  # (rows, columns)

    @torch.inference_mode()
    def admit(self, rows: Sequence[DecodingRow]) -> None:
        """Read the prompts of new rows, with what they have written and what is forced behind it,
        and write their next tokens.
        """
        device = self.model.device
        for row in rows:
            row.skip(end_ids=self._end_ids, to_choice=True)
        places: dict[tuple[int, ...], int] = {}  # of the distinct prompts
        place = [places.setdefault((*row.prompt, *row.ids), len(places)) for row in rows]
        width = max(map(len, places))
        ids = torch.full((len(places), width), self._pad_id, device=device)
        mask = torch.zeros_like(ids)
        for r, prompt in enumerate(places):
            ids[r, width - len(prompt) :] = torch.tensor(prompt, device=device)
            mask[r, width - len(prompt) :] = 1
        # Every column is kept, whatever the model's window.
        cache = Cache(layer_class_to_replicate=GrowingLayer)
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self._logits(ids, mask, position, cache)
        if len(places) < len(rows):
            of_row = torch.tensor(place, device=device)
            logits, mask = logits[of_row], mask[of_row]
            for layer in _layers(cache):
                layer.keys, layer.values = layer.keys[of_row], layer.values[of_row]
        self._write(rows, logits)
        if self.rows:
            self._join(cache, mask)
        else:
            self._cache, self._mask = cache, mask
        self.rows += rows

    @torch.inference_mode()
    def step(self) -> None:
        """One more token for each row that still runs (ended ones ride along)."""
        device = self.model.device
        ids = torch.tensor(
            [[row.ids[-1] if row.ids else self._pad_id] for row in self.rows], device=device
        )
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], dim=1)
        position = self._mask.sum(-1, keepdim=True) - 1
        self._write(self.rows, self._logits(ids, self._mask, position, self._cache))

    def drop_ended(self) -> None:
        """Take out the rows that have ended; waits until they are a fair share of the batch."""
        running = [r for r, row in enumerate(self.rows) if row.running]
        num_ended = len(self.rows) - len(running)
        if num_ended == 0 or (running and num_ended < _COMPACT_SHARE * len(self.rows)):
            return
        self.rows = [self.rows[r] for r in running]
        if not running:
            self._cache = None
            return
        keep = torch.tensor(running, device=self.model.device)
        self._mask = self._mask[keep]
        unused = int(self._mask.argmax(-1).min())  # columns that are padding in every row
        self._mask = self._mask[:, unused:]
        for layer in _layers(self._cache):
            layer.keys = layer.keys[keep, :, unused:]
            layer.values = layer.values[keep, :, unused:]

    def _logits(self, ids, mask, position, cache) -> torch.Tensor:
        """(rows, vocab) of the last column."""
        return self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _write(self, rows: Sequence[DecodingRow], logits: torch.Tensor) -> None:
        for row, drawn in zip(rows, draw_next(rows, logits), strict=True):
            if row.running:
                row.write(drawn, end_ids=self._end_ids)

    def _join(self, cache: Cache, mask: torch.Tensor) -> None:
        """Append rows to the batch, both padded on the left to the wider of the two."""
        old, new = self._mask.shape[1], mask.shape[1]
        more_old, more_new = max(0, new - old), max(0, old - new)
        self._mask = torch.cat([pad(self._mask, (more_old, 0)), pad(mask, (more_new, 0))])
        for layer, other in zip(_layers(self._cache), _layers(cache), strict=True):
            for name in ("keys", "values"):
                parts = (
                    pad(getattr(layer, name), (0, 0, more_old, 0)),
                    pad(getattr(other, name), (0, 0, more_new, 0)),
                )
                setattr(layer, name, torch.cat(parts))


def draw_next(rows: Sequence[DecodingRow], logits: torch.Tensor) -> list[Drawn]:
    """The next token of each row, by its own random stream, from logits (rows, vocab): a function
    of what the row has written, which it leaves as it is. Of rows that have ended, anything.
    """
    uniform = [row.draws[len(row.ids)] if row.running else 0.0 for row in rows]
    sets = [row.legal() if row.running and row.path is not None else -1 for row in rows]
    chosen, log_probs = draw(
        logits,
        torch.tensor(uniform, device=logits.device),
        [row.sampling for row in rows],
        _masks(rows, sets),
    )
    return [*map(Drawn, chosen.tolist(), log_probs.tolist(), sets)]


def _masks(rows: Sequence[DecodingRow], sets: Sequence[int]) -> torch.Tensor | None:
    """(rows, vocab) bool of these legal sets; None where no row is held to a grammar."""
    grammar = next((row.path.grammar for row in rows if row.path is not None), None)
    if grammar is None:
        return None
    # What an ended row draws is not written: any set will do.
    masks = grammar.masks([max(number, 0) for number in sets])
    for r, row in enumerate(rows):
        if row.path is None:
            masks[r] = True
    return masks


def draw(
    logits: torch.Tensor,
    uniform: torch.Tensor,
    sampling: Sequence[Sampling],
    legal: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse-CDF sampling. logits (rows, vocab), uniform (rows,) in [0, 1), a `Sampling` a row,
    legal (rows, vocab) bool with at least one True a row.

    Returns chosen ids (rows,) and their log-probabilities (rows,) at the temperature, over the
    legal tokens.
    """
    scaled = logits.float() / _of_rows([s.temperature for s in sampling], logits.device)
    if legal is not None:
        scaled = scaled.masked_fill(~legal, -torch.inf)
    log_probs = torch.log_softmax(scaled, dim=-1)
    probabilities = log_probs.exp()
    if any(s.top_p < 1.0 for s in sampling):
        nucleus = _of_rows([s.top_p if s.top_p < 1.0 else 2.0 for s in sampling], logits.device)
        # Ids keep their order, as without a nucleus: a row draws the same in any company.
        probabilities = probabilities.masked_fill(
            probabilities < _least_in_nucleus(probabilities, nucleus), 0.0
        )
    cumulative = probabilities.double().cumsum(-1)
    total = cumulative[:, -1:]
    # strictly below the total, so that the place found has a probability above 0
    target = torch.minimum(uniform.double()[:, None] * total, total.nextafter(total.new_zeros(())))
    chosen = torch.searchsorted(cumulative, target, right=True)
    return chosen[:, 0], log_probs.gather(-1, chosen)[:, 0]


def _least_in_nucleus(probabilities: torch.Tensor, top_p: torch.Tensor | float) -> torch.Tensor:
    """(rows, 1): the least probability within the smallest set of tokens whose mass reaches top_p,
    which always has the first one. Over all tokens where no set does.
    """
    vocabulary = probabilities.shape[-1]
    for count in (min(_LIKELY, vocabulary), vocabulary):
        likely = probabilities.topk(count, dim=-1).values
        before = likely.cumsum(-1) - likely
        if count == vocabulary or bool((before[:, -1:] + likely[:, -1:] >= top_p).all()):
            break
    return likely.masked_fill(before >= top_p, torch.inf).min(dim=-1, keepdim=True).values


def _of_rows(values: Sequence[float], device: torch.device) -> torch.Tensor | float:
    """A number for each row, (rows, 1); the number itself where all are equal."""
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(values, device=device)[:, None]
