"""A driver's processor on a simulated clock, and what its threads wait for each other with.

What the driver computes is measured and moves the clock; waiting moves it to where the wait ends.
Several threads share the processor as they share Python's lock: one runs until it waits, then the
one whose wait ends first.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class _Ended(BaseException):
    """The run is over: what a thread still waits for will not come."""


class Processor:
    """The driver's processor and the simulated clock, in seconds."""

    def __init__(self, timer: Callable[[], float] = time.thread_time):
        """timer: processor seconds of the calling thread."""
        self.now = 0.0
        self.busy = 0.0  # seconds of `now` in which the driver computed
        self._timer = timer
        self._marks: dict[int, float | None] = {}  # thread -> when it began to compute
        self._turn = threading.Condition()
        self._running = threading.get_ident()
        self._parked: dict[int, tuple[float, Callable[[], bool] | None]] = {}
        self._ended = False
        self.resume()

    def charge(self, seconds: float) -> None:
        """The driver computes for so long."""
        self.now += seconds
        self.busy += seconds

    def settle(self) -> None:
        """Charge what this thread has computed since it was looked at last."""
        me = threading.get_ident()
        mark = self._marks.get(me)
        if mark is not None:
            here = self._timer()
            self.charge(here - mark)
            self._marks[me] = here

    def resume(self) -> None:
        """From here on this thread's work is the driver's."""
        self._marks[threading.get_ident()] = self._timer()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is done here is not the driver's work."""
        me = threading.get_ident()
        inner = self._marks.get(me) is None
        if not inner:
            self.settle()
            self._marks[me] = None
        try:
            yield
        finally:
            if not inner:
                self.resume()

    def wait(self, until: float = float("inf"), ready: Callable[[], bool] | None = None) -> None:
        """Let this thread wait for a time of the clock, or for what another thread does."""
        with self.outside(), self._turn:
            me = threading.get_ident()
            self._parked[me] = (until, ready)
            self._pass_on()
            while self._running != me:
                self._turn.wait()
                if self._ended:
                    raise _Ended

    def begin(self, work: Callable[[], None]) -> None:
        """A further thread of the driver, which runs when others wait."""
        started = threading.Event()

        def run() -> None:
            me = threading.get_ident()
            with self._turn:
                self._parked[me] = (self.now, None)
                started.set()
                while self._running != me:
                    self._turn.wait()
                    if self._ended:
                        return
            self.resume()
            try:
                work()
            except _Ended:
                return
            self.settle()
            with self._turn:
                self._marks.pop(me)
                self._pass_on()

        threading.Thread(target=run, daemon=True).start()
        started.wait()

    def end(self) -> None:
        """Wake the threads that wait, to end."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()

    def _pass_on(self) -> None:
        """The processor goes to whom it is ready for first."""

        def when(thread: int) -> float:
            until, ready = self._parked[thread]
            return min(until, self.now) if ready is not None and ready() else until

        first = min(self._parked, key=when)
        if when(first) == float("inf"):
            raise RuntimeError("all threads of the driver wait for each other")
        self.now = max(self.now, when(first))
        del self._parked[first]
        self._running = first
        self._turn.notify_all()


class Lock:
    """A lock between the driver's threads."""

    def __init__(self, processor: Processor):
        self._processor, self._held = processor, False

    def acquire(self, blocking: bool = True) -> bool:
        if self._held and not blocking:
            return False
        while self._held:
            self._processor.wait(ready=lambda: not self._held)
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: Any) -> None:
        self.release()


class Future:
    """What another of the driver's threads will have made."""

    def __init__(self, processor: Processor):
        self._processor = processor
        self._made: list[Any] = []
        self._error: BaseException | None = None

    def run(self, work: Callable[[], Any]) -> None:
        try:
            self._made.append(work())
        except Exception as error:
            self._error = error

    def done(self) -> bool:
        return bool(self._made) or self._error is not None

    def result(self) -> Any:
        if not self.done():
            self._processor.wait(ready=self.done)
        if self._error is not None:
            raise self._error
        return self._made[0]


class Threads:
    """A pool of one thread, as `concurrent.futures` has it."""

    def __init__(self, processor: Processor):
        self._processor = processor
        self._waiting: list[Callable[[], None]] = []
        self._at_work = False

    def submit(self, work: Callable[..., Any], *args: Any) -> Future:
        future = Future(self._processor)
        self._waiting.append(lambda: future.run(lambda: work(*args)))
        if not self._at_work:
            self._at_work = True
            with self._processor.outside():
                self._processor.begin(self._work)
        return future

    def _work(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()
        self._at_work = False
