"""What every generation engine does, whatever runs the model.

Takes prompt token ids and how to sample; gives sampled ids with their log-probabilities. The agent
loop, `quasar generate` and the endpoint know this protocol only.

Log-probabilities are those of the distribution that a token was drawn from, at the sampling
temperature: over the whole vocabulary, or, under the program grammar, over the legal tokens,
renormalised. The learner can recompute exactly that, because a constrained completion carries its
legal sets (`Completion.legal`): the ratio of the policy gradient is then that of the policy that
acted, and the KL between sampler and learner is 0 where both hold the same weights. Log-
probabilities of the unconstrained distribution would need no sets, but their gradient is biased:
it also moves the legal mass of each prefix, which is not independent of the advantage. The nucleus
is the one truncation that is not renormalised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quasar.config import QuasarConfig
from quasar.policy.chat import ChatFormat
from quasar.policy.legal import LegalTokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw: temperature > 0, nucleus mass in (0, 1], most new tokens.

    stop_at_program_end: the turn also ends at the statement that measures the last qubit.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    stop_at_program_end: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer. `finished` is False where it was cut at the token limit."""

    text: str
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    finished: bool
    legal: LegalTokens | None = None  # what each token was drawn from; None: the whole vocabulary


@dataclass(frozen=True, slots=True)
class Asked:
    """One sequence to sample: its prompt's token ids, the seed of its random stream, how to draw.

    num_qubits: held to the grammar of programs on so many qubits; None: free.
    """

    prompt_ids: Sequence[int]
    seed: int
    sampling: Sampling
    num_qubits: int | None = None


class Session(Protocol):
    """Sequences under way, by keys of the caller's. Any may join or leave between two steps."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to write."""
        ...

    def add(self, key: int, asked: Asked) -> None:
        """Let a sequence join."""
        ...

    def step(self) -> dict[int, Completion]:
        """Write on, mostly one token of each; those that ended with this step."""
        ...

    def text(self, key: int) -> str:
        """What a sequence that has not ended has written so far."""
        ...

    def drop(self, keys: Sequence[int]) -> None:
        """Forget these sequences, ended or not."""
        ...


class GenerationEngine(Protocol):
    """A causal language model with its tokenizer, ready to be sampled from."""

    chat: ChatFormat

    def session(self) -> Session:
        """Sequences that join and leave as they like. Weights must not change under it."""
        ...

    def sample(
        self,
        prompt_ids: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int],
        sampling: Sampling,
        max_tokens: Sequence[int] | None = None,
        num_qubits: Sequence[int] | None = None,
    ) -> list[Completion]:
        """One completion of each token sequence, drawn from the stream of its seed, in order.

        `max_tokens` gives each sequence its own limit (at most `sampling.max_tokens`);
        `num_qubits` holds each to the grammar of programs on so many qubits.
        """
        limits = max_tokens or [sampling.max_tokens] * len(prompt_ids)
        session = self.session()
        # Prompts of like length begin together: the least padding.
        for i in sorted(range(len(prompt_ids)), key=lambda i: (len(prompt_ids[i]), i)):
            limited = replace(sampling, max_tokens=min(limits[i], sampling.max_tokens))
            size = None if num_qubits is None else num_qubits[i]
            session.add(i, Asked(prompt_ids[i], seeds[i], limited, size))
        done: dict[int, Completion] = {}
        while session.busy:
            done.update(session.step())
        return [done[i] for i in range(len(prompt_ids))]

    def load_weights(self, weights: Mapping[str, "torch.Tensor"]) -> None:
        """Take weights by their Hugging Face names. Nothing computed with the old ones is kept."""
        ...


def load_engine(source: str | Path, config: QuasarConfig, *, device: str) -> GenerationEngine:
    """The configured engine with the model of a Hugging Face directory or hub name.

    Raises CheckpointError where `source` is none, ConfigError where the engine is not installed.
    """
    settings = config.generation
    if settings.engine == "vllm":
        from quasar.policy.vllm_engine import VllmEngine

        return VllmEngine(
            source,
            dtype=config.policy.dtype,
            max_model_tokens=settings.max_context_tokens,
            max_sequences=settings.batch_size,
            memory_fraction=settings.gpu_memory_fraction,
            tool_format=settings.tool_format,
        )
    from quasar.policy.generation import CircuitGenerator

    return CircuitGenerator.load(
        source,
        device=device,
        dtype=config.policy.dtype,
        batch_size=settings.batch_size,
        tool_format=settings.tool_format,
    )


def stream_seed(*key: int) -> int:
    """One 63-bit seed from a tuple of non-negative integers (run, step, prompt, sample, …)."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
