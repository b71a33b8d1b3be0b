"""The adaptive family: a circuit grown gate by gate, all its angles tuned anew each time.

In the manner of ADAPT-VQE (Grimsley, Economou, Barnes, Mayhall, Nat. Commun. 10, 3007, 2019), with
two changes. The next gate is the one whose best angle lowers the energy most: a diagonal
Hamiltonian gives that in closed form for the whole pool from one state, where a gradient at zero is
blind at maxima and saddles. And no angle is ever frozen. Where the greedy circuit misses the
minimum, others are grown with random choices among the good gates, and the best one is kept.
"""

from dataclasses import dataclass

import numpy as np

from quasar.circuits.ansatz.adaptive import Adaptive, Operator
from quasar.datasets.solver.deadline import NEVER, Deadline
from quasar.datasets.solver.descent import MAX_WORK, Landscape
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.exact import rotation_gains

MAX_OPERATORS = 100
MAX_RUNS = 20
LEAST_GAIN = 1e-5  # of the normalised energy, for a gate to be worth adding
GROWTH_ITERATIONS = 8  # of L-BFGS after each gate
FINAL_ITERATIONS = 100
LEAST_FAVOUR = 0.3  # a random run weights the gains by factors between this and 1


@dataclass(frozen=True, slots=True)
class _Grown:
    value: float  # normalised energy
    ansatz: Adaptive
    angles: np.ndarray
    evaluations: int
    work: int  # amplitude updates
    reached: bool


def solve_adaptive(
    hamiltonian: IsingHamiltonian,
    energies: np.ndarray,
    rng: np.random.Generator,
    *,
    deadline: Deadline = NEVER,
) -> tuple[Adaptive, np.ndarray, int]:
    """(the ansatz with its operators, angles in radians, gradient evaluations)."""
    best = _grow(hamiltonian, energies, None, deadline)
    runs, evaluations, work = 1, best.evaluations, best.work
    while not best.reached and runs < MAX_RUNS and work < MAX_WORK and not deadline.is_over:
        other = _grow(hamiltonian, energies, rng, deadline)
        runs, evaluations, work = runs + 1, evaluations + other.evaluations, work + other.work
        if other.value < best.value - LEAST_GAIN:
            best = other
    return best.ansatz, best.angles, evaluations


def _grow(
    hamiltonian: IsingHamiltonian,
    energies: np.ndarray,
    rng: np.random.Generator | None,
    deadline: Deadline,
) -> _Grown:
    """One circuit: the greedy one, or with `rng` one of random preferences; of one gate at least
    where one gains anything.
    """
    ansatz, angles = Adaptive(), np.zeros(0)
    landscape = Landscape(ansatz.circuit(hamiltonian), energies, deadline=deadline)
    value, evaluations, work = landscape.value(angles), 0, 0
    while len(ansatz.operators) < MAX_OPERATORS and value > landscape.goal:
        if ansatz.operators and deadline.is_over:
            break
        operator, angle, gain = _next_gate(landscape, angles, ansatz.operators, rng)
        if gain < LEAST_GAIN:
            break
        ansatz = ansatz.with_operators([operator])
        landscape = Landscape(ansatz.circuit(hamiltonian), energies, deadline=deadline)
        start = np.append(angles, angle)
        value, angles = landscape.descend(start, iterations=GROWTH_ITERATIONS, tolerance=1e-4)
        evaluations, work = evaluations + landscape.evaluations, work + landscape.work
    landscape = Landscape(landscape.circuit, energies, deadline=deadline)
    value, angles = landscape.descend(angles, iterations=FINAL_ITERATIONS)
    evaluations, work = evaluations + landscape.evaluations, work + landscape.work
    return _Grown(value, ansatz, angles, evaluations, work, value <= landscape.goal)


def _next_gate(
    landscape: Landscape,
    angles: np.ndarray,
    used: tuple[Operator, ...],
    rng: np.random.Generator | None,
) -> tuple[Operator, float, float]:
    """(gate, its best angle, how far it lowers the normalised energy)."""
    gains, best_angles = rotation_gains(landscape.circuit.bind(angles), landscape.diagonal)
    for _, qubits in used:
        gains[qubits[-1], qubits[0]] = 0.0
    if rng is not None:
        gains = gains * rng.uniform(LEAST_FAVOUR, 1.0, gains.shape)
    target, control = (int(i) for i in np.unravel_index(gains.argmax(), gains.shape))
    operator = ("ry", (target,)) if target == control else ("cry", (control, target))
    return operator, float(best_angles[target, control]), float(gains[target, control])
