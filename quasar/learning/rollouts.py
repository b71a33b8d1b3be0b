"""Rollout actors and the collector that gets complete batches out of them.

Invariants: a step's batch is complete (a dead worker's share is made again by another, from the
same seeds, so the batch is the one that would have been), and every episode was written by the
weights of the version that was asked for: a worker that came back holds none until it is sent them.
"""

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ray
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner

from quasar.errors import TrainingError
from quasar.learning.memory import rss_bytes
from quasar.policy.agent import AgentLoop, Episode, Task
from quasar.policy.engine import load_engine
from quasar.policy.models import pick_device
from quasar.verification.pool import VerifierClient

logger = logging.getLogger(__name__)
NO_WEIGHTS = -1


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker made of its tasks."""

    episodes: list[Episode]
    seconds: dict[str, float]  # by phase: generate, verify


@dataclass(frozen=True, slots=True)
class WorkerFault:
    """An exception in a worker, as a value (raised, RLlib would restart the actor for ever)."""

    message: str
    trace: str


class RolloutRunner(EnvRunner):
    """An RLlib EnvRunner whose environment is the verification tool."""

    def __init__(self, *, config, **kwargs):
        super().__init__(config=config, **kwargs)
        settings = config.quasar
        device = pick_device(settings.cluster.accelerator)
        if device == "cpu":
            torch.set_num_threads(settings.rollout.torch_threads)
        self.engine = load_engine(config.model_directory, settings, device=device)
        self.weights_version = NO_WEIGHTS
        self.loop: AgentLoop | None = None

    def receive(self, *, weights: list[ray.ObjectRef], version: int, verifiers: Any) -> int:
        """Take weights of `version` and the verifier pool's handles; returns the version held."""
        tensors = {k: torch.from_numpy(v.copy()) for k, v in ray.get(weights[0]).items()}
        self.engine.load_weights(tensors)
        settings = self.config.quasar
        client = VerifierClient(verifiers, settings.verification)
        self.loop = AgentLoop(
            self.engine,
            client.verify,
            config=settings.generation,
            reward=settings.reward,
        )
        self.weights_version = version
        return version

    def collect(self, *, tasks: Sequence[Task], version: int) -> Share | WorkerFault:
        """Make the episodes of `tasks` with the weights of `version`, which must be held."""
        if self.weights_version != version or self.loop is None:
            return WorkerFault(f"holds weights {self.weights_version}, asked for {version}", "")
        try:
            episodes = self.loop.run(tasks, weights_version=version)
        except Exception as error:
            return WorkerFault(f"{type(error).__name__}: {error}", traceback.format_exc())
        return Share(episodes, self.loop.take_seconds())

    # What RLlib asks of an EnvRunner -----------------------------------------------------------

    def sample(self, **kwargs):
        """Rollouts are asked for with `collect`, which names their tasks and weights."""
        raise NotImplementedError

    def get_spaces(self):
        """RLlib's spaces; token sequences are not in them."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def assert_healthy(self):
        """A runner with a model is healthy."""
        assert self.engine is not None

    def get_state(self, *args, **kwargs):
        """Stateless between steps."""
        return {}

    def set_state(self, state):
        """Stateless between steps; weights come by `receive`."""

    def get_metrics(self):
        """Metrics travel with the episodes."""
        return {}


def _receive(runner: RolloutRunner, **kwargs) -> int:
    return runner.receive(**kwargs)


def _collect(runner: RolloutRunner, **kwargs) -> Share | WorkerFault:
    return runner.collect(**kwargs)


def _rss_bytes(runner: RolloutRunner) -> int:
    return rss_bytes()


@dataclass(slots=True)
class Collected:
    """A complete batch and how it came about."""

    episodes: list[Episode]
    expected: int
    remade: int = 0  # episodes of dead workers that were made again
    seconds: dict[str, float] = field(default_factory=dict)  # slowest worker, by phase


class RolloutCollector:
    """Sends weights to the workers of an EnvRunnerGroup and collects complete batches."""

    def __init__(self, env_runner_group: Any, *, verifiers: Any, timeout_s: float):
        self.group = env_runner_group
        self.manager = env_runner_group._worker_manager
        self.verifiers = verifiers
        self.timeout_s = timeout_s
        self.weights: list[ray.ObjectRef] = []
        self.version = NO_WEIGHTS

    def publish(self, weights: list[ray.ObjectRef], version: int) -> None:
        """Give all healthy workers the weights; returns when each has confirmed the version."""
        self.weights, self.version = weights, version
        self._send(self.manager.healthy_actor_ids())

    def revive(self) -> list[int]:
        """Bring restarted workers back: they are stale until they hold the current weights."""
        back = self.group.probe_unhealthy_env_runners()
        if back:
            logger.warning("rollout workers %s are back; sending weights %d", back, self.version)
            self._send(back)
        return back

    def collect(self, tasks: Sequence[Task]) -> Collected:
        """Episodes of all tasks, in order. Shares are fixed by the number of configured workers."""
        count = self.group.num_remote_env_runners()
        shares = {i: list(tasks[i::count]) for i in range(count) if tasks[i::count]}
        made: dict[int, Share] = {}
        remade = 0
        while len(made) < len(shares):
            missing = [i for i in shares if i not in made]
            workers = self._workers()
            jobs = list(zip(workers, missing, strict=False))
            self._run(jobs, shares, made)
            remade += sum(len(shares[i]) for _, i in jobs if i not in made)
        episodes = [e for i in sorted(made) for e in made[i].episodes]
        episodes.sort(key=lambda e: (e.group, e.sample))
        if len(episodes) != len(tasks):
            raise TrainingError(f"collected {len(episodes)} episodes for {len(tasks)} tasks")
        seconds: dict[str, float] = {}
        for share in made.values():
            for phase, value in share.seconds.items():
                seconds[phase] = max(seconds.get(phase, 0.0), value)
        return Collected(episodes, len(tasks), remade, seconds)

    def rss_bytes(self) -> list[int]:
        """Resident memory of the healthy workers' processes."""
        results = self.manager.foreach_actor(_rss_bytes, timeout_seconds=self.timeout_s)
        return [r.get() for r in results if r.ok]

    def _run(self, jobs, shares, made) -> None:
        results = self.manager.foreach_actor(
            [partial(_collect, tasks=shares[i], version=self.version) for _, i in jobs],
            remote_actor_ids=[worker for worker, _ in jobs],
            timeout_seconds=self.timeout_s,
        )
        share_of = dict(jobs)
        answered = set()
        for result in results:
            answered.add(result.actor_id)
            if not result.ok:
                logger.warning("rollout worker %d died: %s", result.actor_id, result.get())
                continue
            value = result.get()
            if isinstance(value, WorkerFault):
                raise TrainingError(
                    f"rollout worker {result.actor_id}: {value.message}\n{value.trace}".strip()
                )
            made[share_of[result.actor_id]] = value
        for worker in set(share_of) - answered:
            logger.warning("rollout worker %d gave nothing in %.0f s", worker, self.timeout_s)
            self.manager.set_actor_state(worker, healthy=False)
            ray.kill(self.manager.actors()[worker], no_restart=False)

    def _workers(self) -> list[int]:
        """Healthy workers that hold the current weights; waits for restarts if there is none."""
        deadline = time.monotonic() + self.timeout_s
        while not (healthy := self.manager.healthy_actor_ids()):
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"no rollout worker came back within rollout.timeout_s = {self.timeout_s:.0f} "
                    "s; is there room for one? See also the logs under "
                    "/tmp/ray/session_latest/logs"
                )
            self.revive()
            time.sleep(0.5)
        return healthy

    def _send(self, workers: Sequence[int]) -> None:
        if not workers:
            return
        results = self.manager.foreach_actor(
            partial(_receive, weights=self.weights, version=self.version, verifiers=self.verifiers),
            remote_actor_ids=list(workers),
            timeout_seconds=self.timeout_s,
        )
        confirmed = [r.actor_id for r in results if r.ok and r.get() == self.version]
        for worker in set(workers) - set(confirmed):
            logger.warning("rollout worker %d did not take the weights", worker)
            self.manager.set_actor_state(worker, healthy=False)
