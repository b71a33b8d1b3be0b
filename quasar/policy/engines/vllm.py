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
from quasar.policy.engines.protocol import Completion, GenerationEngine, SamplingRequest
from quasar.policy.grammar import AutomatonPath, TokenGrammar
from quasar.policy.models import load_chat
from quasar.policy.patterns import form_pattern
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
        tools: Sequence[str] = ("verify",),
    ):
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # read at vLLM's import
        try:
            import vllm
        except ImportError as error:
            raise ConfigError(
                "generation.engine=vllm: vLLM is not installed; pip install 'quasar-rl[vllm]', "
                "or set generation.engine=transformers"
            ) from error
        self._vllm: Any = vllm
        self.chat = load_chat(source, tool_format=tool_format, tools=tools)
        self.tokenizer = self.chat.tokenizer
        self._llm = self._vllm.LLM(
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

    def parameters(self, request: SamplingRequest) -> Any:
        """vLLM's sampling parameters."""
        grammar = None
        if request.form is not None:
            from vllm.sampling_params import (  # pyright: ignore[reportMissingImports]  # an extra
                StructuredOutputsParams,
            )

            grammar = StructuredOutputsParams(regex=form_pattern(request.form))
        return self._vllm.SamplingParams(
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            max_tokens=request.sampling.max_tokens,
            seed=request.seed,
            logprobs=0,  # of the sampled token only
            stop_token_ids=sorted(self.chat.end_ids),
            structured_outputs=grammar,
        )

    def text(self, ids: Sequence[int]) -> str:
        """Text of sampled ids."""
        shown = ids[:-1] if self.chat.ended(ids) else ids
        return self.tokenizer.decode(shown, skip_special_tokens=True)

    @cached_property
    def grammar(self) -> TokenGrammar:
        # vLLM's own automaton ends a program with the tokenizer's end, whatever ends a turn.
        end = self.tokenizer.eos_token_id
        end = self.chat.eos_id if end is None else end
        return TokenGrammar(self.tokenizer, vocab_size=len(self.tokenizer), eos_id=end)

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

    def add(self, key: int, request: SamplingRequest) -> None:
        self._answers[key] = _Answer(request, self._engine)
        prompt = {"prompt_token_ids": list(request.prompt_ids)}
        self._engine.core.add_request(str(key), prompt, self._engine.parameters(request))

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

    def __init__(self, request: SamplingRequest, engine: VllmEngine):
        self.ids: list[int] = []
        self._request, self._engine = request, engine
        self._path = self._end = None
        if request.sampling.stop_at_program_end and request.form is not None:
            self._path = AutomatonPath(engine.grammar, engine.grammar.automaton(request.form))
        elif request.sampling.stop_at_program_end:
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
        form = self._request.form
        legal = None if form is None else self._engine.grammar.replay(form, self.ids)
        text = self._engine.text(self.ids)
        return Completion(text, tuple(self.ids), log_probs, finished, legal)
