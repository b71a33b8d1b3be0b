import logging
import os

import pytest


@pytest.fixture(autouse=True)
def _keep_process_state(monkeypatch):
    """`main` sets log levels and PATH for a process of its own; here it shares ours."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    levels = {name: logging.getLogger(name).level for name in (None, "quasar")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
