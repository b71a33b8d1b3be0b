"""Sampling of candidates for the endpoint: orders of several requests are decoded together.

Takes a `CircuitGenerator` and orders; gives the drafts of each order. Each draft draws from a
random stream of its own, so the order's seed decides it and not the company it is decoded in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from quasar.policy.generation import CircuitGenerator, Sampling, stream_seed


@dataclass(frozen=True, slots=True)
class Order:
    """`samples` drafts for one chat prompt."""

    messages: tuple[dict[str, str], ...]
    samples: int
    temperature: float
    seed: int


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
    generator: CircuitGenerator,
    orders: Sequence[Order],
    *,
    top_p: float,
    max_prompt_tokens: int,
    max_response_tokens: int,
) -> list[Written]:
    """One entry an order, in order. Orders of one temperature share a decoding batch."""
    prompts = [generator.chat.prompt_ids(list(order.messages)) for order in orders]
    written: list[Written] = [
        TooLong(len(prompt), max_prompt_tokens) if len(prompt) > max_prompt_tokens else []
        for prompt in prompts
    ]
    rows = [
        (order.temperature, stream_seed(order.seed, s), i)
        for i, order in enumerate(orders)
        if not isinstance(written[i], TooLong)
        for s in range(order.samples)
    ]
    by_temperature = sorted(rows, key=lambda row: row[0])  # stable: samples stay in order
    for temperature, group in groupby(by_temperature, key=lambda row: row[0]):
        members = list(group)
        completions = generator.sample(
            [prompts[i] for _, _, i in members],
            seeds=[seed for _, seed, _ in members],
            sampling=Sampling(temperature, top_p, max_response_tokens),
        )
        for (_, _, i), completion in zip(members, completions, strict=True):
            drafts = written[i]
            assert isinstance(drafts, list)
            drafts.append(Draft(completion.text, completion.finished))
    return written
