"""What the engines that know token ids share: rows that draw for themselves.

A row has its own random stream, its place in the grammar and what it has written
(`quasar.policy.engines.decoding`), so that tokens, log-probabilities and legal sets of a sequence
follow from its seed and the logits alone, whatever computes these.
"""

from functools import cached_property
from typing import Any

import numpy as np

from quasar.policy.chat import ChatFormat
from quasar.policy.engines.decoding import DecodingRow
from quasar.policy.engines.protocol import Completion, GenerationEngine, SamplingRequest
from quasar.policy.grammar import TokenGrammar
from quasar.policy.program_end import EndOfProgram, token_pieces


class RowEngine(GenerationEngine):
    """Makes rows of requests, and completions of rows.

    vocab_size: width of the logits; device: where they are.
    """

    def __init__(self, chat: ChatFormat, *, vocab_size: int, device: Any):
        self.chat = chat
        self.tokenizer = chat.tokenizer
        self._vocab_size, self._device = vocab_size, device

    @cached_property
    def grammar(self) -> TokenGrammar:
        """The program grammar over this tokenizer, made at its first use."""
        return TokenGrammar(
            self.tokenizer,
            vocab_size=self._vocab_size,
            device=self._device,
            eos_id=self.chat.eos_id,
        )

    @cached_property
    def _pieces(self) -> list[str]:
        return token_pieces(self.tokenizer, vocab_size=self._vocab_size)

    def row(self, key: int, request: SamplingRequest, *, version: int = 0) -> DecodingRow:
        """A row that has written nothing yet. version: of the weights that it begins with."""
        sampling = request.sampling
        draws = np.random.default_rng(request.seed).random(sampling.max_tokens)
        end = EndOfProgram(self._pieces) if sampling.stop_at_program_end else None
        path = None
        if request.form is not None:
            path = self.grammar.path(request.form)
        prompt = request.prompt_ids
        return DecodingRow(key, prompt, sampling, draws, path=path, end=end, version=version)

    def text(self, row: DecodingRow) -> str:
        """What a row has written."""
        ended = self.chat.ended(row.ids)
        return self.tokenizer.decode(row.ids[:-1] if ended else row.ids, skip_special_tokens=True)

    def completion(self, row: DecodingRow) -> Completion:
        """A row that has ended."""
        legal = self.grammar.record(row.sets) if row.path is not None else None
        ids, log_probs = tuple(row.ids), tuple(row.log_probs)
        versions = tuple(row.versions)
        return Completion(self.text(row), ids, log_probs, row.finished, legal, versions=versions)
