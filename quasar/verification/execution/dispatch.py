"""One batch of checks on workers that may die: each check ends in exactly one result.

Checks go out in chunks, large circuits first, in smaller ones towards the end, so that all workers
end together. Each problem has a home among the workers, so that its spectrum and reference are
worked out once; a worker with nothing of its own left takes over from another.

When a worker dies, it says after its restart which check it was at work on. The chunk's checks are
then sent again, one at a time; a check that was at work when a worker died (or may have been) is
tried twice in all, then it is a `Failed`. A check that was merely queued, behind another one or
while the worker was still starting, is sent again without being charged for it.
"""

import uuid
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from quasar.system.garbage import collector_paused
from quasar.verification.execution.guard import REASONS, Death
from quasar.verification.report import Failed, VerificationReport
from quasar.verification.request import Request, describe

MAX_TRIES = 2
# Deaths that a check may witness without fault before it is given up.
MAX_WITNESSED = 20
MAX_CHUNK = 64
# Seconds of work in a chunk: a shorter one would cost the caller more than it saves the workers,
# a longer one would keep a worker from its share of what comes last.
_LEAST_S, _MOST_S = 0.005, 0.03
_RUN = 8  # checks of one problem in a row
_IN_FLIGHT = 2  # chunks a worker: one at work, one on its way


@dataclass(slots=True)
class _Item:
    """One check and what became of it."""

    check: Request[Any]
    check_id: str
    tries: int = 0
    witnessed: int = 0
    result: Any = None


@dataclass(slots=True)
class _Lane:
    """One worker as seen from here."""

    handle: Any
    number: int
    in_flight: int = 0
    lost: list[list[_Item]] = field(default_factory=list)  # chunks to account for at its restart
    recovering: bool = False


