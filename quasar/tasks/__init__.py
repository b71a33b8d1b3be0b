"""The tasks: one package each, and the one registry that names them.

`get_task` is the way in. Quasar's own are listed in `quasar.config.task_names`; installed packages
name theirs in the entry-point group `quasar.tasks`: `my_task = "my_module:MyTask"`.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any

from quasar.config.task_names import OWN_TASKS, TASK_GROUP, task_names
from quasar.errors import TaskError
from quasar.plugins import installed_classes, load_class
from quasar.tasks.base import RewardPart, Task, TaskInstance, TaskSignals

__all__ = ["RewardPart", "Task", "TaskInstance", "TaskSignals", "get_task", "task_names"]


@cache
def _installed() -> Mapping[str, type[Task]]:
    found = {cls.name: cls for cls in installed_classes(TASK_GROUP, Task, error=TaskError)}
    for name, cls in found.items():
        if name in OWN_TASKS:
            raise TaskError(f"{TASK_GROUP}: {name} is taken by Quasar itself; choose another name")
        faulty = [part for part, value in cls.parts.items() if not isinstance(value, RewardPart)]
        if faulty or not cls.parts:
            raise TaskError(
                f"entry point {name} of {TASK_GROUP}: parts must map each name to a RewardPart of "
                "quasar.tasks.base, one at least"
            )
    return found


@cache
def _made(name: str) -> Task[Any, Any, Any]:
    cls = load_class(OWN_TASKS[name]) if name in OWN_TASKS else _installed()[name]
    return cls()


def get_task(name: Any) -> Task[Any, Any, Any]:
    """The task of that name. Raises TaskError with the nearest valid name where there is none."""
    if name not in task_names():
        near = difflib.get_close_matches(str(name), task_names(), n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise TaskError(f"unknown task {name!r}; {hint}(valid: {', '.join(task_names())})")
    _installed()  # so that a package that takes one of our names is told
    return _made(name)
