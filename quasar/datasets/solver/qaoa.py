"""QAOA angles, by exact state vectors on the Hamiltonian's diagonal.

exp(−iγH) is an elementwise phase and the mixer one 2×2 rotation a qubit, so no gate is ever
simulated. Angles are tuned for the normalised energies (E − mean)/std, which puts the good γ of
different problems on one scale.
"""

import numpy as np

from quasar.datasets.solver.deadline import NEVER, Deadline
from quasar.datasets.solver.descent import descend
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum
from quasar.problems.walsh import walsh_hadamard
from quasar.simulation.statevector import alternating, kernels

# Mean tuned (γ·std(E), β) of one layer over random instances of 3–6 qubits. Descending from one
# fixed point keeps all instances in one basin, so that angles are a smooth function of the problem.
START = (0.8, -0.42)
# Another basin is taken only where its approximation ratio is better by this much.
CLEARLY_BETTER = 0.03
LEVEL_DECIMALS = 12
# Relative gains of the energy at which a descent ends: from one depth to the next, and at the last.
ROUGH, FINE = 1e-5, 2.2e-9
MAX_ITERATIONS = 200  # of L-BFGS; integer spectra need a few dozen
# Multi-angle QAOA starts from QAOA's angles, moved off that symmetric point by so much (radians,
# standard deviation).
NUDGE = 0.05
ITERATIONS = 60
# Factors of the angles that are tried, and the lead over all other states that is clear.
DRAWN_BACK = np.linspace(1.0, 0.2, 17)
CLEAR_LEAD = 1.1
# The look for other basins covers one period of β and every useful γ; it is skipped above this.
MAX_LANDSCAPE_QUBITS = 10
LANDSCAPE_GAMMAS = np.linspace(0.0, np.pi, 25)[1:]
LANDSCAPE_BETAS = np.linspace(-np.pi / 2, np.pi / 2, 24, endpoint=False)


def solve_qaoa(
    energies: np.ndarray, *, layers: int, deadline: Deadline = NEVER
) -> tuple[np.ndarray, int]:
    """((γ_1…γ_p, β_1…β_p) in radians for H as it stands, gradient evaluations)."""
    qaoa = NormalisedQaoa(energies, deadline=deadline)
    angles = tune(qaoa, layers=layers).copy()
    angles[:layers] /= qaoa.scale
    return angles, qaoa.evaluations


