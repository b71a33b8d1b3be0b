"""What a circuit costs on a device: its two-qubit gates beside those of a structured circuit.

Takes circuits and Hamiltonians; gives `CostSignals`. The measure is gates/(gates + baseline), so
that every gate more costs something, however many there are, and none costs nothing.
"""

from quasar.circuits.circuit import Circuit
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.verification.report import CostSignals


def measure_cost(circuit: Circuit, baseline: int) -> CostSignals:
    """baseline: two-qubit gates of the structured circuit, at least 1."""
    gates = circuit.two_qubit_cost
    return CostSignals(gates, baseline, gates / (gates + baseline))


def layer_two_qubit_gates(hamiltonian: IsingHamiltonian) -> int:
    """Two-qubit gates of one QAOA layer: 2(k − 1) cx for a product of k qubits' Z."""
    return sum(2 * (len(wires) - 1) for _, wires in hamiltonian.interactions())
