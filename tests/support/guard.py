"""What a test starts ends with pytest, however pytest ends: a signal, SIGKILL or a crash.

Every process that pytest starts inherits a mark in its environment, daemons too. A guard, which is
a process of its own, waits for the end of pytest. Then it kills what still carries the mark and
runs the commands that were left with it, which undo what outlives processes (network namespaces).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

_PREFIX = "QUASAR_TESTS_"  # one variable for each pytest: one that a test starts has both marks
_DIRECTORY = "QUASAR_TESTS_UNDO"
_ROOT = Path(__file__).parents[2]
_ROUNDS = 50  # of killing: what is found in one may just have started something
ENDING_S = 10.0  # for the fixtures after a signal, on the reference machine


# In pytest ---------------------------------------------------------------------------------------


def start() -> subprocess.Popen:
    """Mark what this process starts from now on, and start its guard."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(_PREFIX)}
    mark = f"{_PREFIX}{uuid.uuid4().hex}"
    directory = tempfile.mkdtemp(prefix="quasar-tests-")
    os.environ[mark] = "1"
    os.environ[_DIRECTORY] = directory
    return subprocess.Popen(
        [sys.executable, __file__, str(os.getpid()), mark, directory],
        env=outside,
        start_new_session=True,  # what ends pytest by its group or terminal leaves the guard
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def undone_by(*command: str) -> Iterator[None]:
    """A part of a test; where pytest does not live to leave it, the guard runs this command.

    The guard runs it in the root of the project, when the processes are gone."""
    path = Path(os.environ[_DIRECTORY]) / f"{time.monotonic_ns()}.json"
    path.write_text(json.dumps(command))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


class Signals:
    """SIGTERM and SIGINT end pytest within a limit, whoever else has taken their handlers.

    Ray takes SIGTERM in every process that joins it and raises SystemExit, which pytest counts as
    one failed test; commands under test answer KeyboardInterrupt by an exit code; a process started
    in the background of a script ignores SIGINT.
    """

    def __init__(self, limit_s: float):
        self.received: signal.Signals | None = None
        self._limit_s = limit_s
        # Written to by the interpreter as the signal arrives, also while the main thread is in C.
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.install()
        threading.Thread(target=self._watch, daemon=True, name="signals").start()

    def install(self) -> None:
        """Take the signals (again)."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _interrupt)

    def _watch(self) -> None:
        while self.received is None:
            for number in os.read(self._reader, 1):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self.received = signal.Signals(number)
        time.sleep(self._limit_s)  # for the fixtures
        os.write(2, f"\n{self.received.name}: the fixtures did not end in time\n".encode())
        os._exit(128 + self.received)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


# In the guard ------------------------------------------------------------------------------------


def marked(mark: str) -> list[psutil.Process]:
    """Processes with the mark, and all that they started (titles overwrite an environment)."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                for one in (process, *process.children(recursive=True)):
                    found[one.pid] = one
    return list(found.values())


def _guard(pid: int, mark: str, directory: Path) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        pytest = psutil.Process(pid)
        while pytest.is_running() and pytest.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.1)
    ended: dict[int, str] = {}
    for _ in range(_ROUNDS):
        if not (found := marked(mark)):
            break
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                ended[process.pid] = process.name()
                process.kill()
        psutil.wait_procs(found, timeout=1.0)
    if ended:
        names = ", ".join(sorted(set(ended.values())))
        print(f"tests: ended {len(ended)} processes that were left ({names})", file=sys.stderr)
    for path in sorted(directory.glob("*.json"), reverse=True):  # the last made goes first
        subprocess.run(json.loads(path.read_text()), cwd=_ROOT, capture_output=True)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _guard(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
