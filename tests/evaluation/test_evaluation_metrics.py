"""Estimators against brute force, known values and simulated data."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.evaluation.metrics import (
    best_of_k,
    bootstrap_intervals,
    chosen_of_k,
    enrichment_bits,
    kl_bits,
    pass_at_k,
)
from quasar.verification.readout import js_distance


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 10))
def test_pass_at_k_is_the_share_of_draws_with_a_hit(correct, k):
    draws = list(combinations(correct, min(k, len(correct))))
    expected = sum(any(draw) for draw in draws) / len(draws)
    assert pass_at_k(len(correct), sum(correct), k) == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5) | st.just(np.nan), min_size=1, max_size=7), st.integers(1, 8))
def test_best_of_k_is_the_mean_best_over_all_draws(values, k):
    draws = combinations(values, min(k, len(values)))
    best = [max(v for v in d if v == v) for d in draws if any(v == v for v in d)]
    column = np.array(values)[:, None]
    if not best:
        assert np.isnan(best_of_k(column, k)[0])
    else:
        assert best_of_k(column, k)[0] == pytest.approx(np.mean(best), abs=1e-12)
        smallest = best_of_k(-column, k, larger_is_better=False)[0]
        assert smallest == pytest.approx(-np.mean(best), abs=1e-12)


def test_best_of_k_agrees_with_pass_at_k_on_hits():
    hits = np.array([1, 0, 0, 1, 0, 0, 0.0])[:, None]
    for k in range(1, 8):
        assert best_of_k(hits, k)[0] == pytest.approx(pass_at_k(7, 2, k))


def test_infinite_divergence_does_not_spoil_a_better_sample():
    column = np.array([np.inf, 2.0])[:, None]
    assert best_of_k(column, 2, larger_is_better=False)[0] == 2.0
    assert best_of_k(column, 1, larger_is_better=False)[0] == np.inf


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (3, 4, 1), (3, 1, 0)])
def test_pass_at_k_refuses_impossible_counts(n, c, k):
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(n, c, k)


def test_divergences_of_known_distributions():
    p, q = np.array([0.5, 0.5, 0, 0]), np.array([0.25] * 4)
    assert kl_bits(p, q) == pytest.approx(1.0)
    assert kl_bits(q, p) == np.inf
    assert kl_bits(p, p) == 0.0
    assert js_distance(p, np.array([0, 0, 0.5, 0.5])) == pytest.approx(1.0)
    assert js_distance(p, p) == 0.0
    assert js_distance(p, q) == pytest.approx(js_distance(q, p))


def test_enrichment_runs_from_minus_b_to_b():
    assert enrichment_bits(1.0, 1 / 16) == 4.0
    assert enrichment_bits(1 / 16, 1 / 16) == 0.0
    assert enrichment_bits(0.0, 1 / 16) == -4.0
    assert enrichment_bits(1e-33, 1 / 16) == -4.0


def test_bootstrap_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(5)
    trials, covered = 300, 0
    for trial in range(trials):
        sample = rng.beta(2, 3, size=(60, 1))
        low, high = bootstrap_intervals(sample, resamples=400, seed=trial)
        covered += bool(low[0] <= 0.4 <= high[0])
    assert 0.90 <= covered / trials <= 0.985


def test_bootstrap_is_seeded_and_leaves_undefined_out():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [4.0, np.nan]])
    first = bootstrap_intervals(values, seed=3)
    again = bootstrap_intervals(values, seed=3)
    other = bootstrap_intervals(values, seed=4, resamples=50)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0][:1], other[0][:1]) or first[1][0] != other[1][0]
    assert 1.0 <= first[0][0] < 7 / 3 < first[1][0] <= 4.0
    assert np.isnan(first[0][1])
    assert np.isnan(first[1][1])


def test_bootstrap_of_one_problem_is_its_value():
    low, high = bootstrap_intervals(np.array([[0.3]]))
    assert low[0] == high[0] == 0.3


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(-5, 5)), min_size=1, max_size=7),
    st.integers(1, 7),
)
def test_chosen_of_k_is_the_mean_over_all_draws_of_the_one_with_the_highest_score(rows, k):
    values, scores = np.array(rows).T
    k = min(k, len(rows))
    draws = combinations(range(len(rows)), k)
    picked = [values[max(draw, key=lambda i: scores[i])] for draw in draws]
    assert chosen_of_k(values[:, None], scores, k)[0] == pytest.approx(np.mean(picked), abs=1e-12)
    # No more than the best of k of the same column, and that itself where it is the score.
    assert chosen_of_k(values[:, None], scores, k)[0] <= best_of_k(values[:, None], k)[0] + 1e-12
    own = chosen_of_k(scores[:, None], scores, k)[0]
    assert own == pytest.approx(best_of_k(scores[:, None], k)[0], abs=1e-12)


def test_a_sample_without_a_score_is_chosen_last():
    values = np.array([[1.0, np.nan], [2.0, 5.0]])
    chosen = chosen_of_k(values, np.array([np.nan, -3.0]), 2)
    np.testing.assert_array_equal(chosen, [2.0, 5.0])
    np.testing.assert_array_equal(chosen_of_k(values[:1], np.array([np.nan]), 1), [1.0, np.nan])
