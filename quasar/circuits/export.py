"""A program for other libraries: a Qiskit circuit, a PennyLane quantum function.

Takes OpenQASM 3 as the verifier reads it. Qubit i holds variable i and is measured into bit i.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quasar.circuits.qasm import Limits, read_qasm

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# An endpoint's limits may be wider than those here: its answers are read whatever their size.
_LIMITS = Limits(max_text_bytes=10_000_000, max_qubits=40, max_gates=1_000_000)
_SAME = {
    "id": "Identity", "x": "PauliX", "y": "PauliY", "z": "PauliZ", "h": "Hadamard", "s": "S",
    "t": "T", "sx": "SX", "rx": "RX", "ry": "RY", "rz": "RZ", "p": "PhaseShift",
    "phase": "PhaseShift", "u1": "PhaseShift", "u2": "U2", "u3": "U3", "U": "U3", "cx": "CNOT",
    "CX": "CNOT", "cy": "CY", "cz": "CZ", "ch": "CH", "swap": "SWAP", "crx": "CRX", "cry": "CRY",
    "crz": "CRZ", "cp": "ControlledPhaseShift", "cphase": "ControlledPhaseShift",
    "ccx": "Toffoli", "cswap": "CSWAP",
}  # fmt: skip


def program_to_qiskit(program: str) -> "QuantumCircuit":
    """With its measurements. Raises CircuitError for a program that is not read."""
    from quasar.circuits.to_qiskit import to_qiskit

    made = to_qiskit(read_qasm(program, _LIMITS))
    made.measure_all()
    return made


def program_to_pennylane(program: str) -> Callable[[], None]:
    """A quantum function on wires 0…n−1, without measurements, to be called within a QNode.

    Raises CircuitError for a program that is not read.
    """
    import pennylane as qml

    circuit = read_qasm(program, _LIMITS)

    def quantum_function() -> None:
        for gate in circuit.gates:
            wires = list(gate.qubits)
            if gate.name in ("sdg", "tdg"):
                qml.adjoint(getattr(qml, gate.name[0].upper()))(wires=wires)
            elif gate.name == "cu":  # a phase of the control, and the controlled U
                theta, phi, lam, gamma = gate.params
                qml.PhaseShift(gamma, wires=wires[0])
                qml.ctrl(qml.U3(theta, phi, lam, wires=wires[1]), control=wires[0])
            else:
                operation: Any = getattr(qml, _SAME[gate.name])
                operation(*gate.params, wires=wires)

    return quantum_function
