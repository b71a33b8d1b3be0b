"""One batch of checks on workers that may die: each check ends in exactly one result.

Checks go out in chunks, large circuits first. Each problem has a home among the workers, so that
its spectrum and reference are worked out once; a worker with nothing of its own left takes over
from another. When a worker dies, it says after its restart which check it was at work on. The
chunk's checks are then sent again, one at a time; a check that was at work when a worker died (or
may have been) is tried twice in all, then it is a `Failed`. A check that was merely queued behind
another one is sent again without being charged for it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from quasar.rewards import Failed
from quasar.verification.guard import REASONS, Death
from quasar.verification.worker import Check, Result

MAX_TRIES = 2
# Deaths that a check may witness without fault before it is given up.
MAX_WITNESSED = 20
MAX_CHUNK = 32
_IN_FLIGHT = 2  # chunks a worker: one at work, one on its way
RESTART_TIMEOUT_S = 180.0


@dataclass(slots=True)
class _Item:
    """One check and what became of it."""

    check: Check
    check_id: str
    tries: int = 0
    witnessed: int = 0
    result: Result | None = None


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

    def __init__(self, handles: Sequence[Any], checks: Sequence[Check]):
        batch = uuid.uuid4().hex
        self._items = [_Item(check, f"{batch}-{k}") for k, check in enumerate(checks)]
        self._lanes = [_Lane(handle, number) for number, handle in enumerate(handles)]
        self._num_homes = len(handles)
        self._queue = chunks(self._items, workers=len(handles))
        self._refs: dict[Any, tuple[_Lane, list[_Item] | None]] = {}  # None: an autopsy

    def run(self) -> list[Result]:
        """One result for each check, in order."""
        while self._queue or self._refs:
            self._send()
            if not self._refs:
                self._give_up("no verifier is left")
                break
            ready, _ = ray.wait(list(self._refs), num_returns=1, timeout=RESTART_TIMEOUT_S)
            for ref in ready:
                self._receive(ref)
            if not ready and all(chunk is None for _, chunk in self._refs.values()):
                self._give_up(f"no verifier came back within {RESTART_TIMEOUT_S:.0f} s")
                break
        return [item.result for item in self._items]

    def _send(self) -> None:
        """Chunks to workers, the least busy first."""
        while self._queue:
            free = [
                lane for lane in self._lanes if not lane.recovering and lane.in_flight < _IN_FLIGHT
            ]
            if not free:
                return
            lane = min(free, key=lambda lane: lane.in_flight)
            chunk = self._next_for(lane)
            ref = lane.handle.verify.remote([(item.check_id, item.check) for item in chunk])
            self._refs[ref] = (lane, chunk)
            lane.in_flight += 1

    def _next_for(self, lane: _Lane) -> list[_Item]:
        """A chunk from home, or the last one of all."""
        place = -1
        for k, chunk in enumerate(self._queue):
            if home(chunk[0].check, self._num_homes) == lane.number:
                place = k
                break
        return self._queue.pop(place)

    def _receive(self, ref: Any) -> None:
        lane, chunk = self._refs.pop(ref)
        if chunk is None:
            self._account(lane, ref)
            return
        lane.in_flight -= 1
        try:
            results = ray.get(ref)
        except RayTaskError as error:  # the worker itself is at fault, and alive
            self._retry(chunk, Failed("error", str(error.cause)))
        except RayError:
            self._bury(lane, chunk)
        else:
            for item, result in zip(chunk, results, strict=True):
                item.result = result

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
            deaths = ray.get(ref).deaths
        except RayError:
            self._lanes = [other for other in self._lanes if other is not lane]
        kinds = {death.check_id: death.kind for death in deaths}
        # The last death names the check that was at work; if it is another one, these only queued.
        known = bool(deaths) and deaths[-1].check_id != ""
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
        self._queue.append([item])

    def _give_up(self, reason: str) -> None:
        for item in self._items:
            if item.result is None:
                item.result = Failed("worker", reason)
        self._refs.clear()


def _failed(kind: str) -> Failed:
    return Failed(kind, REASONS[kind])


def home(check: Check, workers: int) -> int:
    """The worker that a check goes to if it is free: the same for all checks of a problem."""
    return int(check.problem.key, 16) % max(workers, 1)


def chunks(items: Sequence[_Item], *, workers: int) -> list[list[_Item]]:
    """All items in chunks of one home each, ordered by qubits (most first), then by problem.

    Enough chunks that all workers stay busy to the end, few enough to keep calls rare.
    """
    size = max(1, min(MAX_CHUNK, -(-len(items) // (4 * max(workers, 1)))))
    homes: dict[int, list[_Item]] = {}
    for item in items:
        homes.setdefault(home(item.check, workers), []).append(item)
    parts = []
    for own in homes.values():
        own.sort(key=_size_and_problem)
        parts += [own[k : k + size] for k in range(0, len(own), size)]
    return sorted(parts, key=lambda part: _size_and_problem(part[0]))


def _size_and_problem(item: _Item) -> tuple[int, str]:
    problem = item.check.problem
    return -problem.num_qubits, problem.key
