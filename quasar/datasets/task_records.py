"""Rows of problem files that belong to a task other than graph problems.

Such a row has `task`, `family`, `n_qubits` (where the instance does not say it itself) and
`instance`, the content that the task reads; `reference_circuit` where there is one. All other
fields are kept as they are in `extras`. Object fields may be JSON text. Errors name the field.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from quasar.config.findings import plain
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.fields import as_object, get_field, shortened
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError, ProblemError
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance

TASK_OBJECTS = ("instance", "parts")  # fields that hold objects: JSON text in Parquet and on hubs
TASK_FIELDS = ("sample_index", "task", "family", "n_qubits", "instance", "reference_circuit")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One row. Generated rows carry in `extras`: parts of the reference, version, seed."""

    sample_index: int
    problem: TaskInstance
    extras: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON data; `from_dict` of it gives an equal record."""
        instance = self.problem
        row = {
            "sample_index": self.sample_index,
            "signature": instance.key,
            "task": instance.task,
            "family": instance.family,
            "n_qubits": instance.num_qubits,
            "instance": dict(instance.content),
            "reference_circuit": instance.reference_circuit,
        }
        return row | {k: v for k, v in self.extras.items() if k not in row}

    @classmethod
    def from_dict(cls, row: Any) -> "TaskRecord":
        """Read a row. Raises InputError; for an instance of another size than the task has, too."""
        if not isinstance(row, Mapping):
            raise InputError(f"expected an object with fields, not {shortened(row)}")
        _refuse_misspelt(row)
        row = {k: plain(as_object(k, v)) if k in TASK_OBJECTS else v for k, v in row.items()}
        name = get_field(row, "task", str)
        if name == GRAPH_TASK:
            raise InputError(f"field 'task' is {name!r}: a graph problem has no 'instance'")
        try:
            instance = get_task(name).read(
                get_field(row, "family", str),
                get_field(row, "instance", Mapping),
                num_qubits=get_field(row, "n_qubits", int, None),
            )
        except ProblemError as error:
            raise InputError(str(error)) from error
        reference = get_field(row, "reference_circuit", str, None)
        return cls(
            sample_index=get_field(row, "sample_index", int),
            problem=replace(instance, reference_circuit=reference),
            extras={k: v for k, v in row.items() if k not in TASK_FIELDS and k != "signature"},
        )


Record = ProblemRecord | TaskRecord


def read_record(row: Any, *, max_qubits: int | None = None) -> Record:
    """The record of a row of any task. Raises InputError; for a graph problem of more qubits than
    `max_qubits`, too.
    """
    if is_task_row(row):
        return TaskRecord.from_dict(row)
    return ProblemRecord.from_dict(row, max_qubits=max_qubits)


def is_task_row(row: Any) -> bool:
    """Whether a row is of a task other than graph problems."""
    return isinstance(row, Mapping) and row.get("task") not in (None, GRAPH_TASK)


def _refuse_misspelt(row: Mapping[str, Any]) -> None:
    for name in row:
        if name in TASK_FIELDS or not isinstance(name, str):
            continue
        near = difflib.get_close_matches(name, TASK_FIELDS, n=1, cutoff=0.8)
        if near and near[0] not in row:
            raise InputError(f"unknown field '{name}'; did you mean '{near[0]}'?")
