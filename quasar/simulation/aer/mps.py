"""Matrix product states by Aer: expectation values and samples where 2**n numbers do not fit.

Takes circuits of standard gates. Memory grows with n·χ² and time with χ³, χ being the bond
dimension that the circuit needs or the limit on it, whichever is less; a state that needs more is
truncated (Schollwöck, Annals of Physics 326, 96, 2011, section 4).
"""

from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

from quasar.circuits.circuit import Circuit
from quasar.circuits.to_qiskit import to_qiskit
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum
from quasar.simulation.aer.statevector import in_aer_gates, run
from quasar.simulation.base import Estimate, MatrixProductLimits, Samples, require_same_size
from quasar.simulation.memory import require, require_state_vector
from quasar.simulation.statevector import kernels

# Tensors of a site (two), its neighbour's in a two-qubit gate, and what their decomposition needs.
_COPIES = 8
# Gates that the method does not know by name.
_AS_MATRICES = frozenset(("crx", "cry", "crz", "cu"))


class MatrixProductBackend:
    """Aer's matrix product state method, on the CPU."""

    name = "mps"

    def __init__(self, limits: MatrixProductLimits):
        self.limits = limits

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes of the truncated state, shape (2**n,), complex128, little-endian."""
        require_state_vector(circuit.num_qubits)
        converted = self._converted(circuit)
        converted.save_statevector()  # pyright: ignore[reportAttributeAccessIssue]  # added by Aer
        return np.asarray(
            run(self._simulator(self.limits.bond_dimension), converted)["statevector"]
        )

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|² of the truncated state, shape (2**n,), float64."""
        return kernels.squares(self.statevector(circuit))

    def expectation_value(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum
    ) -> Estimate:
        """⟨H⟩ by contraction, without sampling.

        truncation_error: how far the value moves when the largest bond dimension is halved, the
        usual estimate and no bound; 0 where no state of n qubits needs even the half.
        """
        converted = self._with_energy(circuit, hamiltonian)
        energy = run(self._simulator(self.limits.bond_dimension), converted)["expectation_value"]
        return self._estimate(energy, converted)

    def sample(self, circuit: Circuit, *, shots: int, seed: int) -> Samples:
        """So many measurements of the truncated state."""
        return _samples(self._measured(self._converted(circuit), shots=shots, seed=seed), circuit)

    def measure(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian, *, shots: int, seed: int
    ) -> tuple[Estimate, Samples]:
        """`expectation_value` and `sample`, from one state but for the truncation error."""
        converted = self._with_energy(circuit, hamiltonian)
        found = self._measured(converted.copy(), shots=shots, seed=seed)
        estimate = self._estimate(found["expectation_value"], converted)
        return estimate, _samples(found, circuit)

    def _with_energy(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum
    ) -> QuantumCircuit:
        require_same_size(circuit.num_qubits, hamiltonian)
        converted = self._converted(circuit)
        if isinstance(hamiltonian, PauliSum):
            terms = [(t.letters, list(t.qubits), t.coefficient) for t in hamiltonian.terms]
        else:
            terms = [("Z" * len(wires), list(wires), c) for c, wires in hamiltonian.interactions()]
        operator = SparsePauliOp.from_sparse_list(terms, num_qubits=circuit.num_qubits)
        converted.save_expectation_value(  # pyright: ignore[reportAttributeAccessIssue]  # by Aer
            operator, range(circuit.num_qubits)
        )
        return converted

    def _estimate(self, energy: float, converted: QuantumCircuit) -> Estimate:
        half = max(1, self.limits.bond_dimension // 2)
        if 1 << (converted.num_qubits // 2) <= half:
            return Estimate(energy)
        coarse = run(self._simulator(half), converted)["expectation_value"]
        return Estimate(energy, truncation_error=abs(energy - coarse))

    def _measured(self, converted: QuantumCircuit, *, shots: int, seed: int) -> dict[str, Any]:
        converted.measure_all()
        simulator = self._simulator(self.limits.bond_dimension)
        return run(simulator, converted, shots=shots, seed=seed)

    def _converted(self, circuit: Circuit) -> QuantumCircuit:
        bond = min(self.limits.bond_dimension, 1 << (circuit.num_qubits // 2))
        require(
            16 * 2 * _COPIES * circuit.num_qubits * bond**2,
            f"a matrix product state of {circuit.num_qubits} qubits, bond dimension {bond},",
        )
        converted = to_qiskit(in_aer_gates(circuit))
        for place, step in enumerate(converted.data):
            if step.operation.name in _AS_MATRICES:
                converted.data[place] = step.replace(
                    operation=UnitaryGate(step.operation.to_matrix())
                )
        return converted

    def _simulator(self, bond_dimension: int) -> AerSimulator:
        return AerSimulator(
            method="matrix_product_state",
            matrix_product_state_max_bond_dimension=bond_dimension,
            matrix_product_state_truncation_threshold=self.limits.truncation,
        )


def _samples(found: dict[str, Any], circuit: Circuit) -> Samples:
    counts = {int(state, 16): count for state, count in found["counts"].items()}
    return Samples.of(counts, circuit.num_qubits)
