"""The graph problems are one task among others, with every figure as before, to the bit."""

import json
import os
import subprocess
import sys

import pytest

from quasar.verification.stages.published_utility import PINNED, can_pin
from tests.tasks.graph_digests import STORED


@pytest.mark.skipif(not can_pin(), reason="rounding is that of one kind of processor")
def test_records_prompts_rewards_and_evaluation_are_as_before():
    """In a process of its own, whose BLAS has the kernels that every such processor has."""
    stored = json.loads(STORED.read_text("utf-8"))
    made = subprocess.run(
        [sys.executable, "-m", "tests.tasks.graph_digests"],
        env=os.environ | PINNED,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert len(stored) == 11
    assert {k: v for k, v in found.items() if stored[k] != v} == {}
    assert found.keys() == stored.keys()
