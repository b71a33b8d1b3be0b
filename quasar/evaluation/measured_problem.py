"""What an evaluation knows of one problem, worked out once on each worker that measures it.

Kept with the verifier's own facts of the problem, so that both go when memory is wanted for others.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.evaluation.metrics import enrichment_bits, feasible_approximation_ratio
from quasar.evaluation.published import ENERGY_TOLERANCE, PublishedEvaluator
from quasar.evaluation.summary import METRICS
from quasar.problems.base import ProblemInstance
from quasar.verification.report import Outcome, VerificationReport
from quasar.verification.stages.expectation import measure_expectation
from quasar.verification.verifier import Verifier


class MeasuredProblem:
    """Reference, optimum and worst values of one problem. Not for several threads."""

    def __init__(self, problem: ProblemInstance, verifier: Verifier):
        self.problem = problem
        self._facts = verifier.facts(problem)
        self._verifier = verifier
        self._simulated: tuple[Circuit, np.ndarray] | None = None
        reference = self._facts.reference
        fits = reference is not None and reference.num_qubits == problem.num_qubits
        self.reference: Circuit | None = reference if fits else None

    @classmethod
    def of(cls, problem: ProblemInstance, verifier: Verifier) -> "MeasuredProblem":
        """The one that is kept with the verifier's facts of the problem, or a new one."""
        return verifier.facts(problem).keep(cls, lambda: cls(problem, verifier))

    @property
    def enumerated(self) -> bool:
        """Whether the problem is small enough for arrays of 2**n."""
        return self._facts.enumerated

    @property
    def reference_probabilities(self) -> np.ndarray | None:
        """The reference's exact distribution, of an enumerated problem that has a reference."""
        return self._facts.reference_probabilities if self.enumerated else None

    @cached_property
    def reference_energy(self) -> float | None:
        """⟨H⟩ of the reference; above the enumerated sizes by the simulator that verifies."""
        if self.reference is None:
            return None
        if self.enumerated:
            return float(self.reference_probabilities @ self.problem.spectrum.energies)
        estimate = self._verifier.read_out(self.reference, self._facts).energy()
        return measure_expectation(estimate, self._facts.extremes).energy

    @cached_property
    def published(self) -> PublishedEvaluator | None:
        """The published evaluator, which needs a reference and all of its probabilities."""
        if self.reference is None or not self.enumerated:
            return None
        return PublishedEvaluator(
            self.problem, self.reference, self._verifier.limits, self.probabilities
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What `Aggregator.add` takes of the problem."""
        extremes, circuit = self._facts.extremes, self.reference
        return {
            **known_facts(self.problem),
            "uniform": extremes.approximation_ratio(extremes.mean),
            "reference_gates": None if circuit is None else len(circuit.gates),
            "reference_depth": None if circuit is None else circuit.depth,
        }

    @cached_property
    def worst(self) -> dict[str, Any]:
        """Columns of a sample that is not valid, without reward and context."""
        has_reference = self.reference is not None
        values = {m.column: m.worst for m in METRICS if m.group != "published"}
        uniform = self._facts.extremes.uniform_optimum_probability
        return {
            **{name: value for name, value in values.items() if value is not None},
            "valid": False,
            "decoded_correct": False,
            "optimum_most_probable": False,
            "srev": False if has_reference else None,
            "at_least_reference": False if has_reference else None,
            "feasible_approximation_ratio": None if self._feasible is None else 0.0,
            "js_distance": 1.0 if self.reference_probabilities is not None else None,
            "optimum_enrichment_bits": enrichment_bits(0.0, uniform),
            "warm_start_gain": 0.0 if self._verifier.config.gradient_evaluations > 0 else None,
        }

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Exact distribution; of one and the same circuit once."""
        if self._simulated is None or self._simulated[0] != circuit:
            self._simulated = (circuit, self._verifier.probabilities(circuit))
        return self._simulated[1]

    def columns(self, report: VerificationReport) -> dict[str, Any]:
        """Columns of a valid sample that need the problem beside its report."""
        assert report.expectation is not None
        assert report.distribution is not None
        leading = report.distribution.leading
        return {
            **self._against_reference(report.expectation.energy),
            "decoded_correct": self._decodes(leading),
            "optimum_most_probable": bool(leading) and all(o.optimal for o in leading),
        }

    def feasible_approximation_ratio(self, circuit: Circuit) -> float | None:
        """Of a valid sample's circuit; None where feasible states cannot be told."""
        if self._feasible is None:
            return None
        return feasible_approximation_ratio(
            self.probabilities(circuit), self.problem.spectrum.energies, self._feasible
        )

    def _against_reference(self, energy: float) -> dict[str, bool | None]:
        if self.reference_energy is None:
            return {"srev": None, "at_least_reference": None}
        difference = energy - self.reference_energy
        return {
            "srev": abs(difference) <= ENERGY_TOLERANCE,
            "at_least_reference": difference <= ENERGY_TOLERANCE,
        }

    @property
    def _feasible(self) -> np.ndarray | None:
        """Which basis states decode to a feasible answer; None where that cannot be told."""
        return self._facts.feasible if self.enumerated else None

    def _decodes(self, leading: Sequence[Outcome]) -> bool | None:
        """Whether the most probable bitstring is an optimal answer; tied ones must all be."""
        judged = [self._is_optimal_answer(outcome) for outcome in leading]
        if not judged:
            return False
        return None if None in judged else all(judged)

    def _is_optimal_answer(self, outcome: Outcome) -> bool | None:
        """In the problem's own terms; a ground state where the primitive has no decoder here.

        Several primitives find their optimum by enumeration. Where that is too much, feasible
        ground states are the optimal answers, if the encoding is sound; else it cannot be told.
        """
        decoder, problem = self._facts.decoder, self.problem
        if decoder is None:
            return outcome.optimal
        if not self.enumerated:
            return None if problem.encoding != "sound" else outcome.optimal and outcome.feasible
        graph, attributes = problem.graph, problem.attributes
        return bool(outcome.feasible) and (
            decoder.objective(graph, attributes, outcome.answer)
            <= self._optimum + decoder.objective_tolerance(graph)
        )

    @cached_property
    def _optimum(self) -> float:
        assert self._facts.decoder is not None
        return self._facts.decoder.optimum(self.problem.graph, self.problem.attributes)


def known_facts(problem: ProblemInstance) -> dict[str, Any]:
    """What can be said of a problem without any work."""
    return {"primitive": problem.primitive, "num_qubits": problem.num_qubits}
