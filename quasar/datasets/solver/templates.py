"""The hardware-efficient templates: many local minima, so many starts.

Takes a template's parameterised circuit and the energies; gives parameters in radians.
"""

import numpy as np

from quasar.circuits.ansatz.base import ParameterisedCircuit
from quasar.datasets.solver.deadline import NEVER, Deadline
from quasar.datasets.solver.descent import MAX_WORK, Landscape

# Random starts until the minimum is reached, or so many gradient evaluations are spent.
MAX_EVALUATIONS = 3000
START_ITERATIONS = 60
# The last descent only sharpens: what is left is below the rounding of the emitted angles.
FINAL_ITERATIONS, FINAL_TOLERANCE = 40, 1e-7
# So many starts without a slope: no angle of the template has an effect on this energy.
MAX_FLAT_STARTS = 3
# Every other start has controlled rotations so near the identity: a nearly separable circuit has
# fewer bad minima.
NEAR_PRODUCT = 0.03
QUARTER = np.pi / 2
MAX_TIDY_WORK = 500_000_000  # amplitude updates
WORSE = 1e-6  # of the normalised energy, that a tidier angle may cost


def solve_template(
    circuit: ParameterisedCircuit,
    energies: np.ndarray,
    rng: np.random.Generator,
    *,
    deadline: Deadline = NEVER,
) -> tuple[np.ndarray, int]:
    """(parameters, gradient evaluations): descents from random starts, then tidied.

    A computational basis state is in the reach of most templates, and no state has a lower energy,
    so the minimum is nearly always reached; what differs is how many starts it takes.
    """
    landscape = Landscape(circuit, energies, deadline=deadline)
    best, parameters = np.inf, np.zeros(circuit.num_parameters)
    num_starts = num_flat = 0
    controlled = _controlled(circuit)
    while (
        best > landscape.goal
        and num_flat < MAX_FLAT_STARTS
        and landscape.evaluations < MAX_EVALUATIONS
        and landscape.work < MAX_WORK
        and not (num_starts and deadline.is_over)
    ):
        start = rng.uniform(-np.pi, np.pi, circuit.num_parameters)
        if num_starts % 2:
            start[controlled] *= NEAR_PRODUCT
        num_starts += 1
        before = landscape.evaluations
        value, found = landscape.descend(start, iterations=START_ITERATIONS, tolerance=1e-5)
        num_flat += landscape.evaluations == before + 1
        if value < best:
            best, parameters = value, found
    if deadline.is_over:
        return _wrapped(circuit, parameters), landscape.evaluations
    best, parameters = landscape.descend(
        parameters, iterations=FINAL_ITERATIONS, tolerance=FINAL_TOLERANCE
    )
    return _tidied(landscape, parameters, best), landscape.evaluations


def _tidied(landscape: Landscape, parameters: np.ndarray, value: float) -> np.ndarray:
    """The same energy with as many angles as possible 0 or a multiple of π/2.

    Angles that do not matter would otherwise be what the random start made them. Left out where it
    would take seconds.
    """
    tidy = _wrapped(landscape.circuit, parameters)
    if tidy.size * landscape.work_each > MAX_TIDY_WORK:
        return tidy
    for place in range(tidy.size):
        if landscape.deadline.is_over:
            break
        for angle in (0.0, QUARTER * round(tidy[place] / QUARTER)):
            trial = tidy.copy()
            trial[place] = angle
            if landscape.value(trial) <= value + WORSE:
                tidy = trial
                break
    return tidy


def _wrapped(circuit: ParameterisedCircuit, parameters: np.ndarray) -> np.ndarray:
    """Angles to the range around 0 of their period: 2π for rotations, 4π for controlled ones."""
    periods = np.where(_controlled(circuit), 4 * np.pi, 2 * np.pi)
    return parameters - periods * np.round(parameters / periods)


def _controlled(circuit: ParameterisedCircuit) -> np.ndarray:
    """Which parameters turn a controlled gate, bool (num_parameters,)."""
    found = np.zeros(circuit.num_parameters, dtype=bool)
    angled = [gate for gate in circuit.structure.gates if gate.params]
    for gate, slot in zip(angled, circuit.slots, strict=True):
        found[slot] |= len(gate.qubits) > 1
    return found
