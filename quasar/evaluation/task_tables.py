"""The figures of each task in an evaluation: success, parts, validity, reward.

Takes rows of samples as `quasar.evaluation.rows` makes them; gives a `TaskTable` a task. A sample
that is not valid is no success and has parts of 0; one whose verification failed itself counts for
nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.evaluation.metrics import best_of_k, bootstrap_intervals, chosen_of_k
from quasar.evaluation.summary import BEST_OF, Estimates, MetricEstimate, TaskTable

SUCCESS, PART_MEAN = "success", "part_mean"
# Of every task, before the parts that it declares.
FIGURES = (SUCCESS, PART_MEAN, "valid", "reward")
RATES = (SUCCESS, "valid")  # in percent


class TaskAggregator:
    """Collects the problems of one task one by one; holds a few numbers of each."""

    def __init__(self, *, seed: int, best_of: int | None = None):
        """best_of: as of `Aggregator`."""
        self._seed, self._best_of = seed, best_of
        self._names: tuple[str, ...] = FIGURES
        self._values: list[np.ndarray] = []  # per problem (samples, names)
        self._labels: list[tuple[str, str]] = []  # family, qubits

    def add(self, samples: Sequence[Mapping[str, Any]], *, family: str, num_qubits: int) -> None:
        """Add one problem. samples: with `parts`, None where nothing was graded."""
        parts = next((sample["parts"] for sample in samples if sample.get("parts")), {})
        if len(self._names) == len(FIGURES):
            self._names = (*FIGURES, *parts)
        self._values.append(np.array([self._row(sample) for sample in samples]))
        self._labels.append((family, str(num_qubits)))

    def _row(self, sample: Mapping[str, Any]) -> list[float]:
        parts = sample.get("parts")
        if parts is None:
            return [np.nan] * len(self._names)
        mean = sum(parts.values()) / len(parts) if parts else 0.0
        found = {**parts, **{name: sample[name] for name in FIGURES if name != PART_MEAN}}
        return [float({**found, PART_MEAN: mean}.get(name, np.nan)) for name in self._names]

    def finish(self, ks: Sequence[int], best_of: int = 1) -> TaskTable:
        """The table; of at least one problem. best_of: as it is called there; 1: not measured."""
        width = len(self._names)
        scale = np.array([100.0 if name in RATES else 1.0 for name in self._names])
        values = [  # a problem before which nothing was graded does not know the parts
            np.pad(v, ((0, 0), (0, width - v.shape[1])), constant_values=np.nan)
            for v in self._values
        ]
        scores = {k: np.array([best_of_k(v, k) for v in values]) * scale for k in ks}
        tables = {f"pass@{k}": self._estimates(scores[k]) for k in ks}
        if best_of > 1:
            reward = self._names.index("reward")
            chosen = [chosen_of_k(v, v[:, reward], self._best_of or len(v)) for v in values]
            tables[f"{BEST_OF}{best_of}"] = self._estimates(np.array(chosen) * scale)
        return TaskTable(
            num_problems=len(values),
            num_samples=sum(map(len, values)),
            tables=tables,
            by_family=self._by(scores[ks[0]], 0),
            by_qubits=self._by(scores[ks[0]], 1),
        )

    def _by(self, scores: np.ndarray, place: int) -> dict[str, Estimates]:
        rows: dict[str, list[int]] = defaultdict(list)
        for row, labels in enumerate(self._labels):
            rows[labels[place]].append(row)
        keys = sorted(rows, key=lambda key: (len(key), key) if place else (0, key))
        return {key: self._estimates(scores[rows[key]]) for key in keys}

    def _estimates(self, scores: np.ndarray) -> dict[str, MetricEstimate]:
        low, high = bootstrap_intervals(scores, seed=self._seed)
        found = {}
        for i, name in enumerate(self._names):
            column = scores[:, i][~np.isnan(scores[:, i])]
            edges = (float(low[i]), float(high[i])) if column.size else (None, None)
            mean = float(column.mean()) if column.size else None
            found[name] = MetricEstimate(mean, *edges, int(column.size))
        return found
