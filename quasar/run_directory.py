"""A run's directory: its paths, and the configuration that it keeps.

Takes the configuration that a run is started with; refuses one that would compute something else
than what lies there.
"""

from pathlib import Path
from typing import Any

from quasar.config import QuasarConfig, flatten, load_config, to_commented_yaml
from quasar.datasets.io import write_text
from quasar.errors import ConfigError

# What may change where a run goes on: where it runs and on how much, not what it computes.
_PLACEMENT = (
    "run.name",
    "run.directory",
    "cluster.",
    "serving.",
    "dataset.num_workers",
    "rollout.",
    "verification.num_workers",
    "verification.cpus_per_worker",
    "verification.gpus_per_worker",
    "learner.num_learners",
    "learner.cpus_per_learner",
    "learner.gpus_per_learner",
    "learner.torch_threads",
    "learner.zero_stage",
    "learner.micro_batch_tokens",
)


class Run:
    """Paths of a run, and its configuration written down: one for ever, but for `_PLACEMENT`."""

    def __init__(self, config: QuasarConfig):
        self.config = config
        self.directory = config.run_directory
        self.dataset = self.directory / "dataset"
        self.initial_model = self.directory / "model" / "initial"
        self.final_model = self.directory / "model" / "final"
        self.directory.mkdir(parents=True, exist_ok=True)
        written = self.directory / "config.yaml"
        if written.is_file():
            there, here = (_training(c) for c in (load_config(written), config))
            differing = [
                f"{k} is {there[k]!r}, not {v!r}" for k, v in here.items() if v != there[k]
            ]
            if differing:
                raise ConfigError(
                    f"{self.directory} holds a run with another configuration "
                    f"({', '.join(differing[:3])}{', …' if differing[3:] else ''}); name a new one "
                    "with --set run.name=NAME, or delete that directory"
                )
        write_text(written, to_commented_yaml(config) + "\n")

    def split(self, name: str) -> Path:
        """The file of a split: train, validation or test."""
        return self.dataset / f"{name}.{self.config.dataset.format}"


def _training(config: QuasarConfig) -> dict[str, Any]:
    """What a run computes, by dotted path."""
    return {k: v for k, v, _ in flatten(config) if not k.startswith(_PLACEMENT)}
