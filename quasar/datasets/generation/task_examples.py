"""Examples of tasks other than graph problems: instances with the teacher's answer.

A cell is one family of one task at one size; cells are filled in turn, so that tasks, families and
sizes are balanced. An instance is a pure function of (seed, cell, index), and its key decides its
split: the same configuration gives the same files.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quasar.circuits.qasm import Limits
from quasar.config import DatasetConfig
from quasar.datasets.task_records import TaskRecord
from quasar.errors import InputError
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance

MAX_REPEATS = 60  # so many repeats in a row mean that a cell has (nearly) no new instance left


@dataclass(frozen=True, slots=True)
class TaskCell:
    """The unit of balance."""

    task: str
    family: str
    num_qubits: int


@dataclass(frozen=True, slots=True)
class TaskExample:
    """A row, its key, and the parts of the teacher's answer."""

    cell: TaskCell
    record: TaskRecord
    parts: dict[str, float]

    @property
    def signature(self) -> str:
        """The instance's key."""
        return self.record.problem.key


@dataclass
class TaskExamples:
    """What was drawn."""

    examples: list[TaskExample]
    exhausted: list[TaskCell]
    rejected: Counter[str]


def cells_of(settings: DatasetConfig) -> list[list[TaskCell]]:
    """The cells of each task. Raises InputError for a task without an instance of these sizes."""
    found = []
    for name in settings.tasks:
        task = get_task(name)
        cells = [
            TaskCell(name, family, n)
            for family in task.families
            for n in task.possible_qubits(family, settings.max_qubits)
            if n >= settings.min_qubits
        ]
        if not cells:
            raise InputError(
                f"dataset.tasks: {name} has no instances of {settings.min_qubits} to "
                f"{settings.max_qubits} qubits; widen dataset.min_qubits…max_qubits"
            )
        found.append(cells)
    return found


def draw_examples(
    settings: DatasetConfig, *, seed: int, advance: Callable[[int], Any] = lambda done: None
) -> TaskExamples:
    """`dataset.num_examples` examples, in equal shares of the tasks; fewer where cells run dry."""
    found = TaskExamples([], [], Counter())
    per_task = cells_of(settings)
    for place, cells in enumerate(per_task):
        share = settings.num_examples * (place + 1) // len(per_task) - len(found.examples)
        streams = {cell: _instances(cell, seed) for cell in cells}
        while share > 0 and streams:
            for cell in list(streams):
                instance = next(streams[cell], None)
                if instance is None:
                    found.exhausted.append(cell)
                    del streams[cell]
                    continue
                example = _solved(cell, instance, settings, seed)
                if isinstance(example, str):
                    found.rejected[example] += 1
                    continue
                found.examples.append(example)
                advance(len(found.examples))
                share -= 1
                if share == 0:
                    break
    return found


def _instances(cell: TaskCell, seed: int) -> Iterator[TaskInstance]:
    """The cell's instances without repeats, until none is new."""
    task, keys, repeats, index = get_task(cell.task), set(), 0, 0
    name = zlib.crc32(f"{cell.task}/{cell.family}/{cell.num_qubits}".encode())
    while repeats < MAX_REPEATS:
        rng = np.random.default_rng([seed, name, index])
        index += 1
        instance = task.generate(rng, family=cell.family, num_qubits=cell.num_qubits)
        if instance.key in keys:
            repeats += 1
            continue
        repeats = 0
        keys.add(instance.key)
        yield instance


def _solved(
    cell: TaskCell, instance: TaskInstance, settings: DatasetConfig, seed: int
) -> TaskExample | str:
    """The example, or why it is none: the program is too long."""
    task = get_task(cell.task)
    facts = task.facts(instance)
    program = task.reference(instance, facts)
    if len(program.encode()) > settings.max_program_bytes:
        return "max_program_bytes"
    limits = Limits(max_qubits=cell.num_qubits)
    signals = task.grade(instance, task.read_program(program, instance, limits), facts)
    parts = {name: round(value, 6) for name, value in signals.parts.items()}
    record = TaskRecord(
        sample_index=0,
        problem=replace(instance, reference_circuit=program),
        extras={"parts": parts, "version": task.version, "seed": seed},
    )
    return TaskExample(cell, record, parts)
