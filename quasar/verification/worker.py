"""What a verifier actor runs: checks in, reports or faults out, never an exception.

A plain class; `quasar.verification.pool` makes actors of it.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quasar.config import VerificationConfig
from quasar.problems.base import ProblemInstance
from quasar.rewards import Failed
from quasar.verification.guard import Death, Guard
from quasar.verification.report import VerificationReport
from quasar.verification.verifier import Verifier

Result = VerificationReport | Failed


@dataclass(frozen=True, slots=True)
class Check:
    """One answer to verify: a problem, what the model wrote, and what to tell beside the grade."""

    problem: ProblemInstance
    text: str
    granted: frozenset[str] | None = None  # costly stages that may run; None: all
    diagnose: bool = False
    draw: bool = False


class Verifies(Protocol):
    """What a worker needs of a verifier."""

    def verify(
        self,
        problem: ProblemInstance,
        text: str,
        *,
        granted: frozenset[str] | None = None,
        diagnose: bool = False,
        draw: bool = False,
    ) -> VerificationReport:
        """The report on one answer."""
        ...


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
        self._checks = 0
        self._work_s = 0.0

    def verify(self, batch: Sequence[tuple[str, Check]]) -> list[Result]:
        """One result for each (check id, check), in order."""
        return [self._verify(check_id, check) for check_id, check in batch]

    def status(self) -> WorkerStatus:
        """Counters, and how earlier processes of this worker ended."""
        return WorkerStatus(self._checks, self._work_s, tuple(self._guard.deaths()))

    def retire(self) -> None:
        """Clean up; the worker is not used afterwards."""
        self._guard.forget()

    def _verify(self, check_id: str, check: Check) -> Result:
        start = time.perf_counter()
        try:
            with self._guard.watch(check_id):
                return run_check(self._verifier, check, memory_limit_mb=self._limit_mb)
        finally:
            self._checks += 1
            self._work_s += time.perf_counter() - start


def run_check(verifier: Verifies, check: Check, *, memory_limit_mb: int) -> Result:
    """The report, or the fault that kept us from one: nothing that a check does may escape."""
    try:
        return verifier.verify(
            check.problem,
            check.text,
            granted=check.granted,
            diagnose=check.diagnose,
            draw=check.draw,
        )
    except MemoryError:
        return Failed("memory", f"the verification needed more than {memory_limit_mb} MiB")
    except Exception as error:  # the boundary where faults become values
        return Failed("error", f"{type(error).__name__}: {error}")
