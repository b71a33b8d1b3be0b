"""From a verification report to a reward.

Takes a `VerificationReport` (or the fault that kept us from one) and the weights of the config;
gives `Scored(value, parts)` or `Failed(kind, detail)`. A fault is never a grade. Two formulas:

hierarchical (default): −w_syntax for an invalid program, otherwise
    w_distribution·s₂ + w_expectation·s₃ + w_optimisation·s₄, each part in [0, 1] and monotone;
    the uniform superposition ("H on every qubit") scores 0 in each part.
published: the case table of the published system (arXiv 2510.00967, as its code has it), for
    comparison. It is not monotone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from quasar.config import RewardConfig, RewardWeights
from quasar.errors import ConfigError
from quasar.verification.report import (
    ExpectationSignals,
    PublishedSignals,
    VerificationReport,
    gain_over,
)

# The published formula's fixed rewards.
_PUBLISHED_ERRORS = {"parse": -0.5, "action": -1.0, "crash": -1.0}


@dataclass(frozen=True, slots=True)
class Failed:
    """A verification that gave no grade: kind is "timeout", "memory", "worker" or "error"."""

    kind: str
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Scored:
    """A grade. `parts` are raw (unweighted) values by name; value = what is optimised."""

    value: float  # the sum of `weighted`, exactly
    parts: Mapping[str, float]
    weighted: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, ready for JSON."""
        return {
            "value": self.value,
            "parts": dict(self.parts),
            "weighted": dict(self.weighted),
        }


Outcome = Scored | Failed


def score(report: VerificationReport, config: RewardConfig) -> Scored:
    """Grade a report by the configured formula.

    Parts of the hierarchical formula: syntax (1 valid, 0 not), distribution, expectation,
    optimisation, each in [0, 1]. Raises ConfigError where formula "published" is asked of a report
    without the published signals.
    """
    if config.formula == "published":
        if report.published is None:
            raise ConfigError(
                "reward.formula is 'published', but the verifier was made for another formula"
            )
        return _published(report.published)
    return _hierarchical(report, config.weights)


def expectation_part(signals: ExpectationSignals) -> float:
    """(AR − AR_uniform)/(1 − AR_uniform), clipped to [0, 1]."""
    return gain_over(signals.approximation_ratio, signals.uniform_approximation_ratio)


def _hierarchical(report: VerificationReport, weights: RewardWeights) -> Scored:
    if not report.valid:
        parts = {"syntax": 0.0, "distribution": 0.0, "expectation": 0.0, "optimisation": 0.0}
        return _scored(parts, {**parts, "syntax": 0.0 - weights.syntax})
    parts = {
        "syntax": 1.0,
        "distribution": report.distribution.enrichment,
        "expectation": expectation_part(report.expectation),
        # A stage that did not run earns its lower bound, so that running it never costs.
        "optimisation": report.optimisation.gain if report.optimisation else 0.0,
    }
    weighted = {
        "syntax": 0.0,
        "distribution": weights.distribution * parts["distribution"],
        "expectation": weights.expectation * parts["expectation"],
        "optimisation": weights.optimisation * parts["optimisation"],
    }
    return _scored(parts, weighted)


def _published(signals: PublishedSignals) -> Scored:
    if signals.error is not None:
        floor = _PUBLISHED_ERRORS[signals.error]
        return _scored({"error": 1.0}, {"error": floor})
    delta, penalty = signals.delta, signals.qubit_penalty
    utility = signals.utility or 0.0
    if delta > 0.9:
        weighted = {"similarity": 0.6 * signals.weight * delta, "utility": 0.4 * utility}
    elif delta >= 0.1:
        weighted = {"similarity": signals.weight * delta}
    else:
        weighted = {
            "similarity": 0.3 * signals.weight * delta,
            "energy": 0.3 * signals.energy_score,
            "utility": 0.4 * utility,
        }
    parts = {"similarity": delta, "energy": signals.energy_score, "utility": utility}
    return _scored({**parts, "penalty": penalty}, {**weighted, "penalty": penalty})


def _scored(parts: Mapping[str, float], weighted: Mapping[str, float]) -> Scored:
    return Scored(value=sum(weighted.values()), parts=parts, weighted=weighted)
