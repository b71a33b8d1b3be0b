import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quasar.learning.advantages import group_advantages

rewards = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=24)


def test_closed_form_of_one_group():
    got = group_advantages(np.array([0.0, 1.0]), np.array([0, 0]), normalise_by_std=True)
    np.testing.assert_allclose(got, [-1.0, 1.0], atol=1e-5)
    plain = group_advantages(np.array([0.0, 1.0]), np.array([0, 0]), normalise_by_std=False)
    np.testing.assert_allclose(plain, [-0.5, 0.5])


def test_failed_episodes_enter_no_statistic():
    groups = np.array([0, 0, 0])
    with_fault = group_advantages(np.array([0.0, np.nan, 1.0]), groups, normalise_by_std=True)
    without = group_advantages(np.array([0.0, 1.0]), groups[:2], normalise_by_std=True)
    assert with_fault[1] == 0.0
    np.testing.assert_allclose(with_fault[[0, 2]], without)


def test_flat_groups_and_lone_survivors_teach_nothing():
    got = group_advantages(
        np.array([0.3, 0.3, 0.9, np.nan]), np.array([0, 0, 1, 1]), normalise_by_std=True
    )
    np.testing.assert_array_equal(got, 0.0)


@given(rewards, st.booleans())
def test_advantages_of_a_group_sum_to_zero_and_keep_the_order(values, by_std):
    values = np.array(values)
    got = group_advantages(values, np.zeros(len(values), int), normalise_by_std=by_std)
    assert abs(got.sum()) < 1e-4 * len(values)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(got[order]) >= -1e-9)


@given(rewards)
def test_other_groups_do_not_matter(values):
    values = np.array(values)
    alone = group_advantages(values, np.zeros(len(values), int), normalise_by_std=True)
    both = group_advantages(
        np.concatenate([values, [5.0, 7.0]]),
        np.array([0] * len(values) + [1, 1]),
        normalise_by_std=True,
    )
    np.testing.assert_array_equal(alone, both[: len(values)])
