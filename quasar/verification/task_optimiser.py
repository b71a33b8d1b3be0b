"""The optimise tool on answers to a task: the same gates at angles that lower the task's objective.

As `optimiser` for graph problems: a bounded number of exact gradient evaluations of a mean of a sum
of Pauli strings (`Task.objective`), steps of L-BFGS from the program's own angles. What comes out
is never higher in that mean; the task's parts are measured of it like of any answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quasar.circuits.canonical import gate_program
from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.errors import CircuitError
from quasar.problems.pauli import PauliSum
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.verification.free_parameters import ProgramStyle
from quasar.verification.optimiser import (
    EVALUATIONS,
    SKIPPED,
    Bounds,
    affordable,
    descend,
    descend_from_random,
    warm_up,
)
from quasar.verification.report import Diagnostic, OptimisedProgram, VerificationReport
from quasar.verification.request import TaskRequest, Verifies
from quasar.verification.stages.syntax import read_answer, wrong_qubit_count
from quasar.verification.verifier import Verifier


@dataclass(frozen=True, slots=True)
class TaskOptimisationRequest(TaskRequest):
    """One answer to a task to optimise and then to verify, as `OptimisationRequest`."""

    evaluations: int = EVALUATIONS

    def warm_up(self, verifier: Verifies) -> None:
        """What the task and the descent compile."""
        get_task(self.problem.task).warm_up()
        warm_up()

    def answer(self, verifier: Verifies) -> VerificationReport:
        assert isinstance(verifier, Verifier)
        # As the verification itself: an instance may have more qubits than graph problems may.
        most = max(self.problem.num_qubits, verifier.limits.max_qubits)
        limits = replace(verifier.limits, max_qubits=most)
        bounds = Bounds.of(verifier.config, limits, self.evaluations)
        facts = verifier.tasks.facts(self.problem)
        found = optimise(self.text, self.problem, facts, bounds)
        if isinstance(found, str):
            report = TaskRequest.answer(self, verifier)
            return replace(report, skipped={**report.skipped, SKIPPED: found})
        text = found.program if found.improved else self.text
        report = TaskRequest.answer(replace(self, text=text), verifier)
        return replace(report, optimised=found)

    def settled(self, report: VerificationReport) -> TaskRequest:
        """As it is asked again: what was optimised is not optimised once more."""
        if report.optimised is None:
            return self
        text = report.optimised.program if report.optimised.improved else self.text
        return TaskRequest(
            self.problem, text, diagnose=self.diagnose, draw=self.draw, clock=self.clock
        )


def optimise(
    text: str, instance: TaskInstance, facts: Any, bounds: Bounds
) -> OptimisedProgram | str:
    """The program of an answer at better angles, or in one line why there is none."""
    found = _free(text, instance, facts, bounds)
    if isinstance(found, str):
        return found
    free, evaluations = found
    energy, _ = free.value_and_gradient(free.start)
    _, angles, spent = descend(free.scaled, free.start, evaluations=evaluations)
    program, reached = free.program(angles), energy
    improved = bool(np.isfinite(angles).all()) and len(program.encode()) <= (
        bounds.limits.max_text_bytes
    )
    if improved:
        try:
            reached, _ = free.of(read_qasm(program, bounds.limits))
        except CircuitError:
            improved = False
        improved = improved and reached < energy
    return OptimisedProgram(
        program=program if improved else extract_program(text),
        improved=improved,
        evaluations=spent,
        family=None,
        parameters=free.named(angles) if improved else {},
        energy_before=energy,
        energy=reached if improved else energy,
    )


def optimise_random_start(
    text: str, instance: TaskInstance, facts: Any, bounds: Bounds, rng: np.random.Generator
) -> str | None:
    """The answer's gates at what the same number of evaluations makes of random angles, which do
    not look at its own; None where it cannot be optimised.
    """
    found = _free(text, instance, facts, bounds)
    if isinstance(found, str):
        return None
    free, left = found
    return free.program(descend_from_random(free.scaled, free.start, evaluations=left, rng=rng))


class TaskAngles:
    """Every angle of a circuit, radians, and the mean that they are to lower."""

    def __init__(self, circuit: Circuit, objective: PauliSum, style: ProgramStyle):
        self._circuit, self._objective, self._style = circuit, objective, style
        self._encoded = encode(circuit)
        self._scale = objective.one_norm - abs(objective.constant) or 1.0
        self.start = np.array(circuit.parameters, dtype=np.float64)

    @property
    def updates(self) -> float:
        """As `FreeParameters.updates`; a group of strings costs about as much as a gate."""
        work = 3.0 * len(self._encoded.rows) + len(self._objective.groups)
        return work * 2.0**self._circuit.num_qubits

    @property
    def num_bytes(self) -> float:
        """As `FreeParameters.num_bytes`: tables of the observable, and a few state vectors."""
        return (8.0 * len(self._objective.groups) + 64.0) * 2.0**self._circuit.num_qubits

    def value_and_gradient(self, angles: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean and its derivative by each angle."""
        return energy_and_gradient(self._encoded, self._objective, angles)

    def scaled(self, angles: np.ndarray) -> tuple[float, np.ndarray]:
        """Both in units of the largest possible mean, so that a radian is a usual step."""
        value, gradient = self.value_and_gradient(angles)
        return value / self._scale, gradient / self._scale

    def of(self, circuit: Circuit) -> tuple[float, np.ndarray]:
        """The mean and its derivative of another circuit."""
        return energy_and_gradient(circuit, self._objective)

    def program(self, angles: np.ndarray) -> str:
        """OpenQASM 3 at these angles, rounded as the given program's are."""
        decimals = self._style.decimals
        circuit = self._circuit.with_parameters([round(a, decimals) for a in angles.tolist()])
        if self._style.canonical:
            return gate_program(circuit, decimals=decimals)
        return circuit.to_qasm(decimals=decimals)

    def named(self, angles: np.ndarray) -> Mapping[str, float]:
        """The printed values, a0, a1, …"""
        return {f"a{i}": round(float(a), self._style.decimals) for i, a in enumerate(angles)}


def _free(
    text: str, instance: TaskInstance, facts: Any, bounds: Bounds
) -> tuple[TaskAngles, int] | str:
    """The angles that may move and how many evaluations they may take, or why none moves."""
    objective = get_task(instance.task).objective(facts)
    if objective is None:
        return f"answers to {instance.task} have no energy that angles could lower"
    circuit = read_answer(text, bounds.limits)
    if isinstance(circuit, Diagnostic) or wrong_qubit_count(circuit, instance.num_qubits):
        return "the program is not valid"
    if not circuit.parameters:
        return "the program has no angles"
    free = TaskAngles(circuit, objective, ProgramStyle.of(extract_program(text)))
    evaluations = affordable(free, bounds)
    return evaluations if isinstance(evaluations, str) else (free, evaluations)
