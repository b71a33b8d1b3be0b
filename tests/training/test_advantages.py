import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import load_config, with_overrides
from quasar.errors import ConfigError
from quasar.tasks import get_task
from quasar.training.algorithm.advantages import (
    advantages_of,
    decoupled_advantages,
    flat_groups,
    overlong_penalty,
)
from quasar.training.algorithm.step_rewards import StepRewards
from quasar.verification.report import Failed
from quasar.verification.reward import score_parts, with_call_cost

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


# Each part by itself: GDPO ------------------------------------------------------------------------


def test_gdpo_in_closed_form():
    """Two parts over two groups, weights 1 and 2. Within a group of two a part that differs is ∓1,
    however far; the sums are 1, −1, 3, −3 of root mean square √5.
    """
    parts = np.array([[0.2, 0.5], [0.1, 0.5], [0.9, 0.5], [0.0, 0.4]])
    weights = np.array([[1.0, 2.0]] * 4)
    got = decoupled_advantages(parts, weights, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(got, np.array([1, -1, 3, -3]) / np.sqrt(5), atol=1e-4)


def test_gdpo_tells_apart_what_the_sum_does_not():
    """The paper's case: sums 0, 1, 1 are two levels to grpo, by their parts they are three."""
    parts = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    groups, weights = np.zeros(4, int), np.ones((4, 2))
    by_sum = advantages_of(parts.sum(axis=1), groups, "grpo")
    assert len(set(by_sum.round(6))) == 2
    by_part = decoupled_advantages(parts, weights, groups)
    assert len(set(by_part.round(6))) == 3
    # a part that fewer have is worth more: (1 − 1/4)/√(3/16) against (1 − 1/2)/√(1/4)
    assert by_part[1] > by_part[2] > by_part[0]


columns = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=2, max_size=12
)


@given(columns, st.floats(0.1, 3.0))
def test_gdpo_of_one_part_of_weight_is_grpo(values, weight):
    parts = np.round(np.array(values), 1)  # grpo's ε is seen where a spread is as small
    groups = np.arange(len(parts)) % 2
    weights = np.array([[weight, 0.0]] * len(parts))
    got = decoupled_advantages(parts, weights, groups)
    one = advantages_of(parts[:, 0], groups, "grpo")
    # Up to the step's spread, which is 1 where no group is flat.
    np.testing.assert_allclose(got * np.sqrt((one**2).mean()), one, atol=1e-3)


@given(columns, st.floats(0.5, 4.0), st.floats(-2.0, 2.0))
def test_gdpo_does_not_see_the_scale_of_a_part(values, scale, shift):
    parts = np.round(np.array(values), 1)
    groups, weights = np.zeros(len(parts), int), np.ones(parts.shape)
    got = decoupled_advantages(parts, weights, groups)
    assert abs(got.sum()) < 1e-6
    assert (got**2).mean() == pytest.approx(1.0, abs=1e-3) or not got.any()
    moved = parts * [scale, 1.0] + [shift, 0.0]
    np.testing.assert_allclose(decoupled_advantages(moved, weights, groups), got, atol=1e-3)


def test_gdpo_of_parts_that_cancel_is_nothing():
    parts = np.array([[0.0, 0.3], [0.7, 0.2], [0.2, 0.2 + 0.5 / 7]])  # one falls as the other rises
    got = decoupled_advantages(parts, np.ones((3, 2)), np.zeros(3, int))
    np.testing.assert_array_equal(got, 0.0)


def test_gdpo_leaves_out_what_failed_and_what_is_flat():
    parts = np.array([[0.0, 1.0], [np.nan, np.nan], [1.0, 1.0], [0.3, 0.3], [0.3, 0.3]])
    groups, weights = np.array([0, 0, 0, 1, 1]), np.ones((5, 2))
    got = decoupled_advantages(parts, weights, groups)
    assert got[1] == 0.0
    np.testing.assert_array_equal(got[3:], 0.0)
    assert got[0] == pytest.approx(-got[2])
    assert flat_groups(parts, groups).tolist() == [1]


def step_of(config, outcomes, groups, tasks) -> StepRewards:
    return StepRewards.of(
        outcomes,
        groups=groups,
        tasks=tasks,
        sampled=[9] * len(outcomes),
        settings=config.grpo,
        reward=config.reward,
        max_response_tokens=96,
    )


def test_gdpo_takes_the_parts_of_each_task_with_their_weights_and_costs():
    config = with_overrides(
        load_config("laptop"), {"grpo.advantage": "gdpo", "reward.weights.two_qubit_cost": 0.2}
    )
    outcomes, groups, tasks = [], [], []
    for group, task in enumerate(("ising", "ground_state", "stabiliser")):
        names = get_task(task).parts if task != "ising" else ("distribution", "expectation")
        for level in (0.25, 0.75):
            parts = {"syntax": 1.0, **dict.fromkeys(names, level), "two_qubit_cost": 0.5}
            scored = score_parts(task, parts, config.reward.weights)
            outcomes.append(with_call_cost(scored, num_calls=1 + group, cost=0.01))
            groups.append(group)
            tasks.append(task)
    outcomes.append(Failed("timeout", "20 s"))
    groups, tasks = [*groups, 2], [*tasks, "stabiliser"]
    step = step_of(config, outcomes, groups, tasks)
    assert step.flat.tolist() == []
    got = step.advantages(config.grpo)
    assert got[-1] == 0.0
    assert (got[:6:2] < 0).all()
    assert (got[1:6:2] > 0).all()
    # Rewards are parts times weights up to a constant of the task.
    worth = np.nansum(step.parts * step.weights, axis=1)
    for group in range(3):
        a, b = np.flatnonzero(np.array(groups) == group)[:2]
        assert worth[b] - worth[a] == pytest.approx(step.rewards[b] - step.rewards[a])


def test_gdpo_sees_a_group_of_equal_sums_as_one_to_learn_from():
    config = with_overrides(
        load_config("laptop"),
        {"grpo.advantage": "gdpo", "reward.weights": {"distribution": 0.4, "expectation": 0.4}},
    )
    levels = [(0.5, 0.0), (0.0, 0.5), (0.5, 0.0)]
    outcomes = [
        score_parts(
            "ising",
            {"syntax": 1.0, "distribution": d, "expectation": e, "two_qubit_cost": 0.0},
            config.reward.weights,
        )
        for d, e in levels
    ]
    step = step_of(config, outcomes, [0, 0, 0], ["ising"] * 3)
    assert step.flat.tolist() == []
    by_sum = step_of(
        with_overrides(config, {"grpo.advantage": "grpo"}), outcomes, [0, 0, 0], ["ising"] * 3
    )
    assert by_sum.flat.tolist() == [0]


def test_gdpo_refuses_a_formula_without_weights():
    with pytest.raises(ConfigError, match="gdpo weighs the parts of the hierarchical formula"):
        load_config("published", ["grpo.advantage=gdpo", "reward.formula=published"])
