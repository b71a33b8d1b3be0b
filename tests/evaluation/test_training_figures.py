"""Curves of training: each is told beside its start, and noise is no change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.reports.training_figures import running_mean, training_charts


def test_validations_have_a_panel_of_their_own():
    log = [{"step": i, "reward": 0.3} | {"validation/reward": i / 10} for i in range(0, 5)]
    log[1].pop("validation/reward")
    titles = [chart.title for chart in training_charts({"grpo": log})]
    assert titles == [
        "GRPO reward ends where it began, at 0.3, between step 0 and step 4",
        "GRPO validation reward rises from 0 to 0.4 between step 0 and step 4",
    ]


@pytest.mark.parametrize(
    ("rewards", "finding"),
    [
        # a recovery is no gain over the start, and the fall before it is told
        ([0.386, 0.315, 0.3, 0.35, 0.413], "rises from 0.386 to 0.413 between step 0 and step 4, "
         "with a low of 0.3 about step 2"),
        ([0.386, 0.315, 0.3, 0.33, 0.34], "falls from 0.386 to 0.34 between step 0 and step 4, "
         "with a low of 0.3 about step 2"),
        ([0.2, 0.5, 0.6, 0.5, 0.3], "rises from 0.2 to 0.3 between step 0 and step 4, "
         "with a high of 0.6 about step 2"),
        ([0.3, 0.2, 0.1], "falls from 0.3 to 0.1 between step 0 and step 2"),
        ([0.3], "is 0.3 at its only step"),
    ],
)  # fmt: skip
def test_a_curve_is_told_beside_its_start(rewards, finding):
    log = [{"step": i, "validation/reward": reward} for i, reward in enumerate(rewards)]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == f"GRPO validation reward {finding}"


def test_noise_is_no_change():
    """Single steps differ more than the ends of the curve do."""
    log = [{"step": i, "reward": 0.4 + 0.05 * (-1) ** i + 0.0001 * i} for i in range(1, 61)]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == (
        "GRPO reward is unchanged, 0.39 ± 0.024 and 0.416 ± 0.024, between step 1 and step 60"
    )


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (0.42, "is unchanged, 0.4 ± 0.01 and 0.42 ± 0.01,"),
        (0.44, "rises from 0.4 ± 0.01 to 0.44 ± 0.01"),
        (0.36, "falls from 0.4 ± 0.01 to 0.36 ± 0.01"),
    ],
)
def test_validations_are_compared_by_their_standard_error(end, word):
    log = [
        {"step": step, "validation/reward": value, "validation/reward_error": 0.01}
        for step, value in ((0, 0.4), (20, (0.4 + end) / 2), (40, end))
    ]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == f"GRPO validation reward {word} between step 0 and step 40"


def test_a_part_that_adds_nothing_has_no_curve():
    log = [
        {"step": i, "reward": 0.5, "reward_weighted/a": 0.1 * i, "reward_weighted/b": 0.0}
        for i in range(1, 81)
    ]
    _, parts = training_charts({"grpo": log})
    assert parts.title.startswith(
        "GRPO reward by part: a rises from 0.35 ± 0.076 to 7.75 ± 0.076 between step 1 and step 80"
    )
    assert "the mean of the first 6 steps with the mean of the last 6 (± standard" in parts.note
    assert "means over 6 steps" in parts.note
    _, both = training_charts({"grpo": [step | {"reward_weighted/b": 0.1} for step in log]})
    assert [f">{name}<" in both.svg() for name in "ab"] == [True, True]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.integers(1, 9))
def test_a_running_mean_stays_within_its_values_and_keeps_a_line(values, window):
    means = running_mean(values, window)
    assert len(means) == len(values)
    assert min(values) - 1e-12 <= min(means) <= max(means) <= max(values) + 1e-12
    assert running_mean(values, 1) == values
    line = [2.0 * i for i in range(40)]
    if window % 2:
        assert running_mean(line, window)[window:-window] == pytest.approx(line[window:-window])


def test_curves_without_numbers_are_left_out():
    nan = float("nan")
    assert training_charts({"a/b": [nan, None], "sft": [], "c": [{"step": 1, "loss": nan}]}) == []
