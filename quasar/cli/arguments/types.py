"""Types of command-line arguments, and choices that several commands have."""

import argparse
from typing import get_args

from quasar.config import DeviceName, StyleName, ToolName, checked_tools

_MODEL = "run directory, model in Hugging Face layout, or models:/NAME/1 and runs:/ID of MLflow"
CHECKPOINT = (
    f"{_MODEL}; default: policy.model where it is set, else the model that comes with Quasar"
)
CHECKPOINTS = (
    f"{_MODEL}, or a model that comes with Quasar by its name; may be repeated: a request is "
    "answered by the model that it names, else by the first that was trained on its task; default: "
    "policy.model where it is set, else all models that come with Quasar"
)
DEVICES = tuple(name for name in get_args(DeviceName) if name != "none")
STYLES = get_args(StyleName)


def add_source(command: argparse.ArgumentParser) -> None:
    """What a problem's file may need besides: --as and --attribute."""
    command.add_argument(
        "--as",
        dest="primitive",
        metavar="NAME",
        help="which problem the graph of a file is, as `quasar problems list` names it",
    )
    command.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the problem of a file needs besides, e.g. source=0; may be repeated",
    )


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text) if text.strip().isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return value


def tools(text: str) -> tuple[ToolName, ...]:
    """Names of tools, comma-separated."""
    known: dict[str, ToolName] = {name: name for name in get_args(ToolName)}
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown tool {unknown[0]!r} (valid: {', '.join(known)})")
    try:
        return checked_tools(tuple(known[name] for name in names))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def share(text: str) -> float:
    """A number above 0, at most 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, at most 1")
    return value
