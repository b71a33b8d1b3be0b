"""The solver: one problem and the name of an ansatz family in, a tuned circuit out.

`solve` is the only entry. Energies are exact state-vector expectations on the enumerated spectrum,
gradients are adjoint. The teacher "solver" tunes as far as it can, for a normalised Hamiltonian, so
that angles carry over between problems; "readout" draws QAOA's angles back from there until an
optimum is what is read off; "published" re-runs the rule that made the benchmark's
references. The same arguments give the same circuit, as long as no deadline cuts the work short.
"""

import zlib

import numpy as np

from quasar.circuits.ansatz import Ansatz, get_ansatz
from quasar.circuits.ansatz.qaoa import MultiAngleQaoa, Qaoa, qaoa_circuit
from quasar.circuits.circuit import Circuit
from quasar.config.dataset import Teacher
from quasar.datasets.solver.adaptive import solve_adaptive
from quasar.datasets.solver.deadline import NEVER, Deadline
from quasar.datasets.solver.published import NotAccepted, solve_published
from quasar.datasets.solver.qaoa import drawn_back, solve_multi_angle, solve_qaoa
from quasar.datasets.solver.quality import Quality, Solution, measure
from quasar.datasets.solver.templates import solve_template
from quasar.errors import ProblemError
from quasar.problems.base import ProblemInstance

__all__ = ["Deadline", "NotAccepted", "Quality", "Solution", "measure", "solve"]

PARAMETER_DECIMALS = 6  # of the parameters in a solution; its circuit is emitted from these


def solve(
    problem: ProblemInstance,
    *,
    ansatz: str = "qaoa",
    layers: int = 1,
    decimals: int,
    seed: int = 0,
    teacher: Teacher = "solver",
    deadline: Deadline = NEVER,
) -> Solution:
    """Tune a circuit of that family for `problem`; angles are emitted with `decimals` decimals.

    deadline: of the tuning by the teachers "solver" and "readout", which then gives the best that
    it has met; of a depth that it has not come to, angles interpolated from the last one.
    Raises ProblemError where the spectrum is flat (there is nothing to optimise), InputError for an
    unknown family, one that has no circuit of that size and depth, or one that the teacher does not
    have; NotAccepted where the published rule drops the problem.
    """
    spectrum = problem.spectrum
    if spectrum.maximum - spectrum.minimum <= 1e-12:
        raise ProblemError(f"{problem.primitive}: all bitstrings have the same energy")
    family = get_ansatz(ansatz)
    family.circuit(problem.hamiltonian, layers=layers)  # refuses what it has no circuit for
    rng = np.random.default_rng([seed, *map(zlib.crc32, (problem.key.encode(), ansatz.encode()))])
    if teacher == "published":
        family, parameters, evaluations = solve_published(family, problem, rng, layers=layers)
    else:
        family, parameters, evaluations = _tune(family, problem, layers, rng, deadline)
    if teacher == "readout" and isinstance(family, Qaoa):
        parameters = drawn_back(parameters, spectrum)
    parameters = np.round(parameters, PARAMETER_DECIMALS) + 0.0  # no negative zeros
    circuit = _emit(family, problem, parameters, layers, decimals, teacher)
    return Solution(
        ansatz=family,
        layers=layers,
        parameters=tuple(parameters.tolist()),
        circuit=circuit,
        quality=measure(problem, circuit),
        evaluations=evaluations,
    )


def _tune(
    family: Ansatz,
    problem: ProblemInstance,
    layers: int,
    rng: np.random.Generator,
    deadline: Deadline,
) -> tuple[Ansatz, np.ndarray, int]:
    """(the family, for the adaptive one with its gates; parameters; gradient evaluations)."""
    hamiltonian, energies = problem.hamiltonian, problem.spectrum.energies
    if isinstance(family, Qaoa):
        return family, *solve_qaoa(energies, layers=layers, deadline=deadline)
    if isinstance(family, MultiAngleQaoa):
        tuned = solve_multi_angle(hamiltonian, energies, rng, layers=layers, deadline=deadline)
        return family, *tuned
    if family.family == "adaptive":
        return solve_adaptive(hamiltonian, energies, rng, deadline=deadline)
    circuit = family.circuit(hamiltonian, layers=layers)
    return family, *solve_template(circuit, energies, rng, deadline=deadline)


def _emit(
    family: Ansatz,
    problem: ProblemInstance,
    parameters: np.ndarray,
    layers: int,
    decimals: int,
    teacher: Teacher,
) -> Circuit:
    """The circuit at these parameters; the solver's QAOA in its shortest form."""
    if teacher != "published" and isinstance(family, Qaoa):
        gammas, betas = parameters.reshape(2, layers).tolist()
        return qaoa_circuit(problem.hamiltonian, gammas, betas, decimals=decimals, canonical=True)
    return family.build(problem.hamiltonian, parameters, layers=layers, decimals=decimals)
