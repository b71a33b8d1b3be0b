"""The transformers engine: batched decoding with a key/value cache, refilled as rows end.

Each sequence draws from its own random stream, keyed by the seed given for it, so that what it
writes does not depend on its place in a batch.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quasar.policy.chat import ChatFormat
from quasar.policy.engines.decoding import Decoding, DecodingRow
from quasar.policy.engines.protocol import Completion, GenerationEngine, SamplingRequest
from quasar.policy.grammar import TokenGrammar
from quasar.policy.models import end_tokens, load_policy, pick_device
from quasar.policy.program_end import EndOfProgram, token_pieces


class CircuitGenerator(GenerationEngine):
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
        self.tokenizer = tokenizer
        # Set on a model of the library by whoever loads or builds it, as `model.generate` reads it.
        ends = end_tokens(model.generation_config)
        self.chat = ChatFormat(tokenizer, tool_format=tool_format, tools=tools, end_ids=ends)
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
        """Take weights by name; caches live within `sample` only, so none is stale."""
        self.model.load_state_dict(weights)

    def session(self) -> "DecodingSession":
        """See GenerationEngine.session."""
        return DecodingSession(self)

    @cached_property
    def grammar(self) -> TokenGrammar:
        """The program grammar over this tokenizer, made at its first use."""
        width = self.model.get_output_embeddings().weight.shape[0]
        return TokenGrammar(
            self.tokenizer, vocab_size=width, device=self.model.device, eos_id=self.chat.eos_id
        )

    @cached_property
    def _pieces(self) -> list[str]:
        width = self.model.get_output_embeddings().weight.shape[0]
        return token_pieces(self.tokenizer, vocab_size=width)

    def row(self, key: int, request: SamplingRequest) -> DecodingRow:
        """A row that has written nothing yet."""
        sampling = request.sampling
        draws = np.random.default_rng(request.seed).random(sampling.max_tokens)
        end = EndOfProgram(self._pieces) if sampling.stop_at_program_end else None
        path = None
        if request.form is not None:
            path = self.grammar.path(request.form)
        return DecodingRow(key, request.prompt_ids, sampling, draws, path=path, end=end)

    def text(self, row: DecodingRow) -> str:
        """What a row has written."""
        ended = self.chat.ended(row.ids)
        return self.tokenizer.decode(row.ids[:-1] if ended else row.ids, skip_special_tokens=True)

    def completion(self, row: DecodingRow) -> Completion:
        """A row that has ended."""
        legal = self.grammar.record(row.sets) if row.path is not None else None
        ids, log_probs = tuple(row.ids), tuple(row.log_probs)
        return Completion(self.text(row), ids, log_probs, row.finished, legal)


class DecodingSession:
    """Rows under way on a transformers model, and those that wait for a place. See `Session`."""

    def __init__(self, generator: CircuitGenerator):
        self._generator = generator
        self._decoding = Decoding(
            generator.model,
            end_ids=generator.chat.end_ids,
            pad_id=generator.tokenizer.pad_token_id,
        )
        self._rows: dict[int, DecodingRow] = {}  # that have not ended
        self._waiting: deque[DecodingRow] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def add(self, key: int, request: SamplingRequest) -> None:
        row = self._rows[key] = self._generator.row(key, request)
        self._waiting.append(row)

    def step(self) -> dict[int, Completion]:
        """A token of each row, or the first ones of rows that waited and found a place."""
        size = self._generator.batch_size
        free = size - len(self._decoding.rows)
        if self._waiting and (free == size or (self._generator.refill and free)):
            count = min(free, len(self._waiting))
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
