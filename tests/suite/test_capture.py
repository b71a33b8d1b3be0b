"""A test that closes pytest's own files is named, and takes no other with it."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os, sys
import pytest

def test_before(): pass

@pytest.mark.parametrize("how", ["close", "descriptor"])
def test_culprit(how):
    if how == "close":
        sys.stdout.close()
    else:
        os.close(sys.stdout.fileno())

def test_that_fails_too():
    sys.stdout.close()
    assert False, "for a reason"

def test_after(): print("shown")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_test_that_closes_pytests_files_is_named(tmp_path, workers):
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 100\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers]
    done = subprocess.run(
        [*command, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root)},
    )
    assert done.stdout.count("FAILED test_some.py") == 1, done.stdout
    assert "FAILED test_some.py::test_that_fails_too - AssertionError: for a reason" in done.stdout
    assert "1 failed, 4 passed" in done.stdout
    for name in ("test_culprit[close]", "test_culprit[descriptor]", "test_that_fails_too"):
        assert f"tests: warning: test_some.py::{name}: Something closed a file" in done.stderr
