"""From a distribution over all basis states to an expectation value and to samples.

Takes the probabilities that a backend gives, float64 (2**n,), little-endian. The expectation value
of a diagonal Hamiltonian is read from the Walsh-Hadamard transform, which holds ⟨∏Z⟩ of every
product of qubits at once: no vector of energies is made. That of a sum of Pauli strings needs the
amplitudes.
"""

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum
from quasar.problems.walsh import walsh_hadamard
from quasar.simulation.base import Estimate, Samples, require_same_size
from quasar.simulation.statevector import observables


class FromProbabilities:
    """Base of the backends that give all 2**n probabilities: the rest of the protocol follows."""

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """To be given by the backend; a new array at each call."""
        raise NotImplementedError

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """To be given by the backend: amplitudes, complex128 (2**n,)."""
        raise NotImplementedError

    def expectation_value(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum
    ) -> Estimate:
        """⟨H⟩ without sampling error."""
        require_same_size(circuit.num_qubits, hamiltonian)
        if isinstance(hamiltonian, PauliSum):
            state = self.statevector(circuit)
            return Estimate(observables.expectation(state, observables.compiled(hamiltonian)))
        return Estimate(mean_energy(self.probabilities(circuit), hamiltonian))

    def sample(self, circuit: Circuit, *, shots: int, seed: int) -> Samples:
        """So many independent draws from the distribution."""
        return draw(self.probabilities(circuit), shots=shots, seed=seed)

    def measure(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian, *, shots: int, seed: int
    ) -> tuple[Estimate, Samples]:
        """Both from the same probabilities."""
        require_same_size(circuit.num_qubits, hamiltonian)
        probabilities = self.probabilities(circuit)
        samples = draw(probabilities.copy(), shots=shots, seed=seed)
        return Estimate(mean_energy(probabilities, hamiltonian)), samples


def mean_energy(probabilities: np.ndarray, hamiltonian: IsingHamiltonian) -> float:
    """Σ_x p(x)·E(x); overwrites `probabilities`, which may be quasi-probabilities."""
    products = walsh_hadamard(probabilities)
    return float(
        sum(c * products[sum(1 << q for q in wires)] for c, wires in hamiltonian.interactions())
    )


def draw(probabilities: np.ndarray, *, shots: int, seed: int) -> Samples:
    """So many independent draws; overwrites `probabilities` with their running sum."""
    num_qubits = probabilities.size.bit_length() - 1
    running = np.cumsum(probabilities, out=probabilities)
    places = np.random.default_rng(seed).random(shots) * running[-1]
    states, counts = np.unique(np.searchsorted(running, places, side="right"), return_counts=True)
    return Samples.of(dict(zip(states.tolist(), counts.tolist(), strict=True)), num_qubits)
