"""The verifier pool: Ray actors that each hold a verifier and may be killed at any time.

`VerifierPool` owns the actors; any process can have requests answered by them with a
`VerifierClient` made from `handles()`. `LocalVerifierPool` does the same in this process, without
limits. All give one value or `Failed` for each request, in order: see
`quasar.verification.execution.dispatch`.
"""

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayError

from quasar.config import VerificationConfig
from quasar.errors import TrainingError
from quasar.runtime import on_nodes
from quasar.verification.execution.budget import run_within_budget
from quasar.verification.execution.dispatch import Dispatch
from quasar.verification.execution.worker import (
    VerifierFactory,
    VerifierWorker,
    WorkerStatus,
    make_verifier,
)
from quasar.verification.report import Failed
from quasar.verification.request import Request, Value, answer_request
from quasar.verification.stages.published_utility import PINNED, can_pin

_STATUS_TIMEOUT_S = 2.0
_SINGLE_THREADED = {name: "1" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The pool's state. Restarts and time-outs are over the pool's life, for all its clients."""

    workers: int
    healthy: int  # workers that answer now
    restarts: int  # worker processes that ended and were replaced
    timeouts: int  # of these, ended at the time limit
    checks: int  # by the processes now alive
    work_s: float  # seconds of work of the processes now alive
    failed: Mapping[str, int] = field(default_factory=dict)  # this client's faults by kind


class VerifierClient:
    """Has requests answered by a pool's actors. Safe to use from several threads."""

    def __init__(self, handles: Sequence[ActorHandle], config: VerificationConfig):
        """handles: `VerifierPool.handles()`, from any process of the cluster."""
        self._handles = list(handles)
        self._config = config
        self._failed: Counter[str] = Counter()

    @property
    def num_workers(self) -> int:
        """Actors, each of which answers one request at a time."""
        return len(self._handles)

    def verify(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        """One value or fault for each request, in order. Never raises for a bad answer.

        The requests are one batch, which shares the budget of the config.
        """
        results = run_within_budget(
            lambda part: Dispatch(
                self._handles, part, restart_timeout_s=self._config.start_timeout_s
            ).run(),
            requests,
            self._config.budget_s,
        )
        self._failed.update(r.kind for r in results if isinstance(r, Failed))
        return results

    def stats(self) -> PoolStats:
        """Counters of the pool; workers that do not answer at once count as not healthy."""
        answers = [status for status in self._statuses(_STATUS_TIMEOUT_S) if status is not None]
        deaths = [death for answer in answers for death in answer.deaths]
        return PoolStats(
            workers=len(self._handles),
            healthy=len(answers),
            restarts=len(deaths),
            timeouts=sum(death.kind == "timeout" for death in deaths),
            checks=sum(answer.checks for answer in answers),
            work_s=sum(answer.work_s for answer in answers),
            failed=dict(self._failed),
        )

    def _statuses(self, timeout_s: float) -> list[WorkerStatus | None]:
        refs: list[Any] = [handle.status.remote() for handle in self._handles]
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=timeout_s)
        statuses: list[WorkerStatus | None] = []
        for ref in refs:
            status: Any = None
            if ref in ready:
                with suppress(RayError):
                    status = ray.get(ref)
            statuses.append(status)
        return statuses


class VerifierPool(VerifierClient):
    """Starts the actors of the config and owns them; also a client of them. Needs Ray up."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str = "hierarchical",
        *,
        first_bundle: int = -1,
        verifier_factory: VerifierFactory = make_verifier,
    ):
        """first_bundle: from here on, each actor has a bundle of the caller's placement group; -1
        where there is no group. An actor that may take any bundle may, when it starts anew on
        another node, take its CPU of one and its other resources of another, and whatever these
        two are kept for never starts again.

        Raises TrainingError where the actors do not start, e.g. for want of CPUs."""
        environment = dict(_SINGLE_THREADED)
        if formula == "published" and can_pin():
            environment |= PINNED
        handles = [
            _VerifierActor.options(  # pyright: ignore[reportAttributeAccessIssue]  # a Ray class
                num_cpus=config.cpus_per_worker,
                num_gpus=config.gpus_per_worker,
                resources=on_nodes(config.nodes),
                placement_group_bundle_index=-1 if first_bundle < 0 else first_bundle + i,
                runtime_env={"env_vars": environment},
            ).remote(config, formula, verifier_factory, uuid.uuid4().hex)
            for i in range(config.num_workers)
        ]
        super().__init__(handles, config)
        self._require_started()

    def handles(self) -> list[ActorHandle]:
        """The actors, for a `VerifierClient` in another process."""
        return list(self._handles)

    def close(self) -> None:
        """End the actors; checks under way are lost."""
        for handle in self._handles:
            with suppress(RayError):
                ray.get(handle.retire.remote(), timeout=_STATUS_TIMEOUT_S)
            ray.kill(handle)
        self._handles = []

    def _require_started(self) -> None:
        try:
            ray.get(
                [handle.status.remote() for handle in self._handles],
                timeout=self._config.start_timeout_s,
            )
        except GetTimeoutError:
            self.close()
            raise TrainingError(
                f"not all of the {len(self._handles)} verifiers started within "
                f"{self._config.start_timeout_s:.0f} s; free CPUs, lower verification.num_workers "
                "or verification.cpus_per_worker, or raise verification.start_timeout_s where "
                "nodes are added on demand"
            ) from None
        except RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise TrainingError(f"a verifier did not start: {reason}") from error


class LocalVerifierPool:
    """The pool's `verify`, `stats` and `close` in this process: no Ray, and no limits."""

    def __init__(
        self,
        config: VerificationConfig,
        formula: str = "hierarchical",
        *,
        verifier_factory: VerifierFactory = make_verifier,
    ):
        self._verifier = verifier_factory(config, formula)
        self._config = config
        self._checks = 0
        self._failed: Counter[str] = Counter()

    @property
    def num_workers(self) -> int:
        """This process."""
        return 1

    def verify(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        """One value or fault for each request, in order."""
        results = run_within_budget(self._run, requests, self._config.budget_s)
        self._failed.update(r.kind for r in results if isinstance(r, Failed))
        return results

    def _run(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        limit = self._config.memory_limit_mb
        self._checks += len(requests)
        return [answer_request(self._verifier, r, memory_limit_mb=limit) for r in requests]

    def stats(self) -> PoolStats:
        """Counters of this process."""
        return PoolStats(1, 1, 0, 0, self._checks, 0.0, dict(self._failed))

    def close(self) -> None:
        """Nothing to end."""


@ray.remote(  # pyright: ignore[reportCallIssue]  # the groups are not declared
    max_restarts=-1, max_task_retries=0, concurrency_groups={"control": 1}
)
class _VerifierActor:
    """A thin shell around `VerifierWorker`."""

    def __init__(
        self, config: VerificationConfig, formula: str, factory: VerifierFactory, name: str
    ):
        journal = Path(tempfile.gettempdir()) / f"quasar-verifier-{os.getuid()}-{name}"
        self._worker = VerifierWorker(config, formula, factory=factory, journal=journal)

    def verify(self, batch: Sequence[tuple[str, Request[Any]]]) -> list[Any]:
        return self._worker.verify(batch)

    # Apart from the checks, so that it answers while one runs; repeated until the actor is back.
    @ray.method(concurrency_group="control", max_task_retries=-1)
    def status(self) -> WorkerStatus:
        return self._worker.status()

    @ray.method(concurrency_group="control")
    def retire(self) -> None:
        self._worker.retire()
