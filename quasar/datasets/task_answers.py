"""What a model is taught to answer to a task other than graph problems.

Canonical answers to compact prompts are written by the task's script, with the teacher's working,
where it has one; all others are the row's reference circuit.
"""

from quasar.config import DatasetConfig
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance


def is_scripted(instance: TaskInstance, settings: DatasetConfig) -> bool:
    """Whether answers to the instance are written by a script."""
    if settings.style != "canonical" or settings.prompts != "compact":
        return False
    task = get_task(instance.task)
    return task.script(instance, decimals=settings.angle_decimals) is not None


def taught_answer(instance: TaskInstance, settings: DatasetConfig) -> str | None:
    """The answer; None where the teacher has none that the script writes."""
    if not is_scripted(instance, settings):
        return instance.reference_circuit or ""
    task = get_task(instance.task)
    return task.worked(instance, task.facts(instance), decimals=settings.angle_decimals)
