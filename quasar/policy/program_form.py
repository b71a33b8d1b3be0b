"""What a constrained answer may be: the style of programs and, where known, problem and family.

Takes a problem and what its prompt asks for; gives plain values that may cross a process.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from quasar.circuits.canonical import NormalisedTerm, normalised_terms
from quasar.config import DatasetConfig, QuasarConfig
from quasar.datasets.prompts import named_form
from quasar.datasets.revision import revision_text
from quasar.datasets.task_answers import is_scripted
from quasar.datasets.task_records import Record, TaskRecord
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance, task_of
from quasar.verification.report import VerificationReport

logger = logging.getLogger(__name__)

MAX_GRAMMAR_QUBITS = 20  # the pattern of a gate on two qubits grows with their square


@dataclass(frozen=True, slots=True)
class ProgramForm:
    """The programs that a turn is held to; of the style "free", none.

    num_qubits ≥ 1. gates: names of those that a published one may have; (): all. instance: of a
    task other than graph problems, whose answers have a script. All others are of canonical
    programs alone: ansatz: the family that the prompt names, None where it names none;
    terms: of the problem's Hamiltonian; decimals: of QAOA's angles; order: in which a worked plan
    takes the qubits first, (): the largest field first; imitated: gates are those of the
    published references (`quasar.datasets.imitation`), not those that prepare the plan's state;
    compact: prompts are, so that a further turn is told of the answer in their words
    (`quasar.datasets.revision`); revises: the plan follows such an observation, and its first qubit
    is open.
    """

    num_qubits: int
    style: Literal["published", "canonical", "free"] = "published"
    ansatz: str | None = None
    layers: int = 1
    terms: tuple[NormalisedTerm, ...] = ()
    decimals: int = 2
    order: tuple[int, ...] = ()
    gates: tuple[str, ...] = ()
    instance: TaskInstance | None = None
    imitated: bool = False
    compact: bool = False
    revises: bool = False

    @property
    def is_revised(self) -> bool:
        """Whether a further turn revises the answer as `quasar.datasets.revision` has it."""
        known = self.style == "canonical" and self.ansatz is not None and bool(self.terms)
        return known and self.compact and not self.imitated

    def after(self, report: VerificationReport | None) -> "ProgramForm":
        """Of the turn after one that was verified with this report."""
        told = report is not None and revision_text(self.terms, self.ansatz, report) is not None
        if not (self.is_revised and told) or self.ansatz == "qaoa":
            return self
        return replace(self, revises=True, order=())

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
    named = settings.constrained_ansatz if settings.prompts == "free" else ansatz
    return canonical_form(problem.hamiltonian, named, layers, settings)


def canonical_form(
    hamiltonian: IsingHamiltonian, ansatz: str | None, layers: int, settings: DatasetConfig
) -> ProgramForm:
    """Of canonical programs for a Hamiltonian."""
    terms = tuple(normalised_terms(hamiltonian))
    return ProgramForm(
        hamiltonian.num_qubits,
        "canonical",
        ansatz,
        layers,
        terms,
        settings.angle_decimals,
        imitated=settings.teacher == "published",
        compact=settings.prompts == "compact",
    )


def record_form(record: Record, settings: DatasetConfig) -> ProgramForm:
    """Of the answers to the prompt of a record. Tasks other than graph problems have the layout of
    `Circuit.to_qasm`, or what the grammar does not write.
    """
    if isinstance(record, TaskRecord):
        n = record.problem.num_qubits
        task = get_task(record.problem.task)
        held = task.in_grammar and n <= MAX_GRAMMAR_QUBITS
        if not held:
            return ProgramForm(n, "free")
        scripted = record.problem if is_scripted(record.problem, settings) else None
        return ProgramForm(n, gates=task.gates, decimals=settings.angle_decimals, instance=scripted)
    ansatz, layers = named_form(record, style=settings.prompts)
    return program_form(record.problem, ansatz=ansatz, layers=layers, settings=settings)


def tell_unconstrained(records: Sequence[Record], config: QuasarConfig) -> None:
    """Warn of records whose answers are decoded freely although `generation.constrained` is set."""
    if not config.generation.constrained:
        return
    free = [r for r in records if record_form(r, config.dataset).style == "free"]
    if free:
        names = ", ".join(sorted({task_of(record.problem) for record in free}))
        logger.warning(
            "%d of %d problems (%s) are decoded freely: the grammar has no programs of their kind, "
            "or none on more than %d qubits",
            len(free), len(records), names, MAX_GRAMMAR_QUBITS,
        )  # fmt: skip
