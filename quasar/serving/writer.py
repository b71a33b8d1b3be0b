"""Sampling of candidates for the endpoint: orders of several requests are decoded together.

Takes an engine and orders; gives the drafts of each order. Each draft draws from a
random stream of its own, so the order's seed decides it and not the company it is decoded in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from quasar.config import GenerationConfig
from quasar.policy.engine import GenerationEngine, Sampling, stream_seed
from quasar.policy.tool_calls import submitted_circuit


@dataclass(frozen=True, slots=True)
class Order:
    """`samples` drafts for one chat prompt.

    num_qubits: held to the grammar of programs on so many qubits; None: free.
    """

    messages: tuple[dict[str, str], ...]
    samples: int
    temperature: float
    seed: int
    num_qubits: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One candidate's text; `finished` is False where it was cut at the token limit."""

    text: str
    finished: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """The prompt does not fit; lengths in tokens."""

    num_tokens: int
    limit: int


Written = list[Draft] | TooLong


def write_drafts(
    engine: GenerationEngine,
    orders: Sequence[Order],
    *,
    top_p: float,
    generation: GenerationConfig,
) -> list[Written]:
    """One entry an order, in order. Orders of one temperature share a decoding batch, those that
    are held to the grammar apart from the free ones.
    """
    limit = generation.max_prompt_tokens
    prompts = [engine.chat.prompt_ids(list(order.messages)) for order in orders]
    written: list[Written] = [
        TooLong(len(prompt), limit) if len(prompt) > limit else [] for prompt in prompts
    ]
    rows = [
        ((order.temperature, order.num_qubits is not None), stream_seed(order.seed, s), i)
        for i, order in enumerate(orders)
        if not isinstance(written[i], TooLong)
        for s in range(order.samples)
    ]
    alike = sorted(rows, key=lambda row: row[0])  # stable: samples stay in order
    for (temperature, constrained), group in groupby(alike, key=lambda row: row[0]):
        members = list(group)
        completions = engine.sample(
            [prompts[i] for _, _, i in members],
            seeds=[seed for _, seed, _ in members],
            sampling=Sampling(
                temperature,
                top_p,
                generation.max_response_tokens,
                generation.stop_at_program_end,
            ),
            num_qubits=[orders[i].num_qubits for _, _, i in members] if constrained else None,
        )
        for (_, _, i), completion in zip(members, completions, strict=True):
            drafts = written[i]
            assert isinstance(drafts, list)
            drafts.append(Draft(submitted_circuit(completion.text), completion.finished))
    return written
