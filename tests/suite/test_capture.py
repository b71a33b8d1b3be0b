"""A test that closes pytest's own files fails alone."""

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

def test_after(): print("shown")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_test_that_closes_pytests_files_fails_by_its_name(tmp_path, workers):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_teardown\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers]
    told = subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root)},
    ).stdout
    assert told.count("ERROR test_some.py::test_culprit[") == 2, told
    assert "2 passed" in told
    assert "test_after" not in told.partition("short test summary")[2]
    assert "a file was closed with which pytest captures output" in told
