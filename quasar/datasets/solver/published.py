"""The published generator's rule: circuits as the benchmark's references are, not as good as any.

Takes a family and a problem; gives parameters, or `NotAccepted` where the generator drops the
problem. QAOA and the templates take AdamW steps from small angles and stop at the first look, one
every ten steps, at which the most probable state is a ground state; so most of them end far from
the minimum. The adaptive family grows greedily and tunes each gate once. Gradients are exact.

Sources: AdamW with optax's defaults (Loshchilov and Hutter, arXiv 1711.05101); the adaptive rule is
that of PennyLane's `AdaptiveOptimizer`, with the pool drained.
"""

import math
from collections.abc import Callable

import numpy as np

from quasar.circuits.ansatz import Ansatz, ParameterisedCircuit
from quasar.circuits.ansatz.adaptive import POOL_GATES, Adaptive
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit, Gate
from quasar.datasets.solver.qaoa import NormalisedQaoa
from quasar.errors import InputError, ProblemError
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import Spectrum
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import (
    energy_and_gradient,
    probabilities,
    statevector,
)
from quasar.simulation.statevector.kernels import squares

FAMILIES = ("qaoa", "hardware_efficient", "adaptive")

LEARNING_RATE = 0.01
DECAY_MEAN, DECAY_SQUARE, EPSILON, WEIGHT_DECAY = 0.9, 0.999, 1e-8, 1e-4
CHUNK = 10  # steps between two looks; the optimiser forgets its moments at each
MAX_STEPS = 500  # from one start
# The first angles are uniform on [0, width), radians: of the first try, then of each other one.
START_WIDTHS = {
    "qaoa": (0.01, *[0.01 * math.pi] * 3),
    "hardware_efficient": (0.01,) * 3,
}

MAX_ADDITIONS = 100  # gates of an adaptive circuit, those counted whose angle stays 0
POOL_ANGLE = 0.001  # radians, of every gate of the pool while their gradients are compared
LEAST_GRADIENT = 3e-3  # the gate that is below it is the last one
DESCENT_STEPS, DESCENT_STEP = 10, 0.5  # on the angle of the new gate alone
MOST_EVALUATIONS = 2000  # gradient evaluations of a whole run: QAOA's four tries

Gradient = Callable[[np.ndarray], np.ndarray]
Distribution = Callable[[np.ndarray], np.ndarray]


class NotAccepted(ProblemError):
    """After the last try of the rule the most probable state is no ground state."""


def require_published(family: Ansatz) -> None:
    """Raise InputError for a family that the published generator does not have."""
    if family.family not in FAMILIES:
        raise InputError(
            f"teacher 'published' makes no circuits of ansatz '{family.name}'; take teacher "
            f"'solver', or one of: {', '.join(FAMILIES)}"
        )


def solve_published(
    family: Ansatz,
    problem: ProblemInstance,
    rng: np.random.Generator,
    *,
    layers: int,
    evaluations: int = MOST_EVALUATIONS,
) -> tuple[Ansatz, np.ndarray, int]:
    """(the family, for the adaptive one with its gates; parameters; gradient evaluations).

    Parameters are in radians, rounded to four decimals as the benchmark keeps them. At most 2000
    evaluations for QAOA, 1500 for a template, 1100 for an adaptive circuit; evaluations: fewer,
    where the rule is not at its end by then it has no circuit. Raises NotAccepted;
    InputError as `require_published`.
    """
    require_published(family)
    spectrum = problem.spectrum
    if family.family == "adaptive":
        solved = _grow(problem.num_qubits, spectrum, evaluations)
    else:
        solved = _descend(family, problem, rng, layers=layers, evaluations=evaluations)
    if solved is None:
        raise NotAccepted(
            f"{problem.primitive}, {problem.num_qubits} qubits: teacher 'published' has no circuit "
            f"of ansatz '{family.name}' (no ground state became the most probable one in at most "
            f"{evaluations} gradient evaluations); take another ansatz or seed, or teacher 'solver'"
        )
    return solved


