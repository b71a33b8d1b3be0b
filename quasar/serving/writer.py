"""Sampling of candidates for the endpoint: orders of several requests are decoded together.

Takes an engine and orders; gives the drafts of each order. Each draft draws from a
random stream of its own, so the order's seed decides it and not the company it is decoded in.
A later turn goes on from the token ids of the earlier ones: what the model wrote is never
tokenised again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from quasar.config import GenerationConfig
from quasar.policy.engine import GenerationEngine, Sampling, stream_seed


@dataclass(frozen=True, slots=True)
class Draft:
    """What one turn wrote; `finished` is False where it was cut at the token limit.

    ids: all that follows the prompt so far, tool observations included.
    """

    text: str
    finished: bool
    sample: int = 0
    ids: tuple[int, ...] = ()
    prompt_tokens: int = 0
    new_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """`samples` drafts for one chat prompt, or the next turn of the drafts in `again`.

    num_qubits: held to the grammar of programs on so many qubits; None: free. again: (draft, the
    tool's observation on it). top_p, max_tokens: None: as the writer is configured.
    """

    messages: tuple[dict[str, str], ...]
    samples: int
    temperature: float
    seed: int
    num_qubits: int | None = None
    turn: int = 0
    again: tuple[tuple[Draft, str], ...] = ()
    top_p: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TooLong:
    """The prompt does not fit; lengths in tokens."""

    num_tokens: int
    limit: int


Written = list[Draft] | TooLong


@dataclass(frozen=True, slots=True)
class _Row:
    """One draft to make: its order's place, and the ids between the prompt and what is new."""

    order: int
    sample: int
    seed: int
    ids: tuple[int, ...]


def turn_tokens(generation: GenerationConfig) -> int:
    """Longest turn that the endpoint lets the model write, tokens."""
    return generation.turn_tokens or generation.max_response_tokens


def for_turns(generation: GenerationConfig, max_turns: int) -> GenerationConfig:
    """The configuration whose context holds so many whole turns."""
    return generation.model_copy(
        update={
            "max_turns": max_turns,
            "max_response_tokens": max(
                generation.max_response_tokens, max_turns * turn_tokens(generation)
            ),
        }
    )


def write_drafts(
    engine: GenerationEngine,
    orders: Sequence[Order],
    *,
    top_p: float,
    generation: GenerationConfig,
) -> list[Written]:
    """One entry an order, in order. Orders that sample alike share a decoding batch, those that
    are held to the grammar apart from the free ones.
    """
    limit = generation.max_prompt_tokens
    prompts = [engine.chat.prompt_ids(list(order.messages)) for order in orders]
    written: list[Written] = [
        TooLong(len(prompt), limit) if len(prompt) > limit else [] for prompt in prompts
    ]
    rows = [
        row
        for i, order in enumerate(orders)
        if not isinstance(written[i], TooLong)
        for row in _rows(engine, i, order, generation)
    ]

    def kind(row: _Row) -> tuple[float, float, bool]:
        order = orders[row.order]
        return order.temperature, order.top_p or top_p, order.num_qubits is not None

    longest = turn_tokens(generation)
    alike = sorted(rows, key=kind)  # stable: samples stay in order
    for (temperature, nucleus, constrained), group in groupby(alike, key=kind):
        members = list(group)
        completions = engine.sample(
            [[*prompts[row.order], *row.ids] for row in members],
            seeds=[row.seed for row in members],
            sampling=Sampling(temperature, nucleus, longest, generation.stop_at_program_end),
            max_tokens=[min(longest, orders[row.order].max_tokens or longest) for row in members],
            num_qubits=[orders[row.order].num_qubits for row in members] if constrained else None,
        )
        for row, completion in zip(members, completions, strict=True):
            drafts = written[row.order]
            assert isinstance(drafts, list)
            drafts.append(
                Draft(
                    completion.text,
                    completion.finished,
                    row.sample,
                    (*row.ids, *completion.token_ids),
                    len(prompts[row.order]),
                    len(completion.token_ids),
                )
            )
    return written


def _rows(
    engine: GenerationEngine, place: int, order: Order, generation: GenerationConfig
) -> list[_Row]:
    if order.turn == 0:
        return [_Row(place, s, stream_seed(order.seed, s), ()) for s in range(order.samples)]
    rows = []
    for draft, observation in order.again:
        ended = bool(draft.ids) and draft.ids[-1] == engine.chat.eos_id
        read = engine.chat.observation_ids(
            observation, max_tokens=generation.max_observation_tokens, ended=ended
        )
        seed = stream_seed(order.seed, draft.sample, order.turn)
        rows.append(_Row(place, draft.sample, seed, (*draft.ids, *read)))
    return rows
