"""The exact backend: state vectors on one CPU core, with gradients.

Takes circuits of standard gates; gives amplitudes, probabilities, and the energy of a diagonal
Hamiltonian with its gradient. The fastest choice up to about 20 qubits.
"""

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.simulation import kernels
from quasar.simulation.distributions import FromProbabilities
from quasar.simulation.encoding import EncodedCircuit, encode
from quasar.simulation.memory import require_state_vector


class ExactSimulator(FromProbabilities):
    """Compiled state-vector simulation. Stateless; safe to share between threads."""

    name = "exact"

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), complex128, little-endian."""
        require_state_vector(circuit.num_qubits)
        return statevector(encode(circuit))

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64."""
        require_state_vector(circuit.num_qubits)
        return probabilities(encode(circuit))


def statevector(encoded: EncodedCircuit, parameters: np.ndarray | None = None) -> np.ndarray:
    """Final amplitudes of an encoded circuit, shape (2**n,), complex128.

    parameters: angles (radians) in place of the circuit's own, in the order of
    `Circuit.parameters`.
    """
    return kernels.run(encoded.num_qubits, encoded.rows, _angles(encoded, parameters))


def probabilities(encoded: EncodedCircuit, parameters: np.ndarray | None = None) -> np.ndarray:
    """|amplitude|² of an encoded circuit, shape (2**n,), float64; parameters as above."""
    return kernels.squares(statevector(encoded, parameters))


def energy_and_gradient(
    circuit: Circuit | EncodedCircuit, energies: np.ndarray, parameters: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """⟨diag(energies)⟩ and its derivative with respect to every angle (radians).

    energies: float64 (2**n,), little-endian; parameters: angles in place of the circuit's own,
    in the order of `Circuit.parameters`. Returns (energy, gradient of shape (num_angles,)).
    """
    encoded = circuit if isinstance(circuit, EncodedCircuit) else encode(circuit)
    return kernels.value_and_gradient(
        encoded.num_qubits, encoded.rows, _angles(encoded, parameters), energies
    )


def descend(
    encoded: EncodedCircuit,
    energies: np.ndarray,
    *,
    parameters: np.ndarray | None = None,
    evaluations: int,
    step: float,
) -> np.ndarray:
    """Smallest energy that Adam has met after each gradient evaluation, from the given angles.

    float64 (evaluations,), falling; the first is the energy at the angles themselves.
    """
    return kernels.descend(
        encoded.num_qubits, encoded.rows, _angles(encoded, parameters), energies, evaluations, step
    )


def rotation_gains(circuit: Circuit, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far one more ry or cry would lower ⟨diag(energies)⟩, and the angle (radians) that does.

    Two float64 arrays (n, n): [target, control] for cry, [target, target] for ry.
    """
    state = statevector(encode(circuit))
    return kernels.rotation_gains(circuit.num_qubits, state, energies)


def warm_up() -> None:
    """Compile or load every kernel, so that no later call pays for it."""
    encoded = encode(Circuit(1, (Gate("ry", (0,), (0.1,)),)))
    energies = np.array([0.0, 1.0])
    probabilities(encoded)
    energy_and_gradient(encoded, energies)
    descend(encoded, energies, evaluations=1, step=0.1)


def _angles(encoded: EncodedCircuit, parameters: np.ndarray | None) -> np.ndarray:
    if parameters is None:
        return encoded.angles
    angles = np.ascontiguousarray(parameters, dtype=np.float64)
    if angles.shape != encoded.angles.shape:
        raise ValueError(f"{angles.size} angles given, the circuit has {encoded.angles.size}")
    return angles
