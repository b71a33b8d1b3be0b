"""From a verification report to a reward.

Takes a `VerificationReport` (or the fault that kept us from one) and the weights of the config;
gives `Scored(value, parts)` or `Failed(kind, detail)`. A fault is never a grade. Two formulas:

hierarchical (default): −w_syntax for an invalid program, otherwise w_validity plus the weighted sum
    of the parts that the task declares. Each is in [0, 1] and monotone in its signal; the best
    answer without skill scores 0 in each. Those of graph problems are below: there that answer is
    the uniform superposition ("H on every qubit"), and a stage that did not run counts with its
    lower bound, 0.
published: the case table of the published system (arXiv 2510.00967, as its code has it), for
    comparison. It is not monotone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quasar.config import RewardConfig, RewardWeights
from quasar.config.task_names import GRAPH_TASK
from quasar.errors import ConfigError
from quasar.tasks.base import RewardPart
from quasar.verification.report import (
    DistributionSignals,
    ExpectationSignals,
    Failed,
    NoiseSignals,
    PublishedSignals,
    VerificationReport,
    gain_over,
)

_SYNTAX, _COST = "syntax", "two_qubit_cost"  # the parts that are not a task's
# Parts of a rollout whose calls cost something.
FURTHER_CALLS, OPTIMISE_CALLS = "further_calls", "optimise_calls"
_LEADS = 1e-6  # relative, over uniform sampling's probability
# The published formula's fixed rewards.
_PUBLISHED_ERRORS = {"parse": -0.5, "action": -1.0, "crash": -1.0}


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


ScoringResult = Scored | Failed


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


def score(report: VerificationReport, config: RewardConfig) -> Scored:
    """Grade a report by the configured formula.

    Parts of the hierarchical formula, each in [0, 1]: syntax (1 valid, 0 not), those of the task
    (`GRAPH_PARTS` of a graph problem), and two_qubit_cost, whose weighted value is negative. Raises
    ConfigError where formula "published" is asked of a report without the published signals.
    """
    if config.formula == "published":
        if report.published is None:
            raise ConfigError(
                "the published formula is asked for, but the verifier was made for another formula"
                if report.task is None
                else "the published formula is of graph problems; in a new run set reward.formula: "
                "hierarchical"
            )
        return _published(report.published)
    return _hierarchical(report, config.weights)


def with_optimise_cost(scored: Scored, *, num_calls: int, cost: float) -> Scored:
    """The grade of a rollout minus `cost` for each call of the optimise tool."""
    if num_calls == 0 or cost == 0.0:
        return scored
    calls = float(num_calls)
    return _scored(
        {**scored.parts, OPTIMISE_CALLS: calls},
        {**scored.weighted, OPTIMISE_CALLS: -cost * calls},
    )


def with_call_cost(scored: Scored, *, num_calls: int, cost: float) -> Scored:
    """The grade of a rollout: its last circuit's, minus `cost` for each call after the first."""
    if num_calls < 2 or cost == 0.0:
        return scored
    further = float(num_calls - 1)
    return _scored(
        {**scored.parts, FURTHER_CALLS: further},
        {**scored.weighted, FURTHER_CALLS: -cost * further},
    )


def expectation_part(signals: ExpectationSignals | NoiseSignals) -> float:
    """(AR − AR_uniform)/(1 − AR_uniform), clipped to [0, 1]."""
    return gain_over(signals.approximation_ratio, signals.uniform_approximation_ratio)


def _distribution(report: VerificationReport) -> float:
    """The optimum's enrichment."""
    assert report.distribution is not None
    return report.distribution.enrichment


def _expectation(report: VerificationReport) -> float:
    assert report.expectation is not None
    return expectation_part(report.expectation)


def _optimisation(report: VerificationReport) -> float:
    # A stage that did not run earns its lower bound, so that running it never costs.
    return report.optimisation.gain if report.optimisation else 0.0


def _optimum_probability(report: VerificationReport) -> float:
    found = report.distribution
    assert found is not None
    return gain_over(found.optimum_probability, found.uniform_optimum_probability)


def _feasible_mass(report: VerificationReport) -> float:
    assert report.distribution is not None
    feasible = report.distribution.feasible_probability
    uniform = report.distribution.uniform_feasible_probability
    return 0.0 if feasible is None or uniform is None else gain_over(feasible, uniform)


