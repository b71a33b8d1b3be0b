"""What stands for the nodes of a run of GRPO: rollout workers, learners, verifiers.

They answer what the real ones answer, after the seconds that a real run took (`Recording`):
episodes are those of real programs, graded once by the real verifier; nothing is sampled or
trained. The driver's side of it is the product's own: `SimulatedGRPO` is `GRPO` over these actors.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.rllib.utils.actor_manager import FaultTolerantActorManager
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger
from scale_recording import Recording
from simulated_clock import Lock, Threads
from simulated_ray import Actor, Cluster, Node

from quasar.config import QuasarConfig
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_records
from quasar.datasets.prompts import record_messages
from quasar.datasets.task_records import Record
from quasar.episodes.episode import Episode
from quasar.episodes.task import EpisodeTask
from quasar.policy.sequence import TokenCounts
from quasar.tasks.base import task_of
from quasar.training.rllib.collector import RolloutCollector
from quasar.training.rllib.group import PolicyLearnerGroup
from quasar.training.rllib.grpo import GRPO
from quasar.training.rllib.runner import NO_WEIGHTS, RolloutRunner
from quasar.verification.execution.pool import LocalVerifierPool, VerifierClient
from quasar.verification.execution.worker import WorkerStatus
from quasar.verification.report import Failed
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import score

ROWS = 3_393  # of the recorded run's training split
PROBLEMS, ANSWERS = 24, 4  # different ones, each with so many different programs
PROMPT_TOKENS = 55
_ANGLE = re.compile(r"(const float \w+ = )(-?[\d.]+)")
_LEARNED = ("loss", "entropy", "clipped", "truncated", "sampler_kl", "reference_kl")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong on the rollout nodes. Assumed, not recorded."""

    failures_per_hour: float = 0.0  # of one node
    detected_s: float = 15.0  # Ray's health check: five misses, three seconds apart
    restart_s: float = 60.0
    stragglers: float = 0.0  # share of the calls that take longer
    tail: float = 1.5  # exponent of the Pareto distribution of how much longer


class Work:
    """Seconds of work of one actor, drawn from the recording."""

    def __init__(self, recording: Recording, trouble: Trouble, slower: float, *seed: int):
        """slower: than recorded, times."""
        self.recording, self._trouble, self._slower = recording, trouble, slower
        self._random = np.random.default_rng(seed)

    def seconds(self, each: Sequence[float], number: float) -> float:
        """Of a call with so many rollouts or tokens, each of which takes one of these."""
        base = float(self._random.choice(each)) * number * self._slower
        straggles = self._random.random() < self._trouble.stragglers
        return base * (2.0 + self._random.pareto(self._trouble.tail)) if straggles else base

    def sync_s(self) -> float:
        """Of sending or taking weights: half of what both took."""
        return self.recording.sync_s * self._slower / 2


class Answers:
    """Graded programs of each problem."""

    def __init__(self, records: Sequence[Record], config: QuasarConfig, recording: Recording):
        random = np.random.default_rng(config.run.seed)
        verifier = LocalVerifierPool(config.verification)
        self.made: dict[str, list[Episode]] = {}
        for record in records:
            problem = record.problem
            if problem.key in self.made:
                continue
            texts = [_varied(problem.reference_circuit, random) for _ in range(ANSWERS)]
            requests = [VerificationRequest(problem, text) for text in texts]
            self.made[problem.key] = [
                _episode(record, text, report, config, recording)
                for text, report in zip(texts, verifier.verify(requests), strict=True)
            ]

    def run(self, tasks: Sequence[EpisodeTask], version: int) -> list[Episode]:
        """One episode for each task."""
        episodes = []
        for task in tasks:
            answers = self.made[task.problem.key]
            episode = answers[task.sample % len(answers)]
            counts = replace(episode.counts, versions=((version, episode.counts.trained),))
            place = dict(group=task.group, sample=task.sample, weights_version=version)
            episodes.append(replace(episode, counts=counts, **place))
        return episodes


def make_records(config: QuasarConfig, directory: Path) -> list[Record]:
    """As many rows as a run has, of few problems."""
    small = config.model_copy(
        update={
            "dataset": config.dataset.model_copy(
                update={"num_examples": 2 * PROBLEMS, "num_workers": 1}
            )
        }
    )
    generate_dataset(small, directory, progress=False)
    records = read_records(directory / "train.jsonl")
    records = [r for r in records if _ANGLE.search(r.problem.reference_circuit or "")][:PROBLEMS]
    return [records[i % len(records)] for i in range(ROWS)]


def _varied(program: str, random: np.random.Generator) -> str:
    """The program with other angles."""
    return _ANGLE.sub(lambda m: f"{m[1]}{float(m[2]) + random.normal(0.0, 0.2):.2f}", program)


def _episode(
    record: Record, text: str, report: Any, config: QuasarConfig, recording: Recording
) -> Episode:
    if isinstance(report, Failed):
        raise RuntimeError(f"a program was not graded: {report}")
    problem, outcome = record.problem, score(report, config.reward)
    counts = TokenCounts(
        prompt=PROMPT_TOKENS,
        response=recording.response_tokens,
        sampled=recording.response_tokens,
        trained=recording.trained_tokens,
        scored=recording.response_tokens,
        prompt_key=int(problem.key[:8], 16),
    )
    return Episode(
        group=0,
        sample=0,
        weights_version=0,
        tokens=None,
        counts=counts,
        texts=(text,),
        observations=(),
        outcome=outcome,
        report=report,
        finished=True,
        task=task_of(problem),
        primitive=problem.primitive,
        num_qubits=problem.num_qubits,
        problem_key=problem.key,
        prompt=tuple(record_messages(record, style=config.dataset.prompts)),
        turn_rewards=(outcome.value,),
    )


