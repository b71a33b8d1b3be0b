"""How fast this machine is now: time limits of tests are given for one machine and scale."""

import contextlib
import functools
import gc
import subprocess
import sys
import time
from collections.abc import Iterator

# Wall-clock seconds of the work below on the machine for which the limits were chosen (two cores,
# idle).
REFERENCE_S = 0.30
# A fresh interpreter, as most tests with a limit start some, and work on one core.
_WORK = "import hashlib\nd = b''\nfor _ in range(400_000): d = hashlib.sha256(d).digest()"


@functools.cache
def slowness() -> float:
    """How many times slower than the reference this machine does a fixed piece of work; at least 1.

    Measured once in a session, other work of the machine included.
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _WORK], check=True)
    return max(1.0, (time.perf_counter() - started) / REFERENCE_S)


def scaled(seconds: float) -> float:
    """A time limit: so many seconds on the idle reference machine, more on a slower one."""
    return seconds * slowness()


def wait_until(condition, limit_s: float, *, every_s: float = 0.05) -> bool:
    """Whether `condition` came true within a limit that scales with this machine."""
    deadline = time.monotonic() + scaled(limit_s)
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return bool(met)


_STATEMENTS = [f"rx({k % 7}.5) q[{k % 3}];" for k in range(20_000)]


def unit() -> float:
    """Processor seconds for a fixed piece of plain Python, about 20 ms on a machine of 2024.

    Measured anew each time: other work slows a machine down, its clock rate varies, and what is
    measured in this unit slows down with it.
    """
    started = time.process_time()
    counts: dict[str, int] = {}
    for text in _STATEMENTS:
        for part in text.split("("):
            counts[part] = counts.get(part, 0) + len(part.rstrip(";"))
    assert len(counts) == 22
    return time.process_time() - started


@contextlib.contextmanager
def young_heap() -> Iterator[None]:
    """Within it the garbage collector does not walk what other tests have left.

    A full collection of that takes a second and is counted to whatever happens to allocate then.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