def drawn_back(parameters: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    """QAOA's angles, all times the largest factor ≤ 1 at which an optimum is clearly what is read
    off: the most probable ground state leads every other state by `CLEAR_LEAD`. Where no factor
    does so, the one with the largest lead; as they are where no optimum ever leads.

    At small angles, the first order of an anneal, probabilities fall with the energy, but slowly.
    """
    qaoa, optimal = NormalisedQaoa(spectrum.energies), np.zeros(spectrum.energies.size, bool)
    optimal[spectrum.optimal] = True
    normalised = np.array(parameters, dtype=float)
    normalised[: normalised.size // 2] *= qaoa.scale
    best, factor = 1.0, 1.0
    for k in DRAWN_BACK:
        probabilities = qaoa.probabilities(k * normalised)
        lead = float(probabilities[optimal].max() / probabilities[~optimal].max())
        if lead > best:
            best, factor = lead, k
        if lead >= CLEAR_LEAD:
            break
    return factor * np.asarray(parameters, dtype=float)


def solve_multi_angle(
    hamiltonian: IsingHamiltonian,
    energies: np.ndarray,
    rng: np.random.Generator,
    *,
    layers: int,
    deadline: Deadline = NEVER,
) -> tuple[np.ndarray, int]:
    """(parameters of `MultiAngleQaoa` in radians, gradient evaluations), from tuned QAOA angles."""
    angles, spent = solve_qaoa(energies, layers=layers, deadline=deadline)
    energy = MultiAngleEnergy(hamiltonian, energies, layers=layers)
    copies = [energy.num_terms, hamiltonian.num_qubits] * layers
    shared = np.repeat(angles.reshape(2, layers).T.ravel(), copies)
    start = shared + rng.normal(0.0, NUDGE, shared.size)
    _, parameters = descend(
        energy.value_and_gradient, start, iterations=ITERATIONS, deadline=deadline
    )
    return parameters, spent + energy.evaluations


def tune(qaoa: "NormalisedQaoa", *, layers: int) -> np.ndarray:
    """(γ_1…γ_p, β_1…β_p) for the normalised energies: one layer, then layer by layer (INTERP).

    INTERP: Zhou et al., Phys. Rev. X 10, 021067 (2020), appendix B. γ_1 > 0 by construction of
    the start; the mirror image (−γ, −β) gives the same distribution and is never used.
    """
    worth = CLEARLY_BETTER * float(np.ptp(qaoa.diagonal))
    best = _descend(qaoa, np.array(START))
    if qaoa.num_qubits <= MAX_LANDSCAPE_QUBITS and not qaoa.deadline.is_over:
        values = qaoa.landscape(LANDSCAPE_GAMMAS, LANDSCAPE_BETAS)
        row, column = np.unravel_index(values.argmin(), values.shape)
        if values[row, column] < best[0]:
            other = _descend(qaoa, np.array([LANDSCAPE_GAMMAS[row], LANDSCAPE_BETAS[column]]))
            best = other if other[0] < best[0] - worth else best
    for depth in range(1, layers):
        if qaoa.deadline.is_over:  # the depth asked for, at the angles that there are
            best = best[0], interpolate(best[1])
            continue
        starts = (interpolate(best[1]), _ramp(depth + 1))
        first, second = (_descend(qaoa, start, tolerance=ROUGH) for start in starts)
        best = second if second[0] < first[0] - worth else first
    if layers == 1 or qaoa.deadline.is_over:
        return best[1]
    return _descend(qaoa, best[1])[1]


def _descend(
    qaoa: "NormalisedQaoa", start: np.ndarray, *, tolerance: float = FINE
) -> tuple[float, np.ndarray]:
    return descend(
        qaoa.value_and_gradient,
        start,
        iterations=MAX_ITERATIONS,
        tolerance=tolerance,
        deadline=qaoa.deadline,
    )


def interpolate(parameters: np.ndarray) -> np.ndarray:
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

    def __init__(self, energies: np.ndarray, *, deadline: Deadline = NEVER):
        self.deadline = deadline
        self.num_qubits = int(energies.size).bit_length() - 1
        self.scale = float(energies.std())
        self.diagonal = (energies - energies.mean()) / self.scale
        self.evaluations = 0
        # Levels nearer than the rounding are one level; integer spectra have few.
        self._levels, self._level_of = np.unique(
            self.diagonal.round(LEVEL_DECIMALS), return_inverse=True
        )

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The normalised energy and its derivative by each parameter."""
        self.evaluations += 1
        value, slopes, by_beta = alternating.value_and_gradient(
            *self._layers(parameters), self.diagonal
        )
        return value, np.concatenate((slopes @ self.diagonal, by_beta.sum(axis=1)))

    def probabilities(self, parameters: np.ndarray) -> np.ndarray:
        """Of each basis state, float64 (2**n,)."""
        return kernels.squares(alternating.state(*self._layers(parameters)))

    def landscape(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Values of one layer on a grid, shape (len(gammas), len(betas)); infinite where the
        deadline came first.
        """
        values = np.full((len(gammas), len(betas)), np.inf)
        for row, gamma in enumerate(gammas):
            if self.deadline.is_over:
                break
            phases, _ = self._layers(np.array([gamma, 0.0]))
            for column, beta in enumerate(betas):
                mixer = np.full((1, self.num_qubits), beta)
                values[row, column] = alternating.value(phases, mixer, self.diagonal)
        return values

    def _layers(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gammas, betas = np.split(np.asarray(parameters, dtype=np.float64), 2)
        phases = np.exp(-1j * np.outer(gammas, self._levels))[:, self._level_of]
        return phases, np.repeat(betas[:, None], self.num_qubits, axis=1)


class MultiAngleEnergy:
    """The normalised energy of multi-angle QAOA; parameters as `MultiAngleQaoa` has them."""

    def __init__(self, hamiltonian: IsingHamiltonian, energies: np.ndarray, *, layers: int):
        terms = list(hamiltonian.interactions())
        self.num_terms = len(terms)
        self.num_qubits, self.num_layers = hamiltonian.num_qubits, layers
        self.diagonal = (energies - energies.mean()) / float(energies.std())
        self.evaluations = 0
        self._coefficients = np.array([coefficient for coefficient, _ in terms])
        self._masks = np.array([sum(1 << q for q in wires) for _, wires in terms])

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy and its derivative by each parameter.

        The cost of the diagonals does not grow with the number of terms: all of them are one
        Walsh–Hadamard transform, forth for the phases and back for the derivatives.
        """
        self.evaluations += 1
        rows = np.asarray(parameters, dtype=np.float64).reshape(self.num_layers, -1)
        gammas, betas = rows[:, : -self.num_qubits], rows[:, -self.num_qubits :]
        angles = np.zeros((self.num_layers, self.diagonal.size))
        angles[:, self._masks] = gammas * self._coefficients
        for layer in range(self.num_layers):
            walsh_hadamard(angles[layer])
        value, slopes, by_beta = alternating.value_and_gradient(
            np.exp(-1j * angles), np.ascontiguousarray(betas), self.diagonal
        )
        for layer in range(self.num_layers):
            walsh_hadamard(slopes[layer])
        by_gamma = slopes[:, self._masks] * self._coefficients
        return value, np.concatenate((by_gamma, by_beta), axis=1).ravel()
