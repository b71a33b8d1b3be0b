"""The solver: one problem and the name of an ansatz family in, a tuned circuit out.

`solve` is the only entry. Energies are exact state-vector expectations on the enumerated spectrum,
gradients are adjoint, and every Hamiltonian is normalised, so that angles carry over between
problems. The same arguments give the same circuit.
"""

import zlib

import numpy as np

from quasar.circuits.ansatz import Ansatz, get_ansatz
from quasar.circuits.ansatz.qaoa import MultiAngleQaoa, Qaoa, qaoa_circuit
from quasar.circuits.circuit import Circuit
from quasar.datasets.solver.adaptive import solve_adaptive
from quasar.datasets.solver.qaoa import solve_multi_angle, solve_qaoa
from quasar.datasets.solver.quality import Quality, Solution, measure
from quasar.datasets.solver.templates import solve_template
from quasar.errors import ProblemError
from quasar.problems.base import ProblemInstance

__all__ = ["Quality", "Solution", "measure", "solve"]

PARAMETER_DECIMALS = 6  # of the parameters in a solution; its circuit is emitted from these


def solve(
    problem: ProblemInstance, *, ansatz: str = "qaoa", layers: int = 1, decimals: int, seed: int = 0
) -> Solution:
    """Tune a circuit of that family for `problem`; angles are emitted with `decimals` decimals.

    Raises ProblemError where the spectrum is flat (there is nothing to optimise), InputError for an
    unknown family or one that has no circuit of that size and depth.
    """
    spectrum = problem.spectrum
    if spectrum.maximum - spectrum.minimum <= 1e-12:
        raise ProblemError(f"{problem.primitive}: all bitstrings have the same energy")
    family = get_ansatz(ansatz)
    family.circuit(problem.hamiltonian, layers=layers)  # refuses what it has no circuit for
    rng = np.random.default_rng([seed, *map(zlib.crc32, (problem.key.encode(), ansatz.encode()))])
    family, parameters, evaluations = _tune(family, problem, layers, rng)
    parameters = np.round(parameters, PARAMETER_DECIMALS) + 0.0  # no negative zeros
    circuit = _emit(family, problem, parameters, layers, decimals)
    return Solution(
        ansatz=family,
        layers=layers,
        parameters=tuple(parameters.tolist()),
        circuit=circuit,
        quality=measure(problem, circuit),
        evaluations=evaluations,
    )


def _tune(
    family: Ansatz, problem: ProblemInstance, layers: int, rng: np.random.Generator
) -> tuple[Ansatz, np.ndarray, int]:
    """(the family, for the adaptive one with its gates; parameters; gradient evaluations)."""
    hamiltonian, energies = problem.hamiltonian, problem.spectrum.energies
    if isinstance(family, Qaoa):
        return family, *solve_qaoa(energies, layers=layers)
    if isinstance(family, MultiAngleQaoa):
        return family, *solve_multi_angle(hamiltonian, energies, rng, layers=layers)
    if family.family == "adaptive":
        return solve_adaptive(hamiltonian, energies, rng)
    circuit = family.circuit(hamiltonian, layers=layers)
    return family, *solve_template(circuit, energies, rng)


def _emit(
    family: Ansatz, problem: ProblemInstance, parameters: np.ndarray, layers: int, decimals: int
) -> Circuit:
    """The circuit at these parameters; QAOA in its shortest form."""
    if isinstance(family, Qaoa):
        gammas, betas = parameters.reshape(2, layers).tolist()
        return qaoa_circuit(problem.hamiltonian, gammas, betas, decimals=decimals, canonical=True)
    return family.build(problem.hamiltonian, parameters, layers=layers, decimals=decimals)
