"""From reports to rewards: range, monotony, exact sums, and what is refused."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import RewardConfig, RewardWeights, load_config, with_overrides
from quasar.errors import ConfigError
from quasar.verification.report import (
    CostSignals,
    Diagnostic,
    DistributionSignals,
    ExpectationSignals,
    NoiseSignals,
    OptimisationSignals,
    Outcome,
    PublishedSignals,
    VerificationReport,
)
from quasar.verification.reward import ABLATIONS, GAINS, Failed, score

UNIFORM_RATIO, UNIFORM_OPTIMUM, UNIFORM_FEASIBLE = 0.4, 0.25, 0.5


def report(
    enrichment=0.0,
    ratio=UNIFORM_RATIO,
    gain=None,
    *,
    optimum=UNIFORM_OPTIMUM,
    feasible=None,
    noisy=None,
    leads=False,
    cost=0.0,
) -> VerificationReport:
    return VerificationReport(
        reached="expectation",
        valid=True,
        num_qubits_expected=2,
        distribution=DistributionSignals(
            optimum,
            UNIFORM_OPTIMUM,
            enrichment,
            feasible,
            (Outcome("01", 0.4, None, None, leads), Outcome("11", 0.3, None, None, True)),
            uniform_feasible_probability=None if feasible is None else UNIFORM_FEASIBLE,
        ),
        expectation=ExpectationSignals(0.0, -1.0, 1.0, 0.0, ratio, UNIFORM_RATIO),
        optimisation=None if gain is None else OptimisationSignals(8, 0.9, 0.5, gain),
        noise=None if noisy is None else NoiseSignals("device", 0.0, noisy, UNIFORM_RATIO),
        cost=CostSignals(3, 4, cost),
    )


INVALID = VerificationReport(
    reached="none", valid=False, num_qubits_expected=2, error=Diagnostic("syntax", "no")
)
part = st.floats(0, 1)
signals = st.fixed_dictionaries(
    {
        "enrichment": part,
        "ratio": part,
        "gain": st.none() | part,
        "optimum": part,
        "feasible": st.none() | part,
        "noisy": st.none() | part,
        "leads": st.booleans(),
        "cost": part,
    }
)
weight = st.floats(0, 3)


@st.composite
def configs(draw):
    values = {name: draw(weight) for name in ("syntax", "validity", *GAINS)}
    values["two_qubit_cost"] = draw(part) * (values["syntax"] + values["validity"])
    return RewardConfig(weights=values)


@given(signals, configs())
def test_value_is_exactly_what_is_logged(found, config):
    scored = score(report(**found), config)
    assert scored.value == sum(scored.weighted.values())
    assert scored.parts.keys() == scored.weighted.keys()
    assert all(0.0 <= value <= 1.0 for value in scored.parts.values())
    for name in GAINS:
        assert scored.weighted[name] == getattr(config.weights, name) * scored.parts[name]
    cost = config.weights.two_qubit_cost * scored.parts["two_qubit_cost"]
    assert scored.weighted["two_qubit_cost"] == -cost
    assert json.loads(json.dumps(scored.to_dict()))["value"] == scored.value


@given(signals, st.sampled_from(sorted(["enrichment", "ratio", "gain", "optimum", "feasible",
                                        "noisy", "cost"])), part, part, configs())  # fmt: skip
def test_reward_is_monotone_in_every_signal(found, name, one, other, config):
    low, high = sorted((one, other), reverse=name == "cost")
    worse, better = ({**found, name: value} for value in (low, high))
    assert score(report(**worse), config).value <= score(report(**better), config).value + 1e-12


@given(signals, configs())
def test_a_valid_program_never_earns_less_than_an_invalid_one(found, config):
    assert score(report(**found), config).value >= score(INVALID, config).value - 1e-12


@given(signals, configs())
def test_a_stage_that_did_not_run_earns_its_lower_bound(found, config):
    skipped = score(report(**{**found, "gain": None, "noisy": None}), config)
    at_worst = score(report(**{**found, "gain": 0.0, "noisy": 0.0}), config)
    assert skipped == at_worst


def test_every_weight_has_a_part():
    """Else it would be accepted and swept, and do nothing."""
    assert RewardWeights.model_fields.keys() == {"syntax", "validity", "two_qubit_cost", *GAINS}


EVERY_PART = RewardConfig(weights={**dict.fromkeys(GAINS, 1.0), "two_qubit_cost": 0.5})


def test_uniform_sampling_earns_nothing_and_the_best_earns_all():
    uniform = report(0.0, gain=0.0, feasible=UNIFORM_FEASIBLE, noisy=UNIFORM_RATIO)
    assert set(score(uniform, EVERY_PART).weighted.values()) == {0.0}
    best = report(1.0, 1.0, 1.0, optimum=1.0, feasible=1.0, noisy=1.0, leads=True)
    assert score(best, EVERY_PART).value == pytest.approx(len(GAINS))
    assert score(best, RewardConfig()).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("probabilities", "optimal", "worth"),
    [
        ((0.4, 0.3), (True, False), 1.0),
        ((0.4, 0.3), (False, True), 0.0),
        ((0.4, 0.4), (True, False), 0.0),  # tied with another answer
        ((0.4, 0.4), (True, True), 1.0),
        ((0.25, 0.25), (True, True), 0.0),  # uniform sampling says nothing
        ((), (), 0.0),
    ],
)
def test_the_optimum_must_be_what_is_read_off(probabilities, optimal, worth):
    outcomes = tuple(
        Outcome(f"{k:02b}", probability, None, None, best)
        for k, (probability, best) in enumerate(zip(probabilities, optimal, strict=True))
    )
    found = report()
    there = dataclasses.replace(found.distribution, most_probable=outcomes)
    scored = score(dataclasses.replace(found, distribution=there), EVERY_PART)
    assert scored.parts["optimum_most_probable"] == worth


def test_worse_than_uniform_is_not_punished_below_a_valid_program():
    assert score(report(0.0, 0.1), RewardConfig()).value == 0.0


def test_invalid_programs_earn_minus_the_syntax_weight():
    scored = score(INVALID, RewardConfig(weights={"syntax": 0.7}))
    assert scored.value == -0.7
    assert set(scored.parts.values()) == {0.0}


def test_a_cost_above_the_floor_is_refused():
    with pytest.raises(ConfigError, match="a valid circuit could earn less than none"):
        load_config("laptop", ["reward.weights.two_qubit_cost=1.5"])


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_are_settings_and_switch_off_their_part_only(name):
    config = with_overrides(load_config("published"), ABLATIONS[name]).reward
    full = score(report(0.5, 0.7, 0.3), RewardConfig())
    scored = score(report(0.5, 0.7, 0.3), config)
    off = {
        "full": set(),
        "without-EV": {"expectation"},
        "without-RE": {"distribution"},
        "without-Opt": {"optimisation"},
        "validity-only": {"distribution", "expectation", "optimisation"},
    }[name]
    kept = {part: value for part, value in full.weighted.items() if part not in off}
    kept["syntax"] = 0.2 if name == "validity-only" else 0.0
    assert scored.weighted == {**dict.fromkeys(off, 0.0), **kept}
    assert scored.value > score(INVALID, config).value


@pytest.mark.parametrize(
    ("signals", "value"),
    [
        (PublishedSignals("parse"), -0.5),
        (PublishedSignals("action"), -1.0),
        (PublishedSignals("crash"), -1.0),
        (PublishedSignals(None, delta=0.95, utility=0.2), 0.6 * 0.95 + 0.4 * 0.2),
        (PublishedSignals(None, delta=0.9, energy_score=1.0), 0.9),
        (PublishedSignals(None, delta=0.1), 0.1),
        (PublishedSignals(None, delta=0.05, energy_score=0.9), 0.3 * 0.05 + 0.27),
        (
            PublishedSignals(None, delta=0.05, energy_score=0.95, utility=0.2),
            0.3 * 0.05 + 0.3 * 0.95 + 0.08,
        ),
        (PublishedSignals(None, delta=0.5, qubit_penalty=-0.3, weight=0.5), -0.05),
    ],
)
def test_published_case_table(signals, value):
    published = dataclasses.replace(report(), published=signals)
    scored = score(published, RewardConfig(formula="published"))
    assert scored.value == pytest.approx(value)
    assert scored.value == sum(scored.weighted.values())


def test_published_formula_asks_for_its_signals():
    with pytest.raises(ConfigError, match="made for another formula"):
        score(report(), RewardConfig(formula="published"))


def test_a_fault_is_not_a_grade():
    assert not hasattr(Failed("timeout", "too slow"), "value")
    assert Failed("timeout", "too slow").to_dict() == {"kind": "timeout", "detail": "too slow"}
