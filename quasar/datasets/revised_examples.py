"""Examples of a second turn: an honest but imperfect first answer, what is said of it, and a
better one.

First plans keep to their fields and end where no single bit gains, but beside the optimum; where
the order of the fields leads to it, the order is drawn, at last the bits. The second plan begins
where it ends best. First angles are the constant ones, or the tuned ones some way off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.canonical import NormalisedTerm, energy_scale
from quasar.datasets.canonical_answers import basis_state_answer, qaoa_answer, with_plan
from quasar.datasets.generation.forms import Form
from quasar.datasets.plan import PartialAssignment, worked_plan
from quasar.datasets.revision import (
    assignment_text,
    best_restart,
    restarted,
    slopes_of,
    slopes_text,
)
from quasar.datasets.solver.constant_angles import constant_angles
from quasar.problems.hamiltonian import IsingHamiltonian

_ATTEMPTS = 4  # at a plan that ends beside the optimum
_OFF = (0.03, 0.3)  # radians, standard deviation of first angles
_LEVEL = 1e-6


@dataclass(frozen=True, slots=True)
class Revision:
    """The turn before: its text, what was said of it, whether it has a plan."""

    answer: str
    observation: str
    planned: bool = False


def revised_angles(
    hamiltonian: IsingHamiltonian,
    parameters: Sequence[float],
    rng: np.random.Generator,
    *,
    decimals: int,
) -> Revision:
    """An answer whose angles the given ones improve: (γ_1…γ_p, β_1…β_p), for H as it stands."""
    scale, layers = energy_scale(hamiltonian), len(parameters) // 2
    if rng.random() < 0.5:
        first = np.ravel(constant_angles(layers))
    else:
        first = np.array(parameters, dtype=float)
        first[:layers] *= scale
    first = np.round(first + rng.normal(0.0, rng.uniform(*_OFF), first.size), decimals)
    gammas, betas = np.split(first, 2)
    text = qaoa_answer(
        hamiltonian, np.concatenate([gammas / scale, betas]).tolist(), decimals=decimals
    )
    slopes = slopes_of(hamiltonian, gammas.tolist(), betas.tolist())
    return Revision(text, slopes_text(slopes))


def revised_bits(
    terms: Sequence[NormalisedTerm],
    optimum: Sequence[int],
    form: Form,
    rng: np.random.Generator,
    decimals: int,
) -> tuple[Revision, str] | None:
    """A first answer of this family that ends above the optimum, and the answer that improves it;
    None where none was found.
    """
    least = PartialAssignment(terms, len(optimum), bits=optimum).energy
    for attempt in range(_ATTEMPTS):
        lines, bits = _first_plan(terms, len(optimum), attempt, rng)
        if PartialAssignment(terms, len(bits), bits=bits).energy < least + _LEVEL:
            continue
        qubit = best_restart(terms, bits)
        if qubit is not None:
            break
    else:
        return None
    first, better = restarted(terms, bits, qubit)
    programs = [
        basis_state_answer(form.ansatz, b, layers=form.layers, decimals=decimals)
        for b in (bits, better)
    ]
    if programs[0] is None or programs[1] is None:
        return None
    before = Revision(with_plan(programs[0], lines), assignment_text(terms, bits), True)
    return before, with_plan(programs[1], worked_plan(terms, better, first, (qubit,)))


def _first_plan(
    terms: Sequence[NormalisedTerm], num_qubits: int, attempt: int, rng: np.random.Generator
) -> tuple[str, list[int]]:
    """Lines that keep to their fields and how they end: at first in the order of these, then in a
    drawn one, at last from drawn bits.
    """
    order = rng.permutation(num_qubits).tolist() if attempt else []
    drawn = rng.integers(0, 2, num_qubits).tolist()
    plan, first = PartialAssignment(terms, num_qubits, order), [0] * num_qubits
    while (qubit := plan.next()) is not None:
        if plan.undecided:
            field = plan.field(qubit)
            ruled = attempt + 1 < _ATTEMPTS and abs(field) > _LEVEL
            first[qubit] = int(field > 0.0) if ruled else drawn[qubit]
            plan.decide(qubit, first[qubit])
        else:
            plan.decide(qubit, 1 - plan.bits[qubit])
    bits = [plan.bits[q] for q in range(num_qubits)]
    return worked_plan(terms, bits, first, order), bits
