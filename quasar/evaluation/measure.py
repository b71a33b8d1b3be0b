"""What an evaluation measures of an answer beyond the verifier's report, on the verifier's worker.

Requests for `quasar.verification.request`: each is answered by one worker in one guarded call, so
that whatever it meets ends as a fault of that one sample. `quasar.evaluation.rows` makes rows of
the answers; definitions and the rule for samples that are not valid are in
`quasar.evaluation.summary`. A problem of more qubits than are enumerated has no column that needs
all probabilities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.config import DeviceName
from quasar.evaluation.baseline_names import BY_RULE, REFERENCES
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.context import CompiledCost, RandomAngles, in_family
from quasar.evaluation.hardware import HardwareView
from quasar.evaluation.measured_problem import MeasuredProblem
from quasar.problems.base import ProblemInstance
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.verification.optimiser import EVALUATIONS, Bounds
from quasar.verification.report import VerificationReport
from quasar.verification.request import Clock, TaskRequest, VerificationRequest
from quasar.verification.verifier import Verifier

_DECIMALS = 15  # of a trivial answer: it is read beside the teacher's, not written by anyone


@dataclass(frozen=True, slots=True)
class Measurements:
    """Which measurements are wanted, and of what the prompt asked for."""

    family: str = "qaoa"  # ansatz family that the prompt names
    layers: int = 1  # and its depth
    device: DeviceName = "none"  # to compile for
    random_draws: int = 0  # of the same gates at random angles


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer: its report, and the columns that are not read off the report."""

    report: VerificationReport
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Measure one sample of a model."""

    problem: ProblemInstance
    text: str
    wanted: Measurements = Measurements()
    clock: Clock = "processor"

    def warm_up(self, verifier: Verifier) -> None:
        """Libraries that the measurements use."""
        _warm_up(self.wanted)

    def answer(self, verifier: Verifier) -> Measured:
        """The report and the columns beside it."""
        return _measure(verifier, self.problem, self.text, self.wanted, draws=True)


@dataclass(frozen=True, slots=True)
class BaselineRequest:
    """Build a baseline's program for a problem, and measure it."""

    problem: ProblemInstance
    name: str  # of `BASELINES`
    seed: tuple[int, ...]
    evaluations: int = EVALUATIONS  # of a baseline that optimises
    seconds: float | None = None  # of the solver, processor
    wanted: Measurements = Measurements()
    clock: Clock = "processor"

    def warm_up(self, verifier: Verifier) -> None:
        """Libraries that the measurements use."""
        _warm_up(self.wanted)

    def answer(self, verifier: Verifier) -> Measured | None:
        """None where the baseline has no program for this problem."""
        text = build_baseline(
            self.name,
            self.problem,
            seed=self.seed,
            limits=verifier.limits,
            extremes=verifier.facts(self.problem).extremes,
            ansatz=self.wanted.family,
            layers=self.wanted.layers,
            bounds=Bounds.of(verifier.config, verifier.limits, self.evaluations),
            seconds=self._solver_seconds(verifier.config.time_limit_s),
        )
        # The rows have a baseline with random angles.
        return None if text is None else _measure(
            verifier, self.problem, text, self.wanted, draws=False
        )  # fmt: skip

    def _solver_seconds(self, limit: float) -> float | None:
        """At most half of what the whole request may take."""
        return None if self.seconds is None else min(self.seconds, 0.5 * limit)


@dataclass(frozen=True, slots=True)
class TaskBaselineRequest:
    """Build the answer of the teacher, of a rule, or the best trivial one, and verify it."""

    problem: TaskInstance
    name: str  # of `TASK_ROWS`
    clock: Clock = "processor"

    def warm_up(self, verifier: Verifier) -> None:
        """As the task's verification."""
        TaskRequest(self.problem, "").warm_up(verifier)

    def answer(self, verifier: Verifier) -> VerificationReport:
        """The report."""
        instance, task = self.problem, get_task(self.problem.task)
        facts = verifier.tasks.facts(instance)
        if self.name == REFERENCES:
            text = instance.reference_circuit or task.reference(instance, facts)
        elif self.name == BY_RULE:
            text = task.rule(instance, facts).to_qasm(decimals=_DECIMALS)
        else:
            text = task.baseline_circuits(facts)[task.baseline(facts)].to_qasm(decimals=_DECIMALS)
        return TaskRequest(instance, text).answer(verifier)


