"""What a circuit costs on a device: its two-qubit gates beside those of a structured circuit.

Takes circuits and Hamiltonians; gives `CostSignals`. The measure is gates/(gates + baseline), so
that every gate more costs something, however many there are, and none costs nothing.
"""

from quasar.circuits.circuit import Circuit
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.verification.report import CostSignals

# cx gates in the standard decompositions (Nielsen and Chuang, section 4.3).
_THREE_QUBIT_GATES = {"ccx": 6, "cswap": 8}


def measure_cost(circuit: Circuit, baseline: int) -> CostSignals:
    """baseline: two-qubit gates of the structured circuit, at least 1."""
    gates = sum(_THREE_QUBIT_GATES.get(g.name, 1) for g in circuit.gates if len(g.qubits) > 1)
    return CostSignals(gates, baseline, gates / (gates + baseline))


def layer_two_qubit_gates(hamiltonian: IsingHamiltonian) -> int:
    """Two-qubit gates of one QAOA layer: 2(k − 1) cx for a product of k qubits' Z."""
    return sum(2 * (len(wires) - 1) for _, wires in hamiltonian.interactions())