def _noise_aware_expectation(report: VerificationReport) -> float:
    return expectation_part(report.noise) if report.noise else 0.0


def _optimum_leads(distribution: DistributionSignals) -> bool:
    """Whether what is read off the circuit is an optimum: all of the most probable outcomes are,
    and they are more probable than under uniform sampling.
    """
    leading = distribution.leading
    if not leading or not all(outcome.optimal for outcome in leading):
        return False
    return leading[0].probability * 2 ** len(leading[0].bitstring) > 1 + _LEADS


def _optimum_most_probable(report: VerificationReport) -> float:
    assert report.distribution is not None
    return float(_optimum_leads(report.distribution))


# Parts of graph problems, read off their report: how much better than uniform sampling or random
# starts. Weights are the fields of `RewardWeights`; those here are their defaults.
GRAPH_PARTS: Mapping[str, RewardPart[VerificationReport]] = {
    "distribution": RewardPart(
        "how much likelier an optimum is than by guessing", 0.4, _distribution
    ),
    "expectation": RewardPart("expectation value above uniform sampling's", 0.4, _expectation),
    "optimisation": RewardPart(
        "warm start of an optimiser above random starts", 0.2, _optimisation
    ),
    "optimum_probability": RewardPart(
        "probability of an optimum above uniform sampling's", 0.0, _optimum_probability
    ),
    "feasible_mass": RewardPart(
        "probability of feasible answers above uniform sampling's", 0.0, _feasible_mass
    ),
    "optimum_most_probable": RewardPart(
        "whether the most probable bitstring is an optimum: the answer that is read off",
        0.0,
        _optimum_most_probable,
    ),
    "noise_aware_expectation": RewardPart(
        "expectation value under noise above uniform sampling's", 0.0, _noise_aware_expectation
    ),
}
GAINS = tuple(GRAPH_PARTS)


def _hierarchical(report: VerificationReport, weights: RewardWeights) -> Scored:
    task = GRAPH_TASK if report.task is None else report.task.task
    if not report.valid:
        names = GAINS if report.task is None else tuple(report.task.parts)
        return score_parts(task, dict.fromkeys((_SYNTAX, *names, _COST), 0.0), weights)
    assert report.cost is not None
    parts = {_SYNTAX: 1.0, **parts_of(report), _COST: report.cost.relative}
    return score_parts(task, parts, weights)


def score_parts(task: str, parts: Mapping[str, float], weights: RewardWeights) -> Scored:
    """The hierarchical formula of raw parts: `syntax` (1 valid, 0 not), those of the task, and
    `two_qubit_cost`; as `Scored.parts` has them, without those of a rollout's calls.
    """
    valid = parts[_SYNTAX] > 0
    weighted = {
        name: weights.of(task, name) * value
        for name, value in parts.items()
        if name not in (_SYNTAX, _COST)
    }
    syntax = weights.of(task, "validity") if valid else 0.0 - weights.of(task, _SYNTAX)
    cost = 0.0 - weights.of(task, _COST) * parts[_COST]
    return _scored(parts, {_SYNTAX: syntax, **weighted, _COST: cost})


def part_weights(task: str, parts: Mapping[str, float], config: RewardConfig) -> dict[str, float]:
    """What a unit of each raw part of a rollout adds to its hierarchical reward, which is their sum
    up to a constant of the task. Costs are below 0; a valid program has both of its weights.
    """
    weights = config.weights
    of_calls = {FURTHER_CALLS: config.call_cost, OPTIMISE_CALLS: config.optimise_cost}
    found = {}
    for name in parts:
        if name == _SYNTAX:
            found[name] = weights.of(task, _SYNTAX) + weights.of(task, "validity")
        elif name in of_calls:
            found[name] = -of_calls[name]
        else:
            found[name] = weights.of(task, name) * (-1.0 if name == _COST else 1.0)
    return found


def is_success(report: VerificationReport) -> bool:
    """What pass@k counts: of a graph problem that what is read off the circuit is an optimum."""
    if report.task is not None:
        return report.task.success
    return report.distribution is not None and _optimum_leads(report.distribution)


def parts_of(report: VerificationReport) -> Mapping[str, float]:
    """The parts of the report's task, unweighted, of a valid program."""
    if report.task is not None:
        return report.task.parts
    return {name: part.value(report) for name, part in GRAPH_PARTS.items()}


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
