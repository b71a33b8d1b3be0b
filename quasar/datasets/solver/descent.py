"""Minimising ⟨H⟩ over the parameters of any parameterised circuit, by exact gradients.

Takes a `ParameterisedCircuit` and the diagonal of H, which it normalises to (E − mean)/std, so that
tolerances and steps mean the same for every problem; gives parameters in radians. Gradients are
adjoint (`quasar.simulation`), steps are those of L-BFGS.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from quasar.circuits.ansatz.base import ParameterisedCircuit
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient, probabilities

# The minimum counts as reached within this share of the gap: other states then have at most so much
# probability.
REACHED = 0.005
# Amplitude updates after which no further start is taken: one or two seconds.
MAX_WORK = 1_000_000_000
GAP_TOLERANCE = 1e-7  # normalised energies nearer than this are one level


class Landscape:
    """The normalised energy of one circuit as a function of its parameters."""

    def __init__(self, circuit: ParameterisedCircuit, energies: np.ndarray):
        self.circuit = circuit
        self.num_parameters = circuit.num_parameters
        self.scale, self.shift = float(energies.std()), float(energies.mean())
        self.diagonal = (energies - self.shift) / self.scale
        minimum = float(self.diagonal.min())
        excited = self.diagonal[self.diagonal > minimum + GAP_TOLERANCE]
        self.goal = minimum + REACHED * float(excited.min() - minimum)
        self.evaluations = 0
        self._encoded = encode(circuit.structure)
        # Amplitude updates of one evaluation: forward, and back for two vectors.
        self.work_each = 3 * len(self._encoded.rows) * energies.size

    @property
    def work(self) -> int:
        """Amplitude updates so far; about a thousand million a second on one core."""
        return self.evaluations * self.work_each

    def value(self, parameters: np.ndarray) -> float:
        """Normalised energy only: a third of the work."""
        angles = self.circuit.angles(parameters)
        return float(probabilities(self._encoded, angles) @ self.diagonal)

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Normalised energy and its derivative by each parameter."""
        self.evaluations += 1
        angles = self.circuit.angles(parameters)
        value, by_angle = energy_and_gradient(self._encoded, self.diagonal, angles)
        return value, self.circuit.gradient(by_angle)

    def descend(
        self, start: np.ndarray, *, iterations: int, tolerance: float = 1e-9
    ) -> tuple[float, np.ndarray]:
        """The local minimum from `start`: (normalised energy, parameters)."""
        return descend(self.value_and_gradient, start, iterations=iterations, tolerance=tolerance)


def descend(
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 1e-9,
) -> tuple[float, np.ndarray]:
    """(lowest value, where), by L-BFGS from `start`; it ends at a relative gain of `tolerance`."""
    if start.size == 0:
        return value_and_gradient(start)[0], start
    options = {"maxiter": iterations, "ftol": tolerance}
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    return float(found.fun), found.x
