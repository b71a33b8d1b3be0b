"""The thread that decodes for a server: requests come from event loops and join and leave.

Around `TurnWriter`, which does the work; what is told goes back to the event loop that asked.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace

from quasar.config import GenerationConfig
from quasar.episodes.turns import TextDeltas, WriteRequest, Written, WrittenTurn
from quasar.episodes.writer import TurnWriter
from quasar.policy.engines.protocol import GenerationEngine

logger = logging.getLogger(__name__)


class WriterLoop:
    """A thread that decodes what is asked for from an event loop."""

    def __init__(self, engine: GenerationEngine, generation: GenerationConfig):
        """generation: its limits on prompts and observations hold."""
        self._make = lambda: TurnWriter(engine, generation)
        self._writer = self._make()
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
        return self._writer.busy

    async def write(self, request: WriteRequest) -> AsyncGenerator[TextDeltas | Written, None]:
        """What the request's turns gain, where it asks for it, then the turns, or PromptTooLong.

        Who stops to read is dropped before the next token. Raises what the engine raised.
        """
        asker = _Asker(request, asyncio.get_running_loop())
        self._inbox.put(asker)
        try:
            item: TextDeltas | Written | None = None
            while item is None or isinstance(item, TextDeltas):
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
                told = self._writer.step() if self._writer.busy else []
            except Exception as error:  # the thread outlives a step that failed
                logger.error("decoding failed", exc_info=error)
                for asker in self._askers.values():
                    asker.tell(error)
                self._askers, self._writer = {}, self._make()
                continue
            for key, item in told:
                if isinstance(item, TextDeltas):
                    self._askers[key].tell(item)
                else:
                    self._askers.pop(key).tell([_served(turn) for turn in item])

    def _let_in_and_out(self) -> bool:
        """Take what came in, waiting for it where there is nothing else to do; False at the end."""
        while not self._inbox.empty() or not self._writer.busy:
            asker = self._inbox.get()
            if asker is None:
                return False
            key = id(asker)
            if asker.gone:
                self._writer.leave(key)
                self._askers.pop(key, None)
            else:
                self._askers[key] = asker
                self._begin(key, asker)
        return True

    def _begin(self, key: int, asker: "_Asker") -> None:
        try:
            refused = self._writer.begin(key, asker.request)
        except Exception as error:  # of this request alone
            logger.error("a request could not be begun", exc_info=error)
            refused = error
            self._writer.leave(key)
        if refused is not None:
            asker.tell(refused)
            del self._askers[key]


def _served(turn: WrittenTurn) -> WrittenTurn:
    """Without what only a learner reads: the legal sets of a large vocabulary are megabytes."""
    return replace(turn, completion=replace(turn.completion, log_probs=(), legal=None))


class _Asker:
    """Who waits for a request, in an event loop."""

    def __init__(self, request: WriteRequest, loop: asyncio.AbstractEventLoop):
        self.request = request
        self.gone = False
        self._loop = loop
        self._items: asyncio.Queue[TextDeltas | Written | Exception] = asyncio.Queue()

    def tell(self, item: TextDeltas | Written | Exception) -> None:
        """From the decoding thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def read(self) -> TextDeltas | Written:
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        return item
