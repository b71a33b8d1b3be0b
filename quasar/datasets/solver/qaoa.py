"""QAOA angles, by exact state vectors on the Hamiltonian's diagonal.

exp(−iγH) is an elementwise phase and the mixer one 2×2 rotation a qubit, so no gate is ever
simulated. Angles are tuned for the normalised energies (E − mean)/std, which puts the good γ of
different problems on one scale.
"""

import numpy as np
from scipy.optimize import minimize

from quasar.simulation import alternating

# Mean tuned (γ·std(E), β) of one layer over random instances of 3–6 qubits. Descending from one
# fixed point keeps all instances in one basin, so that angles are a smooth function of the problem.
START = (0.8, -0.42)
# Another basin is taken only where its approximation ratio is better by this much.
CLEARLY_BETTER = 0.03
LEVEL_DECIMALS = 12
# The look for other basins covers one period of β and every useful γ; it is skipped above this.
MAX_LANDSCAPE_QUBITS = 10
LANDSCAPE_GAMMAS = np.linspace(0.0, np.pi, 25)[1:]
LANDSCAPE_BETAS = np.linspace(-np.pi / 2, np.pi / 2, 24, endpoint=False)


def solve_qaoa(energies: np.ndarray, *, layers: int) -> tuple[np.ndarray, int]:
    """((γ_1…γ_p, β_1…β_p) in radians for H as it stands, gradient evaluations)."""
    qaoa = NormalisedQaoa(energies)
    angles = tune(qaoa, layers=layers).copy()
    angles[:layers] /= qaoa.scale
    return angles, qaoa.evaluations


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
        self.evaluations = 0
        # Levels nearer than the rounding are one level; integer spectra have few.
        self._levels, self._level_of = np.unique(
            self.diagonal.round(LEVEL_DECIMALS), return_inverse=True
        )

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The normalised energy and its derivative by each parameter."""
        self.evaluations += 1
        gammas, betas = np.split(np.ascontiguousarray(parameters, dtype=np.float64), 2)
        return alternating.value_and_gradient(self._levels, self._level_of, gammas, betas)

    def landscape(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Values of one layer on a grid, shape (len(gammas), len(betas))."""
        point = np.empty(1), np.empty(1)
        values = np.empty((len(gammas), len(betas)))
        for row, point[0][0] in enumerate(gammas):
            for column, point[1][0] in enumerate(betas):
                values[row, column] = alternating.value(self._levels, self._level_of, *point)
        return values
