"""The collector of rollouts: what gets complete batches out of the rollout actors.

Invariants: a step's batch is complete (a dead worker's share is made again by another, from the
same seeds, so the batch is the one that would have been), and a worker that came back is sent the
weights before its share is made again.

Where rollouts run ahead of the learners, one thread collects and another publishes. Weights that
are published while workers are at work go to the `WeightsBoard`, where these look for them; who has
not seen them by the end of its share is sent them before the next.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError

from quasar.datasets.task_records import Record
from quasar.episodes.episode import Episode
from quasar.episodes.task import EpisodeTask
from quasar.errors import TrainingError
from quasar.policy.sequence import TokenSequence
from quasar.system.garbage import collector_paused
from quasar.training.rllib.runner import NO_WEIGHTS, RolloutRunner, Share, Stale, WorkerFault
from quasar.training.rllib.token_store import StoredTokens

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)


def _receive(runner: RolloutRunner, **kwargs) -> int:
    return runner.receive(**kwargs)


def _collect(
    runner: RolloutRunner, **kwargs
) -> tuple[Share | Stale | WorkerFault, list[TokenSequence]]:
    return runner.collect(**kwargs)


def _complete(
    runner: RolloutRunner, **kwargs
) -> tuple[list[list[str]] | Stale | WorkerFault, None]:
    return runner.complete(**kwargs), None


@dataclass(slots=True)
class Collected:
    """A complete batch and how it came about."""

    episodes: list[Episode]
    expected: int
    remade: int = 0  # episodes of dead workers that were made again
    seconds: dict[str, float] = field(default_factory=dict)  # slowest worker, by phase


class RolloutCollector:
    """Sends weights to the workers of an EnvRunnerGroup and collects complete batches."""

    def __init__(
        self,
        env_runner_group: Any,
        *,
        verifiers: Sequence[Any],
        timeout_s: float,
        max_attempts: int,
        board: Any = None,
    ):
        """verifiers: handles of the pool's actors. board: a WeightsBoard, where rollouts go on
        while weights are published.
        """
        self.group = env_runner_group
        self.manager = env_runner_group._worker_manager
        # One object for all workers: writing each handle into each message is quadratic.
        self._verifiers = ray.put(verifiers)
        self.timeout_s = timeout_s
        self.max_attempts = max_attempts
        self.board = board
        self._published: tuple[list[ray.ObjectRef], int] = ([], NO_WEIGHTS)
        self._held: dict[int, int] = {}  # worker -> version that it confirmed last
        self._rss: dict[int, int] = {}  # worker -> bytes
        self._at_work = threading.Lock()  # whoever calls workers; not held by publishing alone
        self._closed = False

    @property
    def version(self) -> int:
        """Of the weights published last."""
        return self._published[1]

    def publish(self, weights: list[ray.ObjectRef], version: int) -> None:
        """Give all healthy workers the weights; returns when each has confirmed the version, or,
        where they are at work, when they can find it.
        """
        self._published = (weights, version)
        if self.board is not None:
            try:
                ray.get(self.board.post.remote(weights, version))
            except RayError as error:  # it comes back, empty; workers get them before further work
                logger.warning("the board of weights is lost: %s", error)
        if self._at_work.acquire(blocking=self.board is None):
            try:
                self._send(self.manager.healthy_actor_ids())
            finally:
                self._at_work.release()

    def close(self) -> None:
        """End what is being collected as soon as the workers end, without waiting for others."""
        self._closed = True

    def revive(self) -> list[int]:
        """Bring restarted workers back: they are stale until they hold the current weights."""
        with self._at_work:
            return self._revive()

    def _revive(self) -> list[int]:
        back = self.group.probe_unhealthy_env_runners()
        if back:
            logger.warning("rollout workers %s are back; sending weights %d", back, self.version)
            self._send(back)
        return back

    def collect(self, tasks: Sequence[EpisodeTask]) -> Collected:
        """Episodes of all tasks, in order."""
        made, remade = self._spread(
            tasks, lambda share, version: partial(_collect, tasks=share, version=version)
        )
        episodes = [
            replace(e, tokens=StoredTokens(tokens, index))
            for share, tokens in made.values()
            for index, e in enumerate(share.episodes)
        ]
        episodes.sort(key=lambda e: (e.group, e.sample))
        if len(episodes) != len(tasks):
            raise TrainingError(f"collected {len(episodes)} episodes for {len(tasks)} tasks")
        seconds: dict[str, float] = {}
        for share, _ in made.values():
            for phase, value in share.seconds.items():
                seconds[phase] = max(seconds.get(phase, 0.0), value)
        return Collected(episodes, len(tasks), remade, seconds)

    def complete(self, records: Sequence[Record], *, samples: int) -> list[list[str]]:
        """`samples` answers to each problem by the current weights, in order."""
        made, _ = self._spread(
            records,
            lambda share, version: partial(
                _complete, records=share, samples=samples, version=version
            ),
        )
        answers: list[list[str]] = [[] for _ in records]
        for i, (share, _) in made.items():
            answers[i :: self.group.num_remote_env_runners()] = share
        return answers

    def rss_bytes(self) -> list[int]:
        """Resident memory of the workers' processes, as each said with its last share: a call would
        wait for what they are at.
        """
        return list(self._rss.values())

    def _spread(
        self, items: Sequence[Any], ask: Callable[[Sequence[Any], int], Callable]
    ) -> tuple[dict[int, tuple[Any, ray.ObjectRef]], int]:
        """What the workers made of the items: by number of the share (items i, i + workers, …),
        and how many items had to be made again. Shares are fixed by the configured workers.

        Each with a reference to what belongs to it and stays in the object store. Raises
        TrainingError for a share that was given out `max_attempts` times and never came back.
        """
        with self._at_work:
            return self._spread_alone(items, ask)

    def _spread_alone(
        self, items: Sequence[Any], ask: Callable[[Sequence[Any], int], Callable]
    ) -> tuple[dict[int, tuple[Any, ray.ObjectRef]], int]:
        count = self.group.num_remote_env_runners()
        shares = {i: list(items[i::count]) for i in range(count) if items[i::count]}
        made: dict[int, Any] = {}
        remade = 0
        attempts: Counter[int] = Counter()
        while len(made) < len(shares):
            missing = [i for i in shares if i not in made]
            workers, version = self._workers()
            jobs = list(zip(workers, missing, strict=False))
            lost = self._run(jobs, {i: ask(shares[i], version) for i in missing}, made)
            if self._closed:
                raise TrainingError("the run ended while rollouts were made")
            for i, reason in lost.items():
                remade += len(shares[i])
                attempts[i] += 1
                if attempts[i] >= self.max_attempts:
                    raise TrainingError(
                        f"a rollout share of {len(shares[i])} items was lost {attempts[i]} times "
                        f"(rollout.max_attempts), last because {reason}; see the workers' messages "
                        "above and under /tmp/ray/session_latest/logs. If they are killed for "
                        "memory, lower rollout.num_workers"
                    )
        return made, remade

    def _run(self, jobs, calls, made) -> dict[int, str]:
        """One call a worker; the shares that were lost, and why. RLlib's own way would fetch all
        that they return, tokens too.
        """
        lost: dict[int, str] = {}
        actors = self.manager.actors()
        pending = {}
        for worker, i in jobs:
            head, rest = actors[worker].apply.options(num_returns=2).remote(calls[i])
            pending[head] = (worker, i, rest)
        done, late = ray.wait(list(pending), num_returns=len(pending), timeout=self.timeout_s)
        with collector_paused():
            for ref in done:
                self._take(ref, pending[ref], made, lost)
        for ref in late:
            worker, i, _ = pending[ref]
            lost[i] = f"worker {worker} gave nothing in rollout.timeout_s = {self.timeout_s:.0f} s"
            logger.warning("rollout worker %d gave nothing in %.0f s", worker, self.timeout_s)
            self.manager.set_actor_state(worker, healthy=False)
            ray.kill(actors[worker], no_restart=False)
        return lost

    def _take(
        self,
        ref: ray.ObjectRef,
        job: tuple[int, int, ray.ObjectRef],
        made: dict[int, Any],
        lost: dict[int, str],
    ) -> None:
        """Read what a worker answered to its call: a share that is made, or why it is lost."""
        worker, i, rest = job
        try:
            value = ray.get(ref)
        except RayError as error:
            if not self._closed:
                logger.warning("rollout worker %d died: %s", worker, error)
            self.manager.set_actor_state(worker, healthy=False)
            lost[i] = f"worker {worker} died ({str(error).strip().splitlines()[-1]})"
            return
        if isinstance(value, Stale):
            logger.warning(
                "rollout worker %d has restarted: it holds weights %d, not %d; sending them",
                worker,
                value.held,
                value.wanted,
            )
            self._send([worker])
            lost[i] = f"worker {worker} had restarted without its weights"
            return
        if isinstance(value, WorkerFault):
            raise TrainingError(f"rollout worker {worker}: {value.message}\n{value.trace}".strip())
        made[i] = (value, rest)
        if isinstance(value, Share):
            self._held[worker], self._rss[worker] = value.weights_version, value.rss_bytes

    def _workers(self) -> tuple[list[int], int]:
        """Healthy workers that hold the current weights, and the version of these; waits for
        restarts if there is none.
        """
        deadline = time.monotonic() + self.timeout_s
        while True:
            published = self._published
            behind = self.manager.healthy_actor_ids()
            self._send([w for w in behind if self._held.get(w) != published[1]], published)
            if healthy := self.manager.healthy_actor_ids():
                return healthy, published[1]
            if self._closed or time.monotonic() > deadline:
                raise TrainingError(
                    f"no rollout worker came back within rollout.timeout_s = {self.timeout_s:.0f} "
                    "s; is there room for one? See also the logs under "
                    "/tmp/ray/session_latest/logs"
                )
            self._revive()
            time.sleep(0.5)

    def _send(
        self, workers: Sequence[int], published: tuple[list[ray.ObjectRef], int] | None = None
    ) -> None:
        """Published weights, by default those published last, to workers that are idle."""
        if not workers:
            return
        weights, version = published or self._published
        results = self.manager.foreach_actor(
            partial(
                _receive,
                weights=weights,
                version=version,
                verifiers=[self._verifiers],
                board=self.board,
            ),
            remote_actor_ids=list(workers),
            timeout_seconds=self.timeout_s,
        )
        confirmed = [r.actor_id for r in results if r.ok and r.get() == version]
        self._held.update(dict.fromkeys(confirmed, version))
        for worker in set(workers) - set(confirmed):
            logger.warning("rollout worker %d did not take the weights", worker)
            self.manager.set_actor_state(worker, healthy=False)
