"""Each hostile program is answered by name, in bounded time and half a gigabyte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile
import pytest

from tests.support.machine import scaled

# UNITS are of `machine.unit`: about two seconds on a machine of 2024, more on a slower one.
UNITS, MEGABYTES, CHARACTERS = 200.0, 500.0, 400


@pytest.fixture(scope="module", params=["hierarchical", "published"])
def verdicts(request):
    """What a fresh process says of each case, by name."""
    command = [sys.executable, hostile.__file__, request.param]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, timeout=scaled(300)
    )
    return {row["name"]: row for row in json.loads(done.stdout)}


@pytest.mark.parametrize("name", hostile.CASES)
def test_a_hostile_program_is_answered_by_name_and_in_time(verdicts, name):
    kind, message = verdicts[name]["verdict"]
    assert (kind, message[:CHARACTERS]) == (hostile.CASES[name][1], message)
    assert message.isascii()
    assert message.isprintable()
    assert verdicts[name]["units"] < UNITS


def test_all_hostile_programs_together_keep_to_the_memory(verdicts):
    assert len(verdicts) == len(hostile.CASES)
    assert max(row["peak_mb"] for row in verdicts.values()) < MEGABYTES
