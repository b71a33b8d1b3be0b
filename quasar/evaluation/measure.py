"""From one sample's text to its row of numbers: the columns of `per_sample.parquet`.

Pure: a `Measurer` takes a problem and texts, and gives plain dicts. Definitions and the rule for
samples that are not valid are in `quasar.evaluation.summary`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import Limits, read_qasm
from quasar.config import QuasarConfig
from quasar.errors import CircuitError
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.context import CompiledCost, RandomAngles, in_family
from quasar.evaluation.hardware import HardwareView
from quasar.evaluation.metrics import enrichment_bits, feasible_approximation_ratio
from quasar.evaluation.published import ENERGY_TOLERANCE, PublishedEvaluator
from quasar.evaluation.summary import FAILED, METRICS
from quasar.problems import decoder_for
from quasar.problems.base import GraphProblem, ProblemInstance
from quasar.rewards import score
from quasar.verification.report import Outcome, VerificationReport
from quasar.verification.verifier import Verifier

# Probabilities closer than this are tied.
_TIE = 1e-9
_SAME_OBJECTIVE = 1e-9
NOT_GRADED: dict[str, Any] = {metric.column: None for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the problem, and the ansatz family that the prompt names.

    index: of the row, so that what is drawn at random is the problem's own.
    """

    problem: ProblemInstance
    family: str = "qaoa"
    index: int = 0


class Measurer:
    """Verifies and grades samples. One a process: it keeps the verifier's compiled parts warm."""

    def __init__(self, config: QuasarConfig):
        self.config = config
        self.verifier = Verifier(config.verification, "hierarchical")
        self.reward = config.reward.model_copy(update={"formula": "hierarchical"})
        self.cost = CompiledCost(config.evaluation.device)
        self.random_angles = RandomAngles(
            config.evaluation.random_draws, time_limit_s=config.verification.time_limit_s
        )

    @cached_property
    def hardware(self) -> HardwareView:
        """The configured device with its noise."""
        return HardwareView(self.config.evaluation.device)

    def warm_up(self) -> None:
        """Load and compile what the first sample would otherwise wait for."""
        from qiskit import converters, quantum_info  # noqa: F401  (of the published metrics)

        self.verifier.warm_up()
        self.cost.columns(Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)))))

    def grader(self, question: Question) -> "ProblemGrader":
        """A grader of one problem's samples."""
        return ProblemGrader(question, self)


