"""From samples to a `Summary`, problem by problem.

Takes one dict of values per sample (the columns of `per_sample.parquet`); gives estimates at each
reported k with a bootstrap interval over problems.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from quasar.config.task_names import GRAPH_TASK
from quasar.errors import InputError
from quasar.evaluation.metrics import best_of_k, bootstrap_intervals, chosen_of_k
from quasar.evaluation.summary import (
    BEST_OF,
    FAILED,
    GROUPS,
    METRICS,
    Estimates,
    MetricEstimate,
    Summary,
    Table,
    metric,
)
from quasar.evaluation.task_tables import TaskAggregator

REPORTED_K = (1, 10)
LONGEST_CURVE = 32
LARGEST = 1 << 30  # no limit
RE_CUTS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.5, 2.0, 3.0, 5.0)  # bits
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Upper edges of the bins of gates and depth, of the reference circuit.
GATE_EDGES = (20, 50, 100, 200, 400)
DEPTH_EDGES = (5, 10, 20, 50, 100)
_COLUMNS = [metric.column for metric in METRICS]
_SCALE = np.array([100.0 if metric.unit == "%" else 1.0 for metric in METRICS])
_LARGER = np.array([metric.larger_is_better for metric in METRICS])
_RE, _GAP = _COLUMNS.index("published_re"), _COLUMNS.index("relative_energy_gap")
_CORRECTED = [metric.group == "corrected" for metric in METRICS]


class Aggregator:
    """Collects problems one by one; holds a few numbers of each, never the samples."""

    def __init__(self, *, seed: int = 0, best_of: int | None = None):
        """best_of: answers of which the one with the highest reward is measured, too; None: all of
        a problem.
        """
        self._seed, self._best_of = seed, best_of
        self._chosen: list[np.ndarray] = []  # per problem (m,)
        self._scores: dict[int, list[np.ndarray]] = defaultdict(list)  # k -> per problem (m,)
        self._structured: dict[int, list[np.ndarray]] = defaultdict(list)
        self._below: dict[int, list[np.ndarray]] = defaultdict(list)  # k -> per problem (cuts,)
        self._facts: list[Mapping[str, Any]] = []
        self._curves: list[np.ndarray] = []
        self._counts: list[int] = []
        self._infinite = 0
        self._tasks: dict[str, TaskAggregator] = {}
        self.failures: Counter[str] = Counter()

    def add(self, samples: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
        """Add one problem.

        samples: dicts with the metric columns (None: undefined), `failure` and `valid`.
        facts: `primitive`, `num_qubits`; `task` of others than graph problems; where known also
        `family_group` (of the ansatz family asked for), `uniform` (approximation ratio of uniform
        sampling), `reference_gates`, `reference_depth`, and `worst`: the columns of a sample that
        is not valid.
        """
        self.failures.update(s["failure"] for s in samples if s["failure"])
        self._facts.append({k: v for k, v in facts.items() if k != "worst"})
        self._counts.append(len(samples))
        self._infinite += sum(
            math.isinf(s["published_re"]) for s in samples if s["published_re"] is not None
        )
        task = facts.get("task", GRAPH_TASK)
        own = self._tasks.setdefault(task, TaskAggregator(seed=self._seed, best_of=self._best_of))
        own.add(samples, family=facts["primitive"], num_qubits=facts["num_qubits"])
        values = _matrix(samples)
        rewards = values[:, _COLUMNS.index("reward")]
        self._chosen.append(chosen_of_k(values, rewards, self._best_of or len(values)))
        depth = min(len(values), LONGEST_CURVE)
        self._curves.append(np.array([_at_k(values, k) for k in range(1, depth + 1)]))
        structured = _matrix(in_structured_track(samples, facts.get("worst")))
        divergences = values[:, _RE]
        below = np.array([divergences < cut for cut in RE_CUTS], dtype=float).T
        for k in REPORTED_K:
            self._scores[k].append(_at_k(values, k))
            self._structured[k].append(_at_k(structured, k))
            self._below[k].append(best_of_k(below, k))

    @property
    def num_problems(self) -> int:
        """Problems added so far."""
        return len(self._facts)

    @property
    def tasks(self) -> frozenset[str]:
        """Of the problems added so far."""
        return frozenset(self._tasks)

    def finish(self, *, by_task: bool = False, **more: Any) -> Summary:
        """The summary of what was added; `more` are fields of `Summary` that are not computed.

        by_task: with a table for each task.
        """
        if not self._facts:
            raise InputError("evaluation: no problem has generations; check sample_index")
        ks = [k for k in REPORTED_K if k == 1 or max(self._counts) >= k]
        scores = {k: np.array(self._scores[k]) * _SCALE for k in ks}
        tables = {f"pass@{k}": self._table(scores[k], k) for k in ks}
        best_of = min(self._best_of or LARGEST, max(self._counts))
        if best_of > 1:
            chosen = self._estimates(np.array(self._chosen) * _SCALE)
            tables[f"{BEST_OF}{best_of}"] = {
                "corrected": {m.name: chosen[m.column] for m in METRICS if m.group == "corrected"}
            }
        uniform = [f["uniform"] for f in self._facts if f.get("uniform") is not None]
        has_reference = tables["pass@1"]["published"] is not None
        gaps = scores[1][:, _GAP]
        gaps = gaps[~np.isnan(gaps)]
        return Summary(
            num_problems=len(self._facts),
            num_samples=sum(self._counts),
            tables=tables,
            structured=self._structured_tables(ks),
            by_family=self._by_family(),
            tasks={
                name: found.finish(ks, best_of)
                for name, found in sorted(self._tasks.items())
                if by_task
            },
            by_primitive=self._by(scores[1], [f["primitive"] for f in self._facts]),
            by_qubits=self._by(scores[1], [f["num_qubits"] for f in self._facts]),
            by_gates=self._by(scores[1], self._bins("reference_gates", GATE_EDGES)),
            by_depth=self._by(scores[1], self._bins("reference_depth", DEPTH_EDGES)),
            re_sweep={
                f"pass@{k}": dict(
                    zip(map(str, RE_CUTS), (100 * np.mean(self._below[k], 0)).tolist(), strict=True)
                )
                for k in ks
                if has_reference
            },
            energy_gap_quantiles=tuple(np.quantile(gaps, QUANTILES).tolist()) if gaps.size else (),
            failures=dict(self.failures.most_common()),
            pass_curves=self._pass_curves(),
            num_failed=sum(n for kind, n in self.failures.items() if kind.startswith(FAILED)),
            num_infinite_re=self._infinite,
            samples_per_problem=(min(self._counts), max(self._counts)),
            uniform_approximation_ratio=float(np.mean(uniform)) if uniform else None,
            **more,
        )

    def _table(self, scores: np.ndarray, k: int) -> Table:
        estimates = self._estimates(scores)
        table: dict[str, Estimates | None] = {
            g: {m.name: estimates[m.column] for m in METRICS if m.group == g} for g in GROUPS
        }
        if estimates[metric("scr", "published").column].value is None:
            table["published"] = None  # no reference circuit
        if k > 1:
            del table["context"]
        return table

    def _structured_tables(self, ks: Sequence[int]) -> dict[str, dict[str, MetricEstimate]]:
        """The corrected group of the structured track; empty where no family could be told."""
        if np.isnan(np.array(self._scores[1])[:, _COLUMNS.index("in_family")]).all():
            return {}
        return {
            f"pass@{k}": {m.name: estimates[m.column] for m in METRICS if m.group == "corrected"}
            for k in ks
            for estimates in [self._estimates(np.array(self._structured[k]) * _SCALE)]
        }

    def _by_family(self) -> dict[str, dict[str, MetricEstimate]]:
        """One sample a problem, in the structured track, by the group of the family asked for."""
        scores = np.array(self._structured[1]) * _SCALE
        return self._by(scores, [f.get("family_group") for f in self._facts])

    def _by(
        self, scores: np.ndarray, labels: Sequence[Any]
    ) -> dict[str, dict[str, MetricEstimate]]:
        """Estimates of the problems of each label, labels in ascending order; None: left out."""
        kept = sorted({label for label in labels if label is not None})
        places = np.array([kept.index(x) if x is not None else -1 for x in labels], dtype=int)
        return {_text(x): self._estimates(scores[places == i]) for i, x in enumerate(kept)}

    def _bins(self, fact: str, edges: Sequence[int]) -> list[tuple[int, float] | None]:
        """The bin of each problem, (first, last) value; the last bin is open."""
        bounds: list[tuple[int, float]] = [
            (low + 1, high) for low, high in zip((0, *edges), edges, strict=False)
        ]
        bounds.append((edges[-1] + 1, math.inf))
        values = [facts.get(fact) for facts in self._facts]
        return [None if v is None else bounds[bisect_left(edges, v)] for v in values]

    def _estimates(self, scores: np.ndarray) -> dict[str, MetricEstimate]:
        low, high = bootstrap_intervals(scores, seed=self._seed)
        defined = ~np.isnan(scores)
        estimates = {}
        for i, m in enumerate(METRICS):
            count = int(defined[:, i].sum())
            mean = float(scores[defined[:, i], i].mean()) if count else None
            edges = (float(low[i]), float(high[i])) if count else (None, None)
            estimates[m.column] = MetricEstimate(mean, *edges, count)
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


def in_structured_track(
    samples: Iterable[Mapping[str, Any]], worst: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    """The samples, those outside the named family with the values of one that is not valid.

    A valid sample whose family could not be asked for (`in_family` None) has no value.
    """
    undefined = dict.fromkeys(_COLUMNS)
    judged = []
    for sample in samples:
        if not sample["valid"] or sample.get("in_family"):
            judged.append(sample)
        elif sample.get("in_family") is None or worst is None:
            judged.append(undefined)
        else:
            judged.append({**undefined, **worst})
    return judged


def _matrix(samples: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(samples, metrics); NaN where undefined or infinite."""
    rows = [[_number(s.get(column)) for column in _COLUMNS] for s in samples]
    values = np.array(rows, dtype=float).reshape(-1, len(_COLUMNS))
    values[np.isinf(values)] = np.nan
    return values


def _at_k(values: np.ndarray, k: int) -> np.ndarray:
    """Expected best of k draws in each metric's own direction: (samples, m) -> (m,)."""
    largest = best_of_k(values, k)
    return np.where(_LARGER, largest, best_of_k(values, k, larger_is_better=False))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _text(label: str | int | tuple[int, float]) -> str:
    if not isinstance(label, tuple):
        return str(label)
    first, last = label
    return f"over {first - 1}" if math.isinf(last) else f"{first}–{last}"
