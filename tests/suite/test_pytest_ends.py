"""What tests start ends with pytest, and pytest ends when it is told to."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.jobs.nodes import can_make_nodes
from tests.support.machine import scaled, wait_until

ROOT = Path(__file__).parents[2]
# A test that starts a daemon as `ray start` does (its own session, no parent left) and, where
# asked for, a Ray of its own; then it waits.
WAITING = """
import os, subprocess, sys, time
from tests.support.guard import undone_by

CHILD = "import os, sys, time; os.fork() and sys.exit(); os.setsid(); time.sleep(3600)"


def test_waits(tmp_path):
    RAY
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    with undone_by("touch", "UNDONE"):
        open("READY", "w").close()
        WAIT
"""
# One node of a cluster; Ray's sockets want a short directory.
NODES = """
import pathlib, pytest, tempfile, time
from tests.jobs.nodes import Nodes


@pytest.mark.nodes
def test_waits():
    with (
        tempfile.TemporaryDirectory(prefix="quasar-nodes-", dir="/tmp") as short,
        Nodes(pathlib.Path(short), mark_of_head="a", mark_of_workers="b"),
    ):
        open("READY", "w").close()
        time.sleep(3600)
"""
RAY = (
    "from quasar.runtime import init_ray; from quasar.config import load_config; "
    'init_ray(load_config("laptop"))'
)
SLEEP = "time.sleep(3600)"
# what a command line under test makes of an interrupt, and then it hangs
DEAF = """
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass"""


class Inner:
    """A pytest within this one, whose processes carry a variable of their own."""

    def __init__(self, directory: Path, text: str, *options: str):
        self.mark = f"QUASAR_GUARD_TEST_{os.getpid()}"
        self.ready, self.undone = directory / "ready", directory / "undone"
        file = directory / "test_waiting.py"
        file.write_text(text.replace("READY", str(self.ready)).replace("UNDONE", str(self.undone)))
        shutil.copy(ROOT / "tests" / "conftest.py", directory)
        command = [sys.executable, "-m", "pytest", str(file), "--basetemp", str(directory / "base")]
        command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), *options]
        # In the background of a script, where SIGINT is ignored from the start.
        self.script = subprocess.Popen(
            ["bash", "-c", '"$@" & wait $!', "bash", *command, "-p", "no:cacheprovider"],
            cwd=ROOT,
            env=os.environ | {self.mark: "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert wait_until(self.ready.exists, 120), self.script.communicate(self.script.kill())[0]
        (self.process,) = psutil.Process(self.script.pid).children()
        assert len(self.left()) > 2  # the script, pytest and what its test has started

    def end(self, number: int) -> str:
        """Signal pytest and wait until it and all that it started are gone; what it said."""
        self.process.send_signal(number)
        assert self.script.wait(scaled(30)) != 0
        assert wait_until(lambda: not self.left(), 30), self.left()
        return self.script.communicate()[0]

    def left(self) -> list[str]:
        """Command lines of its processes."""
        found = []
        for process in psutil.process_iter():
            try:
                if self.mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[:80])
            except (psutil.Error, OSError):
                continue
        return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "ray", "wait"),
    [
        (signal.SIGINT, "", SLEEP),
        (signal.SIGTERM, "", DEAF),
        pytest.param(signal.SIGTERM, RAY, SLEEP, marks=pytest.mark.ray),
        pytest.param(signal.SIGKILL, RAY, SLEEP, marks=pytest.mark.ray),
    ],
    ids=["SIGINT", "SIGTERM deaf", "SIGTERM Ray", "SIGKILL Ray"],
)
def test_nothing_outlives_pytest(tmp_path, number, ray, wait):
    inner = Inner(tmp_path, WAITING.replace("WAIT", wait).replace("RAY", ray))
    inner.end(number)
    fixtures_ran = number != signal.SIGKILL and wait is SLEEP  # and undid it themselves
    assert wait_until(inner.undone.exists, 1 if fixtures_ran else 10) != fixtures_ran


@pytest.mark.nodes
@pytest.mark.skipif(not can_make_nodes(), reason="needs root and iproute2")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_no_node_outlives_pytest(tmp_path, number):
    def network() -> str:
        shown = [["ip", "netns", "list"], ["ip", "-o", "link"]]
        text = "".join(subprocess.run(c, capture_output=True, text=True).stdout for c in shown)
        return "\n".join(line for line in text.splitlines() if "quasar-" in line)

    def directories() -> set[Path]:
        return set(Path("/tmp").glob("quasar-nodes-*"))

    before = directories()
    inner = Inner(tmp_path, NODES, "-m", "nodes")
    assert "quasar-head" in network()
    inner.end(number)
    assert wait_until(lambda: not network(), 10), network()
    assert wait_until(lambda: directories() <= before, 10)
