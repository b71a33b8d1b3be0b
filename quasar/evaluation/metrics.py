"""Estimators and distances of the evaluation: pure functions on numbers and arrays.

Probabilities are exact and little-endian; distances are in bits or in [0, 1]; a value that is not
defined for a sample is NaN and takes no part in a mean or in a best-of-k.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np

DEFAULT_RESAMPLES = 2000


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Unbiased estimate of P(at least one of k samples is correct): 1 − C(n−c,k)/C(n,k).

    Chen et al. 2021 (arXiv 2107.03374), eq. 1. With fewer than k samples all of them are drawn.
    """
    if num_samples < 1 or k < 1 or not 0 <= num_correct <= num_samples:
        raise ValueError(f"pass@{k} of {num_correct} correct in {num_samples} samples")
    k = min(k, num_samples)
    return 1.0 - comb(num_samples - num_correct, k) / comb(num_samples, k)


def best_of_k(values: np.ndarray, k: int, *, larger_is_better: bool = True) -> np.ndarray:
    """Expected best of k of the n samples drawn without replacement, shape (n, m) -> (m,).

    The generalisation of pass@k to graded metrics (for 0/1 values the two agree): the j-th best
    value is the best of a draw with probability C(n−j, k−1)/C(n, k). NaN ranks last and is never
    the best; the expectation is over the draws that hold a defined value, so k = 1 gives the mean
    of the defined values and k = n the best of them. A column without any is NaN.
    """
    values = np.asarray(values, dtype=float)
    num_samples = values.shape[0]
    weights = _best_weights(num_samples, min(k, num_samples))
    signed = -values if larger_is_better else values
    ranked = np.sort(signed, axis=0)  # NaN sorts last
    defined = ~np.isnan(ranked)
    total = weights @ defined
    with np.errstate(invalid="ignore", divide="ignore"):
        # Infinite values stay infinite only where their weight is not zero.
        terms = np.where(defined & (weights[:, None] > 0), ranked, 0.0) * weights[:, None]
        best = terms.sum(axis=0) / total
    return -best if larger_is_better else best


def chosen_of_k(values: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Expected values of the one sample that has the highest score among k of the n drawn without
    replacement: values (n, m), scores (n,) -> (m,).

    All columns are of the same sample, unlike in `best_of_k`, which takes the best of each; for the
    column of the scores themselves the two agree. Of equal scores the first is chosen; a NaN score
    ranks last. The expectation of a column is over the draws whose chosen sample has it.
    """
    values = np.asarray(values, dtype=float)
    num_samples = len(values)
    ranked = values[np.argsort(-np.asarray(scores, dtype=float), kind="stable")]  # NaN comes last
    defined = ~np.isnan(ranked)
    weights = _best_weights(num_samples, min(k, num_samples))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ np.where(defined, ranked, 0.0)) / (weights @ defined)


@lru_cache(maxsize=256)
def _best_weights(num_samples: int, k: int) -> np.ndarray:
    draws = comb(num_samples, k)
    ranks = range(1, num_samples + 1)
    return np.array([comb(num_samples - rank, k - 1) / draws for rank in ranks])


def kl_bits(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p‖q) = Σ p log2(p/q) over p > 0, in bits; infinite where q = 0 and p > 0. No smoothing."""
    support = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[support] * np.log2(p[support] / q[support])))


def enrichment_bits(optimum_probability: float, uniform_probability: float) -> float:
    """log2(P_opt/P_uniform), in [−b, b] with b = log2(1/P_uniform).

    b is reached by a circuit that always measures an optimum; the floor −b keeps one that never
    does (P_opt = 0 up to rounding) from counting a simulator's rounding error.
    """
    most = -np.log2(uniform_probability)
    if optimum_probability <= 0.0:
        return float(-most)
    bits = np.log2(optimum_probability / uniform_probability)
    return float(np.clip(bits, -most, most))


def feasible_approximation_ratio(
    probabilities: np.ndarray, energies: np.ndarray, feasible: np.ndarray
) -> float:
    """Σ_z p(z)·(F_max − E(z))/(F_max − F_min) over feasible z, in [0, 1]; all arrays (2**n,).

    F_min and F_max are the least and the largest energy of a feasible state, so that penalties do
    not stretch the scale; probability on infeasible states counts 0. Where all feasible states
    have one energy, it is the feasible probability; without any feasible state 0.
    """
    if not feasible.any():
        return 0.0
    inside = energies[feasible]
    low, high = inside.min(), inside.max()
    width = high - low
    worth = (high - inside) / width if width > 1e-12 else np.ones_like(inside)
    return float(np.clip(probabilities[feasible] @ worth, 0.0, 1.0))


def bootstrap_intervals(
    values: np.ndarray,
    *,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval of the mean of each column: (n, m) -> (low (m,), high (m,)).

    Rows (problems) are drawn with replacement, the same draws for all columns; NaN entries are left
    out of a draw's mean. With one row the interval is that row's value. Deterministic in `seed`.
    """
    values = np.asarray(values, dtype=float)
    num_rows = values.shape[0]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(num_rows, np.full(num_rows, 1 / num_rows), size=resamples)
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (counts @ np.where(defined, values, 0.0)) / (counts @ defined)
    tail = (1 - level) / 2
    edges = [_quantile(means[:, column], (tail, 1 - tail)) for column in range(values.shape[1])]
    low, high = np.array(edges).reshape(-1, 2).T
    return low, high


def _quantile(draws: np.ndarray, tails: Sequence[float]) -> np.ndarray:
    kept = draws[~np.isnan(draws)]  # a draw may hold no problem where the metric is defined
    return np.quantile(kept, tails) if kept.size else np.full(len(tails), np.nan)
