"""The order of examples in seeded epochs, and the rollouts to make of a step's prompts.

A position in the order is the whole state, so a resumed run goes on with the example that would
have been next. Pure Python. Prompts of GRPO: `quasar.training.curriculum`.
"""

from collections.abc import Sequence

import numpy as np

from quasar.config import DatasetConfig
from quasar.datasets.prompts import record_messages
from quasar.datasets.task_records import Record
from quasar.episodes.task import EpisodeTask
from quasar.policy.engines.protocol import stream_seed
from quasar.policy.program_form import record_form


class EpochSampler:
    """Indices 0…size−1 in a new seeded order each epoch, `per_step` at a time."""

    def __init__(self, size: int, *, per_step: int, seed: int):
        self.size, self.per_step, self.seed = size, per_step, seed

    def indices(self, step: int) -> list[int]:
        """The indices of 0-based step `step`, where each step takes `per_step`."""
        first = step * self.per_step
        return [self._at(position) for position in range(first, first + self.per_step)]

    def _at(self, position: int) -> int:
        epoch, offset = divmod(position, self.size)
        return shuffled(self.size, self.seed, epoch)[offset]


def shuffled(size: int, *key: int) -> list[int]:
    """0…size−1 in the order of `key` (seed, epoch, …). Trailing zeros change nothing."""
    return np.random.default_rng(key).permutation(size).tolist()


def rollout_tasks(
    records: Sequence[Record],
    indices: Sequence[int],
    *,
    step: int,
    first_group: int = 0,
    samples: int,
    seed: int,
    settings: DatasetConfig,
) -> list[EpisodeTask]:
    """`samples` tasks for each prompt, each with a random stream of its own.

    first_group: number within the step of the first prompt's group. settings: styles of prompts and
    programs.
    """
    tasks = []
    for group, index in enumerate(indices, start=first_group):
        record = records[index]
        messages = record_messages(record, style=settings.prompts)
        form = record_form(record, settings)
        for sample in range(samples):
            stream = stream_seed(seed, step, group, sample)
            tasks.append(EpisodeTask(record.problem, messages, group, sample, (stream,), form))
    return tasks
