"""The models of an endpoint: what requests call them, what configuration each brings along.

Takes the name that a request gives, or the task that it is about; gives the model that answers it,
or raises `RequestRefused`.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.episodes.turns import TextDeltas, WriteRequest, Written
from quasar.errors import InputError
from quasar.serving.errors import no_model, not_trained, unknown_model
from quasar.system.run_paths import RunPaths

# What the turns of a request gain, where it is streamed; then the turns, or that one is too long.
Write = Callable[[WriteRequest], AsyncGenerator[TextDeltas | Written, None]]

# Limits of the verifier, which is one for all models: each has room for what it may write.
_WIDEST = ("max_qubits", "max_gates", "max_text_bytes", "time_limit_s", "memory_limit_mb")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model to serve. directory: in Hugging Face layout; config: what it brings along."""

    name: str
    directory: Path
    config: QuasarConfig

    @classmethod
    def of(cls, directory: Path, config: QuasarConfig) -> "Checkpoint":
        """Named by its place, which is looked at here: a replica may run where it is not seen."""
        directory = directory.resolve()
        return cls(model_name(directory), directory, config)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that answers requests. config: its prompts, grammar, range and defaults."""

    name: str
    config: QuasarConfig
    write: Write

    def knows(self, task: str) -> bool:
        """Whether it was trained on the task."""
        return task in self.config.dataset.tasks


class ServedModels:
    """The models of one endpoint in the order of preference; none where it only verifies."""

    def __init__(self, models: Sequence[ServedModel] = ()):
        self._models = tuple(models)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def names(self) -> list[str]:
        return [model.name for model in self._models]

    def named(self, name: str) -> ServedModel:
        """The model of that name. Raises RequestRefused: 404."""
        if not self._models:
            raise no_model()
        found = next((model for model in self._models if model.name == name), None)
        if found is None:
            raise unknown_model(name, self.names)
        return found

    def pick(self, task: str, *, name: str | None = None, field: str) -> ServedModel:
        """The model that the request names, else the first that was trained on its task.

        field: of the request, that says the task. Raises RequestRefused: 404 where there is none of
        the name, 422 where it, or each of them, was not trained on the task.
        """
        asked = self._models if name is None else (self.named(name),)
        found = next((model for model in asked if model.knows(task)), None)
        if found is None:
            trained = {model.name: model.config.dataset.tasks for model in asked}
            others = [model.name for model in self._models if model.knows(task)]
            raise not_trained(task, trained, others=others, field=field)
        return found


def endpoint_config(configs: Sequence[QuasarConfig]) -> QuasarConfig:
    """What is one for all models: the verifier, the reward, keys and limits on requests.

    It is the first model's, with the widest limits of verification that any of them has.
    """
    first = configs[0]
    widest = {name: max(getattr(c.verification, name) for c in configs) for name in _WIDEST}
    verification = first.verification.model_copy(update=widest)
    return first.model_copy(update={"verification": verification})


def require_distinct(checkpoints: Sequence[Checkpoint]) -> None:
    """Raises InputError where requests could not tell two models apart."""
    seen: dict[str, Path] = {}
    for checkpoint in checkpoints:
        if checkpoint.name in seen:
            raise InputError(
                f"two models to serve are called {checkpoint.name!r} ({seen[checkpoint.name]} and "
                f"{checkpoint.directory}): leave one out, or rename its run's directory"
            )
        seen[checkpoint.name] = checkpoint.directory


def sharing_processes(checkpoints: Sequence[Checkpoint]) -> list[list[Checkpoint]]:
    """The checkpoints of each writer process, in their order.

    Without GPUs one process holds them all: it is torch and its libraries that take memory and time
    to start, not a small model. One that reserves GPUs, or whose engine is vLLM, which claims its
    memory whole, has a process to itself.
    """
    shared = [found for found in checkpoints if _shares(found.config)]
    groups = [[found] for found in checkpoints if not _shares(found.config)]
    groups += [shared] if shared else []
    return sorted(groups, key=lambda group: checkpoints.index(group[0]))


def _shares(config: QuasarConfig) -> bool:
    return config.generation.engine == "transformers" and not config.serving.gpus_per_replica


def model_name(checkpoint: Path) -> str:
    """The run's name, with the place in the run of a model that is not its final one.

    Of a model outside any run the last two parts of its path; never more of it.
    """
    checkpoint = checkpoint.resolve()
    run = RunPaths.enclosing(checkpoint)
    if run is None:
        return "/".join(checkpoint.parts[-2:])
    name, inside = run.directory.name, checkpoint.relative_to(run.directory)
    return name if checkpoint == run.final_model else f"{name}/{inside}"
