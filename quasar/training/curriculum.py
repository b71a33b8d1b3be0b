"""Which prompts GRPO trains on: evenly over kinds of problems, from small sizes to large ones.

Takes the training records and `grpo.curriculum`; gives row numbers by a `Position`, which is the
whole state: a resumed run goes on with the prompt that would have been next. Pure Python.

Rows are sorted into cells (all in one, or by any of task, primitive and number of qubits). Each
round takes one prompt of every cell, in a seeded order; each cell shows all its rows before it
shows one again. A level is a largest size; where a level begins, rounds and epochs start anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quasar.config import CurriculumConfig
from quasar.datasets.task_records import Record
from quasar.errors import ConfigError
from quasar.tasks.base import task_of
from quasar.training.sampler import shuffled


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands in its prompts."""

    next_prompt: int = 0  # prompts drawn so far
    level: int = 0  # of the curriculum, from 0
    level_start: int = 0  # prompts drawn before this level


class PromptSampler:
    """Row numbers of training problems, level by level."""

    def __init__(self, records: Sequence[Record], config: CurriculumConfig, *, seed: int):
        """Raises ConfigError where no problem is small enough to start with."""
        sizes = sorted({record.problem.num_qubits for record in records})
        small = [size for size in sizes if size <= config.start_qubits]
        if config.start_qubits and not small:
            raise ConfigError(
                f"grpo.curriculum.start_qubits = {config.start_qubits}: the smallest training "
                f"problem has {sizes[0]} qubits; set at least {sizes[0]}"
            )
        first = len(small) or len(sizes)
        # Most qubits of each level.
        self.levels = tuple(sizes[first - 1 :])
        self._config, self._seed = config, seed
        self._cells = [_cells(records, config.balance, most) for most in self.levels]

    def take(self, position: Position, count: int) -> list[int]:
        """`count` row numbers from `position` on, all of its level."""
        first = position.next_prompt - position.level_start
        return [self._at(position.level, offset) for offset in range(first, first + count)]

    def following(
        self,
        position: Position,
        *,
        drawn: int,
        step: int,
        iterations: int,
        reward: float | None = None,
    ) -> Position:
        """The position of 0-based step `step`, after `drawn` more prompts of `position`'s level.

        reward: mean of these prompts' rollouts on problems of the level's largest size, None where
        there were none.
        """
        moved = replace(position, next_prompt=position.next_prompt + drawn)
        reached = self._config.widen_at_reward
        early = reached is not None and reward is not None and reward >= reached
        level = max(position.level + early, self._scheduled(step, iterations))
        level = min(level, len(self.levels) - 1)
        if level == position.level:
            return moved
        return Position(moved.next_prompt, level, moved.next_prompt)

    def _scheduled(self, step: int, iterations: int) -> int:
        """The level that `step` has at the least: equal shares of `widen_over` for each."""
        return int(step * (len(self.levels) - 1) / max(self._config.widen_over * iterations, 1.0))

    def _at(self, level: int, offset: int) -> int:
        cells = self._cells[level]
        turn, slot = divmod(offset, len(cells))
        # One past the last cell: the order of the cells has a stream of its own.
        cell = shuffled(len(cells), self._seed, turn, level, len(cells))[slot]
        rows = cells[cell]
        epoch, place = divmod(turn, len(rows))
        return rows[shuffled(len(rows), self._seed, epoch, level, cell)[place]]


def _cells(records: Sequence[Record], balance: Sequence[str], most_qubits: int) -> list[list[int]]:
    """Row numbers by cell, in the order of the cells' names."""
    cells: dict[tuple, list[int]] = {}
    for index, record in enumerate(records):
        problem = record.problem
        if problem.num_qubits <= most_qubits:
            facts = {
                "task": task_of(problem),
                "primitive": problem.primitive,
                "qubits": problem.num_qubits,
            }
            cells.setdefault(tuple(facts[name] for name in balance), []).append(index)
    return [cells[name] for name in sorted(cells)]
