"""Limits on one verification that hold even when native code never returns.

The wall clock is a timer of the operating system; its signal ends the process without needing the
interpreter (a watching thread would cost each check its start and end, 0.1 ms and more on busy
cores). Memory is a limit of the operating system on the process's data. A small journal on disk
outlives the process: who was being verified when it died, and whether the clock ended it.
"""

import faulthandler
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from quasar.verification.request import Clock

_MIB = 1 << 20
# What a fault of each kind of death says.
REASONS = {
    "timeout": "the verification was ended at its time limit",
    "worker": "the verifier's process ended",
}


@dataclass(frozen=True, slots=True)
class Death:
    """One end of a worker process: which check it was at work on ("" for none), and why."""

    check_id: str
    kind: str  # "timeout" or "worker"


class Guard:
    """Runs checks under limits. Only for a process that may be ended, one check at a time."""

    def __init__(self, journal: Path, *, time_limit_s: float, memory_limit_mb: int):
        """journal: path prefix of the two small files that outlive the process."""
        self.time_limit_s = time_limit_s
        self._past = journal.with_suffix(".deaths")
        self._now = entry_of(journal)
        self._bury()
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        self._file = os.open(self._now, flags, 0o600)
        self._memory_limit = memory_limit_mb * _MIB
        self.measure_memory()

    def measure_memory(self) -> None:
        """Count the memory limit from what this process has now."""
        self._soft_limit = _data_bytes() + self._memory_limit

    @contextmanager
    def watch(self, check_id: str, *, clock: Clock = "wall") -> Iterator[None]:
        """Limits around one check. Over the time limit this process ends; over the memory limit
        allocations raise MemoryError.
        """
        written = os.pwrite(self._file, f"{check_id}\n".encode(), 0)
        os.lseek(self._file, written, os.SEEK_SET)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        # At the signal: the stack into the journal, then the default action, which is to end.
        faulthandler.register(signal.SIGALRM, file=self._file, all_threads=False, chain=True)
        signal.setitimer(signal.ITIMER_REAL, wall_limit_s(self.time_limit_s, clock))
        if clock == "processor":
            faulthandler.register(signal.SIGPROF, file=self._file, all_threads=False, chain=True)
            signal.setitimer(signal.ITIMER_PROF, self.time_limit_s)
        resource.setrlimit(resource.RLIMIT_DATA, (_within(self._soft_limit, hard), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            os.ftruncate(self._file, 0)

    def deaths(self) -> list[Death]:
        """Ends of earlier processes with the same journal, oldest first."""
        try:
            lines = self._past.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Death(*line.split("\t")) for line in lines]

    def forget(self) -> None:
        """Remove the journal: this worker is not coming back."""
        for path in (self._past, self._now):
            with suppress(FileNotFoundError):
                path.unlink()

    def _bury(self) -> None:
        """What the last process left behind becomes an entry in the list of deaths."""
        death = read_death(self._now)
        if death is not None:
            with self._past.open("a") as past:
                past.write(f"{death.check_id}\t{death.kind}\n")


def wall_limit_s(time_limit_s: float, clock: Clock) -> float:
    """Seconds of wall clock after which a check is ended, whatever its time limit counts."""
    return time_limit_s if clock == "wall" else 5 * time_limit_s + 5


def entry_of(journal: Path) -> Path:
    """The file that says what the process of this journal is at work on."""
    return journal.with_suffix(".now")


def read_death(entry: Path) -> Death | None:
    """How the process that left this entry ended; None where there is no entry."""
    try:
        left = entry.read_text(errors="replace")
    except FileNotFoundError:
        return None
    check_id, _, rest = left.partition("\n")
    return Death(check_id, "timeout" if rest else "worker")  # a stack: the clock's signal came


def _within(limit: int, hard: int) -> int:
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)


def _data_bytes() -> int:
    """Private writable memory of this process, what RLIMIT_DATA counts."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
