"""A request in words for a task other than graph problems.

Takes free text; gives what a task understood of it, or None where it is a graph problem's.
"""

from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.errors import ProblemError, TaskError
from quasar.schema.words.reader import read_problem
from quasar.tasks import get_task
from quasar.tasks.words import AskedInstance


def read_task(text: str) -> AskedInstance | None:
    """By the first task that says the text is about it. Raises TaskError where it is not clear."""
    for name in task_names():
        try:
            if name != GRAPH_TASK and (found := get_task(name).from_words(text)) is not None:
                return found
        except TaskError:
            if _is_graph_problem(text):  # `ground state of ising 0-1:1 1-2`
                return None
            raise
    return None


def _is_graph_problem(text: str) -> bool:
    try:
        read_problem(text)
    except ProblemError:
        return False
    return True
