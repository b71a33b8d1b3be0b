import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.training.algorithm.advantages import advantages_of, flat_groups, overlong_penalty

ESTIMATORS = ("grpo", "dr_grpo", "rloo", "reinforce_pp")
rewards = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=24)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("grpo", [-1.0, 1.0, -1.0, 1.0]),
        ("dr_grpo", [-0.5, 0.5, -1.5, 1.5]),
        ("rloo", [-1.0, 1.0, -3.0, 3.0]),  # minus the other one of its group
        # step: mean 2, deviations −2, −1, 0, 3 of root mean square √3.5
        ("reinforce_pp", np.array([-2.0, -1.0, 0.0, 3.0]) / np.sqrt(3.5)),
    ],
)
def test_closed_form_of_two_groups(estimator, expected):
    values, groups = np.array([0.0, 1.0, 2.0, 5.0]), np.array([0, 0, 1, 1])
    np.testing.assert_allclose(advantages_of(values, groups, estimator), expected, atol=1e-5)


@given(st.lists(st.integers(-10, 10), min_size=2, max_size=12))
def test_rloo_baseline_is_the_mean_of_the_others(values):
    values = np.array(values, float)
    got = advantages_of(values, np.zeros(len(values), int), "rloo")
    for i, value in enumerate(values):
        others = np.delete(values, i).mean()
        assert got[i] == pytest.approx(value - others, abs=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_failed_episodes_enter_no_statistic(estimator):
    groups = np.array([0, 0, 0])
    with_fault = advantages_of(np.array([0.0, np.nan, 1.0]), groups, estimator)
    without = advantages_of(np.array([0.0, 1.0]), groups[:2], estimator)
    assert with_fault[1] == 0.0
    np.testing.assert_allclose(with_fault[[0, 2]], without)


@pytest.mark.parametrize("estimator", ["grpo", "dr_grpo", "rloo"])
def test_flat_groups_and_lone_survivors_teach_nothing(estimator):
    values, groups = np.array([0.3, 0.3, 0.9, np.nan, 0.1, 0.2]), np.array([0, 0, 1, 1, 2, 2])
    got = advantages_of(values, groups, estimator)
    np.testing.assert_array_equal(got[:4], 0.0)
    assert got[4] < 0 < got[5]
    assert flat_groups(values, groups).tolist() == [0, 1]


def test_reinforce_pp_compares_over_the_step_and_not_within_groups():
    got = advantages_of(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]), "reinforce_pp")
    np.testing.assert_allclose(got, [-1, -1, 1, 1], atol=1e-5)


@given(rewards, st.sampled_from(ESTIMATORS))
def test_advantages_of_a_group_sum_to_zero_and_keep_the_order(values, estimator):
    values = np.array(values)
    got = advantages_of(values, np.zeros(len(values), int), estimator)
    assert abs(got.sum()) < 1e-4 * len(values)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(got[order]) >= -1e-9)


@given(rewards)
def test_other_groups_do_not_matter(values):
    values = np.array(values)
    alone = advantages_of(values, np.zeros(len(values), int), "grpo")
    both = advantages_of(
        np.concatenate([values, [5.0, 7.0]]), np.array([0] * len(values) + [1, 1]), "grpo"
    )
    np.testing.assert_array_equal(alone, both[: len(values)])


def test_overlong_penalty_falls_in_a_line_over_the_buffer():
    got = overlong_penalty(np.array([10, 80, 90, 100]), max_tokens=100, buffer_tokens=20)
    np.testing.assert_allclose(got, [0.0, 0.0, -0.5, -1.0])
    none = overlong_penalty(np.array([10, 100]), max_tokens=100, buffer_tokens=0)
    np.testing.assert_array_equal(none, 0.0)
