"""Sampling of candidates for the endpoint: the orders of all requests are decoded together.

`Drafting` takes an engine and orders, which join and leave between two tokens; it gives the drafts
of each order when they are whole, and before that, where an order asks for it, the text as it
grows. Each draft draws from a random stream of its own, so the order's seed decides it and not the
company it is decoded in. A later turn goes on from the token ids of the earlier ones: what the
model wrote is never tokenised again. `WriterLoop` is the thread that decodes for a server.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

from quasar.config import GenerationConfig
from quasar.policy.engine import Asked, Completion, GenerationEngine, Sampling, stream_seed

logger = logging.getLogger(__name__)

GAINED_EVERY_S = 0.1  # between two looks at how texts have grown
_CUT_CHARACTER = "\ufffd"  # stands for a character whose bytes are not all written yet


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
    tool's observation on it). top_p, max_tokens: None: as the writer is configured. stream: tell
    the text as it grows.
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
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that a draft has gained."""

    sample: int
    text: str


@dataclass(frozen=True, slots=True)
class Gained:
    """What the drafts of an order have gained since the last time."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class TooLong:
    """The prompt does not fit; lengths in tokens."""

    num_tokens: int
    limit: int


Written = list[Draft] | TooLong


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


@dataclass(slots=True)
class _Work:
    """An order under way."""

    order: Order
    num_prompt_tokens: int
    samples: list[int]  # of its drafts, in order
    before: list[tuple[int, ...]]  # ids between the prompt and what each draft writes now
    rows: list[int]  # keys in the session
    drafts: dict[int, Draft] = field(default_factory=dict)  # that are whole, by row
    told: dict[int, str] = field(default_factory=dict)  # text that was told, by row


class Drafting:
    """Orders under way on one engine, by keys of the caller's. For one thread."""

    def __init__(self, engine: GenerationEngine, *, top_p: float, generation: GenerationConfig):
        self._engine, self._top_p, self._generation = engine, top_p, generation
        self._session = engine.session()
        self._work: dict[int, _Work] = {}
        self._order_of: dict[int, int] = {}  # row -> order
        self._next_row = 0
        self._looked = 0.0

    @property
    def busy(self) -> bool:
        """Whether there is anything to write."""
        return self._session.busy

    def begin(self, key: int, order: Order) -> TooLong | None:
        """Let an order join, unless its prompt is too long."""
        limit = self._generation.max_prompt_tokens
        prompt = self._engine.chat.prompt_ids(list(order.messages))
        if len(prompt) > limit:
            return TooLong(len(prompt), limit)
        work = self._work[key] = _Work(order, len(prompt), [], [], [])
        longest = turn_tokens(self._generation)
        sampling = Sampling(
            order.temperature,
            order.top_p or self._top_p,
            min(longest, order.max_tokens or longest),
            self._generation.stop_at_program_end,
        )
        for sample, seed, ids in self._starts(order):
            row, self._next_row = self._next_row, self._next_row + 1
            self._session.add(row, Asked([*prompt, *ids], seed, sampling, order.num_qubits))
            self._order_of[row] = key
            work.samples.append(sample)
            work.before.append(ids)
            work.rows.append(row)
        return None

    def leave(self, key: int) -> None:
        """Forget an order, if it is still under way."""
        work = self._work.pop(key, None)
        if work is not None:
            self._session.drop([row for row in work.rows if row not in work.drafts])
            for row in work.rows:
                self._order_of.pop(row, None)

    def step(self) -> list[tuple[int, Gained | list[Draft]]]:
        """Write on, mostly one token of each draft; what there is to tell, by order.

        The pieces of a draft make up its text; its order's drafts are the last thing told of it.
        """
        told: list[tuple[int, Gained | list[Draft]]] = []
        whole = self._session.step()
        for row, completion in whole.items():
            work = self._work[self._order_of.pop(row)]
            place = work.rows.index(row)
            work.drafts[row] = Draft(
                completion.text,
                completion.finished,
                work.samples[place],
                (*work.before[place], *completion.token_ids),
                work.num_prompt_tokens,
                len(completion.token_ids),
            )
        told += self._gained(whole)
        for key in [k for k, work in self._work.items() if len(work.drafts) == len(work.rows)]:
            work = self._work.pop(key)
            told.append((key, [work.drafts[row] for row in work.rows]))
        return told

    def _starts(self, order: Order) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """(sample, seed, ids behind the prompt) of each draft."""
        if order.turn == 0:
            for sample in range(order.samples):
                yield sample, stream_seed(order.seed, sample), ()
        for draft, observation in order.again:
            ended = bool(draft.ids) and draft.ids[-1] == self._engine.chat.eos_id
            read = self._engine.chat.observation_ids(
                observation, max_tokens=self._generation.max_observation_tokens, ended=ended
            )
            seed = stream_seed(order.seed, draft.sample, order.turn)
            yield draft.sample, seed, (*draft.ids, *read)

    def _gained(self, whole: dict[int, Completion]) -> Iterator[tuple[int, Gained]]:
        """Of the orders that want it: all that whole drafts have gained, and now and then what
        the others have.
        """
        now = time.monotonic()
        is_due = now - self._looked >= GAINED_EVERY_S
        if is_due:
            self._looked = now
        for key, work in self._work.items():
            if not work.order.stream or not (is_due or whole):
                continue
            pieces = []
            for row, sample in zip(work.rows, work.samples, strict=True):
                if row in whole:
                    text = whole[row].text
                elif is_due and row not in work.drafts:
                    text = self._session.text(row).rstrip(_CUT_CHARACTER)
                else:
                    continue
                before = work.told.get(row, "")
                if text.startswith(before) and text != before:
                    pieces.append(Piece(sample, text[len(before) :]))
                    work.told[row] = text
            if pieces:
                yield key, Gained(tuple(pieces))


