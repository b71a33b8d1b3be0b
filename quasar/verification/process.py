"""Verification under limits without Ray: one child process that may be ended at any time.

`GuardedVerifier` takes checks and gives one `VerificationReport | Failed` for each, as the pool
does; the child is a pool's worker with the same guard on time and memory, started again when it
died. A check is tried once: a caller that waits for one answer can ask again.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from quasar.config import VerificationConfig
from quasar.errors import VerificationError
from quasar.rewards import Failed
from quasar.verification.guard import REASONS, entry_of, read_death
from quasar.verification.worker import (
    Check,
    Result,
    VerifierFactory,
    VerifierWorker,
    make_verifier,
)

START_TIMEOUT_S = 180.0
# Beyond the check's own limit, which the child keeps: then the child itself is stuck.
_GRACE_S = 5.0
_SPAWN = multiprocessing.get_context("spawn")


class GuardedVerifier:
    """Owns the child process. Safe to use from several threads, which then wait for each other."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str = "hierarchical",
        *,
        verifier_factory: VerifierFactory = make_verifier,
    ):
        """Starts the child without waiting for it; the first check does."""
        self._config = config
        self._making = (config, formula, verifier_factory)
        name = f"quasar-verifier-{os.getuid()}-{uuid.uuid4().hex}"
        self._journal = Path(tempfile.gettempdir()) / name
        self._lock = threading.Lock()
        self._start()

    def verify(self, checks: Sequence[Check]) -> list[Result]:
        """One report or fault for each check, in order. Raises VerificationError where no child
        starts.
        """
        with self._lock:
            return [self._verify(check) for check in checks]

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def __enter__(self) -> "GuardedVerifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _verify(self, check: Check) -> Result:
        if self._process is None:
            self._start()
        self._wait_until_ready()
        try:
            self._connection.send(check)
            if self._connection.poll(self._config.time_limit_s + _GRACE_S):
                return self._connection.recv()
            kind = "timeout"
        except (EOFError, ConnectionError):
            death = read_death(entry_of(self._journal))
            kind = "worker" if death is None else death.kind
        self._end()
        return Failed(kind, REASONS[kind])

    def _start(self) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_serve, args=(theirs, *self._making, self._journal), daemon=True
        )
        self._process.start()
        theirs.close()  # so that the end of the child is the end of the pipe
        self._ready = False

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        try:
            if not self._connection.poll(START_TIMEOUT_S):
                raise EOFError
            self._connection.recv()
        except (EOFError, ConnectionError):
            self._end()
            raise VerificationError(
                "worker",
                "the verifier's process did not start; free memory, or see its messages above",
            ) from None
        self._ready = True

    def _end(self) -> None:
        if self._process is None:
            return
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process = None
        entry_of(self._journal).unlink(missing_ok=True)


def _serve(
    connection: Connection,
    config: VerificationConfig,
    formula: str,
    factory: VerifierFactory,
    journal: Path,
) -> None:
    """The child: checks in, results out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the parent's to handle
    os.dup2(2, 1)  # the parent's standard output may carry a protocol
    worker = VerifierWorker(config, formula, factory=factory, journal=journal)
    connection.send("ready")
    while True:
        try:
            check = connection.recv()
        except EOFError:
            return
        connection.send(worker.verify([("", check)])[0])
