"""A circuit as a Qiskit circuit: the one way there."""

from math import pi

from qiskit import QuantumCircuit

from quasar.circuits.circuit import Circuit

# Gates whose method on a Qiskit circuit has another name.
_METHODS = {"u1": "p", "phase": "p", "cphase": "cp", "CX": "cx", "U": "u", "u3": "u", "u2": "u"}


def to_qiskit(circuit: Circuit) -> QuantumCircuit:
    """The same gates as a Qiskit circuit, without measurements."""
    converted = QuantumCircuit(circuit.num_qubits)
    for gate in circuit.gates:
        angles = (pi / 2, *gate.params) if gate.name == "u2" else gate.params
        getattr(converted, _METHODS.get(gate.name, gate.name))(*angles, *gate.qubits)
    return converted