class ProblemGrader:
    """Grades samples of one problem; what concerns only the problem is computed once."""

    def __init__(self, question: Question, measurer: Measurer):
        self._question = question
        self._problem = question.problem
        self._verifier = measurer.verifier
        self._measurer = measurer
        self._has_warm_start = self._verifier.config.gradient_evaluations > 0
        self._simulated: tuple[Circuit, np.ndarray] | None = None
        self._reference = _read_reference(self._problem, self._verifier.limits)
        self._reference_probabilities: np.ndarray | None = None
        self._reference_energy: float | None = None
        self._published: PublishedEvaluator | None = None
        if self._reference is not None:
            self._reference_probabilities = self._verifier.probabilities(self._reference)
            energies = self._problem.spectrum.energies
            self._reference_energy = float(self._reference_probabilities @ energies)
            self._published = PublishedEvaluator(
                self._problem, self._reference, self._verifier.limits, self._probabilities
            )

    def grade(self, text: str, *, draws: bool = True) -> dict[str, Any]:
        """The columns of one sample, `most_probable` (for the report) among them.

        draws: whether to compare it with random angles in the same gates.
        """
        report = self._verifier.verify(self._problem, text)
        scored = score(report, self._measurer.reward)
        row = {**NOT_GRADED, **self._describe(report), "reward": scored.value}
        if report.valid:
            circuit = read_qasm(extract_program(text), self._verifier.limits)
            row.update(self._signals(report), **self._context(circuit, draws))
        else:
            row.update(self.worst)
        if self._published is not None:
            row.update(self._published.grade(text))
        return row

    def baseline(self, name: str) -> dict[str, Any] | None:
        """The columns of a baseline's circuit; None where it has none for this problem."""
        text = build_baseline(
            name,
            self._problem,
            seed=[self._measurer.config.run.seed, self._question.index],
            limits=self._verifier.limits,
        )
        # The rows have one with random angles.
        return None if text is None else self.grade(text, draws=False)

    def on_hardware(self, side: str, text: str | None) -> dict[str, Any] | None:
        """One of `SIDES` under the device's noise: a valid sample (None: none) or the reference."""
        circuit = self._reference
        if side == "generated":
            if text is None:
                return None
            circuit = read_qasm(extract_program(text), self._verifier.limits)
        if circuit is None:
            return None
        return self._measurer.hardware.measure(circuit, self._probabilities(circuit), self._problem)

    @property
    def facts(self) -> dict[str, Any]:
        """What `Aggregator.add` takes of the problem."""
        circuit = self._reference
        return {
            **problem_facts(self._problem),
            "uniform": self._problem.spectrum.approximation_ratio(self._problem.spectrum.mean),
            "reference_gates": None if circuit is None else len(circuit.gates),
            "reference_depth": None if circuit is None else circuit.depth,
            "worst": {**self.worst, "reward": 0.0 - self._measurer.reward.weights.syntax},
        }

    def _probabilities(self, circuit: Circuit) -> np.ndarray:
        """Of one and the same circuit once."""
        if self._simulated is None or self._simulated[0] != circuit:
            self._simulated = (circuit, self._verifier.probabilities(circuit))
        return self._simulated[1]

    def _context(self, circuit: Circuit, draws: bool) -> dict[str, Any]:
        """Columns that need the circuit of a valid sample, not the report."""
        ratio = None
        if self._feasible is not None:
            ratio = feasible_approximation_ratio(
                self._probabilities(circuit), self._problem.spectrum.energies, self._feasible
            )
        drawn = {}
        if draws:
            drawn = self._measurer.random_angles.columns(
                circuit, self._problem, self._reference_probabilities
            )
        return {
            **drawn,
            "feasible_approximation_ratio": ratio,
            "in_family": in_family(circuit, self._question.family, self._problem.hamiltonian),
            **self._measurer.cost.columns(circuit),
        }

    def _describe(self, report: VerificationReport) -> dict[str, Any]:
        error = report.error
        return {
            "valid": report.valid,
            "failure": error.kind if error else None if report.valid else "invalid",
            "failure_detail": error.message if error else None,
            "failure_line": error.line if error else None,
            "circuit_qubits": report.num_qubits,
            "num_gates": report.num_gates,
            "num_two_qubit_gates": report.num_two_qubit_gates,
            "depth": report.depth,
            "reference_energy": self._reference_energy,
            "seconds": float(sum(report.seconds.values())),
        }

    def _signals(self, report: VerificationReport) -> dict[str, Any]:
        """Corrected metrics of a valid sample."""
        distribution, expectation = report.distribution, report.expectation
        warm = report.optimisation.gain if report.optimisation else 0.0
        return {
            "energy": expectation.energy,
            "feasible_probability": distribution.feasible_probability,
            "most_probable": [
                {
                    "bitstring": outcome.bitstring,
                    "probability": outcome.probability,
                    "feasible": outcome.feasible,
                    "optimal": outcome.optimal,
                }
                for outcome in distribution.most_probable
            ],
            **self._against_reference(expectation.energy),
            "decoded_correct": self._decodes(distribution.most_probable),
            "approximation_ratio": expectation.approximation_ratio,
            "optimum_probability": distribution.optimum_probability,
            "optimum_enrichment_bits": enrichment_bits(
                distribution.optimum_probability, distribution.uniform_optimum_probability
            ),
            "js_distance": distribution.js_distance,
            "relative_energy_gap": 1.0 - expectation.approximation_ratio,
            "warm_start_gain": warm if self._has_warm_start else None,
        }

    def _against_reference(self, energy: float) -> dict[str, bool | None]:
        if self._reference_energy is None:
            return {"srev": None, "at_least_reference": None}
        difference = energy - self._reference_energy
        return {
            "srev": abs(difference) <= ENERGY_TOLERANCE,
            "at_least_reference": difference <= ENERGY_TOLERANCE,
        }

    @cached_property
    def worst(self) -> dict[str, Any]:
        """Columns of a sample that is not valid, but its reward: the worst value of each."""
        has_reference = self._reference_energy is not None
        values = {m.column: m.worst for m in METRICS if m.group != "published"}
        uniform = self._problem.spectrum.uniform_optimum_probability
        asked = in_family(Circuit(1, ()), self._question.family, self._problem.hamiltonian)
        drawn = self._measurer.config.evaluation.random_draws > 0
        return {
            **{name: value for name, value in values.items() if value is not None},
            "valid": False,
            "decoded_correct": False,
            "srev": False if has_reference else None,
            "at_least_reference": False if has_reference else None,
            "feasible_approximation_ratio": None if self._feasible is None else 0.0,
            "js_distance": 1.0 if has_reference else None,
            "optimum_enrichment_bits": enrichment_bits(0.0, uniform),
            "warm_start_gain": 0.0 if self._has_warm_start else None,
            "in_family": asked,
            "random_js_distance": 1.0 if has_reference and drawn else None,
            "random_energy_gap": 1.0 if drawn else None,
        }

    @cached_property
    def _feasible(self) -> np.ndarray | None:
        """Which basis states decode to a feasible answer; None where that cannot be told."""
        if self._decoder is None:
            return None
        return self._decoder.feasible_states(self._problem.graph, self._problem.attributes)

    def _decodes(self, most_probable: Sequence[Outcome]) -> bool:
        """Whether the most probable bitstring is an optimal answer; tied ones must all be."""
        if not most_probable:
            return False
        top = most_probable[0].probability
        return all(
            self._is_optimal_answer(outcome)
            for outcome in most_probable
            if math.isclose(outcome.probability, top, abs_tol=_TIE)
        )

    def _is_optimal_answer(self, outcome: Outcome) -> bool:
        """In the problem's own terms; a ground state where the primitive has no decoder here."""
        if self._decoder is None:
            return outcome.optimal
        graph, attributes = self._problem.graph, self._problem.attributes
        return bool(outcome.feasible) and (
            self._decoder.objective(graph, attributes, outcome.answer)
            <= self._optimum + _SAME_OBJECTIVE
        )

    @cached_property
    def _decoder(self) -> GraphProblem | None:
        return decoder_for(self._problem)

    @cached_property
    def _optimum(self) -> float:
        return self._decoder.optimum(self._problem.graph, self._problem.attributes)


def _read_reference(problem: ProblemInstance, limits: Limits) -> Circuit | None:
    """The reference circuit where there is one that fits the problem."""
    if problem.reference_circuit is None:
        return None
    try:
        circuit = read_qasm(problem.reference_circuit, limits)
    except CircuitError:
        return None
    return circuit if circuit.num_qubits == problem.num_qubits else None


def failed_row(kind: str, detail: str) -> dict[str, Any]:
    """The columns of a sample whose verification failed itself: no metric is defined."""
    return {**NOT_GRADED, "failure": f"{FAILED}: {kind}", "failure_detail": detail}


def problem_facts(problem: ProblemInstance) -> dict[str, Any]:
    """What can be said of a problem without any work."""
    return {"primitive": problem.primitive, "num_qubits": problem.num_qubits}
