"""From samples to a `Summary`, problem by problem.

Takes one dict of values per sample (the columns of `per_sample.parquet`); gives estimates at each
reported k with a bootstrap interval over problems.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.errors import InputError
from quasar.evaluation.metrics import best_of_k, bootstrap_intervals
from quasar.evaluation.summary import FAILED, METRICS, Estimate, Summary, Table

REPORTED_K = (1, 10)
LONGEST_CURVE = 32
_COLUMNS = [metric.column for metric in METRICS]
_SCALE = np.array([100.0 if metric.unit == "%" else 1.0 for metric in METRICS])
_LARGER = np.array([metric.larger_is_better for metric in METRICS])


class Aggregator:
    """Collects problems one by one; holds a few numbers of each, never the samples."""

    def __init__(self, *, seed: int = 0):
        self._seed = seed
        self._scores: dict[int, list[np.ndarray]] = defaultdict(list)  # k -> per problem (m,)
        self._labels: list[tuple[str, int]] = []
        self._curves: list[np.ndarray] = []
        self._counts: list[int] = []
        self._uniform: list[float] = []
        self._infinite = 0
        self.failures: Counter[str] = Counter()

    def add(
        self,
        primitive: str,
        num_qubits: int,
        samples: Sequence[Mapping[str, Any]],
        *,
        uniform: float,
    ) -> None:
        """Add one problem: dicts with the metric columns (None: undefined), `failure` and `valid`.

        uniform: the approximation ratio of uniform sampling on this problem.
        """
        self.failures.update(s["failure"] for s in samples if s["failure"])
        self._labels.append((primitive, num_qubits))
        self._counts.append(len(samples))
        self._uniform.append(uniform)
        values = np.array([[_number(s[c]) for c in _COLUMNS] for s in samples], dtype=float)
        self._infinite += int(np.isinf(values).sum())
        values[np.isinf(values)] = np.nan
        depth = min(len(values), LONGEST_CURVE)
        self._curves.append(np.array([_at_k(values, k) for k in range(1, depth + 1)]))
        for k in REPORTED_K:
            self._scores[k].append(_at_k(values, k))

    def finish(self, **more: Any) -> Summary:
        """The summary of what was added; `more` are fields of `Summary` that are not computed."""
        if not self._labels:
            raise InputError("evaluation: no problem has generations; check sample_index")
        ks = [k for k in REPORTED_K if k == 1 or max(self._counts) >= k]
        scores = {k: np.array(self._scores[k]) * _SCALE for k in ks}
        primitives = np.array([primitive for primitive, _ in self._labels])
        qubits = np.array([num_qubits for _, num_qubits in self._labels])
        return Summary(
            num_problems=len(self._labels),
            num_samples=sum(self._counts),
            tables={f"pass@{k}": self._table(scores[k]) for k in ks},
            by_primitive={
                str(name): self._estimates(scores[1][primitives == name])
                for name in sorted(set(primitives))
            },
            by_qubits={
                str(n): self._estimates(scores[1][qubits == n]) for n in sorted(set(qubits))
            },
            failures=dict(self.failures.most_common()),
            pass_curves=self._pass_curves(),
            num_failed=sum(n for kind, n in self.failures.items() if kind.startswith(FAILED)),
            num_infinite_re=self._infinite,
            samples_per_problem=(min(self._counts), max(self._counts)),
            uniform_approximation_ratio=float(np.mean(self._uniform)),
            **more,
        )

    def _table(self, scores: np.ndarray) -> Table:
        estimates = self._estimates(scores, all_groups=True)
        published = {m.name: estimates[m.column] for m in METRICS if m.group == "published"}
        corrected = {m.name: estimates[m.column] for m in METRICS if m.group == "corrected"}
        has_reference = published["scr"].value is not None
        return {"published": published if has_reference else None, "corrected": corrected}

    def _estimates(self, scores: np.ndarray, *, all_groups: bool = False) -> dict[str, Estimate]:
        low, high = bootstrap_intervals(scores, seed=self._seed)
        defined = ~np.isnan(scores)
        estimates = {}
        for i, m in enumerate(METRICS):
            if m.group == "published" and not all_groups:
                continue
            count = int(defined[:, i].sum())
            mean = float(scores[defined[:, i], i].mean()) if count else None
            edges = (float(low[i]), float(high[i])) if count else (None, None)
            estimates[m.column] = Estimate(mean, *edges, count)
        return estimates

    def _pass_curves(self) -> dict[str, list[float]]:
        """Corrected metrics for k = 1 … the most samples of a problem; a problem with fewer than k
        gives what all of its samples give.
        """
        depth = max(len(curve) for curve in self._curves)
        longest = [np.pad(c, ((0, depth - len(c)), (0, 0)), mode="edge") for c in self._curves]
        stack = np.array(longest)  # (problems, k, metrics)
        curves = {}
        for i, m in enumerate(METRICS):
            column = stack[:, :, i]
            kept = column[~np.isnan(column).any(axis=1)]
            if m.group == "corrected" and kept.size:
                curves[m.name] = (kept.mean(axis=0) * _SCALE[i]).tolist()
        return curves


def _at_k(values: np.ndarray, k: int) -> np.ndarray:
    """Expected best of k draws in each metric's own direction: (samples, m) -> (m,)."""
    largest = best_of_k(values, k)
    return np.where(_LARGER, largest, best_of_k(values, k, larger_is_better=False))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
