"""How much memory a simulation may take, asked before anything is allocated.

Takes a number of bytes; gives nothing or one `SimulationMemoryError`. What is free is the least of
the machine's available memory, the control group's limit and this process's own limits, so that a
verification under a memory limit is refused rather than killed.
"""

import os
import resource
from pathlib import Path

from quasar.errors import SimulationMemoryError

_MIB = 1 << 20
_GROUP = Path("/sys/fs/cgroup")
# Not worth a look at the kernel's files, which takes longer than to simulate a small circuit.
_ALWAYS_FREE = 4 * _MIB
_PROBABILITIES_BYTES = 16 + 8  # complex128 amplitude and its float64 probability, a basis state


def available_bytes() -> int:
    """Bytes that this process may still allocate."""
    free = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    free += [_field("/proc/meminfo", "MemAvailable")] if Path("/proc/meminfo").exists() else []
    try:
        limit, used = ((_GROUP / f"memory.{name}").read_text() for name in ("max", "current"))
        free += [int(limit) - int(used)] if limit.strip() != "max" else []
    except OSError:  # no control group of version 2
        pass
    for kind, field in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            free.append(limit - _field("/proc/self/status", field))
    return max(0, min(free))


def require(num_bytes: int, purpose: str) -> None:
    """Raises SimulationMemoryError where `purpose` would take more than is free."""
    if num_bytes <= _ALWAYS_FREE:
        return
    free = available_bytes()
    if num_bytes > free:
        raise SimulationMemoryError(
            f"{purpose} needs {num_bytes // _MIB} MiB and {free // _MIB} MiB are free; "
            "take fewer qubits, raise memory_limit_mb, or set simulator: mps"
        )


def require_state_vector(num_qubits: int) -> None:
    """Raises SimulationMemoryError where 2**n amplitudes and their probabilities do not fit."""
    require(_PROBABILITIES_BYTES << num_qubits, f"a state vector of {num_qubits} qubits")


def _field(path: str, name: str) -> int:
    """A `name:  123 kB` line of a file of the kernel, in bytes."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
