"""Examples of tasks other than graph problems: instances with the teacher's answer.

A cell is one family of one task at one size; cells are filled in turn, so that tasks, families and
sizes are balanced. An instance is a pure function of (seed, cell, index), and its key decides its
split: the same configuration gives the same files, whatever the number of processes.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from quasar.circuits.circuit import format_angle
from quasar.circuits.qasm import Limits
from quasar.config import DatasetConfig
from quasar.datasets.generation.workers import WorkerPool
from quasar.datasets.task_records import TaskRecord
from quasar.errors import InputError
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance, TaskSignals

TASK_EXAMPLES_VERSION = "4"  # raise it when the same settings give other rows
MAX_REPEATS = 60  # so many repeats in a row mean that a cell has (nearly) no new instance left
# So many answers that are too long, and none that is not: the next ones would be, too.
MAX_REJECTED = 10
_NUMBER = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class TaskCell:
    """The unit of balance."""

    task: str
    family: str
    num_qubits: int

    @property
    def kind(self) -> str:
        """Task and family."""
        return f"{self.task}/{self.family}"

    def __str__(self) -> str:
        return f"{self.kind}-{self.num_qubits}q"

    def instance(self, rng: np.random.Generator) -> TaskInstance:
        """A random one."""
        return get_task(self.task).generate(rng, family=self.family, num_qubits=self.num_qubits)


@dataclass(frozen=True, slots=True)
class TaskExample:
    """A row, its key, and the parts of the answer."""

    cell: TaskCell
    record: TaskRecord
    quality: Mapping[str, float]

    @property
    def signature(self) -> str:
        """The instance's key."""
        return self.record.problem.key

    def row(self) -> dict[str, Any]:
        """As it is written."""
        return self.record.to_dict()


@dataclass
class TaskExamples:
    """What was drawn. exhausted: cells without a new instance, or with none that is kept."""

    examples: list[TaskExample]
    exhausted: list[TaskCell]
    rejected: Counter[str]

    def counts(self) -> dict[str, dict[str, int]]:
        """task/family -> qubits (as text) -> examples."""
        found: dict[str, dict[str, int]] = {}
        for (kind, n), count in Counter(
            (e.cell.kind, e.cell.num_qubits) for e in self.examples
        ).items():
            found.setdefault(kind, {})[str(n)] = count
        return dict(sorted(found.items()))


def cells_of(settings: DatasetConfig) -> list[list[TaskCell]]:
    """The cells of each task but the graph problems. Raises InputError for a family that a task
    does not have, and for a range without an instance.
    """
    found = []
    for name, ranges in settings.ranges.items():
        task, cells = get_task(name), {}
        for family, least, most in ranges:
            if family is not None and family not in task.families:
                raise InputError(
                    f"dataset.instances: {name} has no family {family!r}; valid: "
                    f"{', '.join(task.families)}"
                )
            here = [
                TaskCell(name, one, n)
                for one in (task.families if family is None else (family,))
                for n in task.possible_qubits(one, most)
                if n >= least
            ]
            if not here:
                what = f"{name}/{family}" if family else name
                raise InputError(
                    f"dataset.tasks: {what} has no instances of {least} to {most} qubits; widen "
                    "dataset.min_qubits…max_qubits, or name others in dataset.instances"
                )
            cells |= dict.fromkeys(here)
        found.append(list(cells))
    return found


def draw_examples(
    settings: DatasetConfig,
    number: int,
    *,
    seed: int,
    pool: WorkerPool,
    advance: Callable[[int], Any] = lambda done: None,
) -> TaskExamples:
    """`number` examples, in equal shares of the tasks; fewer where cells run dry."""
    found = TaskExamples([], [], Counter())
    per_task = cells_of(settings)
    for place, cells in enumerate(per_task):
        wanted = number * (place + 1) // len(per_task)
        streams = {cell: _instances(cell, seed) for cell in cells}
        rejected: Counter[TaskCell] = Counter()
        accepted: set[TaskCell] = set()
        while len(found.examples) < wanted and streams:
            drawn = _in_turns(streams, wanted - len(found.examples), found.exhausted)
            solve = partial(solved, settings=settings, seed=seed)
            for (cell, _), example in zip(drawn, pool.map(solve, drawn), strict=True):
                if isinstance(example, str):
                    found.rejected[example] += 1
                    rejected[cell] += 1
                else:
                    found.examples.append(example)
                    accepted.add(cell)
                    advance(len(found.examples))
            for cell, count in rejected.items():
                if count >= MAX_REJECTED and cell not in accepted and streams.pop(cell, None):
                    found.exhausted.append(cell)
    return found


def _in_turns(
    streams: dict[TaskCell, Iterator[TaskInstance]], number: int, exhausted: list[TaskCell]
) -> list[tuple[TaskCell, TaskInstance]]:
    """At most `number` instances, one of each cell in turn; cells that run dry are taken out."""
    drawn: list[tuple[TaskCell, TaskInstance]] = []
    while streams and len(drawn) < number:
        for cell in list(streams)[: number - len(drawn)]:
            instance = next(streams[cell], None)
            if instance is None:
                exhausted.append(cell)
                del streams[cell]
            else:
                drawn.append((cell, instance))
    return drawn


def _instances(cell: TaskCell, seed: int) -> Iterator[TaskInstance]:
    """The cell's instances without repeats, until none is new."""
    keys, repeats, index = set(), 0, 0
    name = zlib.crc32(f"{cell.kind}/{cell.num_qubits}".encode())
    while repeats < MAX_REPEATS:
        instance = cell.instance(np.random.default_rng([seed, name, index]))
        index += 1
        if instance.key in keys:
            repeats += 1
            continue
        repeats = 0
        keys.add(instance.key)
        yield instance


def solved(
    drawn: tuple[TaskCell, TaskInstance], *, settings: DatasetConfig, seed: int
) -> TaskExample | str:
    """The example, or why it is none: the program is too long.

    Angles have `dataset.angle_decimals` where that is still a success, else the teacher's own.
    """
    cell, instance = drawn
    task = get_task(cell.task)
    facts = task.facts(instance)
    program = task.reference(instance, facts)
    signals = _graded(program, instance, facts)
    short = _shortened(program, settings.angle_decimals)
    if short != program and (found := _graded(short, instance, facts)).success:
        program, signals = short, found
    if len(program.encode()) > settings.max_program_bytes:
        return "max_program_bytes"
    parts = {name: round(value, 6) for name, value in signals.parts.items()}
    record = TaskRecord(
        sample_index=0,
        problem=replace(instance, reference_circuit=program),
        extras={"parts": parts, "version": task.version, "seed": seed},
    )
    return TaskExample(cell, record, parts)


def _graded(program: str, instance: TaskInstance, facts: Any) -> TaskSignals:
    task, limits = get_task(instance.task), Limits(max_qubits=instance.num_qubits)
    return task.grade(instance, task.read_program(program, instance, limits), facts)


def _shortened(program: str, decimals: int) -> str:
    """With angles of so many decimals; comments, which may show working, as they are."""
    lines = (
        line if line.startswith("//") or "(" not in line else _NUMBER.sub(
            lambda match: format_angle(float(match[0]), decimals), line
        )
        for line in program.split("\n")
    )  # fmt: skip
    return "\n".join(lines)
