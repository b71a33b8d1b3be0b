"""Where a step's rollouts come from: prompts of the curriculum, refills, steps ahead.

A step takes `grpo.prompts_per_step` prompts, a share `grpo.fresh` of them with a new problem like
the one whose turn it is. With `grpo.max_refills`, groups whose rewards are all
equal are replaced by groups of further prompts, at most that many times.

With `grpo.staleness` k the rollouts of the k steps after the one that is trained are made
meanwhile, in a thread, one step after the other: which prompts a step has may follow from the
rewards of the step before. Those of step s + k begin when step s is trained at the earliest, so
that no token is drawn from weights more than k updates older than those that learn from it.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from quasar.config import QuasarConfig
from quasar.datasets.fresh import FreshLike
from quasar.datasets.task_records import Record
from quasar.episodes.episode import Episode
from quasar.episodes.task import EpisodeTask
from quasar.training.algorithm.batch import num_informative
from quasar.training.curriculum import Position, PromptSampler
from quasar.training.rllib.collector import Collected, RolloutCollector
from quasar.training.sampler import rollout_tasks
from quasar.verification.reward import Scored

_IS_FRESH = 19  # apart from the other random streams of a run


@dataclass(slots=True)
class StepRollouts:
    """What was sampled for a step."""

    following: Position  # of the next step
    max_qubits: int  # of this step's problems, by the curriculum
    rounds: list[Collected]  # the first, then the refills

    @property
    def episodes(self) -> list[Episode]:
        """All episodes, of replaced groups too."""
        return [e for collected in self.rounds for e in collected.episodes]

    def metrics(self) -> dict[str, float]:
        """Counts over the rounds, and seconds of the slowest worker by phase."""
        seconds: dict[str, float] = {}
        for collected in self.rounds:
            for phase, value in collected.seconds.items():
                seconds[f"seconds/{phase}"] = seconds.get(f"seconds/{phase}", 0.0) + value
        return {
            "episodes_expected": sum(c.expected for c in self.rounds),
            "episodes_received": sum(len(c.episodes) for c in self.rounds),
            "episodes_remade": sum(c.remade for c in self.rounds),
            "refills": len(self.rounds) - 1,
            "curriculum_qubits": self.max_qubits,
            **seconds,
        }


class RolloutSource:
    """Collects each step's rollouts."""

    def __init__(
        self,
        records: Sequence[Record],
        config: QuasarConfig,
        collector: RolloutCollector,
        *,
        fresh: FreshLike | None = None,
    ):
        """fresh: draws the new problems; needed where `grpo.fresh` is not 0."""
        self.records, self.config, self.collector = records, config, collector
        self._fresh = fresh
        self.sampler = PromptSampler(records, config.grpo.curriculum, seed=config.run.seed)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="rollouts")
        self._ahead: dict[int, Future[StepRollouts]] = {}  # by step, without gaps
        self._may_begin = threading.Event()  # a further step's rollouts, in the background
        self._may_begin.set()

    @property
    def steps_ahead(self) -> int:
        """Steps whose rollouts are made, or are to be made, ahead."""
        return len(self._ahead)

    def take(self, step: int, position: Position) -> StepRollouts:
        """The rollouts of a step: those made ahead for it, or made now."""
        ahead = self._ahead.pop(step, None)
        return self._collect(step, position) if ahead is None else ahead.result()

    def run_ahead(self, step: int, following: Position) -> None:
        """Let the rollouts of the next `grpo.staleness` steps be made while `step` is trained.

        following: the position of the next step.
        """
        settings = self.config.grpo
        last = min(step + settings.staleness, settings.iterations - 1)
        for further in range(step + 1, last + 1):
            if further not in self._ahead:
                before = self._ahead.get(further - 1)
                self._ahead[further] = self._threads.submit(
                    self._collect_after, further, following if before is None else before
                )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No further step is begun ahead; the workers are free when what is under way has ended."""
        self._may_begin.clear()
        try:
            yield
        finally:
            self._may_begin.set()

    def forget(self) -> None:
        """Drop what was made ahead: the run goes on from another place."""
        for future in self._ahead.values():
            if not future.cancel():
                future.exception()  # once it has ended
        self._ahead = {}

    def close(self) -> None:
        """End the background thread; what it was doing is lost."""
        self.collector.close()
        self._may_begin.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _collect_after(self, step: int, before: Position | Future[StepRollouts]) -> StepRollouts:
        self._may_begin.wait()
        # One thread: the step before has ended. Of one that failed, this raises what it raised.
        position = before if isinstance(before, Position) else before.result().following
        return self._collect(step, position)

    def tasks(
        self, step: int, position: Position, *, count: int, first_group: int = 0
    ) -> list[EpisodeTask]:
        """Tasks of `count` groups, numbered from `first_group` within the step."""
        turns = enumerate(self.sampler.take(position, count), start=position.next_prompt)
        return rollout_tasks(
            [self._record(row, number) for number, row in turns],
            range(count),
            step=step,
            first_group=first_group,
            samples=self.config.grpo.samples_per_prompt,
            seed=self.config.run.seed,
            settings=self.config.dataset,
        )

    def _record(self, row: int, number: int) -> Record:
        """What prompt `number` of the run asks where it is a row's turn."""
        record = self.records[row]
        if self._fresh is None:
            return record
        draw = np.random.default_rng([self.config.run.seed, _IS_FRESH, number]).random()
        return self._fresh.record(record, number) if draw < self.config.grpo.fresh else record

    def _collect(self, step: int, position: Position) -> StepRollouts:
        self.collector.revive()
        settings, reward = self.config.grpo, self.config.reward
        limit = self.config.generation.max_response_tokens
        largest = self.sampler.levels[position.level]
        rounds: list[Collected] = []
        missing, drawn = settings.prompts_per_step, 0
        while missing:
            here = replace(position, next_prompt=position.next_prompt + drawn)
            rounds.append(
                self.collector.collect(self.tasks(step, here, count=missing, first_group=drawn))
            )
            drawn += missing
            if len(rounds) > settings.max_refills:
                break
            missing -= num_informative(rounds[-1].episodes, settings, reward, limit)
        rewards = [
            e.outcome.value
            for collected in rounds
            for e in collected.episodes
            if e.num_qubits == largest and isinstance(e.outcome, Scored)
        ]
        following = self.sampler.following(
            position,
            drawn=drawn,
            step=step + 1,
            iterations=settings.iterations,
            reward=sum(rewards) / len(rewards) if rewards else None,
        )
        return StepRollouts(following, largest, rounds)
