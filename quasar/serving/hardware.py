"""What a circuit costs on a device: compiled for it, not run on it.

Qiskit is imported with this module, by the main thread: its allocator breaks in other threads when
the thread that loaded it has ended.
"""

from typing import Any

from quasar.circuits.qasm import read_qasm
from quasar.config import DeviceName, NoiseConfig
from quasar.errors import QuasarError
from quasar.schema.circuits import Compiled
from quasar.simulation.aer.devices import compile_for, load_device


def compile_circuit(device: DeviceName, circuit: str) -> Compiled:
    """Two-qubit gates, depth and duration of a valid program; `message` where it has none."""
    try:
        compiled: Any = compile_for(load_device(NoiseConfig(model=device)), read_qasm(circuit))
    except QuasarError as error:  # a missing package, or more qubits than the device has
        return Compiled(device=device, message=str(error))
    duration = compiled.duration_s
    return Compiled(
        device=device,
        two_qubit_gates=compiled.num_two_qubit_gates,
        depth=compiled.depth,
        duration_us=None if duration is None else 1e6 * duration,
    )
