"""The files in which pytest captures output: a close of one fails all tests that follow."""

import os

import pytest


def is_whole(config: pytest.Config) -> bool:
    """Whether pytest can still read what tests write, and give it back to the terminal."""
    capturing = config.pluginmanager.get_plugin("capturemanager")._global_capturing
    try:
        for stream in filter(None, (capturing.out, capturing.err)):
            if hasattr(stream, "tmpfile"):
                os.fstat(stream.tmpfile.fileno())
            if hasattr(stream, "targetfd_save"):
                os.fstat(stream.targetfd_save)
    except (OSError, ValueError):
        return False
    return True


def begin_again(config: pytest.Config) -> None:
    """Capture in new files; what the old ones held is lost."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    manager._global_capturing = None
    manager.start_global_capturing()
