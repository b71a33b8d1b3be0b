"""The model that comes with the package, laid out as a run: config.yaml and model/final."""

from importlib import resources
from pathlib import Path

NAME = "graph-3m"


def shipped_run() -> Path:
    """Its directory."""
    return Path(str(resources.files("quasar"))) / "models" / NAME
