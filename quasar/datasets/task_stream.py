"""Examples of tasks other than graph problems, as supervised training draws them one by one.

A task is drawn evenly, then a cell (family and size) of it by the root of its records, then an
instance: with `sft.stream.fresh` a new one of the training split, else a record of the dataset,
answered by the teacher.
"""

from collections.abc import Sequence

import numpy as np

from quasar.config import QuasarConfig
from quasar.datasets.generation.generate import split_of
from quasar.datasets.generation.task_examples import TaskCell, cells_of, solved
from quasar.datasets.task_answers import is_worked, taught_answer
from quasar.datasets.task_records import TaskRecord
from quasar.errors import ProblemError
from quasar.tasks.base import TaskInstance

_ATTEMPTS = 100  # of small families many instances, or all, are held out


class TaskStream:
    """records: of the training split."""

    def __init__(self, config: QuasarConfig, records: Sequence[TaskRecord]):
        self._config = config
        # () where there are graph problems alone.
        self.names = config.dataset.tasks if config.dataset.ranges else ()
        self._cells = dict(zip(config.dataset.ranges, cells_of(config.dataset), strict=True))
        self._answers: dict[str, str | None] = {}  # to records, by key
        self._records: dict[str, dict[TaskCell, list[TaskRecord]]] = {n: {} for n in self._cells}
        for record in records:
            problem = record.problem
            cell = TaskCell(problem.task, problem.family, problem.num_qubits)
            self._records.setdefault(cell.task, {}).setdefault(cell, []).append(record)

    def drawn(self, rng: np.random.Generator) -> str:
        """The task of the next example, graph problems among them."""
        return self.names[int(rng.integers(len(self.names)))]

    def example(self, name: str, rng: np.random.Generator) -> tuple[TaskInstance, str]:
        """(instance, answer). Raises ProblemError where the task has no training example."""
        kept = self._records[name]
        if kept and rng.random() >= self._config.sft.stream.fresh:
            for _ in range(_ATTEMPTS):
                of_cell = kept[self._cell(list(kept), name, rng)]
                instance = of_cell[int(rng.integers(len(of_cell)))].problem
                if (answer := self._answer(instance)) is not None:
                    return instance, answer
        return self._fresh(name, rng)

    def _cell(self, cells: Sequence[TaskCell], name: str, rng: np.random.Generator) -> TaskCell:
        """One of them, by the square root of its records: a family of few instances is soon known
        by heart, and comes less often.
        """
        weights = np.sqrt([max(1, len(self._records[name].get(cell, ()))) for cell in cells])
        return cells[int(rng.choice(len(cells), p=weights / weights.sum()))]

    def _answer(self, instance: TaskInstance) -> str | None:
        if instance.key not in self._answers:
            self._answers[instance.key] = taught_answer(instance, self._config.dataset)
        return self._answers[instance.key]

    def _fresh(self, name: str, rng: np.random.Generator) -> tuple[TaskInstance, str]:
        settings, cells = self._config.dataset, self._cells[name]
        for _ in range(_ATTEMPTS):
            cell = self._cell(cells, name, rng)
            instance = cell.instance(rng)
            split = split_of(
                instance.key,
                validation_fraction=settings.validation_fraction,
                test_fraction=settings.test_fraction,
            )
            if split != "train":
                continue
            if is_worked(settings):
                if (answer := taught_answer(instance, settings)) is not None:
                    return instance, answer
                continue
            found = solved((cell, instance), settings=settings, seed=self._config.run.seed)
            if not isinstance(found, str):
                return instance, found.record.problem.reference_circuit or ""
        raise ProblemError(
            f"{name}: no training example in {_ATTEMPTS} draws; name larger families in "
            "dataset.instances, or fewer qubits, whose answers are shorter"
        )