class Dispatch:
    """Runs one batch to its end; made for a single use."""

    def __init__(
        self,
        handles: Sequence[Any],
        checks: Sequence[Request[Any]],
        *,
        restart_timeout_s: float = 180.0,
    ):
        self._restart_timeout_s = restart_timeout_s
        batch = uuid.uuid4().hex
        self._items = [_Item(check, f"{batch}-{k}") for k, check in enumerate(checks)]
        self._lanes = [_Lane(handle, number) for number, handle in enumerate(handles)]
        self._homes = by_home(self._items, workers=len(handles))
        self._singles: deque[_Item] = deque()  # to be tried again, each alone
        self._done, self._work_s = 0, 0.0  # reports so far, and the seconds of work in them
        self._refs: dict[Any, tuple[_Lane, list[_Item] | None]] = {}  # None: an autopsy

    def run(self) -> list[Any]:
        """One result for each check, in order."""
        with collector_paused():
            while self._waiting() or self._refs:
                self._send()
                if not self._refs:
                    self._give_up("no verifier is left")
                    break
                ready, _ = ray.wait(
                    list(self._refs), num_returns=1, timeout=self._restart_timeout_s
                )
                for ref in ready:
                    self._receive(ref)
                if not ready and all(chunk is None for _, chunk in self._refs.values()):
                    self._give_up(f"no verifier came back within {self._restart_timeout_s:.0f} s")
                    break
        return [item.result for item in self._items]

    def _send(self) -> None:
        """Chunks to workers, the least busy first."""
        while self._waiting():
            free = [
                lane for lane in self._lanes if not lane.recovering and lane.in_flight < _IN_FLIGHT
            ]
            if not free:
                return
            lane = min(free, key=lambda lane: lane.in_flight)
            chunk = self._next_for(lane)
            try:
                ref = lane.handle.verify.remote([(item.check_id, item.check) for item in chunk])
            except RayError:
                raise
            except Exception as error:  # of whatever a plug-in put into its problem
                self._retry(chunk, Failed("error", f"cannot be sent: {describe(error)}"))
                continue
            self._refs[ref] = (lane, chunk)
            lane.in_flight += 1

    def _waiting(self) -> int:
        """Checks that no worker has yet."""
        return len(self._singles) + sum(len(items) for items in self._homes)

    def _next_for(self, lane: _Lane) -> list[_Item]:
        """A chunk from home, or else of the worker with the most left; the large ones first."""
        if self._singles:
            return [self._singles.popleft()]
        mean_s = self._work_s / self._done if self._done else _LEAST_S
        size = chunk_size(self._waiting(), workers=len(self._lanes), mean_s=mean_s)
        items = self._homes[lane.number] or max(self._homes, key=len)
        return [items.popleft() for _ in range(min(size, len(items)))]

    def _receive(self, ref: Any) -> None:
        lane, chunk = self._refs.pop(ref)
        if chunk is None:
            self._account(lane, ref)
            return
        lane.in_flight -= 1
        try:
            results = ray.get(ref)
        except RayTaskError as error:  # the worker itself is at fault, and alive
            self._retry(chunk, Failed("error", describe(error.cause)))
        except RayError:
            self._bury(lane, chunk)
        else:
            for item, result in zip(chunk, results, strict=True):
                item.result = result
                if isinstance(result, VerificationReport):
                    self._done += 1
                    self._work_s += sum(result.seconds.values())

    def _bury(self, lane: _Lane, chunk: list[_Item]) -> None:
        """The worker died with this chunk: ask it about that once it is back."""
        lane.lost.append(chunk)
        if not lane.recovering:
            lane.recovering = True
            self._refs[lane.handle.status.remote()] = (lane, None)

    def _account(self, lane: _Lane, ref: Any) -> None:
        """The worker is back (or gone for good): each lost check is sent again or given up."""
        lost, lane.lost = lane.lost, []
        lane.recovering = False
        deaths: tuple[Death, ...] = ()
        try:
            status: Any = ray.get(ref)
            deaths = status.deaths
        except RayError:
            self._lanes = [other for other in self._lanes if other is not lane]
        kinds = {death.check_id: death.kind for death in deaths}
        # The last death names the check that was at work; if it is another one or none, these only
        # queued. Without any, the worker's journal is lost, and it may have been each of them.
        known = bool(deaths)
        for item in (item for chunk in lost for item in chunk):
            if item.check_id in kinds:
                self._retry([item], _failed(kinds[item.check_id]))
            elif known:
                self._resend_witness(item)
            else:
                self._retry([item], _failed("worker"))

    def _retry(self, chunk: list[_Item], fault: Failed) -> None:
        """Send each alone, with a new name; those that had their tries end with the fault."""
        for item in chunk:
            item.tries += 1
            if item.tries >= MAX_TRIES:
                item.result = fault
            else:
                self._again(item)

    def _resend_witness(self, item: _Item) -> None:
        item.witnessed += 1
        if item.witnessed > MAX_WITNESSED:
            item.result = _failed("worker")
        else:
            self._again(item)

    def _again(self, item: _Item) -> None:
        item.check_id = f"{item.check_id}+"
        self._singles.append(item)

    def _give_up(self, reason: str) -> None:
        for item in self._items:
            if item.result is None:
                item.result = Failed("worker", reason)
        self._refs.clear()


def _failed(kind: str) -> Failed:
    return Failed(kind, REASONS[kind])


def home(check: Request[Any], workers: int) -> int:
    """The worker that a check goes to if it is free: the same for all checks of a problem."""
    return int(check.problem.key, 16) % max(workers, 1)


def by_home(items: Sequence[_Item], *, workers: int) -> list[deque[_Item]]:
    """For each worker the items at home there, most qubits first.

    Those of a problem stay together, as its text is then sent once, but in short runs: a problem
    that is costly for reasons of its own shall not fill the last chunk.
    """
    seen: Counter[str] = Counter()
    order = {}
    for item in items:
        problem = item.check.problem
        order[item.check_id] = (-problem.num_qubits, seen[problem.key] // _RUN, problem.key)
        seen[problem.key] += 1
    homes: list[deque[_Item]] = [deque() for _ in range(max(workers, 1))]
    for item in sorted(items, key=lambda item: order[item.check_id]):
        homes[home(item.check, workers)].append(item)
    return homes


def chunk_size(waiting: int, *, workers: int, mean_s: float) -> int:
    """Guided self-scheduling: a share of what is left, so that the last chunks are short, within
    bounds on its work. mean_s: seconds of work of a check, by those done so far.
    """
    mean_s = max(mean_s, 1e-6)
    least, most = max(1, round(_LEAST_S / mean_s)), max(1, round(_MOST_S / mean_s))
    return min(MAX_CHUNK, most, max(least, waiting // (8 * workers)))