class WriterLoop:
    """A thread that decodes what is asked for from an event loop."""

    def __init__(self, engine: GenerationEngine, *, top_p: float, generation: GenerationConfig):
        self._make = lambda: Drafting(engine, top_p=top_p, generation=generation)
        self._drafting = self._make()
        self._inbox: queue.SimpleQueue[_Asker | None] = queue.SimpleQueue()
        self._askers: dict[int, _Asker] = {}
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still decodes."""
        return self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """Whether anything is being written."""
        return self._drafting.busy

    async def write(self, order: Order) -> AsyncGenerator[Gained | Written, None]:
        """What the order's drafts gain, where it asks for it, then the drafts, or TooLong.

        Who stops to read is dropped before the next token. Raises what the engine raised.
        """
        asker = _Asker(order, asyncio.get_running_loop())
        self._inbox.put(asker)
        try:
            item: Gained | Written | None = None
            while item is None or isinstance(item, Gained):
                item = await asker.read()
                yield item
        finally:
            asker.gone = True
            self._inbox.put(asker)

    def close(self) -> None:
        """End the thread; what it was writing is lost."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while self._let_in_and_out():
            try:
                told = self._drafting.step() if self._drafting.busy else []
            except Exception as error:  # the thread outlives a step that failed
                logger.error("decoding failed", exc_info=error)
                for asker in self._askers.values():
                    asker.tell(error)
                self._askers, self._drafting = {}, self._make()
                continue
            for key, item in told:
                self._askers[key].tell(item)
                if not isinstance(item, Gained):
                    del self._askers[key]

    def _let_in_and_out(self) -> bool:
        """Take what came in, waiting for it where there is nothing else to do; False at the end."""
        while not self._inbox.empty() or not self._drafting.busy:
            asker = self._inbox.get()
            if asker is None:
                return False
            key = id(asker)
            if asker.gone:
                self._drafting.leave(key)
                self._askers.pop(key, None)
            else:
                self._askers[key] = asker
                self._begin(key, asker)
        return True

    def _begin(self, key: int, asker: "_Asker") -> None:
        try:
            refused = self._drafting.begin(key, asker.order)
        except Exception as error:  # of this order alone
            logger.error("an order could not be begun", exc_info=error)
            refused = error
            self._drafting.leave(key)
        if refused is not None:
            asker.tell(refused)
            del self._askers[key]


class _Asker:
    """Who waits for an order, in an event loop."""

    def __init__(self, order: Order, loop: asyncio.AbstractEventLoop):
        self.order = order
        self.gone = False
        self._loop = loop
        self._items: asyncio.Queue[Gained | Written | Exception] = asyncio.Queue()

    def tell(self, item: Gained | Written | Exception) -> None:
        """From the decoding thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def read(self) -> Gained | Written:
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        return item
