"""QAOA angles for one problem, by exact state vectors on the Hamiltonian's diagonal.

Takes a `ProblemInstance`; gives the angles, the emitted circuit with rounded angles, and the
quality of exactly that circuit. exp(−iγH) is an elementwise phase and the mixer one 2×2 rotation a
qubit, so no gate is ever simulated. Angles are tuned for the normalised energies (E − mean)/std,
which puts the good γ of different problems on one scale.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from quasar.circuits.ansatz.qaoa import emitted_angle, qaoa_circuit
from quasar.circuits.circuit import Circuit
from quasar.errors import ProblemError
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian

# Mean tuned (γ·std(E), β) of one layer over random instances of 3–6 qubits. Descending from one
# fixed point keeps all instances in one basin, so that angles are a smooth function of the problem.
START = (0.8, -0.42)
# Another basin is taken only where its approximation ratio is better by this much.
CLEARLY_BETTER = 0.03
PARAMETER_DECIMALS = 6  # of the angles γ, β in the record
# The look for other basins covers one period of β and every useful γ; it is skipped above this.
MAX_LANDSCAPE_QUBITS = 10
LANDSCAPE_GAMMAS = np.linspace(0.0, np.pi, 25)[1:]
LANDSCAPE_BETAS = np.linspace(-np.pi / 2, np.pi / 2, 24, endpoint=False)


@dataclass(frozen=True, slots=True)
class Quality:
    """What an emitted circuit reaches, exactly (no shots)."""

    energy: float  # ⟨H⟩
    approximation_ratio: float  # (E_max − E)/(E_max − E_min), [0, 1]
    uniform_approximation_ratio: float  # the same under uniform sampling
    optimum_probability: float  # of any ground state, [0, 1]


@dataclass(frozen=True, slots=True)
class SolvedProblem:
    """Angles in radians for H as it stands (not normalised), one a layer, and their circuit."""

    gammas: tuple[float, ...]
    betas: tuple[float, ...]
    circuit: Circuit
    quality: Quality


def solve_problem(problem: ProblemInstance, *, layers: int, decimals: int) -> SolvedProblem:
    """Tuned QAOA whose emitted rz angles have `decimals` decimals.

    Raises ProblemError where the spectrum is flat: there is nothing to optimise.
    """
    spectrum = problem.spectrum
    if spectrum.maximum - spectrum.minimum <= 1e-12:
        raise ProblemError(f"{problem.primitive}: all bitstrings have the same energy")
    qaoa = NormalisedQaoa(spectrum.energies)
    best = tune(qaoa, layers=layers)
    half = len(best) // 2
    gammas = tuple(round(float(g) / qaoa.scale, PARAMETER_DECIMALS) for g in best[:half])
    betas = tuple(round(float(b), PARAMETER_DECIMALS) for b in best[half:])
    return SolvedProblem(
        gammas,
        betas,
        qaoa_circuit(problem.hamiltonian, gammas, betas, decimals=decimals, canonical=True),
        emitted_quality(problem, gammas, betas, decimals=decimals),
    )


def tune(qaoa: "NormalisedQaoa", *, layers: int) -> np.ndarray:
    """(γ_1…γ_p, β_1…β_p) for the normalised energies: one layer, then layer by layer (INTERP).

    INTERP: Zhou et al., Phys. Rev. X 10, 021067 (2020), appendix B. γ_1 > 0 by construction of
    the start; the mirror image (−γ, −β) gives the same distribution and is never used.
    """
    worth = CLEARLY_BETTER * float(np.ptp(qaoa.diagonal))
    best = _descend(qaoa, np.array(START))
    if qaoa.num_qubits <= MAX_LANDSCAPE_QUBITS:
        values = qaoa.landscape(LANDSCAPE_GAMMAS, LANDSCAPE_BETAS)
        row, column = np.unravel_index(values.argmin(), values.shape)
        if values[row, column] < best[0]:
            other = _descend(qaoa, np.array([LANDSCAPE_GAMMAS[row], LANDSCAPE_BETAS[column]]))
            best = other if other[0] < best[0] - worth else best
    for depth in range(1, layers):
        starts = (_interpolate(best[1]), _ramp(depth + 1))
        first, second = (_descend(qaoa, start) for start in starts)
        best = second if second[0] < first[0] - worth else first
    return best[1]


def emitted_quality(
    problem: ProblemInstance, gammas: Sequence[float], betas: Sequence[float], *, decimals: int
) -> Quality:
    """Quality of the canonical circuit with its printed (wrapped, rounded) angles."""
    hamiltonian, spectrum = problem.hamiltonian, problem.spectrum
    qaoa = NormalisedQaoa(spectrum.energies)
    psi = qaoa.uniform_state
    for gamma, beta in zip(gammas, betas, strict=True):
        printed = tuple(
            (emitted_angle(2 * gamma * c, decimals=decimals, canonical=True) / 2, wires)
            for c, wires in hamiltonian.terms
        )
        phases = IsingHamiltonian(problem.num_qubits, printed).energies
        mixer = emitted_angle(2 * beta, decimals=decimals, canonical=True) / 2
        psi = qaoa.mix(np.exp(-1j * phases) * psi, mixer)
    probabilities = np.abs(psi) ** 2
    energy = float(probabilities @ spectrum.energies)
    return Quality(
        energy=energy,
        approximation_ratio=spectrum.approximation_ratio(energy),
        uniform_approximation_ratio=spectrum.approximation_ratio(spectrum.mean),
        optimum_probability=float(probabilities[spectrum.optimal].sum()),
    )


def _descend(qaoa: "NormalisedQaoa", start: np.ndarray) -> tuple[float, np.ndarray]:
    found = minimize(qaoa.value_and_gradient, start, jac=True, method="L-BFGS-B")
    return float(found.fun), found.x


def _interpolate(parameters: np.ndarray) -> np.ndarray:
    """Angles of p layers as a start for p + 1: u'_i = ((i−1)/p)·u_{i−1} + ((p−i+1)/p)·u_i."""
    depth = len(parameters) // 2
    place = np.arange(depth + 1)
    grown = []
    for angles in (parameters[:depth], parameters[depth:]):
        padded = np.concatenate(([0.0], angles, [0.0]))
        grown.append((place * padded[:-1] + (depth - place) * padded[1:]) / depth)
    return np.concatenate(grown)


