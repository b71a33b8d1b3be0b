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
from quasar.policy.engine import Asked, Completion, GenerationEngine
from quasar.policy.grammar import ProgramPath, TokenGrammar, program_pattern
from quasar.policy.models import load_tokenizer
from quasar.policy.program_end import EndOfProgram, token_pieces


class WeightReceiver:
    """Mixed into vLLM's worker (`worker_extension_cls`), whose model runner it uses."""

    def receive_weights(self, weights: Sequence[tuple[str, torch.Tensor]]) -> None:
        """Copy tensors by Hugging Face name into the running model; vLLM casts and fuses them."""
        self.model_runner.model.load_weights(weights=weights)  # type: ignore[attr-defined]


class VllmEngine(GenerationEngine):
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

    @property
    def core(self) -> Any:
        """vLLM's engine, to which requests are added and which steps."""
        return self._llm.llm_engine

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take weights by name and empty the prefix cache."""
        self._llm.collective_rpc("receive_weights", args=(list(weights.items()),))
        if self._llm.reset_prefix_cache() is False:
            raise TrainingError("vLLM kept its prefix cache of the old weights; it is still busy")

    def session(self) -> "VllmSession":
        """See GenerationEngine.session."""
        return VllmSession(self)

    def parameters(self, asked: Asked) -> Any:
        """vLLM's sampling parameters."""
        grammar = None
        if asked.num_qubits is not None:
            from vllm.sampling_params import StructuredOutputsParams

            grammar = StructuredOutputsParams(regex=program_pattern(asked.num_qubits))
        return self._vllm.SamplingParams(
            temperature=asked.sampling.temperature,
            top_p=asked.sampling.top_p,
            max_tokens=asked.sampling.max_tokens,
            seed=asked.seed,
            logprobs=0,  # of the sampled token only
            stop_token_ids=[self.chat.eos_id],
            structured_outputs=grammar,
        )

    def text(self, ids: Sequence[int]) -> str:
        """Text of sampled ids."""
        shown = ids[:-1] if ids and ids[-1] == self.chat.eos_id else ids
        return self.tokenizer.decode(shown, skip_special_tokens=True)

    @cached_property
    def grammar(self) -> TokenGrammar:
        return TokenGrammar(self.tokenizer, vocab_size=len(self.tokenizer))

    @cached_property
    def pieces(self) -> list[str]:
        width = self._llm.llm_engine.model_config.get_vocab_size()
        return token_pieces(self.tokenizer, vocab_size=width)


class VllmSession:
    """Requests under way in vLLM's own scheduler. See `Session`."""

    def __init__(self, engine: VllmEngine):
        self._engine = engine
        self._answers: dict[int, _Answer] = {}

    @property
    def busy(self) -> bool:
        return bool(self._answers)

    def add(self, key: int, asked: Asked) -> None:
        self._answers[key] = _Answer(asked, self._engine)
        prompt = {"prompt_token_ids": list(asked.prompt_ids)}
        self._engine.core.add_request(str(key), prompt, self._engine.parameters(asked))

    def step(self) -> dict[int, Completion]:
        done: dict[int, Completion] = {}
        for output in self._engine.core.step():
            key, (written,) = int(output.request_id), output.outputs
            if key in self._answers:  # else it was dropped
                completion = self._answers[key].take(written)
                if completion is not None:
                    done[key] = completion
        self.drop(list(done))
        return done

    def text(self, key: int) -> str:
        return self._engine.text(self._answers[key].ids)

    def drop(self, keys: Sequence[int]) -> None:
        for key in keys:
            self._answers.pop(key, None)
        self._engine.core.abort_request([str(key) for key in keys])


class _Answer:
    """One request: what vLLM has written of it, watched for the end of its program."""

    def __init__(self, asked: Asked, engine: VllmEngine):
        self.ids: list[int] = []
        self._asked, self._engine = asked, engine
        self._path = self._end = None
        if asked.sampling.stop_at_program_end and asked.num_qubits is not None:
            self._path = ProgramPath(engine.grammar, asked.num_qubits)
        elif asked.sampling.stop_at_program_end:
            self._end = EndOfProgram(engine.pieces)

    def take(self, written: Any) -> Completion | None:
        """The completion, where what is written so far ends the turn.

        What vLLM wrote behind the program's end is dropped: no later token changes an earlier one.
        """
        for token in written.token_ids[len(self.ids) :]:
            self.ids.append(token)
            if self._ends(token):
                return self._completion(written, finished=True)
        if written.finish_reason is None:
            return None
        return self._completion(written, finished=written.finish_reason == "stop")

    def _ends(self, token: int) -> bool:
        if self._path is not None:
            self._path.take(token)
            return self._path.complete
        return self._end is not None and self._end.take(token)

    def _completion(self, written: Any, *, finished: bool) -> Completion:
        steps = zip(written.logprobs, self.ids, strict=False)  # the ids may end earlier
        log_probs = tuple(step[token].logprob for step, token in steps)
        size = self._asked.num_qubits
        legal = None if size is None else self._engine.grammar.replay(size, self.ids)
        text = self._engine.text(self.ids)
        return Completion(text, tuple(self.ids), log_probs, finished, legal)
