"""The exact backend: state vectors on one CPU core, with gradients.

Takes circuits of standard gates; gives amplitudes, probabilities, and the expectation value of an
observable with its gradient. The fastest choice up to about 20 qubits.
"""

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.pauli import PauliSum
from quasar.simulation.distributions import FromProbabilities
from quasar.simulation.memory import require_state_vector
from quasar.simulation.statevector import kernels, observables
from quasar.simulation.statevector.encoding import EncodedCircuit, encode
from quasar.simulation.statevector.observables import Observable, compiled


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


def statevector(
    encoded: EncodedCircuit,
    parameters: np.ndarray | None = None,
    *,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Final amplitudes of an encoded circuit, shape (2**n,), complex128.

    parameters: angles (radians) in place of the circuit's own, in the order of
    `Circuit.parameters`. start: complex128 (2**n,), amplitudes in place of those of |0…0⟩.
    """
    if start is not None:
        return kernels.run_from(start, encoded.rows, _angles(encoded, parameters))
    return kernels.run(encoded.num_qubits, encoded.rows, _angles(encoded, parameters))


def probabilities(encoded: EncodedCircuit, parameters: np.ndarray | None = None) -> np.ndarray:
    """|amplitude|² of an encoded circuit, shape (2**n,), float64; parameters as above."""
    return kernels.squares(statevector(encoded, parameters))


def energy_and_gradient(
    circuit: Circuit | EncodedCircuit,
    observable: Observable,
    parameters: np.ndarray | None = None,
    *,
    start: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """⟨observable⟩ and its derivative with respect to every angle (radians).

    observable: a sum of Pauli strings, or the energies of a diagonal one, float64 (2**n,),
    little-endian; parameters: angles in place of the circuit's own, in the order of
    `Circuit.parameters`; start: as in `statevector`. Returns (energy, gradient of shape
    (num_angles,)).
    """
    encoded = circuit if isinstance(circuit, EncodedCircuit) else encode(circuit)
    if start is not None:
        angles = _angles(encoded, parameters)
        return kernels.value_and_gradient_from(start, encoded.rows, angles, compiled(observable))
    return kernels.value_and_gradient(
        encoded.num_qubits, encoded.rows, _angles(encoded, parameters), compiled(observable)
    )


def expectation_value(state: np.ndarray, observable: PauliSum) -> float:
    """⟨observable⟩ in a state: its amplitudes, complex128 (2**n,), little-endian."""
    return observables.expectation(state, compiled(observable))


def string_means(state: np.ndarray, observable: PauliSum) -> np.ndarray:
    """⟨P_k⟩ of each term's string in a state, float64, in the order of `observable.terms`."""
    terms = observable.terms
    flips = np.array([term.flips for term in terms], dtype=np.int64)
    signs = np.array([term.signs for term in terms], dtype=np.int64)
    powers = np.bitwise_count(flips & signs).astype(np.int64) % 4
    return observables.string_means(
        np.ascontiguousarray(state, np.complex128), flips, signs, powers
    )


def apply(observable: PauliSum, state: np.ndarray) -> np.ndarray:
    """The observable applied to a vector, complex128 (2**n,), or float64 where both are real."""
    return observables.applied(state, compiled(observable))


def descend(
    encoded: EncodedCircuit,
    observable: Observable,
    *,
    parameters: np.ndarray | None = None,
    evaluations: int,
    step: float,
) -> np.ndarray:
    """Smallest energy that Adam has met after each gradient evaluation, from the given angles.

    float64 (evaluations,), falling; the first is the energy at the angles themselves.
    """
    angles = _angles(encoded, parameters)
    return kernels.descend(
        encoded.num_qubits, encoded.rows, angles, compiled(observable), evaluations, step
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


def warm_up_observables() -> None:
    """The same for sums of Pauli strings, which the graph problems do not need."""
    encoded = encode(Circuit(1, (Gate("ry", (0,), (0.1,)),)))
    for word in ("X0", "Y0"):
        observable = PauliSum.of(1, [(1.0, word)])
        expectation_value(statevector(encoded), observable)
        string_means(statevector(encoded), observable)
        energy_and_gradient(encoded, observable)


def _angles(encoded: EncodedCircuit, parameters: np.ndarray | None) -> np.ndarray:
    if parameters is None:
        return encoded.angles
    angles = np.ascontiguousarray(parameters, dtype=np.float64)
    if angles.shape != encoded.angles.shape:
        raise ValueError(f"{angles.size} angles given, the circuit has {encoded.angles.size}")
    return angles
