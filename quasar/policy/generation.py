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
from quasar.policy.decoding import Decoding, Row
from quasar.policy.engine import Completion, Sampling
from quasar.policy.grammar import ProgramPath, TokenGrammar
from quasar.policy.models import load_policy, pick_device
from quasar.policy.program_end import EndOfProgram, token_pieces


class CircuitGenerator:
    """A transformers model with its tokenizer. See `GenerationEngine` for the contract."""

    refill = True

    def __init__(
        self, model: Any, tokenizer: Any, *, batch_size: int = 128, tool_format: str = "compact"
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.chat = ChatFormat(tokenizer, tool_format=tool_format)
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
    ) -> "CircuitGenerator":
        """Load a Hugging Face directory or hub name; raises CheckpointError if it is not one."""
        where = pick_device() if device == "auto" else device
        model, tokenizer = load_policy(directory, device=where, dtype=dtype)
        return cls(model, tokenizer, batch_size=batch_size, tool_format=tool_format)

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take weights by name; caches live within `sample` only, so none is stale."""
        self.model.load_state_dict(weights)

    def sample(
        self,
        prompt_ids: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int],
        sampling: Sampling,
        max_tokens: Sequence[int] | None = None,
        num_qubits: Sequence[int] | None = None,
    ) -> list[Completion]:
        """See GenerationEngine.sample."""
        limits = max_tokens or [sampling.max_tokens] * len(prompt_ids)
        grammar = None if num_qubits is None else self.grammar
        order = sorted(range(len(prompt_ids)), key=lambda i: (len(prompt_ids[i]), i))
        waiting = deque(
            self._row(i, prompt_ids[i], seeds[i], min(limits[i], sampling.max_tokens), sampling)
            for i in order
        )
        if num_qubits is not None:
            for row in waiting:
                row.path = ProgramPath(self.grammar, num_qubits[row.place])
        decoding = Decoding(
            self.model,
            sampling=sampling,
            eos_id=self.chat.eos_id,
            pad_id=self.tokenizer.pad_token_id,
        )
        done: list[Completion | None] = [None] * len(prompt_ids)
        while waiting or decoding.rows:
            free = self.batch_size - len(decoding.rows)
            if waiting and (free == self.batch_size or (self.refill and free)):
                decoding.admit([waiting.popleft() for _ in range(min(free, len(waiting)))], grammar)
            else:
                decoding.step(grammar)
            for row in decoding.drop_ended():
                done[row.place] = self._completion(row)
        return done  # type: ignore[return-value]

    @cached_property
    def grammar(self) -> TokenGrammar:
        """The program grammar over this tokenizer, made at its first use."""
        width = self.model.get_output_embeddings().weight.shape[0]
        return TokenGrammar(self.tokenizer, vocab_size=width, device=self.model.device)

    @cached_property
    def _pieces(self) -> list[str]:
        width = self.model.get_output_embeddings().weight.shape[0]
        return token_pieces(self.tokenizer, vocab_size=width)

    def _row(self, place, prompt, seed: int, limit: int, sampling: Sampling) -> Row:
        draws = np.random.default_rng(seed).random(limit)
        end = EndOfProgram(self._pieces) if sampling.stop_at_program_end else None
        return Row(place, prompt, limit, draws, end=end)

    def _completion(self, row: Row) -> Completion:
        ended = bool(row.ids) and row.ids[-1] == self.chat.eos_id
        text = self.tokenizer.decode(row.ids[:-1] if ended else row.ids, skip_special_tokens=True)
        legal = self.grammar.record(row.sets) if row.path is not None else None
        return Completion(text, tuple(row.ids), tuple(row.log_probs), row.finished, legal)
