"""The transformers engine: batched decoding with a key/value cache, refilled as rows end.

Each sequence draws from its own random stream, keyed by the seed given for it, so that what it
writes does not depend on its place in a batch.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from quasar.policy.chat import ChatFormat
from quasar.policy.engines.decoding import Decoding, DecodingRow
from quasar.policy.engines.protocol import Completion, SamplingRequest
from quasar.policy.engines.rows import RowEngine
from quasar.policy.models import end_tokens, load_policy, pick_device

# Padded tokens of one pass over rows that other weights read again: as it has no prompt in common,
# a pass over all rows would be the largest that a worker ever makes.
_READ_AGAIN = 65_536


class CircuitGenerator(RowEngine):
    """A transformers model with its tokenizer. See `GenerationEngine` for the contract."""

    refill = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        batch_size: int = 128,
        tool_format: str = "compact",
        tools: Sequence[str] = ("verify",),
    ):
        self.model = model
        # Set on a model of the library by whoever loads or builds it, as `model.generate` reads it.
        ends = end_tokens(model.generation_config)
        super().__init__(
            ChatFormat(tokenizer, tool_format=tool_format, tools=tools, end_ids=ends),
            vocab_size=model.get_output_embeddings().weight.shape[0],
            device=model.device,
        )
        self.batch_size = batch_size

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        device: str = "auto",
        dtype: str = "float32",
        batch_size: int = 128,
        tool_format: str = "compact",
        tools: Sequence[str] = ("verify",),
    ) -> "CircuitGenerator":
        """Load a Hugging Face directory or hub name; raises CheckpointError if it is not one."""
        where = pick_device() if device == "auto" else device
        model, tokenizer = load_policy(directory, device=where, dtype=dtype)
        return cls(model, tokenizer, batch_size=batch_size, tool_format=tool_format, tools=tools)

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take weights by name; caches live within sessions only, and a busy one is told itself."""
        self.model.load_state_dict(weights)

    def session(self, *, weights_version: int = 0) -> "DecodingSession":
        """See GenerationEngine.session."""
        return DecodingSession(self, weights_version)


class DecodingSession:
    """Rows under way on a transformers model, and those that wait for a place. See `Session`."""

    def __init__(self, generator: CircuitGenerator, weights_version: int):
        self._generator, self._version = generator, weights_version
        self._decoding = self._empty()
        self._rows: dict[int, DecodingRow] = {}  # that have not ended
        self._waiting: deque[DecodingRow] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def add(self, key: int, request: SamplingRequest) -> None:
        row = self._rows[key] = self._generator.row(key, request, version=self._version)
        self._waiting.append(row)

    def step(self) -> dict[int, Completion]:
        """A token of each row, or the first ones of rows that waited and found a place."""
        size = self._generator.batch_size
        free = size - len(self._decoding.rows)
        if self._waiting and (free == size or (self._generator.refill and free)):
            count = self._admitted(min(free, len(self._waiting)))
            self._decoding.admit([self._waiting.popleft() for _ in range(count)])
        elif self._decoding.rows:
            self._decoding.step()
        ended = [key for key, row in self._rows.items() if not row.running]
        done = {key: self._generator.completion(self._rows.pop(key)) for key in ended}
        self._decoding.drop_ended()
        return done

    def text(self, key: int) -> str:
        return self._generator.text(self._rows[key])

    def drop(self, keys: Sequence[int]) -> None:
        for key in keys:
            if (row := self._rows.pop(key, None)) is not None:
                row.dropped = True
        self._waiting = deque(row for row in self._waiting if not row.dropped)
        self._decoding.drop_ended()

    def load_weights(self, weights: Mapping[str, torch.Tensor], version: int) -> None:
        """See Session.load_weights: rows under way wait for a place again, ahead of new ones."""
        under_way = [row for row in self._decoding.rows if row.running]
        self._waiting.extendleft(reversed(under_way))
        self._decoding = self._empty()
        self._generator.load_weights(weights)
        self._version = version
        for row in self._rows.values():
            row.version = version

    def _empty(self) -> Decoding:
        generator = self._generator
        return Decoding(
            generator.model,
            end_ids=generator.chat.end_ids,
            pad_id=generator.tokenizer.pad_token_id,
        )

    def _admitted(self, places: int) -> int:
        """How many of the rows that wait are read in the next pass."""
        rows = [self._waiting[i] for i in range(places)]
        if not rows[0].ids:
            return places
        longest = max(len(row.prompt) + len(row.ids) for row in rows)
        return max(1, min(places, _READ_AGAIN // longest))
