"""The models that come with the package, laid out as runs: config.yaml and model/final."""

from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path

from quasar.config.task_names import GRAPH_TASK

# Name -> the tasks that it was trained on; the first is taken where nothing else is said.
MODELS: Mapping[str, tuple[str, ...]] = {
    "graph-3m": (GRAPH_TASK,),
    "tasks-2m": (GRAPH_TASK, "ground_state", "state_preparation", "stabiliser"),
}


def shipped_run(name: str = "graph-3m") -> Path:
    """The directory of one of `MODELS`."""
    return Path(str(resources.files("quasar"))) / "models" / name


def shipped_for(tasks: Collection[str]) -> Path:
    """Of the first that was trained on all of the tasks; of the first of all where none was."""
    fit = (name for name, trained in MODELS.items() if set(tasks) <= set(trained))
    return shipped_run(next(fit, next(iter(MODELS))))


def named_run(path: Path) -> Path:
    """The run of one of `MODELS` where `path` is its name and nothing of that name is there, else
    `path` itself.
    """
    name = str(path)
    return shipped_run(name) if name in MODELS and not path.exists() else path
