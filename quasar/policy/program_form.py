"""What a constrained answer may be: the style of programs and, where known, problem and family.

Takes a problem and what its prompt asks for; gives plain values that may cross a process.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from quasar.circuits.canonical import NormalisedTerm, normalised_terms
from quasar.config import DatasetConfig
from quasar.datasets.prompts import named_form
from quasar.datasets.records import ProblemRecord
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian


@dataclass(frozen=True, slots=True)
class ProgramForm:
    """The programs that a turn is held to.

    num_qubits ≥ 1. All others are of canonical programs alone: ansatz: the family that the prompt
    names, None where it names none; terms: of the problem's Hamiltonian; decimals: of QAOA's
    angles; order: in which a worked plan takes the qubits first, None: the largest field first.
    """

    num_qubits: int
    style: Literal["published", "canonical"] = "published"
    ansatz: str | None = None
    layers: int = 1
    terms: tuple[NormalisedTerm, ...] = ()
    decimals: int = 2
    order: tuple[int, ...] | None = None

    def in_order_of(self, seed: int) -> "ProgramForm":
        """The same with an order that is drawn from a seed."""
        order = np.random.default_rng(seed).permutation(self.num_qubits)
        return replace(self, order=tuple(order.tolist()))


def program_form(
    problem: ProblemInstance, *, ansatz: str | None, layers: int, settings: DatasetConfig
) -> ProgramForm:
    """Of the answers to the prompt that asks for these layers of the family, in the configured
    style of prompts and programs.
    """
    if settings.style == "published":
        return ProgramForm(problem.num_qubits)
    named = None if settings.prompts == "free" else ansatz
    return canonical_form(problem.hamiltonian, named, layers, settings)


def canonical_form(
    hamiltonian: IsingHamiltonian, ansatz: str | None, layers: int, settings: DatasetConfig
) -> ProgramForm:
    """Of canonical programs for a Hamiltonian."""
    terms = tuple(normalised_terms(hamiltonian))
    return ProgramForm(
        hamiltonian.num_qubits, "canonical", ansatz, layers, terms, settings.angle_decimals
    )


def record_form(record: ProblemRecord, settings: DatasetConfig) -> ProgramForm:
    """Of the answers to the prompt of a record."""
    ansatz, layers = named_form(record, style=settings.prompts)
    return program_form(record.problem, ansatz=ansatz, layers=layers, settings=settings)
