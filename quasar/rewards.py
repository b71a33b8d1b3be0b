"""From a verification report to a reward.

Takes a `VerificationReport` (or the fault that kept us from one) and the weights of the config;
gives `Scored(value, parts)` or `Failed(kind, detail)`. A fault is never a grade. Two formulas:

hierarchical (default): −w_syntax for an invalid program, otherwise w_validity plus the weighted sum
    of parts below. Each is in [0, 1] and monotone in its signal; the uniform superposition ("H on
    every qubit") scores 0 in each; a stage that did not run counts with its lower bound, 0.
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
    NoiseSignals,
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


# The published ablations (arXiv 2510.00967) as settings of the hierarchical formula.
# A weight of 0 switches a part off; the gate of the warm-start stage stays as it is. With all parts
# off a valid program earns a constant, which is the published one.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "without-EV": {"reward.weights.expectation": 0.0},
    "without-RE": {"reward.weights.distribution": 0.0},
    "without-Opt": {"reward.weights.optimisation": 0.0},
    "validity-only": {
        "reward.weights.validity": 0.2,
        "reward.weights.distribution": 0.0,
        "reward.weights.expectation": 0.0,
        "reward.weights.optimisation": 0.0,
        # Once all answers are valid there is nothing to learn; it goes on to be compared.
        "grpo.max_empty_steps": 1_000_000,
    },
}
# Parts of the hierarchical formula that are added with their weight of the same name.
GAINS = (
    "distribution",
    "expectation",
    "optimisation",
    "optimum_probability",
    "feasible_mass",
    "noise_aware_expectation",
)


def score(report: VerificationReport, config: RewardConfig) -> Scored:
    """Grade a report by the configured formula.

    Parts of the hierarchical formula, each in [0, 1]: syntax (1 valid, 0 not), those of `GAINS`,
    and two_qubit_cost, whose weighted value is negative. Raises ConfigError where formula
    "published" is asked of a report without the published signals.
    """
    if config.formula == "published":
        if report.published is None:
            raise ConfigError(
                "reward.formula is 'published', but the verifier was made for another formula"
            )
        return _published(report.published)
    return _hierarchical(report, config.weights)


def with_call_cost(scored: Scored, *, num_calls: int, cost: float) -> Scored:
    """The grade of a rollout: its last circuit's, minus `cost` for each call after the first."""
    if num_calls < 2 or cost == 0.0:
        return scored
    further = float(num_calls - 1)
    return _scored(
        {**scored.parts, "further_calls": further},
        {**scored.weighted, "further_calls": -cost * further},
    )


def expectation_part(signals: ExpectationSignals | NoiseSignals) -> float:
    """(AR − AR_uniform)/(1 − AR_uniform), clipped to [0, 1]."""
    return gain_over(signals.approximation_ratio, signals.uniform_approximation_ratio)


def _hierarchical(report: VerificationReport, weights: RewardWeights) -> Scored:
    if not report.valid:
        parts = dict.fromkeys(("syntax", *GAINS, "two_qubit_cost"), 0.0)
        return _scored(parts, {**parts, "syntax": 0.0 - weights.syntax})
    parts = {"syntax": 1.0, **_gains(report), "two_qubit_cost": report.cost.relative}
    weighted = {
        "syntax": weights.validity,
        **{name: getattr(weights, name) * parts[name] for name in GAINS},
        "two_qubit_cost": 0.0 - weights.two_qubit_cost * parts["two_qubit_cost"],
    }
    return _scored(parts, weighted)


def _gains(report: VerificationReport) -> dict[str, float]:
    """The parts of `GAINS`: how much better than uniform sampling or random starts."""
    distribution, noise = report.distribution, report.noise
    feasible = distribution.feasible_probability
    return {
        "distribution": distribution.enrichment,
        "expectation": expectation_part(report.expectation),
        # A stage that did not run earns its lower bound, so that running it never costs.
        "optimisation": report.optimisation.gain if report.optimisation else 0.0,
        "optimum_probability": gain_over(
            distribution.optimum_probability, distribution.uniform_optimum_probability
        ),
        "feasible_mass": (
            0.0
            if feasible is None
            else gain_over(feasible, distribution.uniform_feasible_probability)
        ),
        "noise_aware_expectation": expectation_part(noise) if noise else 0.0,
    }


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
