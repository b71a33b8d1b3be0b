"""The tasks by name, and the parts of the reward that they declare.

A task lies on a floor above this one, so it is named here as an entry point names a class, and
loaded when it is asked for. Installed packages name theirs in the entry-point group `quasar.tasks`.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from math import inf
from typing import Any

from quasar.errors import ConfigError
from quasar.plugins import load_class, names_in

TASK_GROUP = "quasar.tasks"
GRAPH_TASK = "ising"  # today's graph problems: what a row without `task` is
OWN_TASKS: Mapping[str, str] = {
    GRAPH_TASK: "quasar.datasets.graph_task:GraphTask",
    "ground_state": "quasar.tasks.ground_state.task:GroundState",
    "state_preparation": "quasar.tasks.state_preparation.task:StatePreparation",
    "stabiliser": "quasar.tasks.stabiliser.task:StabiliserTask",
}

EVERY_TASK = ("syntax", "validity", "two_qubit_cost")  # weights that every task has


@cache  # looking for packages takes as long as a hundred verifications
def task_names() -> tuple[str, ...]:
    """Quasar's own tasks, then those of installed packages."""
    return names_in(TASK_GROUP, OWN_TASKS)


@cache
def declared_parts(task: str) -> Mapping[str, Any]:
    """The `RewardPart` of each name that a task declares. Raises ConfigError where it cannot be loaded."""
    if task in OWN_TASKS:
        return load_class(OWN_TASKS[task]).parts
    try:
        (entry,) = (found for found in entry_points(group=TASK_GROUP) if found.name == task)
        return entry.load().parts
    except Exception as error:  # another author's module may raise anything
        raise ConfigError(
            f"task {task!r}: {type(error).__name__}: {error}; fix or uninstall its package"
        ) from error


@cache
def shared_parts() -> frozenset[str]:
    """The parts of all tasks: what `reward.weights.<part>` may name."""
    return frozenset(part for task in task_names() for part in declared_parts(task))


def as_weight(name: str, value: Any) -> float:
    """Raises ValueError for what is no finite number of at least 0."""
    with suppress(TypeError, ValueError):  # YAML 1.1 reads 1e-6 as text
        if not isinstance(value, bool) and 0.0 <= float(value) < inf:
            return float(value)
    raise ValueError(f"weight {name!r} must be a number of at least 0, not {value!r}")
