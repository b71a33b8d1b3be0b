"""What a circuit costs on a device: compiled for it, not run on it."""

from typing import Any

from quasar.circuits.qasm import read_qasm
from quasar.config import DeviceName, NoiseConfig
from quasar.errors import QuasarError
from quasar.serving.schema import Compiled


def compile_circuit(device: DeviceName, circuit: str) -> Compiled:
    """Two-qubit gates, depth and duration of a valid program; `message` where it has none."""
    from quasar.simulation.devices import compile_for, load_device

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