def _descend(
    family: Ansatz,
    problem: ProblemInstance,
    rng: np.random.Generator,
    *,
    layers: int,
    evaluations: int,
) -> tuple[Ansatz, np.ndarray, int] | None:
    """QAOA or a template; None after the last try, or where the evaluations are spent."""
    if family.family == "qaoa":
        gradient, distribution = _of_qaoa(problem.spectrum)
        num_parameters = 2 * layers
    else:
        circuit = family.circuit(problem.hamiltonian, layers=layers)
        gradient, distribution = _of_template(circuit, problem.spectrum)
        num_parameters = circuit.num_parameters
    spent = 0
    for width in START_WIDTHS[family.family]:
        point = width * rng.random(num_parameters)
        for _ in range(MAX_STEPS // CHUNK):
            if spent + CHUNK > evaluations:
                return None
            point = adamw_chunk(gradient, point)
            spent += CHUNK
            if is_accepted(distribution(point), problem.spectrum):
                return family, np.round(point, PUBLISHED_DECIMALS), spent
    return None


def is_accepted(distribution: np.ndarray, spectrum: Spectrum) -> bool:
    """Whether the most probable state, of (2**n,) probabilities, is a ground state."""
    lowest = spectrum.minimum + spectrum.tolerance
    return bool(spectrum.energies[distribution.argmax()] <= lowest)


def adamw_chunk(gradient: Gradient, point: np.ndarray, *, steps: int = CHUNK) -> np.ndarray:
    """The parameters after so many AdamW steps with fresh moments."""
    mean, square = np.zeros_like(point), np.zeros_like(point)
    for step in range(1, steps + 1):
        slope = gradient(point)
        mean = DECAY_MEAN * mean + (1 - DECAY_MEAN) * slope
        square = DECAY_SQUARE * square + (1 - DECAY_SQUARE) * slope**2
        scale = np.sqrt(square / (1 - DECAY_SQUARE**step)) + EPSILON
        move = mean / (1 - DECAY_MEAN**step) / scale + WEIGHT_DECAY * point
        point = point - LEARNING_RATE * move
    return point


def _of_qaoa(spectrum: Spectrum) -> tuple[Gradient, Distribution]:
    """Of (γ_1…γ_p, β_1…β_p) for H as it stands, by the simulation for the normalised H."""
    qaoa = NormalisedQaoa(spectrum.energies)

    def normalised(point: np.ndarray) -> np.ndarray:
        gammas, betas = np.split(point, 2)
        return np.concatenate((gammas * qaoa.scale, betas))

    def gradient(point: np.ndarray) -> np.ndarray:
        by_gamma, by_beta = np.split(qaoa.value_and_gradient(normalised(point))[1], 2)
        return qaoa.scale * np.concatenate((by_gamma * qaoa.scale, by_beta))

    return gradient, lambda point: qaoa.probabilities(normalised(point))


def _of_template(
    circuit: ParameterisedCircuit, spectrum: Spectrum
) -> tuple[Gradient, Distribution]:
    encoded = encode(circuit.structure)

    def gradient(point: np.ndarray) -> np.ndarray:
        angles = circuit.angles(point)
        return circuit.gradient(energy_and_gradient(encoded, spectrum.energies, angles)[1])

    return gradient, lambda point: probabilities(encoded, circuit.angles(point))


def _grow(
    num_qubits: int, spectrum: Spectrum, evaluations: int
) -> tuple[Ansatz, np.ndarray, int] | None:
    """The greedy circuit without the gates whose angle is 0 to four decimals; None: no circuit."""
    start = Circuit(num_qubits, tuple(Gate("h", (q,)) for q in range(num_qubits)))
    state = statevector(encode(start))
    pool = published_pool(num_qubits)
    gates: list[Gate] = []
    spent, largest = 0, math.inf
    while pool and len(gates) < MAX_ADDITIONS and largest >= LEAST_GRADIENT:
        spent += 1 + DESCENT_STEPS
        if spent > evaluations:
            return None
        slopes = np.abs(_gradient(num_qubits, pool, spectrum, state))
        place = int(slopes.argmax())
        largest = float(slopes[place])
        chosen, angle = pool.pop(place), 0.0
        for _ in range(DESCENT_STEPS):
            tried = Gate(chosen.name, chosen.qubits, (angle,))
            angle -= DESCENT_STEP * float(_gradient(num_qubits, [tried], spectrum, state)[0])
        gates.append(Gate(chosen.name, chosen.qubits, (angle,)))
        state = statevector(encode(Circuit(num_qubits, (gates[-1],))), start=state)
    # The state is real, where rx, rz, crx and crz have no slope: they are added with the angle 0.
    kept = [
        (gate, angle)
        for gate in gates
        if gate.name in POOL_GATES and (angle := round(gate.params[0], PUBLISHED_DECIMALS)) != 0.0
    ]
    if not kept or not is_accepted(squares(state), spectrum):
        return None
    ansatz = Adaptive(tuple((gate.name, gate.qubits) for gate, _ in kept))
    return ansatz, np.array([angle for _, angle in kept]), spent


def published_pool(num_qubits: int) -> list[Gate]:
    """rx, ry, rz of each qubit, then crz, crx, cry of each ordered pair, all at `POOL_ANGLE`.

    All of them stand behind the circuit, in this order, while their gradients are taken: that
    decides between candidates that are equal by symmetry.
    """
    wires = range(num_qubits)
    pairs = [(control, target) for control in wires for target in wires if control != target]
    return [
        *(Gate(name, (q,), (POOL_ANGLE,)) for q in wires for name in ("rx", "ry", "rz")),
        *(Gate(name, pair, (POOL_ANGLE,)) for pair in pairs for name in ("crz", "crx", "cry")),
    ]


def _gradient(
    num_qubits: int, gates: list[Gate], spectrum: Spectrum, state: np.ndarray
) -> np.ndarray:
    """By the angle of each of these gates, which act on `state` one after the other."""
    circuit = Circuit(num_qubits, tuple(gates))
    return energy_and_gradient(circuit, spectrum.energies, start=state)[1]
