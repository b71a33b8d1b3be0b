"""Evaluations side by side, problem by problem: `quasar compare`.

Takes directories that `evaluate_files` wrote; gives for each metric the difference of every one to
the first, with a paired bootstrap interval and a paired permutation test over the same problems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import false_discovery_control, permutation_test

from quasar.errors import InputError
from quasar.evaluation.aggregate import REPORTED_K
from quasar.evaluation.metrics import best_of_k, bootstrap_intervals
from quasar.evaluation.summary import METRICS, Metric, Summary, read_summary
from quasar.system.run_paths import EvaluationPaths

RESAMPLES = 9999
LEVEL = 0.05  # of the adjusted p-values
_COMPARED = [m for m in METRICS if m.group != "context"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of (this − first) over the problems where both have a value; rates in percent points.

    p: two-sided, by random signs of the differences, the identity included; adjusted: over all
    metrics of one evaluation at one k (Benjamini, Hochberg, J. R. Stat. Soc. B 57, 289, 1995).
    """

    first: float
    value: float
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    num_problems: int

    @property
    def is_significant(self) -> bool:
        """At the level of this module."""
        return self.adjusted < LEVEL


@dataclass(frozen=True, slots=True)
class Comparison:
    """names: of the evaluations, the first one is what the others are compared with."""

    names: tuple[str, ...]
    summaries: tuple[Summary, ...]
    num_problems: int  # that all evaluations have
    # (name, k) -> metric -> difference to the first
    differences: dict[tuple[str, int], dict[Metric, Difference]]


def compare(directories: Sequence[Path], *, seed: int = 0) -> Comparison:
    """Compare two or more evaluations on the problems that they share.

    Pass@k is compared for each reported k that all of them have. Raises InputError: fewer than two
    directories, one twice, no evaluation in one, no problem in common, one index for different
    problems.
    """
    if len(directories) < 2:
        raise InputError("compare: give at least two directories of evaluations")
    resolved = [d.resolve() for d in directories]
    if len(set(resolved)) < len(resolved):
        raise InputError("compare: a directory is given twice")
    summaries = tuple(read_summary(EvaluationPaths(d).summary) for d in directories)
    tables = [_read(EvaluationPaths(d).per_sample) for d in directories]
    common = sorted(set.intersection(*(set(table) for table in tables)))
    if not common:
        raise InputError(f"compare: {directories[0]} and the others share no problem")
    for directory, table in zip(directories, tables, strict=True):
        for index in common:
            if table[index][0] != tables[0][index][0]:
                raise InputError(
                    f"{directory}: problem {index} is {_told(table[index][0])}, in "
                    f"{directories[0]} {_told(tables[0][index][0])}; evaluate one problem file"
                )
    names = _names(directories)
    ks = [k for k in REPORTED_K if all(f"pass@{k}" in s.tables for s in summaries)]
    differences = {}
    for k in ks:
        scores = [np.array([_at_k(table[i][1], k) for i in common]) for table in tables]
        for name, other in zip(names[1:], scores[1:], strict=True):
            differences[name, k] = _differences(scores[0], other, seed)
    return Comparison(names, summaries, len(common), differences)


def _read(path: Path) -> dict[int, tuple[tuple[str, int], np.ndarray]]:
    """sample_index -> ((primitive, qubits), values (samples, metrics))."""
    columns = [m.column for m in _COMPARED]
    try:
        table = pq.read_table(path, columns=["sample_index", "primitive", "num_qubits", *columns])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run an evaluation first") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not the samples of an evaluation ({error})") from None
    if missing := set(columns) - set(table.column_names):
        raise InputError(f"{path}: no column {min(missing)}; run the evaluation again")
    values = np.column_stack(
        [table[c].cast(pa.float64()).to_numpy(zero_copy_only=False) for c in columns]
    )
    values[~np.isfinite(values)] = np.nan
    indices = table["sample_index"].to_numpy()
    problems = list(
        zip(table["primitive"].to_pylist(), table["num_qubits"].to_pylist(), strict=True)
    )
    rows: dict[int, list[int]] = {}
    for place, index in enumerate(indices.tolist()):
        rows.setdefault(index, []).append(place)
    return {index: (problems[places[0]], values[places]) for index, places in rows.items()}


def _at_k(values: np.ndarray, k: int) -> np.ndarray:
    """(samples, metrics) -> (metrics,), rates in percent."""
    larger = np.array([m.larger_is_better for m in _COMPARED])
    scale = np.array([100.0 if m.unit == "%" else 1.0 for m in _COMPARED])
    smallest = best_of_k(values, k, larger_is_better=False)
    return np.where(larger, best_of_k(values, k), smallest) * scale


def _differences(first: np.ndarray, other: np.ndarray, seed: int) -> dict[Metric, Difference]:
    both = ~np.isnan(first) & ~np.isnan(other)
    found = {}
    for i, m in enumerate(_COMPARED):
        kept = both[:, i]
        if not kept.any():
            continue
        a, b = first[kept, i], other[kept, i]
        low, high = bootstrap_intervals((b - a)[:, None], seed=seed)
        found[m] = (a.mean(), b.mean(), (b - a).mean(), low[0], high[0], _p_value(a, b, seed),
                    int(kept.sum()))  # fmt: skip
    if not found:
        return {}
    adjusted = false_discovery_control([values[5] for values in found.values()])
    return {
        m: Difference(*map(float, values[:6]), adjusted=float(p), num_problems=values[6])
        for (m, values), p in zip(found.items(), adjusted, strict=True)
    }


def _p_value(first: np.ndarray, other: np.ndarray, seed: int) -> float:
    """Of the mean difference when which evaluation a value came from is drawn for each problem."""
    if np.array_equal(first, other) or first.size < 2:
        return 1.0
    return float(
        permutation_test(
            (first, other),
            lambda a, b, axis: np.mean(b - a, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def _names(directories: Sequence[Path]) -> tuple[str, ...]:
    """The last part of each path, the whole path where two are the same."""
    short = [d.resolve().name for d in directories]
    return tuple(
        name if short.count(name) == 1 else str(d)
        for name, d in zip(short, directories, strict=True)
    )


def _told(problem: tuple[str, int]) -> str:
    return f"{problem[0]} on {problem[1]} qubits"
