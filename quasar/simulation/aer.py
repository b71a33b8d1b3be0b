"""The Aer backend: state vectors in C++, on a GPU where the installed Aer has one.

Takes circuits of standard gates; gives amplitudes and probabilities. The choice for many qubits.
"""

from math import pi

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from quasar.circuits.circuit import Circuit, Gate

# Gates whose method on a Qiskit circuit has another name.
_METHODS = {"u1": "p", "phase": "p", "cphase": "cp", "CX": "cx", "U": "u", "u3": "u", "u2": "u"}


class AerBackend:
    """Aer's statevector method. `device` is the one in use: "GPU" only where it is available."""

    name = "aer"

    def __init__(self, device: str = "CPU"):
        available = AerSimulator().available_devices()
        self.device = device if device in available else "CPU"
        self._simulator = AerSimulator(method="statevector", device=self.device)

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), complex128, little-endian."""
        converted = to_qiskit(_in_aer_gates(circuit))
        converted.save_statevector()
        result = self._simulator.run(converted, shots=1).result()
        if not result.success:
            if "memory" in str(result.status).lower():
                raise MemoryError(str(result.status))
            raise RuntimeError(f"Aer: {result.status}")
        return np.asarray(result.get_statevector())

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64."""
        state = self.statevector(circuit)
        return state.real**2 + state.imag**2


def _in_aer_gates(circuit: Circuit) -> Circuit:
    """Aer runs every standard gate but the controlled Hadamard, which is a controlled U."""
    gates = tuple(
        Gate("cu", gate.qubits, (pi / 2, 0.0, pi, 0.0)) if gate.name == "ch" else gate
        for gate in circuit.gates
    )
    return Circuit(circuit.num_qubits, gates)


def to_qiskit(circuit: Circuit) -> QuantumCircuit:
    """The same gates as a Qiskit circuit, without measurements."""
    converted = QuantumCircuit(circuit.num_qubits)
    for gate in circuit.gates:
        angles = (pi / 2, *gate.params) if gate.name == "u2" else gate.params
        getattr(converted, _METHODS.get(gate.name, gate.name))(*angles, *gate.qubits)
    return converted
