"""What a verifier's process runs: requests in, values or faults out, never an exception.

A plain class; `pool` makes actors of it, `process` child processes.
"""

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quasar.config import VerificationConfig
from quasar.verification.execution.guard import Death, Guard
from quasar.verification.request import Request, Verifies, answer_request
from quasar.verification.verifier import Verifier

VerifierFactory = Callable[[VerificationConfig, str], Verifies]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Counters of one worker; `checks` and `work_s` since its process started."""

    checks: int
    work_s: float
    deaths: tuple[Death, ...]


def make_verifier(config: VerificationConfig, formula: str) -> Verifier:
    """A verifier whose compiled parts are loaded, so that no check pays for them."""
    verifier = Verifier(config, formula)
    verifier.warm_up()
    return verifier


class VerifierWorker:
    """Holds a verifier and a guard."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str,
        *,
        factory: VerifierFactory,
        journal: Path,
    ):
        self._verifier = factory(config, formula)
        gc.collect()
        gc.freeze()  # what is loaded now stays: no later collection need walk it
        self._guard = Guard(
            journal,
            time_limit_s=config.time_limit_s,
            memory_limit_mb=config.memory_limit_mb,
        )
        self._limit_mb = config.memory_limit_mb
        self._warm: set[tuple[type, str]] = set()  # kinds of requests whose parts are loaded
        self._checks = 0
        self._work_s = 0.0

    def verify(self, batch: Sequence[tuple[str, Request[Any]]]) -> list[Any]:
        """One value or fault for each (id, request), in order."""
        return [self.answer(request_id, request) for request_id, request in batch]

    def answer(self, request_id: str, request: Request[Any]) -> Any:
        """The value or fault of one request; over the time limit this process ends."""
        start = time.perf_counter()
        try:
            self._warm_up(request)
            with self._guard.watch(request_id, clock=request.clock):
                return answer_request(self._verifier, request, memory_limit_mb=self._limit_mb)
        finally:
            self._checks += 1
            self._work_s += time.perf_counter() - start

    def status(self) -> WorkerStatus:
        """Counters, and how earlier processes of this worker ended."""
        return WorkerStatus(self._checks, self._work_s, tuple(self._guard.deaths()))

    def retire(self) -> None:
        """Clean up; the worker is not used afterwards."""
        self._guard.forget()

    def _warm_up(self, request: Request[Any]) -> None:
        """Of the first request of a kind: what it loads is not counted against it."""
        kind = (type(request), getattr(request.problem, "task", ""))
        if kind in self._warm:
            return
        self._warm.add(kind)
        with suppress(Exception):  # what is wrong with it is said by the request itself
            request.warm_up(self._verifier)
        self._guard.measure_memory()
