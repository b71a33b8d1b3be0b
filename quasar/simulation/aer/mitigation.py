"""Error mitigation: inverting the readout, and extrapolating to zero noise.

Takes what was measured, or a compiled circuit to be run with its noise scaled up. Little-endian.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit

from quasar.errors import SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.base import Estimate, Samples
from quasar.simulation.distributions import mean_energy

SCALES = (1, 3, 5)  # noise is scaled by these
ORDERS = {"linear": 1, "richardson": len(SCALES) - 1}  # degree of the polynomial through them
# Gates that are folded by `fold`; rz stays single.
FOLDED = frozenset(("cx", "cz", "ecr", "x", "sx", "rz", "id"))
_LEAST_CONTRAST = 0.05  # P(1 read | 1) − P(1 read | 0) below this tells nothing


def inverse_assignments(assignments: Sequence[np.ndarray]) -> np.ndarray:
    """Inverse of each qubit's readout, float64 (n, 2, 2).

    Each qubit is read independently (Bravyi, Sheldon, Kandala, McKay, Gambetta, Phys. Rev. A 103,
    042605, 2021, tensor product noise). Raises SimulationError where a readout tells nothing.
    """
    matrices = np.stack(list(assignments))
    for qubit, contrast in enumerate(np.linalg.det(matrices)):
        if abs(contrast) < _LEAST_CONTRAST:
            raise SimulationError(f"the readout of qubit {qubit} is noise; it cannot be inverted")
    return np.linalg.inv(matrices)


def mitigated_spins(inverses: np.ndarray) -> np.ndarray:
    """What stands for Z_q where 0 or 1 was read, float64 (n, 2); the mean is free of readout error.

    Products of them are unbiased for products of Z, shot by shot, so no 2**n matrix is needed.
    """
    return np.array([1.0, -1.0]) @ inverses


def read_out(probabilities: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply one 2×2 matrix a qubit, (n, 2, 2), to a vector over basis states; a new array."""
    n = len(matrices)
    result = probabilities.reshape((2,) * n)
    for q in range(n):
        axis = n - 1 - q
        result = np.moveaxis(np.tensordot(matrices[q], result, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(result).ravel()


def fold(circuit: QuantumCircuit, scale: int) -> QuantumCircuit:
    """Each gate G becomes G(G†G)^k with 2k+1 = scale: the same unitary, `scale` times the noise.

    For the gates of the devices: cx, cz, ecr and x are their own inverses, sx† = rz(π)·sx·rz(π) up
    to a phase; rz is exact and stays single. scale: odd. Giurgica-Tiron, Hindy, LaRose, Mari, Zeng,
    IEEE Int. Conf. on Quantum Computing and Engineering 2020, arXiv 2005.10921, section III.
    """
    folded = QuantumCircuit(circuit.num_qubits)
    for step in circuit.data:
        qubits = [circuit.find_bit(bit).index for bit in step.qubits]
        folded.append(step.operation, qubits)
        for _ in range(0 if step.operation.name == "rz" else scale // 2):
            inverted = step.operation.name == "sx"
            if inverted:
                folded.rz(np.pi, qubits[0])
            folded.append(step.operation, qubits)
            if inverted:
                folded.rz(np.pi, qubits[0])
            folded.append(step.operation, qubits)
    return folded


def extrapolate(estimates: Sequence[Estimate], order: str) -> Estimate:
    """The value at zero noise from those at `SCALES`; standard errors propagate.

    order "linear": least squares; "richardson": the polynomial through all points (arXiv
    2005.10921, section IV).
    """
    powers = np.vander(SCALES, ORDERS[order] + 1, increasing=True)
    weights = np.linalg.pinv(powers)[0]
    value = weights @ [e.value for e in estimates]
    error = np.sqrt(weights**2 @ [e.standard_error**2 for e in estimates])
    return Estimate(float(value), float(error))


@dataclass(frozen=True, slots=True)
class Mitigated:
    """⟨H⟩ as it was read, with readout errors inverted, and extrapolated; None: left out.

    zero_noise extrapolates the readout-mitigated values where there are any.
    """

    raw: Estimate
    readout_mitigated: Estimate | None
    zero_noise: Estimate | None

    @property
    def best(self) -> Estimate:
        """The one with the most mitigation."""
        return self.zero_noise or self.readout_mitigated or self.raw


def mitigate(
    outcomes: Sequence[np.ndarray | Samples],
    hamiltonian: IsingHamiltonian,
    *,
    inverses: np.ndarray | None,
    order: str,
) -> Mitigated:
    """What was read at each of `SCALES` (or once, with order "none") as one estimate.

    outcomes: distributions, (2**n,), or samples. inverses: of `inverse_assignments`; None: no
    readout mitigation. order: "none", "linear" or "richardson".
    """
    raw = [energy(outcome, hamiltonian) for outcome in outcomes]
    mitigated = None
    if inverses is not None:
        mitigated = [_mitigated_energy(outcome, hamiltonian, inverses) for outcome in outcomes]
    return Mitigated(
        raw=raw[0],
        readout_mitigated=mitigated[0] if mitigated else None,
        zero_noise=None if order == "none" else extrapolate(mitigated or raw, order),
    )


def energy(outcome: np.ndarray | Samples, hamiltonian: IsingHamiltonian) -> Estimate:
    """⟨H⟩ of a distribution or of samples."""
    if isinstance(outcome, Samples):
        return outcome.estimate(hamiltonian)
    return Estimate(mean_energy(outcome.copy(), hamiltonian))


def _mitigated_energy(
    outcome: np.ndarray | Samples, hamiltonian: IsingHamiltonian, inverses: np.ndarray
) -> Estimate:
    if isinstance(outcome, Samples):
        return outcome.estimate(hamiltonian, spins=mitigated_spins(inverses))
    return Estimate(mean_energy(read_out(outcome, inverses), hamiltonian))
