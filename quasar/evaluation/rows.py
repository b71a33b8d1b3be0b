"""From the report on one sample to its row: the columns of `per_sample.parquet`.

Pure: takes what the verifier gave, a `Measured` or a `Failed`; gives plain dicts.
"""

from typing import Any

from quasar.config import QuasarConfig
from quasar.evaluation.measure import Measured
from quasar.evaluation.metrics import enrichment_bits
from quasar.evaluation.summary import FAILED, METRICS
from quasar.verification.report import Failed, VerificationReport
from quasar.verification.reward import GAINS, is_success, parts_of, score

Row = dict[str, Any]
NOT_GRADED: Row = {metric.column: None for metric in METRICS}


class RowMaker:
    """Makes rows as one configuration says. Rewards are by the hierarchical formula."""

    def __init__(self, config: QuasarConfig):
        self._reward = config.reward.model_copy(update={"formula": "hierarchical"})
        self._has_warm_start = config.verification.gradient_evaluations > 0

    @property
    def worst_reward(self) -> float:
        """Of a sample that is not valid."""
        return 0.0 - self._reward.weights.syntax

    def row(self, result: Measured | VerificationReport | Failed) -> Row:
        """The columns of one sample, `most_probable` (for the report), `success` and `parts` (for
        the figures by task) among them. A bare report: of a task other than graph problems.
        """
        if isinstance(result, Failed):
            return failed_row(result)
        if isinstance(result, VerificationReport):
            return self._task_row(result)
        report = result.report
        signals = self._signals(report) if report.valid else {}
        reward = score(report, self._reward).value
        by_task = {"success": report.valid and is_success(report), "parts": _parts(report)}
        return {
            **NOT_GRADED,
            **_describe(report),
            "reward": reward,
            **by_task,
            **signals,
            **result.columns,
        }

    def _task_row(self, report: VerificationReport) -> Row:
        assert report.task is not None
        return {
            **NOT_GRADED,
            **_describe(report),
            "reward": score(report, self._reward).value,
            "success": report.task.success,
            "parts": dict(report.task.parts),
        }

    def _signals(self, report: VerificationReport) -> Row:
        """Corrected metrics of a valid sample, as the report has them."""
        distribution, expectation = report.distribution, report.expectation
        assert distribution is not None
        assert expectation is not None
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
            "approximation_ratio": expectation.approximation_ratio,
            "optimum_probability": distribution.optimum_probability,
            "optimum_enrichment_bits": enrichment_bits(
                distribution.optimum_probability, distribution.uniform_optimum_probability
            ),
            "js_distance": distribution.js_distance,
            "relative_energy_gap": 1.0 - expectation.approximation_ratio,
            "warm_start_gain": warm if self._has_warm_start else None,
        }


def failed_row(fault: Failed) -> Row:
    """The columns of a sample whose verification failed itself: no metric is defined."""
    return {**NOT_GRADED, "failure": f"{FAILED}: {fault.kind}", "failure_detail": fault.detail}


def _parts(report: VerificationReport) -> dict[str, float]:
    """Of a graph problem; all 0 where the program is not valid."""
    return dict(parts_of(report)) if report.valid else dict.fromkeys(GAINS, 0.0)


def _describe(report: VerificationReport) -> Row:
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
        "seconds": float(sum(report.seconds.values())),
    }
