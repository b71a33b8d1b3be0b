"""The canonical answer to a compact prompt, from the angles or the bitstring of a teacher.

Takes a Hamiltonian and QAOA's angles, or another family and the basis state that it should prepare;
gives the program's text.
"""

from collections.abc import Sequence

import numpy as np

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.base import Ansatz
from quasar.circuits.canonical import (
    HEADER,
    energy_scale,
    gate_program,
    normalised_terms,
    qaoa_program,
)
from quasar.datasets.solver import Solution
from quasar.datasets.solver.closed_form import basis_state_adaptive, basis_state_parameters
from quasar.problems.hamiltonian import IsingHamiltonian


def qaoa_answer(
    hamiltonian: IsingHamiltonian, parameters: Sequence[float], *, decimals: int
) -> str:
    """parameters: (γ_1…γ_p, β_1…β_p), radians for the Hamiltonian as it stands."""
    gammas, betas = np.asarray(parameters, dtype=float).reshape(2, -1)
    scale = energy_scale(hamiltonian)
    return qaoa_program(
        hamiltonian.num_qubits,
        normalised_terms(hamiltonian),
        (gammas * scale).tolist(),
        betas.tolist(),
        decimals=decimals,
    )


def canonical_text(hamiltonian: IsingHamiltonian, solution: Solution, *, decimals: int) -> str:
    """A solver's circuit as a canonical program."""
    if solution.ansatz.name == "qaoa":
        return qaoa_answer(hamiltonian, solution.parameters, decimals=decimals)
    return gate_program(solution.circuit, decimals=decimals)


def basis_state_answer(
    ansatz: str, bits: Sequence[int], *, layers: int, decimals: int
) -> str | None:
    """The program of a template or of the adaptive family that prepares |bits⟩, qubit 0 first;
    None where the family does not do so in closed form.
    """
    empty = IsingHamiltonian(len(bits), ())
    family: Ansatz = get_ansatz(ansatz)
    if family.family == "adaptive":
        family, parameters = basis_state_adaptive(bits)
    else:
        found = basis_state_parameters(family, bits, layers=layers)
        if found is None:
            return None
        parameters = found
    circuit = family.circuit(empty, layers=layers).bind(parameters)
    return gate_program(circuit, decimals=decimals)


def with_plan(program: str, plan: str) -> str:
    """The program with the plan's lines behind its header."""
    return HEADER + plan + program.removeprefix(HEADER)
