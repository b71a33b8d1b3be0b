"""From one sample's text to its row of numbers: the columns of `per_sample.parquet`.

Pure: a `Measurer` takes a problem and texts, and gives plain dicts. Definitions and the rule for
samples that are not valid are in `quasar.evaluation.summary`.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import read_qasm
from quasar.config import RewardConfig, VerificationConfig
from quasar.errors import CircuitError
from quasar.evaluation.metrics import enrichment_bits
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


class Measurer:
    """Verifies and grades samples. One a process: it keeps the verifier's compiled parts warm."""

    def __init__(self, verification: VerificationConfig, reward: RewardConfig):
        self.verifier = Verifier(verification, "hierarchical")
        self.reward = reward.model_copy(update={"formula": "hierarchical"})

    def grader(self, problem: ProblemInstance) -> "ProblemGrader":
        """A grader of one problem's samples."""
        return ProblemGrader(problem, self.verifier, self.reward)


class ProblemGrader:
    """Grades samples of one problem; what concerns only the problem is computed once."""

    def __init__(self, problem: ProblemInstance, verifier: Verifier, reward: RewardConfig):
        self._problem = problem
        self._verifier = verifier
        self._reward = reward
        self._has_warm_start = verifier.config.gradient_evaluations > 0
        self._reference_energy: float | None = None
        self._published: PublishedEvaluator | None = None
        reference = _reference(problem, verifier)
        if reference is not None:
            probabilities = verifier.probabilities(reference)
            self._reference_energy = float(probabilities @ problem.spectrum.energies)
            self._published = PublishedEvaluator(
                problem, reference, verifier.limits, verifier.probabilities
            )

    def grade(self, text: str) -> dict[str, Any]:
        """The columns of one sample, `most_probable` (for the report) among them."""
        report = self._verifier.verify(self._problem, text)
        scored = score(report, self._reward)
        row = {**NOT_GRADED, **self._describe(report), "reward": scored.value}
        row.update(self._signals(report) if report.valid else self._worst())
        if self._published is not None:
            row.update(self._published.grade(text))
        return row

    def _describe(self, report: VerificationReport) -> dict[str, Any]:
        error = report.error
        return {
            "valid": report.valid,
            "failure": error.kind if error else None if report.valid else "invalid",
            "failure_detail": error.message if error else None,
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

    def _worst(self) -> dict[str, Any]:
        """Corrected metrics of a sample that is not valid: the worst value of each."""
        has_reference = self._reference_energy is not None
        values = {m.column: m.worst for m in METRICS if m.group == "corrected"}
        uniform = self._problem.spectrum.uniform_optimum_probability
        return {
            **{name: value for name, value in values.items() if value is not None},
            "valid": False,
            "decoded_correct": False,
            "srev": False if has_reference else None,
            "at_least_reference": False if has_reference else None,
            "js_distance": 1.0 if has_reference else None,
            "optimum_enrichment_bits": enrichment_bits(0.0, uniform),
            "warm_start_gain": 0.0 if self._has_warm_start else None,
        }

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


def _reference(problem: ProblemInstance, verifier: Verifier) -> Circuit | None:
    """The reference circuit where there is one that fits the problem."""
    if problem.reference_circuit is None:
        return None
    try:
        circuit = read_qasm(problem.reference_circuit, verifier.limits)
    except CircuitError:
        return None
    return circuit if circuit.num_qubits == problem.num_qubits else None


def failed_row(kind: str, detail: str) -> dict[str, Any]:
    """The columns of a sample whose verification failed itself: no metric is defined."""
    return {**NOT_GRADED, "failure": f"{FAILED}: {kind}", "failure_detail": detail}


def uniform_ratio(problem: ProblemInstance) -> float:
    """Approximation ratio of uniform sampling."""
    return problem.spectrum.approximation_ratio(problem.spectrum.mean)
