"""What a model is taught to answer to a task other than graph problems.

To compact prompts that is the teacher's worked answer, written by the task's script where it has
one, in canonical style; to all others the row's reference circuit.
"""

from quasar.config import DatasetConfig
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance


def is_worked(settings: DatasetConfig) -> bool:
    """Whether worked answers are taught."""
    return settings.style == "canonical" and settings.prompts == "compact"


def is_scripted(instance: TaskInstance, settings: DatasetConfig) -> bool:
    """Whether answers to the instance are written by a script."""
    task = get_task(instance.task)
    return (
        is_worked(settings) and task.script(instance, decimals=settings.angle_decimals) is not None
    )


def taught_answer(instance: TaskInstance, settings: DatasetConfig) -> str | None:
    """The answer; None where the teacher has none that the script writes."""
    if not is_worked(settings):
        return instance.reference_circuit or ""
    return get_task(instance.task).worked(instance, decimals=settings.angle_decimals)
