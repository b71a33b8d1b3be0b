"""Types of command-line arguments, and choices that several commands have."""

import argparse
from typing import get_args

from quasar.config import DeviceName

DEVICES = tuple(name for name in get_args(DeviceName) if name != "none")


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text) if text.strip().isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return value
