"""The Aer backends: state vectors in C++, on a GPU where the installed Aer has one.

Takes circuits of standard gates; gives amplitudes and probabilities. `run` is also the way of the
other Aer methods (matrix product states, noise).
"""

from math import pi
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.to_qiskit import to_qiskit
from quasar.errors import SimulationMemoryError
from quasar.simulation.distributions import FromProbabilities
from quasar.simulation.memory import require_state_vector
from quasar.simulation.statevector import kernels


class AerBackend(FromProbabilities):
    """Aer's statevector method. `device` is the one in use: "GPU" only where it is available."""

    name = "aer"

    def __init__(self, device: str = "CPU"):
        self.device = usable_device(device)
        self._simulator = AerSimulator(method="statevector", device=self.device)

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), complex128, little-endian."""
        require_state_vector(circuit.num_qubits)
        converted = to_qiskit(in_aer_gates(circuit))
        converted.save_statevector()  # pyright: ignore[reportAttributeAccessIssue]  # added by Aer
        return np.asarray(run(self._simulator, converted)["statevector"])

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64."""
        return kernels.squares(self.statevector(circuit))


def usable_device(device: str) -> str:
    """That device where the installed Aer has it, otherwise "CPU"."""
    return device if device in (AerSimulator().available_devices() or ()) else "CPU"


def run(
    simulator: AerSimulator, circuit: QuantumCircuit, *, shots: int = 1, seed: int = 0
) -> dict[str, Any]:
    """What the circuit saves, by name. Raises SimulationMemoryError, RuntimeError for the rest."""
    # Aer counts the seed up shot by shot, so neighbouring seeds would share most of their shots.
    spread = int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 1
    result = simulator.run(circuit, shots=shots, seed_simulator=spread).result()
    if not result.success:
        status = f"{result.status} {result.results[0].status if result.results else ''}"
        if "memory" in status.lower() or "bad_alloc" in status:
            raise SimulationMemoryError(f"Aer: {status}")
        raise RuntimeError(f"Aer: {status}")
    return result.data(0)


def in_aer_gates(circuit: Circuit) -> Circuit:
    """Aer runs every standard gate but the controlled Hadamard, which is a controlled U."""
    gates = tuple(
        Gate("cu", gate.qubits, (pi / 2, 0.0, pi, 0.0)) if gate.name == "ch" else gate
        for gate in circuit.gates
    )
    return Circuit(circuit.num_qubits, gates)
