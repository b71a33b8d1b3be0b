"""Verification of the answers to a task other than graph problems.

The same way as a graph problem goes: the text is read once under limits, a bad answer is a report,
and nothing in the text can be read as a score. What is right is said by the task.
"""

import time
from dataclasses import replace
from typing import Any

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import check_text
from quasar.config import VerificationConfig
from quasar.errors import CircuitError
from quasar.tasks import get_task
from quasar.tasks.base import Task, TaskInstance, TaskSignals
from quasar.verification.drawing import draw_gates
from quasar.verification.facts import SizedCache
from quasar.verification.limits import program_limits
from quasar.verification.report import Diagnostic, VerificationReport
from quasar.verification.stages.cost import measure_cost
from quasar.verification.stages.syntax import wrong_qubit_count


class TaskVerifier:
    """Verifies answers to tasks; keeps the facts of the instances asked for last."""

    def __init__(self, config: VerificationConfig):
        self._config = config
        self._facts: SizedCache[Any] = SizedCache()

    def facts(self, instance: TaskInstance) -> Any:
        """What is exact of an instance; kept for a while."""
        task = get_task(instance.task)

        def make() -> tuple[Any, int]:
            facts = task.facts(instance)
            return facts, task.size_of(facts)

        return self._facts.get((instance.key, task.version), make)

    def verify(
        self, instance: TaskInstance, text: str, *, diagnose: bool = False, draw: bool = False
    ) -> VerificationReport:
        """The report on one answer. A bad answer is a report, never an exception."""
        task, n = get_task(instance.task), instance.num_qubits
        limits = replace(program_limits(self._config), max_qubits=max(n, self._config.max_qubits))
        started = time.perf_counter()
        size: dict[str, Any] = {}
        try:
            check_text(text, limits)
            circuit = task.read_program(extract_program(text), instance, limits)
            size = {
                "num_qubits": circuit.num_qubits,
                "num_gates": len(circuit.gates),
                "num_two_qubit_gates": circuit.num_two_qubit_gates,
                "depth": circuit.depth,
            }
            error = wrong_qubit_count(circuit, n)
            seconds = {"syntax": time.perf_counter() - started}
            if error is None:
                started = time.perf_counter()
                facts = self.facts(instance)
                signals = task.grade(instance, circuit, facts, diagnose=diagnose, draw=draw)
                cost = measure_cost(circuit, task.cost_baseline(facts))
                seconds["task"] = time.perf_counter() - started
                return VerificationReport(
                    reached="task",
                    valid=True,
                    num_qubits_expected=n,
                    **size,
                    cost=cost,
                    drawing=draw_gates(circuit) if draw else None,
                    task=signals,
                    seconds=seconds,
                )
        except CircuitError as refused:
            error = Diagnostic(refused.kind, str(refused), refused.line, refused.column)
            seconds = {"syntax": time.perf_counter() - started}
        return VerificationReport(
            reached="none",
            valid=False,
            num_qubits_expected=n,
            **size,
            error=error,
            task=_nothing(task, instance),
            seconds=seconds,
            skipped={"task": "the program is not valid"},
        )


def _nothing(task: Task[Any, Any, Any], instance: TaskInstance) -> TaskSignals:
    """The signals of a program that is not valid."""
    return TaskSignals(
        task=task.name,
        version=task.version,
        family=instance.family,
        parts=dict.fromkeys(task.parts, 0.0),
        success=False,
        figures={},
        baseline="",
        headline="",
    )
