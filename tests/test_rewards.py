"""From reports to rewards: range, monotony, exact sums, and what is refused."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import RewardConfig
from quasar.errors import ConfigError
from quasar.rewards import Failed, score
from quasar.verification.report import (
    Diagnostic,
    DistributionSignals,
    ExpectationSignals,
    OptimisationSignals,
    PublishedSignals,
    VerificationReport,
)

UNIFORM_RATIO = 0.4


def report(enrichment=0.0, ratio=UNIFORM_RATIO, gain=None) -> VerificationReport:
    return VerificationReport(
        reached="expectation",
        valid=True,
        num_qubits_expected=2,
        distribution=DistributionSignals(0.5, 0.25, enrichment, None, ()),
        expectation=ExpectationSignals(0.0, -1.0, 1.0, 0.0, ratio, UNIFORM_RATIO),
        optimisation=None if gain is None else OptimisationSignals(8, 0.9, 0.5, gain),
    )


part = st.floats(0, 1)
ratios = st.floats(0, 1)
weights = st.builds(
    lambda s, d, e, o: RewardConfig(
        weights={"syntax": s, "distribution": d, "expectation": e, "optimisation": o}
    ),
    *[st.floats(0, 3)] * 4,
)


@given(part, ratios, st.none() | part, weights)
def test_value_is_exactly_what_is_logged(enrichment, ratio, gain, config):
    scored = score(report(enrichment, ratio, gain), config)
    assert scored.value == sum(scored.weighted.values())
    for name in ("distribution", "expectation", "optimisation"):
        assert scored.weighted[name] == getattr(config.weights, name) * scored.parts[name]
        assert 0.0 <= scored.parts[name] <= 1.0
    assert json.loads(json.dumps(scored.to_dict()))["value"] == scored.value


@given(part, part, ratios, ratios, st.none() | part, st.none() | part)
def test_reward_is_monotone_in_every_part(e1, e2, r1, r2, g1, g2):
    config = RewardConfig()
    low = score(report(min(e1, e2), min(r1, r2), None if g1 is None or g2 is None else min(g1, g2)),
                config).value  # fmt: skip
    high = score(report(max(e1, e2), max(r1, r2), max(g1 or 0.0, g2 or 0.0)), config).value
    assert low <= high + 1e-12


def test_uniform_sampling_earns_nothing_and_the_best_earns_all():
    config = RewardConfig()
    assert score(report(), config).value == 0.0
    best = score(report(1.0, 1.0, 1.0), config)
    assert best.value == pytest.approx(1.0)
    assert best.parts["expectation"] == 1.0


def test_worse_than_uniform_is_not_punished_below_a_valid_program():
    assert score(report(0.0, 0.1), RewardConfig()).value == 0.0


def test_a_stage_that_did_not_run_earns_its_lower_bound():
    ran, skipped = (score(report(0.5, 0.7, gain), RewardConfig()) for gain in (0.0, None))
    assert ran.value == skipped.value


def test_invalid_programs_earn_minus_the_syntax_weight():
    invalid = VerificationReport(
        reached="none", valid=False, num_qubits_expected=2, error=Diagnostic("syntax", "no")
    )
    scored = score(invalid, RewardConfig(weights={"syntax": 0.7}))
    assert scored.value == -0.7
    assert set(scored.parts.values()) == {0.0}


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