@dataclass(frozen=True, slots=True)
class FactsRequest:
    """What the aggregator takes of a problem."""

    problem: ProblemInstance
    wanted: Measurements = Measurements()
    clock: Clock = "processor"

    def warm_up(self, verifier: Verifier) -> None:
        """Nothing."""

    def answer(self, verifier: Verifier) -> dict[str, Any]:
        """As `Aggregator.add` says; `worst` without the reward."""
        measured = MeasuredProblem.of(self.problem, verifier)
        return {**measured.facts, "worst": _worst(measured, self.wanted)}


@dataclass(frozen=True, slots=True)
class HardwareRequest:
    """Run one circuit under a device's noise."""

    problem: ProblemInstance
    device: DeviceName
    text: str | None  # of a valid sample; None: the reference circuit
    clock: Clock = "processor"

    def warm_up(self, verifier: Verifier) -> None:
        """The device."""
        _hardware(self.device)

    def answer(self, verifier: Verifier) -> dict[str, float | None] | None:
        """The columns of `HardwareView.measure`; None where it has none for this circuit."""
        problem = MeasuredProblem.of(self.problem, verifier)
        circuit = problem.reference
        if self.text is not None:
            circuit = read_qasm(extract_program(self.text), verifier.limits)
        if circuit is None or not problem.enumerated:
            return None
        return _hardware(self.device).measure(circuit, problem.probabilities(circuit), self.problem)


def _measure(
    verifier: Verifier, problem: ProblemInstance, text: str, wanted: Measurements, *, draws: bool
) -> Measured:
    """draws: whether to compare it with random angles in the same gates."""
    measured = MeasuredProblem.of(problem, verifier)
    report = VerificationRequest(problem, text, published=False).answer(verifier)
    columns: dict[str, Any] = {"reference_energy": measured.reference_energy}
    if report.valid:
        circuit = read_qasm(extract_program(text), verifier.limits)
        columns |= measured.columns(report)
        columns |= _context(verifier, measured, circuit, wanted, draws=draws)
    else:
        columns |= _worst(measured, wanted)
    if measured.published is not None:
        columns |= measured.published.grade(text)
    return Measured(report, columns)


def _context(
    verifier: Verifier,
    problem: MeasuredProblem,
    circuit: Circuit,
    wanted: Measurements,
    *,
    draws: bool,
) -> dict[str, Any]:
    """Columns that need the circuit of a valid sample, not the report."""
    drawn = {}
    if draws:
        drawn = _random_angles(wanted.random_draws, verifier.config.time_limit_s).columns(
            circuit, problem.problem, problem.reference_probabilities
        )
    return {
        **drawn,
        "feasible_approximation_ratio": problem.feasible_approximation_ratio(circuit),
        "in_family": in_family(circuit, wanted.family, problem.problem.hamiltonian),
        **_compiled_cost(wanted.device).columns(circuit),
    }


def _worst(problem: MeasuredProblem, wanted: Measurements) -> dict[str, Any]:
    """Columns of a sample that is not valid, but its reward: the worst value of each."""
    drawn = wanted.random_draws > 0 and problem.enumerated
    has_distribution = problem.reference_probabilities is not None
    return {
        **problem.worst,
        "in_family": in_family(Circuit(1, ()), wanted.family, problem.problem.hamiltonian),
        "random_js_distance": 1.0 if has_distribution and drawn else None,
        "random_energy_gap": 1.0 if drawn else None,
    }


def _warm_up(wanted: Measurements) -> None:
    from qiskit import converters, quantum_info  # noqa: F401  (of the published metrics)

    _compiled_cost(wanted.device).columns(Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)))))


@lru_cache(maxsize=2)
def _compiled_cost(device: DeviceName) -> CompiledCost:
    return CompiledCost(device)


@lru_cache(maxsize=2)
def _random_angles(draws: int, time_limit_s: float) -> RandomAngles:
    return RandomAngles(draws, time_limit_s=time_limit_s)


@lru_cache(maxsize=2)
def _hardware(device: DeviceName) -> HardwareView:
    return HardwareView(device)
