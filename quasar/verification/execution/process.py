"""Verification under limits without Ray: child processes that may be ended at any time.

`GuardedVerifier` takes requests and gives one value or `Failed` for each, as the pool does; a child
is a pool's worker with the same guard on time and memory, started again when it died. With
`max_tries` 1 a caller that waits for one answer can ask again itself.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd, ForkingPickler
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

from quasar.config import VerificationConfig
from quasar.errors import VerificationError
from quasar.verification.execution.guard import REASONS, entry_of, read_death, wall_limit_s
from quasar.verification.execution.worker import VerifierFactory, VerifierWorker, make_verifier
from quasar.verification.report import Failed
from quasar.verification.request import Request, Value, describe

START_TIMEOUT_S = 180.0
MAX_TRIES = 2  # of a request whose child died, where retries are wanted
# Beyond the request's own limit, which the child keeps: then the child itself is stuck.
_GRACE_S = 5.0
_GROUP = 32  # requests of one problem that a child takes in a row
_CLOSED = Failed("worker", "the verifier was closed")
# Not fork: threads of this process would not survive it. The fork server has none, imports once,
# and gives a new child in a fraction of a second.
_CONTEXT = multiprocessing.get_context("forkserver")
_FORKED = multiprocessing.get_context("fork")
_MAIN_LOCK = threading.Lock()
_preloaded = ["quasar.verification.execution.worker"]
_CONTEXT.set_forkserver_preload(_preloaded)


def preload(*modules: str) -> None:
    """Modules that the requests of a room above need: imported once for all children, if no child
    has been started before; by each child on its own otherwise.
    """
    _preloaded.extend(modules)
    _CONTEXT.set_forkserver_preload(_preloaded)


class GuardedVerifier:
    """Owns the child processes. Safe to use from several threads, which share them."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str = "hierarchical",
        *,
        num_workers: int = 1,
        max_tries: int = 1,
        verifier_factory: VerifierFactory = make_verifier,
        forked: bool = False,
    ):
        """Starts the children without waiting for them; the first requests do.

        forked: they are copies of this process, with all that it has loaded. For a command that
        has one thread; on Linux alone, elsewhere it makes no difference.
        """
        self.num_workers = num_workers
        self._closed = False
        self._children = [
            _Child(config, formula, verifier_factory, max_tries, forked=forked)
            for _ in range(num_workers)
        ]
        self._free: SimpleQueue[_Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)

    def verify(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        """One value or fault for each request, in order. Raises VerificationError where no child
        starts.
        """
        groups = list(_groups(requests))
        if len(groups) < 2 or self.num_workers == 1:
            answered: list[Any] = [self._verify(group) for group in groups]
        else:
            with ThreadPoolExecutor(min(len(groups), self.num_workers)) as threads:
                answered = list(threads.map(self._verify, groups))
        return [value for values in answered for value in values]

    def close(self) -> None:
        """End the children; requests that are under way end as faults."""
        self._closed = True
        for child in self._children:
            child.kill()
        for _ in self._children:
            self._free.get().end()

    def __enter__(self) -> "GuardedVerifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _verify(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        if self._closed:
            return [_CLOSED] * len(requests)
        child = self._free.get()
        try:
            return child.run(requests)
        finally:
            self._free.put(child)


def _groups(requests: Iterable[Request[Value]]) -> Iterable[Sequence[Request[Value]]]:
    """Neighbours of one problem together, since a child works a problem out once."""
    for _, neighbours in groupby(requests, key=lambda request: request.problem.key):
        group = list(neighbours)
        yield from (group[start : start + _GROUP] for start in range(0, len(group), _GROUP))


class _Child:
    """One child process; used by one thread at a time, but for `kill`."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str,
        factory: VerifierFactory,
        max_tries: int,
        *,
        forked: bool,
    ):
        self._forked = forked and sys.platform == "linux"
        self._time_limit_s = config.time_limit_s
        self._making = (config, formula, factory)
        self._max_tries = max_tries
        name = f"quasar-verifier-{os.getuid()}-{uuid.uuid4().hex}"
        self._journal = Path(tempfile.gettempdir()) / name
        self._killed = False
        self._start()

    def run(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        """One value or fault for each. What follows one at which the child died is sent again."""
        results: list[Value | Failed] = []
        tries, tried = 0, -1  # how often the child died at the request of place `tried`
        while len(results) < len(requests):
            kind = self._run(requests[len(results) :], results)
            if self._killed:
                return [*results, *[_CLOSED] * (len(requests) - len(results))]
            if kind is None:
                continue
            tries = tries + 1 if tried == len(results) else 1
            tried = len(results)
            if tries >= self._max_tries:
                results.append(Failed(kind, REASONS[kind]))
        return results

    def kill(self) -> None:
        """From any thread: whoever waits for this child is told of its end."""
        self._killed = True
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """End the process and forget it."""
        if self._process is None:
            return
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process = None
        entry_of(self._journal).unlink(missing_ok=True)

    def _run(self, requests: Sequence[Request[Value]], results: list[Value | Failed]) -> str | None:
        """Append results as they come; the kind of death where the child died before the end."""
        if self._process is None and not self._killed:
            self._start()
        self._wait_until_ready()
        if self._killed:
            return "worker"
        try:
            payload = ForkingPickler.dumps(requests)
        except Exception as error:  # of whatever a plug-in put into its problem
            results += [Failed("error", f"cannot be sent: {describe(error)}")] * len(requests)
            return None
        try:
            self._connection.send(len(requests))
            self._connection.send_bytes(payload)
            for request in requests:
                limit_s = wall_limit_s(self._time_limit_s, request.clock)
                if not self._connection.poll(limit_s + _GRACE_S):
                    kind = "timeout"
                    break
                results.append(_load(self._connection.recv_bytes()))
            else:
                return None
        except (EOFError, ConnectionError):
            death = read_death(entry_of(self._journal))
            kind = "worker" if death is None else death.kind
        self.end()
        return kind

    def _start(self) -> None:
        context = _FORKED if self._forked else _CONTEXT
        self._connection, theirs = context.Pipe()
        # A copy has both ends of the pipe: without ours closed it would never see its end.
        standard_error, ours = (
            (os.dup(2), self._connection) if self._forked else (_StandardError(), None)
        )
        process = context.Process(
            target=_serve,
            args=(theirs, standard_error, *self._making, self._journal, ours),
            daemon=True,
        )
        with _MAIN_LOCK, _without_main():
            process.start()
        self._process = process  # one that did not start has nothing to kill
        if isinstance(standard_error, int):
            os.close(standard_error)
        theirs.close()  # so that the end of the child is the end of the pipe
        self._ready = False

    def _wait_until_ready(self) -> None:
        if self._ready or self._process is None:
            return
        try:
            if not self._connection.poll(START_TIMEOUT_S):
                raise EOFError
            self._connection.recv()
        except (EOFError, ConnectionError):
            self.end()
            if self._killed:
                return
            raise VerificationError(
                "worker",
                "the verifier's process did not start; free memory, or see its messages above",
            ) from None
        self._ready = True


@contextmanager
def _without_main() -> Iterator[None]:
    """Children need nothing of the program that started us, and would run it again where it is a
    script without `if __name__ == "__main__"`.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _StandardError:
    """Arrives in a child as the descriptor of this process's standard error at its start, which
    need not be the fork server's.
    """

    def __reduce__(self):
        return _received, (DupFd(2),)


def _received(descriptor: Any) -> int:
    return descriptor.detach()


def _serve(
    connection: Connection,
    standard_error: int,
    config: VerificationConfig,
    formula: str,
    factory: VerifierFactory,
    journal: Path,
    other_end: Connection | None,
) -> None:
    """The child: requests in, results out one by one, until the pipe closes."""
    if other_end is not None:
        other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the parent's to handle
    for limit in (signal.SIGALRM, signal.SIGPROF):  # a handler of the program that was forked
        signal.signal(limit, signal.SIG_DFL)
    os.dup2(standard_error, 2)
    os.close(standard_error)
    os.dup2(2, 1)  # the parent's standard output may carry a protocol
    worker = VerifierWorker(config, formula, factory=factory, journal=journal)
    connection.send("ready")
    while True:
        try:
            count = connection.recv()
            payload = connection.recv_bytes()
        except EOFError:
            return
        requests = _load(payload)
        for place in range(count):
            fault = isinstance(requests, Failed)
            result = requests if fault else worker.answer("", requests[place])
            try:
                connection.send(result)
            except ConnectionError:
                return
            except Exception as error:  # of whatever a plug-in put into its answer
                connection.send(Failed("error", f"cannot be sent: {describe(error)}"))


def _load(payload: bytes) -> Any:
    """What was sent, or a fault where it needs something that is not here."""
    try:
        return pickle.loads(payload)
    except Exception as error:
        return Failed("error", f"cannot be read: {describe(error)}")
