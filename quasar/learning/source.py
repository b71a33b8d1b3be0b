"""Where a step's rollouts come from: prompts in the sampler's order, refills, one step ahead.

A step takes `grpo.prompts_per_step` prompts. With `grpo.max_refills`, groups whose rewards are all
equal are replaced by groups of further prompts, at most that many times. With `grpo.staleness` 1
the next step's rollouts are made, by the weights that the workers hold, while the update runs.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from quasar.config import QuasarConfig
from quasar.datasets.records import ProblemRecord
from quasar.learning.batch import num_informative
from quasar.learning.rollouts import Collected, RolloutCollector
from quasar.learning.sampler import EpochSampler, rollout_tasks
from quasar.policy.agent import Episode, Task


@dataclass(slots=True)
class StepRollouts:
    """What was sampled for a step."""

    next_prompt: int  # position in the sampler's order after this step
    rounds: list[Collected] = field(default_factory=list)  # the first, then the refills

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
            **seconds,
        }


class RolloutSource:
    """Collects each step's rollouts. Weights may be published only when it is `settled`."""

    def __init__(
        self, records: Sequence[ProblemRecord], config: QuasarConfig, collector: RolloutCollector
    ):
        self.records, self.config, self.collector = records, config, collector
        self.sampler = EpochSampler(
            len(records), per_step=config.grpo.prompts_per_step, seed=config.run.seed
        )
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="rollouts")
        self._ahead: tuple[int, int, Future[StepRollouts]] | None = None

    def take(self, step: int, first_prompt: int) -> StepRollouts:
        """The rollouts of a step: those made ahead for it, or made now."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (step, first_prompt):
            return ahead[2].result()
        return self._collect(step, first_prompt)

    def start(self, step: int, first_prompt: int) -> None:
        """Begin a step's rollouts in the background, with the weights that the workers hold."""
        future = self._threads.submit(self._collect, step, first_prompt)
        self._ahead = (step, first_prompt, future)

    def settle(self) -> None:
        """Wait until nothing runs in the background; raises what it raised."""
        if self._ahead is not None:
            self._ahead[2].result()

    def close(self) -> None:
        """End the background thread; what it was doing is lost."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def tasks(
        self, step: int, first_prompt: int, *, count: int, first_group: int = 0
    ) -> list[Task]:
        """Tasks of `count` groups, numbered from `first_group` within the step."""
        return rollout_tasks(
            self.records,
            self.sampler.take(first_prompt, count),
            step=step,
            first_group=first_group,
            samples=self.config.grpo.samples_per_prompt,
            seed=self.config.run.seed,
            style=self.config.dataset.prompts,
        )

    def _collect(self, step: int, first_prompt: int) -> StepRollouts:
        settings, limit = self.config.grpo, self.config.generation.max_response_tokens
        made = StepRollouts(first_prompt)
        missing = settings.prompts_per_step
        while missing:
            group = made.next_prompt - first_prompt
            tasks = self.tasks(step, made.next_prompt, count=missing, first_group=group)
            made.next_prompt += missing
            made.rounds.append(self.collector.collect(tasks))
            if len(made.rounds) > settings.max_refills:
                break
            missing -= num_informative(made.rounds[-1].episodes, settings, limit)
        return made
