"""Rollout actors and the collector that gets complete batches out of them.

Invariants: a step's batch is complete (a dead worker's share is made again by another, from the
same seeds, so the batch is the one that would have been), and every episode was written by the
weights of the version that was asked for: a worker that came back holds none until it is sent them.
"""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import ray
import torch
from ray.exceptions import RayError
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner

from quasar.datasets.records import ProblemRecord
from quasar.errors import TrainingError
from quasar.learning.memory import rss_bytes
from quasar.learning.token_store import StoredTokens
from quasar.policy.agent import AgentLoop, Episode, Task
from quasar.policy.batch import complete
from quasar.policy.engine import load_engine
from quasar.policy.models import pick_device
from quasar.policy.sequence import TokenSequence
from quasar.verification.pool import VerifierClient

logger = logging.getLogger(__name__)
NO_WEIGHTS = -1


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker made of its tasks."""

    episodes: list[Episode]  # without their tokens
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

    def collect(
        self, *, tasks: Sequence[Task], version: int
    ) -> tuple[Share | WorkerFault, list[TokenSequence]]:
        """Make the episodes of `tasks` with the weights of `version`, which must be held.

        Their tokens apart, so that they may stay where they are until a learner asks for them.
        """
        if self.weights_version != version or self.loop is None:
            held = f"holds weights {self.weights_version}, asked for {version}"
            return WorkerFault(held, ""), []
        try:
            episodes = self.loop.run(tasks, weights_version=version)
        except Exception as error:
            return WorkerFault(f"{type(error).__name__}: {error}", traceback.format_exc()), []
        heads = [replace(e, tokens=None) for e in episodes]
        return Share(heads, self.loop.take_seconds()), [e.tokens for e in episodes]

    def complete(
        self, *, records: Sequence[ProblemRecord], samples: int, version: int
    ) -> list[list[str]] | WorkerFault:
        """`samples` answers to each problem, drawn as `quasar generate` draws them."""
        if self.weights_version != version:
            return WorkerFault(f"holds weights {self.weights_version}, asked for {version}", "")
        try:
            return complete(self.engine, records, samples=samples, config=self.config.quasar)
        except Exception as error:
            return WorkerFault(f"{type(error).__name__}: {error}", traceback.format_exc())

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


def _collect(runner: RolloutRunner, **kwargs) -> tuple[Share | WorkerFault, list[TokenSequence]]:
    return runner.collect(**kwargs)


def _complete(runner: RolloutRunner, **kwargs) -> tuple[list[list[str]] | WorkerFault, None]:
    return runner.complete(**kwargs), None


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
        """Episodes of all tasks, in order."""
        made, remade = self._spread(
            tasks, lambda share: partial(_collect, tasks=share, version=self.version)
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

    def complete(self, records: Sequence[ProblemRecord], *, samples: int) -> list[list[str]]:
        """`samples` answers to each problem by the current weights, in order."""
        made, _ = self._spread(
            records,
            lambda share: partial(_complete, records=share, samples=samples, version=self.version),
        )
        answers: list[list[str]] = [[] for _ in records]
        for i, (share, _) in made.items():
            answers[i :: self.group.num_remote_env_runners()] = share
        return answers

    def rss_bytes(self) -> list[int]:
        """Resident memory of the healthy workers' processes."""
        results = self.manager.foreach_actor(_rss_bytes, timeout_seconds=self.timeout_s)
        return [r.get() for r in results if r.ok]

    def _spread(
        self, items: Sequence[Any], ask: Callable[[Sequence[Any]], Callable]
    ) -> tuple[dict[int, tuple[Any, ray.ObjectRef]], int]:
        """What the workers made of the items: by number of the share (items i, i + workers, …),
        and how many items had to be made again. Shares are fixed by the configured workers.

        Each with a reference to what belongs to it and stays in the object store.
        """
        count = self.group.num_remote_env_runners()
        shares = {i: list(items[i::count]) for i in range(count) if items[i::count]}
        made: dict[int, Any] = {}
        remade = 0
        while len(made) < len(shares):
            missing = [i for i in shares if i not in made]
            jobs = list(zip(self._workers(), missing, strict=False))
            self._run(jobs, {i: ask(shares[i]) for i in missing}, made)
            remade += sum(len(shares[i]) for _, i in jobs if i not in made)
        return made, remade

    def _run(self, jobs, calls, made) -> None:
        """One call a worker. RLlib's own way would fetch all that they return, tokens too."""
        actors = self.manager.actors()
        pending = {}
        for worker, i in jobs:
            head, rest = actors[worker].apply.options(num_returns=2).remote(calls[i])
            pending[head] = (worker, i, rest)
        done, late = ray.wait(list(pending), num_returns=len(pending), timeout=self.timeout_s)
        for ref in done:
            worker, i, rest = pending[ref]
            try:
                value = ray.get(ref)
            except RayError as error:
                logger.warning("rollout worker %d died: %s", worker, error)
                self.manager.set_actor_state(worker, healthy=False)
                continue
            if isinstance(value, WorkerFault):
                raise TrainingError(
                    f"rollout worker {worker}: {value.message}\n{value.trace}".strip()
                )
            made[i] = (value, rest)
        for ref in late:
            worker, _, _ = pending[ref]
            logger.warning("rollout worker %d gave nothing in %.0f s", worker, self.timeout_s)
            self.manager.set_actor_state(worker, healthy=False)
            ray.kill(actors[worker], no_restart=False)

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
