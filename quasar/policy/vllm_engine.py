"""The vLLM engine (extra `vllm`, one GPU a worker): the same contract with paged attention.

The engine core runs in this process, so that weights are handed over by reference. Prefixes are
cached, because the samples of a group share their prompt, and the cache is emptied with every load:
keys and values of other weights must not be read. Differences to the transformers engine: the
grammar goes to vLLM as the same regular expression, without the steering to a legal end, so that a
long program is cut at its limit and counted as cut; random streams are vLLM's own, keyed by the
same seeds.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from quasar.errors import ConfigError, TrainingError
from quasar.policy.chat import ChatFormat
from quasar.policy.engine import Completion, Sampling
from quasar.policy.grammar import ProgramPath, TokenGrammar, program_pattern
from quasar.policy.models import load_tokenizer
from quasar.policy.program_end import EndOfProgram, token_pieces


class WeightReceiver:
    """Mixed into vLLM's worker (`worker_extension_cls`), whose model runner it uses."""

    def receive_weights(self, weights: Sequence[tuple[str, torch.Tensor]]) -> None:
        """Copy tensors by Hugging Face name into the running model; vLLM casts and fuses them."""
        self.model_runner.model.load_weights(weights=weights)  # type: ignore[attr-defined]


class VllmEngine:
    """See `GenerationEngine`. Raises ConfigError where vLLM is not installed."""

    def __init__(
        self,
        source: str | Path,
        *,
        dtype: str,
        max_model_tokens: int,
        max_sequences: int,
        memory_fraction: float,
        tool_format: str = "compact",
    ):
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # read at vLLM's import
        try:
            import vllm
        except ImportError as error:
            raise ConfigError(
                "generation.engine=vllm: vLLM is not installed; pip install 'quasar-rl[vllm]', "
                "or set generation.engine=transformers"
            ) from error
        self._vllm = vllm
        self.tokenizer = load_tokenizer(source)
        self.chat = ChatFormat(self.tokenizer, tool_format=tool_format)
        self._llm = vllm.LLM(
            model=str(source),
            dtype=dtype,
            max_model_len=max_model_tokens,
            max_num_seqs=max_sequences,
            gpu_memory_utilization=memory_fraction,
            enable_prefix_caching=True,
            # after temperature and grammar: of the distribution that was drawn from
            logprobs_mode="processed_logprobs",
            # the library that `replay` uses: the legal sets are the same by construction
            structured_outputs_config={"backend": "outlines"},
            worker_extension_cls=f"{WeightReceiver.__module__}.{WeightReceiver.__qualname__}",
        )

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take weights by name and empty the prefix cache."""
        self._llm.collective_rpc("receive_weights", args=(list(weights.items()),))
        if self._llm.reset_prefix_cache() is False:
            raise TrainingError("vLLM kept its prefix cache of the old weights; it is still busy")

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
        sizes = num_qubits or [None] * len(prompt_ids)
        parameters = [
            self._parameters(sampling, seed, min(limit, sampling.max_tokens), size)
            for seed, limit, size in zip(seeds, limits, sizes, strict=True)
        ]
        outputs = self._llm.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompt_ids],
            parameters,
            use_tqdm=False,
        )
        return [
            self._completion(output.outputs[0], sampling, size)
            for output, size in zip(outputs, sizes, strict=True)
        ]

    def _parameters(self, sampling: Sampling, seed: int, limit: int, size: int | None) -> Any:
        grammar = None
        if size is not None:
            from vllm.sampling_params import StructuredOutputsParams

            grammar = StructuredOutputsParams(regex=program_pattern(size))
        return self._vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=limit,
            seed=seed,
            logprobs=0,  # of the sampled token only
            stop_token_ids=[self.chat.eos_id],
            structured_outputs=grammar,
        )

    def _completion(self, output: Any, sampling: Sampling, size: int | None) -> Completion:
        ids = list(output.token_ids)
        log_probs = [step[token].logprob for step, token in zip(output.logprobs, ids, strict=True)]
        length, finished = len(ids), output.finish_reason == "stop"
        if sampling.stop_at_program_end and (end := self._program_end(ids, size)) is not None:
            # What vLLM wrote behind the end is dropped: no later token changes an earlier one.
            length, finished = end, True
        ids, log_probs = ids[:length], log_probs[:length]
        shown = ids[:-1] if ids and ids[-1] == self.chat.eos_id else ids
        text = self.tokenizer.decode(shown, skip_special_tokens=True)
        legal = None if size is None else self._grammar.replay(size, ids)
        return Completion(text, tuple(ids), tuple(log_probs), finished, legal)

    def _program_end(self, ids: Sequence[int], size: int | None) -> int | None:
        """Number of tokens up to the program's last statement; None where it does not end."""
        path = None if size is None else ProgramPath(self._grammar, size)
        end = EndOfProgram(self._pieces)
        for t, token in enumerate(ids):
            if path is not None:
                path.take(token)
            if path.complete if path is not None else end.take(token):
                return t + 1
        return None

    @cached_property
    def _grammar(self) -> TokenGrammar:
        return TokenGrammar(self.tokenizer, vocab_size=len(self.tokenizer))

    @cached_property
    def _pieces(self) -> list[str]:
        width = self._llm.llm_engine.model_config.get_vocab_size()
        return token_pieces(self.tokenizer, vocab_size=width)
