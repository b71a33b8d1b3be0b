"""Turns under way on one engine: requests join and leave between two tokens.

All turns of all requests are decoded together. Each draws from a random stream of its own, so its
seed decides it and not the company it is decoded in. A later turn goes on from the token ids of the
earlier ones: what the model wrote is never tokenised again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quasar.config import GenerationConfig
from quasar.episodes.turns import (
    PromptTooLong,
    TextDelta,
    TextDeltas,
    TurnRequest,
    WriteRequest,
    Written,
    WrittenTurn,
)
from quasar.policy.engines.protocol import (
    ChatEngine,
    Completion,
    GenerationEngine,
    SamplingRequest,
)

if TYPE_CHECKING:
    import torch

# What there is of newer weights, and their version; None: nothing newer.
NewerWeights = Callable[[], "tuple[Mapping[str, torch.Tensor], int] | None"]

DELTAS_EVERY_S = 0.1  # between two looks at how texts have grown
_CUT_CHARACTER = "\ufffd"  # stands for a character whose bytes are not all written yet


@dataclass(slots=True)
class _Row:
    """A turn that is being written."""

    turn: TurnRequest
    prompt_ids: tuple[int, ...]
    read_ids: tuple[int, ...]
    told: str = ""  # text that was told
    written: WrittenTurn | None = None

    @property
    def all_ids(self) -> tuple[int, ...]:
        return (*self.prompt_ids, *self.turn.ids, *self.read_ids)


@dataclass(slots=True)
class _Work:
    """A request under way."""

    request: WriteRequest
    rows: dict[int, _Row] = field(default_factory=dict)  # by key in the session


class TurnWriter:
    """Requests under way on one engine, by keys of the caller's. For one thread."""

    def __init__(
        self, engine: GenerationEngine, generation: GenerationConfig, *, weights_version: int = 0
    ):
        """generation: its limits on prompts and observations hold. weights_version: of the weights
        that the engine holds.
        """
        self._engine, self._generation = engine, generation
        self._session = engine.session(weights_version=weights_version)
        self._work: dict[int, _Work] = {}
        self._request_of: dict[int, int] = {}  # row -> request
        self._next_row = 0
        self._looked = 0.0

    @property
    def busy(self) -> bool:
        """Whether there is anything to write."""
        return self._session.busy

    def begin(self, key: int, request: WriteRequest) -> PromptTooLong | None:
        """Let a request join, unless a prompt of it is too long."""
        limit = self._generation.max_prompt_tokens
        rows, prompts = [], {}
        for turn in request.turns:
            # The samples of a prompt share its messages.
            prompt = prompts.get(id(turn.messages))
            if prompt is None:
                prompt = tuple(self._engine.chat.prompt_ids(turn.messages))
                prompts[id(turn.messages)] = prompt
            if len(prompt) > limit:
                return PromptTooLong(turn.sample, len(prompt), limit)
            rows.append(_Row(turn, prompt, self._read(turn)))
        work = self._work[key] = _Work(request)
        keyed = dict(enumerate(rows, start=self._next_row))
        self._next_row += len(rows)
        work.rows = keyed
        sequences = {number: row.all_ids for number, row in keyed.items()}
        # Prompts of like length begin together: the least padding.
        for number in sorted(keyed, key=lambda number: (len(sequences[number]), number)):
            turn = keyed[number].turn
            self._request_of[number] = key
            self._session.add(
                number,
                SamplingRequest(sequences[number], turn.seed, turn.sampling, turn.form),
            )
        return None

    def leave(self, key: int) -> None:
        """Forget a request, if it is still under way."""
        work = self._work.pop(key, None)
        if work is not None:
            self._session.drop([n for n, row in work.rows.items() if row.written is None])
            for number in work.rows:
                self._request_of.pop(number, None)

    def load_weights(self, weights: Mapping[str, "torch.Tensor"], version: int) -> None:
        """Go on with other weights."""
        self._session.load_weights(weights, version)

    def step(self) -> list[tuple[int, TextDeltas | list[WrittenTurn]]]:
        """Write on, mostly one token of each turn; what there is to tell, by request.

        The deltas of a sample make up its text; a request's turns are the last thing told of it.
        """
        told: list[tuple[int, TextDeltas | list[WrittenTurn]]] = []
        whole = self._session.step()
        touched = []
        for number, completion in whole.items():
            key = self._request_of.pop(number)
            row = self._work[key].rows[number]
            row.written = WrittenTurn(row.turn.sample, completion, row.prompt_ids, row.read_ids)
            touched.append(key)
        told += self._deltas(whole)
        for key in dict.fromkeys(touched):
            rows = self._work[key].rows.values()
            written = [row.written for row in rows if row.written is not None]
            if len(written) == len(rows):
                del self._work[key]
                told.append((key, written))
        return told

    def _read(self, turn: TurnRequest) -> tuple[int, ...]:
        """Ids between what was written before and this turn."""
        if turn.observation is None:
            return ()
        chat = self._engine.chat
        ended = bool(turn.ids) and turn.ids[-1] == chat.eos_id
        limit = self._generation.max_observation_tokens
        return tuple(chat.observation_ids(turn.observation, max_tokens=limit, ended=ended))

    def _deltas(self, whole: dict[int, Completion]) -> Iterator[tuple[int, TextDeltas]]:
        """Of the requests that want it: all that whole turns have gained, and now and then what
        the others have.
        """
        now = time.monotonic()
        is_due = now - self._looked >= DELTAS_EVERY_S
        if is_due:
            self._looked = now
        for key, work in self._work.items():
            if not work.request.stream or not (is_due or whole):
                continue
            deltas = []
            for number, row in work.rows.items():
                if number in whole:
                    text = whole[number].text
                elif is_due and row.written is None:
                    text = self._session.text(number).rstrip(_CUT_CHARACTER)
                else:
                    continue
                if text.startswith(row.told) and text != row.told:
                    deltas.append(TextDelta(row.turn.sample, text[len(row.told) :]))
                    row.told = text
            if deltas:
                yield key, TextDeltas(tuple(deltas))


def write_turns(
    engine: GenerationEngine | ChatEngine,
    turns: Sequence[TurnRequest],
    generation: GenerationConfig,
    *,
    weights_version: int = 0,
    newer: NewerWeights | None = None,
) -> Written:
    """These turns, written to their ends with nothing beside them.

    weights_version: of the weights that the engine holds; newer: asked between two tokens for
    weights to go on with.
    """
    if isinstance(engine, ChatEngine):
        return [_complete(engine, turn) for turn in turns]
    writer = TurnWriter(engine, generation, weights_version=weights_version)
    too_long = writer.begin(0, WriteRequest(tuple(turns)))
    if too_long is not None:
        return too_long
    while writer.busy:
        if newer is not None and (found := newer()) is not None:
            writer.load_weights(*found)
        for _, written in writer.step():
            if not isinstance(written, TextDeltas):
                return written
    return []


def _complete(engine: ChatEngine, turn: TurnRequest) -> WrittenTurn:
    completion = engine.complete(
        turn.messages, earlier=turn.earlier, seed=turn.seed, sampling=turn.sampling
    )
    return WrittenTurn(turn.sample, completion)