def _ramp(depth: int) -> np.ndarray:
    """The annealing schedule: γ rises, |β| falls, around the one-layer start."""
    place = (np.arange(depth) + 0.5) / depth
    return np.concatenate((2 * START[0] * place, 2 * START[1] * (1 - place)))


class NormalisedQaoa:
    """⟨(H − mean)/std⟩ of the QAOA state and its gradient; parameters (γ_1…γ_p, β_1…β_p)."""

    def __init__(self, energies: np.ndarray):
        self.num_qubits = int(energies.size).bit_length() - 1
        self.scale = float(energies.std())
        self.diagonal = (energies - energies.mean()) / self.scale
        self.uniform_state = np.full(energies.size, energies.size**-0.5, dtype=np.complex128)

    def state(self, parameters: np.ndarray) -> np.ndarray:
        """Final amplitudes, shape (2**n,)."""
        psi = self.uniform_state
        for gamma, beta in self._layers(parameters):
            psi = self.mix(np.exp(-1j * gamma * self.diagonal) * psi, beta)
        return psi

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Reverse-mode: one pass forward, one back over ψ and λ = Dψ."""
        psi = self.state(parameters)
        costate = self.diagonal * psi
        value = float(np.vdot(psi, costate).real)
        layers = list(self._layers(parameters))
        gradient = np.empty((2, len(layers)))
        for layer in range(len(layers) - 1, -1, -1):
            gamma, beta = layers[layer]
            gradient[1, layer] = 2 * np.vdot(costate, self._sum_of_flips(psi)).imag
            psi, costate = self.mix(np.stack((psi, costate)), -beta)
            gradient[0, layer] = 2 * np.vdot(costate, self.diagonal * psi).imag
            undo = np.exp(1j * gamma * self.diagonal)
            psi, costate = undo * psi, undo * costate
        return value, gradient.ravel()

    def landscape(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Values of one layer on a grid, shape (len(gammas), len(betas))."""
        phased = np.exp(-1j * np.outer(gammas, self.diagonal)) * self.uniform_state
        columns = [np.abs(self.mix(phased, beta)) ** 2 @ self.diagonal for beta in betas]
        return np.stack(columns, axis=1)

    def _layers(self, parameters: np.ndarray) -> Iterator[tuple[float, float]]:
        half = len(parameters) // 2
        return zip(parameters[:half], parameters[half:], strict=True)

    def mix(self, psi: np.ndarray, beta: float) -> np.ndarray:
        """exp(−iβX) on every qubit of the last axis."""
        cos, sin = math.cos(beta), -1j * math.sin(beta)
        for q in range(self.num_qubits):
            pairs = psi.reshape(*psi.shape[:-1], -1, 2, 1 << q)
            psi = (cos * pairs + sin * pairs[..., ::-1, :]).reshape(psi.shape)
        return psi

    def _sum_of_flips(self, psi: np.ndarray) -> np.ndarray:
        """Σ_q X_q ψ."""
        total = np.zeros_like(psi)
        for q in range(self.num_qubits):
            total += psi.reshape(-1, 2, 1 << q)[:, ::-1, :].reshape(psi.shape)
        return total
