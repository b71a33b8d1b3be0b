"""What every generation engine does, whatever runs the model.

Takes prompt token ids and how to sample; gives sampled ids with their log-probabilities. Episodes
(`quasar.episodes.writer`) know this protocol only, and through them training, `quasar generate` and
the endpoint.

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
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from quasar.policy.chat import ChatFormat
from quasar.policy.legal import LegalTokens
from quasar.policy.program_form import ProgramForm

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
    counted_tokens: int = 0  # written, of an answer whose ids are not known: as its server counts
    versions: tuple[int, ...] = ()  # of the weights that each token was drawn from


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """One sequence to sample: its prompt's token ids, the seed of its random stream, how to draw.

    form: of the programs that it is held to; None: free.
    """

    prompt_ids: Sequence[int]
    seed: int
    sampling: Sampling
    form: ProgramForm | None = None


class Session(Protocol):
    """Sequences under way, by keys of the caller's. Any may join or leave between two steps."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to write."""
        ...

    def add(self, key: int, request: SamplingRequest) -> None:
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

    def load_weights(self, weights: Mapping[str, "torch.Tensor"], version: int) -> None:
        """Give the engine other weights, and go on under them from where each sequence stands.

        What it has written is read again: a token is drawn, and its log-probability is, as if all
        before it had been a prompt of these weights.
        """
        ...


class GenerationEngine(Protocol):
    """A causal language model with its tokenizer, ready to be sampled from."""

    chat: ChatFormat

    def session(self, *, weights_version: int = 0) -> Session:
        """Sequences that join and leave as they like. While it is busy, weights change through it
        alone.

        weights_version: of the weights that the engine holds; tokens carry it.
        """
        ...

    def sample(
        self,
        prompt_ids: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int],
        sampling: Sampling,
        max_tokens: Sequence[int] | None = None,
        forms: Sequence[ProgramForm] | None = None,
    ) -> list[Completion]:
        """One completion of each token sequence, drawn from the stream of its seed, in order.

        `max_tokens` gives each sequence its own limit (at most `sampling.max_tokens`);
        `forms` holds each to the programs of its form.
        """
        limits = max_tokens or [sampling.max_tokens] * len(prompt_ids)
        session = self.session()
        # Prompts of like length begin together: the least padding.
        for i in sorted(range(len(prompt_ids)), key=lambda i: (len(prompt_ids[i]), i)):
            limited = replace(sampling, max_tokens=min(limits[i], sampling.max_tokens))
            form = None if forms is None else forms[i]
            session.add(i, SamplingRequest(prompt_ids[i], seeds[i], limited, form))
        done: dict[int, Completion] = {}
        while session.busy:
            done.update(session.step())
        return [done[i] for i in range(len(prompt_ids))]

    def load_weights(self, weights: Mapping[str, "torch.Tensor"]) -> None:
        """Take weights by their Hugging Face names. Nothing computed with the old ones is kept."""
        ...


@runtime_checkable
class ChatEngine(Protocol):
    """A model that is known by its texts alone: messages in, text out, no token ids. It can answer
    and be measured, not be trained. Safe to use from several threads.
    """

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        earlier: Sequence[tuple[str, str]],
        seed: int,
        sampling: Sampling,
    ) -> Completion:
        """The next turn. earlier: the turns so far with what was observed after each.

        Raises EngineError in one line where there is none.
        """
        ...


def stream_seed(*key: int) -> int:
    """One 63-bit seed from a tuple of non-negative integers (run, step, prompt, sample, …)."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