class Worker(Actor, RolloutRunner):
    """A rollout worker: `RolloutRunner` whose engine and tools are `Answers`."""

    def __init__(self, answers: Answers, work: Work):
        self._answers, self._work = answers, work

    def begin(self) -> None:
        self.weights_version, self.training = NO_WEIGHTS, None

    def apply(self, func, *args, **kwargs):
        return func(self, *args, **kwargs)

    def receive(self, *, weights, version, verifiers, board=None) -> int:
        self.training, self.weights_version = self, version
        self.seconds += self._work.sync_s()
        return version

    def run(self, tasks: Sequence[EpisodeTask], *, weights_version: int) -> list[Episode]:
        self.seconds += self._work.seconds(self._work.recording.rollout_s, len(tasks))
        return self._answers.run(tasks, weights_version)

    def take_seconds(self) -> dict[str, float]:
        return {"generate": self.seconds}


class LearnerRank(Actor):
    """A learner. All ranks of a call end together."""

    def __init__(self, rank: int, world_size: int, work: Work):
        self.rank, self.world_size, self._work = rank, world_size, work

    def call(self, method: str, kwargs: Mapping[str, Any]) -> Any:
        return getattr(self, method)(**kwargs)

    def train_step(self, *, micro_batches, num_updates, **_: Any) -> dict[str, float]:
        tokens = sum(s.counts.trained for batch in micro_batches for s in batch)
        self.seconds = self._work.seconds(self._work.recording.token_s, tokens * num_updates)
        return dict.fromkeys(_LEARNED, 0.0) | {"tokens": float(tokens), "gradient_norm": 1.0}

    def publish(self) -> list[bytes]:
        self.seconds = self._work.sync_s()
        return [b"weights"] if self.rank == 0 else []

    def preflight(self, **_: Any) -> None:
        """Takes no time that counts."""

    def rss_bytes(self) -> int:
        return 2**30


class Verifier(Actor):
    """A verifier, of whom the driver asks its counters alone."""

    def status(self) -> WorkerStatus:
        return WorkerStatus(0, 0.0, ())


class Board(Actor):
    """The board of weights."""

    def post(self, weights, version: int) -> None:
        """Workers do not look at it here: they are sent the weights before their next share."""


class Workers:
    """What RLlib's `EnvRunnerGroup` is to the driver, over its own manager of actors."""

    def __init__(self, handles: Sequence[Any]):
        self._worker_manager = FaultTolerantActorManager(list(handles), init_id=1)

    def num_remote_env_runners(self) -> int:
        return self._worker_manager.num_actors()

    def probe_unhealthy_env_runners(self) -> list[int]:
        return self._worker_manager.probe_unhealthy_actors(timeout_seconds=30, mark_healthy=True)


class Learners(PolicyLearnerGroup):
    """The product's learner group, over ranks that are there."""

    def __init__(self, handles: Sequence[Any], settings: QuasarConfig):
        self.config = SimpleNamespace(quasar=settings)
        self._workers = list(handles)
        self._worker_manager = FaultTolerantActorManager(self._workers)
        self._learner, self._is_shut_down = None, True

    def __len__(self) -> int:
        return len(self._workers)


class SimulatedGRPO(GRPO):
    """The driver. RLlib's start of actors and its bookkeeping around a step are left out."""

    def __init__(
        self,
        cluster: Cluster,
        settings: QuasarConfig,
        records: Sequence[Record],
        answers: Answers,
        recording: Recording,
        *,
        trouble: Trouble,
        slower: float,
    ):
        """One rollout worker, one verifier and one learner a node. Learners do not fail: a lost
        rank ends a run, which is then resumed.
        """
        seed, processor = settings.run.seed, cluster.processor

        def node(number: int) -> Node:
            random = np.random.default_rng((seed, number, 1))
            mean_s = 3600 / trouble.failures_per_hour if trouble.failures_per_hour else np.inf
            return Node(
                number,
                lambda: random.exponential(mean_s) if trouble.failures_per_hour else np.inf,
                trouble.detected_s,
                trouble.restart_s,
            )

        size = settings.learner.num_learners
        self.settings, self.records = settings, records
        self.by_task = any(task_of(r.problem) != task_of(records[0].problem) for r in records)
        self.nodes = [node(i) for i in range(settings.rollout.num_workers)]
        safe = Node(-1)
        cluster.nodes = self.nodes
        workers = [
            cluster.add(Worker(answers, Work(recording, trouble, slower, seed, n.number, 2)), n)
            for n in self.nodes
        ]
        verifiers = [cluster.add(Verifier(), n) for n in self.nodes]
        ranks = [
            cluster.add(
                LearnerRank(i, size, Work(recording, trouble, slower, seed, i, 3)), Node(-2 - i)
            )
            for i in range(size)
        ]
        self.verifiers = VerifierClient(verifiers, settings.verification)
        self.learner_group = Learners(ranks, settings)
        self.metrics = MetricsLogger(root=True)
        collector = RolloutCollector(
            Workers(workers),
            verifiers=verifiers,
            timeout_s=settings.rollout.timeout_s,
            max_attempts=settings.rollout.max_attempts,
            board=cluster.add(Board(), safe) if settings.grpo.staleness else None,
        )
        collector._at_work = Lock(processor)
        self.begin(collector)
        self.source._threads = Threads(processor)
