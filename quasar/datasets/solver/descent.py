"""Minimising ⟨H⟩ over the parameters of any parameterised circuit, by exact gradients.

Takes a `ParameterisedCircuit` and the diagonal of H, which it normalises to (E − mean)/std, so that
tolerances and steps mean the same for every problem; gives parameters in radians. Gradients are
adjoint (`quasar.simulation`), steps are those of L-BFGS.
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from scipy.optimize import minimize

from quasar.circuits.ansatz.base import ParameterisedCircuit
from quasar.datasets.solver.deadline import NEVER, Deadline
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient, probabilities

# The minimum counts as reached within this share of the gap: other states then have at most so much
# probability.
REACHED = 0.005
# Amplitude updates after which no further start is taken: one or two seconds.
MAX_WORK = 1_000_000_000
GAP_TOLERANCE = 1e-7  # normalised energies nearer than this are one level

_Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Landscape:
    """The normalised energy of one circuit as a function of its parameters."""

    def __init__(
        self, circuit: ParameterisedCircuit, energies: np.ndarray, *, deadline: Deadline = NEVER
    ):
        self.circuit = circuit
        self.deadline = deadline
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
        return descend(
            self.value_and_gradient,
            start,
            iterations=iterations,
            tolerance=tolerance,
            deadline=self.deadline,
        )


def descend(
    value_and_gradient: _Function,
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 1e-9,
    deadline: Deadline = NEVER,
) -> tuple[float, np.ndarray]:
    """(lowest value, where), by L-BFGS from `start`; it ends at a relative gain of `tolerance`, or
    with the best point met where the deadline comes first. The start is always evaluated.
    """
    if start.size == 0:
        return value_and_gradient(start)[0], start
    options = {"maxiter": iterations, "ftol": tolerance}
    if not deadline.is_set:
        found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
        return float(found.fun), found.x
    kept = _Kept(value_and_gradient, deadline)
    with suppress(_OverError):
        minimize(kept, start, jac=True, method="L-BFGS-B", options=options)
    return kept.value, kept.where


class _OverError(Exception):
    """The deadline has come."""


class _Kept:
    """A function that keeps its lowest point, and ends the descent at the deadline."""

    def __init__(self, function: _Function, deadline: Deadline):
        self._function, self._deadline = function, deadline
        self.value, self.where = np.inf, np.zeros(0)

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        if self.where.size and self._deadline.is_over:
            raise _OverError
        value, gradient = self._function(parameters)
        if value < self.value:
            self.value, self.where = float(value), parameters.copy()
        return value, gradient
