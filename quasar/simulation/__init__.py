"""Simulator backends behind one protocol, and the registry that names them.

`get_simulator("auto", n)` is the way in; backends are loaded when they are first asked for.
"""

from functools import lru_cache
from importlib.util import find_spec
from typing import Literal

from quasar.errors import ConfigError
from quasar.simulation.base import Simulator

SIMULATORS = ("auto", "exact", "aer")
# Above this, Aer's threaded C++ overtakes the compiled single-core kernels.
MAX_EXACT_QUBITS = 16

__all__ = ["SIMULATORS", "Simulator", "get_simulator"]


def get_simulator(
    name: str, num_qubits: int, *, device: Literal["CPU", "GPU"] = "CPU"
) -> Simulator:
    """The backend of that name for circuits of `num_qubits`.

    "auto": exact up to 16 qubits, Aer above where it is installed. device: for Aer only; "GPU" is
    used where the installed Aer has one. Raises ConfigError for an unknown or missing backend.
    """
    if name not in SIMULATORS:
        raise ConfigError(f"simulator {name!r} is unknown; valid: {', '.join(SIMULATORS)}")
    if name == "auto":
        large = num_qubits > MAX_EXACT_QUBITS or device == "GPU"
        name = "aer" if large and find_spec("qiskit_aer") is not None else "exact"
    return _load(name, device)


@lru_cache
def _load(name: str, device: str) -> Simulator:
    if name == "exact":
        from quasar.simulation.exact import ExactSimulator

        return ExactSimulator()
    if find_spec("qiskit_aer") is None:
        raise ConfigError("simulator 'aer' needs qiskit-aer; install it or set simulator: exact")
    from quasar.simulation.aer import AerBackend

    return AerBackend(device)
