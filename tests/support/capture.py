"""The files in which pytest captures output: a close of one would fail all tests that follow.

Whatever closes a descriptor that is not its own is a fault; which test it was is told, and the
others are not its victims.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Generator

import pytest

LOST: list[str] = []  # names of tests, in the process that reports
_ENDED: list[object] = []  # their files would close descriptors that are now those of others


class CaptureLost(pytest.PytestWarning):
    """Something closed a file with which pytest captures output."""


def kept_whole(item: pytest.Item) -> Generator[None, object, object]:
    """One phase of a test; what captures output works after it, as before."""
    result = None
    try:
        result = yield
    except (OSError, ValueError) as error:
        if _is_whole(item.config):
            raise
        if error.__context__ is not None:  # of the test itself
            raise error.__context__ from None
    finally:
        if not _is_whole(item.config):
            _begin_again(item.config)
            warnings.warn(CaptureLost(CaptureLost.__doc__), stacklevel=1)
    return result


def _is_whole(config: pytest.Config) -> bool:
    """Whether pytest can still read what tests write, and give it back to the terminal."""
    capturing = config.pluginmanager.get_plugin("capturemanager")._global_capturing
    if capturing is None:  # -s
        return True
    try:
        for stream in filter(None, (capturing.out, capturing.err)):
            if hasattr(stream, "tmpfile"):
                os.fstat(stream.tmpfile.fileno())
            if hasattr(stream, "targetfd_save"):
                os.fstat(stream.targetfd_save)
    except (OSError, ValueError):
        return False
    return True


def _begin_again(config: pytest.Config) -> None:
    """Capture in new files; what the old ones held is lost."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    for stream in (manager._global_capturing.out, manager._global_capturing.err):
        if hasattr(stream, "targetfd_save"):
            with contextlib.suppress(OSError):
                os.dup2(stream.targetfd_save, stream.targetfd)
            setattr(sys, stream.syscapture.name, stream.syscapture._old)
    _ENDED.append(manager._global_capturing)
    manager._global_capturing = None
    manager.start_global_capturing()
    manager.suspend_global_capture(in_=True)  # as between two phases
