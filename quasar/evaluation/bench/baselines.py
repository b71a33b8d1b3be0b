"""Answers without a model, by name, to the problems of a set: what each row is read beside."""

from collections.abc import Sequence

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record
from quasar.errors import InputError
from quasar.evaluation.baseline_names import (
    BASELINE_NAMES,
    BY_STRENGTH,
    CONSTANT_ANGLES,
    DESCENTS_OF_8,
    GREEDY,
    GREEDY_DESCENT,
    REFERENCES,
)
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.bench.sets import ProblemSet
from quasar.evaluation.summary import FORMULA, GUESSING
from quasar.tasks import get_task

NO_SKILL = "best answer without skill"  # that of the task's own baseline
_DECIMALS = 12
# Beside each row, unless others are named.
_GRAPHS = (
    GUESSING, FORMULA, CONSTANT_ANGLES, GREEDY, BY_STRENGTH, GREEDY_DESCENT, DESCENTS_OF_8,
    REFERENCES,
)  # fmt: skip
_TASKS = (GUESSING, NO_SKILL, REFERENCES)


def baselines_of(task: str) -> tuple[str, ...]:
    """The rows beside a model's on the set of a task."""
    return _GRAPHS if task == GRAPH_TASK else _TASKS


def names_for(task: str) -> tuple[str, ...]:
    """All names of baselines that the set of a task knows."""
    return BASELINE_NAMES if task == GRAPH_TASK else _TASKS


def baseline_answers(
    name: str, problems: ProblemSet, *, samples: int = 1, seed: int = 0
) -> list[list[str]]:
    """So many answers to each problem, in order; none where the baseline has none for it.

    Raises InputError for a name that the set does not know.
    """
    if name not in names_for(problems.task):
        known = ", ".join(f"'{known}'" for known in names_for(problems.task))
        raise InputError(f"set {problems.name} has no baseline {name!r}; it has {known}")
    return [_answers(name, record, samples, seed) for record in problems.records]


def _answers(name: str, record: Record, samples: int, seed: int) -> list[str]:
    if name == REFERENCES:
        return [_reference(record)] * samples
    if not isinstance(record, ProblemRecord):
        return [_of_task(name, record)] * samples
    rng = np.random.default_rng([seed, record.sample_index])
    made = [
        build_baseline(name, record.problem, seed=rng, ansatz=record.ansatz, layers=record.n_layers)
        for _ in range(samples)
    ]
    return [text for text in made if text is not None]


def _reference(record: Record) -> str:
    """The row's own, else the teacher's of the task."""
    if record.problem.reference_circuit is not None:
        return record.problem.reference_circuit
    task = get_task(GRAPH_TASK if isinstance(record, ProblemRecord) else record.problem.task)
    return task.reference(record.problem, task.facts(record.problem))


def _of_task(name: str, record: Record) -> str:
    task, n = get_task(record.problem.task), record.problem.num_qubits
    if name == GUESSING:
        return Circuit(n, tuple(Gate("h", (q,)) for q in range(n))).to_qasm()
    circuits: Sequence[Circuit] = list(task.baseline_circuits(task.facts(record.problem)).values())
    return circuits[0].to_qasm(decimals=_DECIMALS)
