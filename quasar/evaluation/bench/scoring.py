"""Figures of answers to the problems of a set, with their intervals.

Everything is measured by the verifier that training has, under one configuration that no setting
changes: figures of one set are comparable whoever made them. Per problem a figure is the mean over
its samples; a figure of the set is the mean over its problems with a 95 % bootstrap interval. An
answer that is not valid has the worst value of each figure; a verification that failed itself
grades nobody and is counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quasar.config import QuasarConfig, load_config
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record
from quasar.evaluation.bench.sets import PUBLISHED, ProblemSet
from quasar.evaluation.grade import Job, grade_all
from quasar.evaluation.metrics import best_of_k, bootstrap_intervals
from quasar.evaluation.rows import Row
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.verification.report import Failed
from quasar.verification.request import TaskRequest, VerificationClient
from quasar.verification.reward import score

# Of graph problems: figure -> column of an evaluation's row.
_GRAPH = {
    "valid": "valid",
    "success": "optimum_most_probable",
    "reward": "reward",
    "approximation_ratio": "approximation_ratio",
    "optimum_probability": "optimum_probability",
    "in_family": "in_family",
}
_AS_PUBLISHED = {name: f"published_{name}" for name in ("scr", "re", "srev", "hqcr")}
_PERCENT = ("scr", "srev", "hqcr")  # of these, as the published table has them
_FAILED = "failed"  # whether the verification failed itself


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over problems with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    num_problems: int


@dataclass(frozen=True, slots=True)
class Score:
    """All figures of one row of a set, and how many answers they rest on."""

    figures: Mapping[str, Figure]
    num_problems: int
    num_answers: int
    num_failed: int


def scoring_config() -> QuasarConfig:
    """What everybody is measured with."""
    return load_config(
        "published", ["evaluation.device=none", "evaluation.random_draws=0", "run.seed=0"]
    )


def score_answers(
    problems: ProblemSet, answers: Sequence[Sequence[str]], *, client: VerificationClient
) -> Score:
    """Figures of the answers to each problem, in the order of the set; problems without an answer
    are left out.

    client: of verifiers with the configuration of `scoring_config`.
    """
    published = problems.name.startswith(f"{PUBLISHED}-")
    asked = [(r, tuple(t)) for r, t in zip(problems.records, answers, strict=True) if t]
    rows = list(_measured(asked, published, client))
    num_failed = sum(sample[_FAILED] for samples in rows for sample in samples)
    per_problem = [_problem_figures(samples) for samples in rows]
    names = list(dict.fromkeys(name for found in per_problem for name in found))
    values = np.array([[found.get(name, np.nan) for name in names] for found in per_problem])
    return Score(
        figures=_estimates(values, names) if asked else {},
        num_problems=len(asked),
        num_answers=sum(len(texts) for _, texts in asked),
        num_failed=int(num_failed),
    )


def _estimates(values: np.ndarray, names: Sequence[str]) -> dict[str, Figure]:
    low, high = bootstrap_intervals(values)
    found = {}
    for column, name in enumerate(names):
        defined = values[:, column][~np.isnan(values[:, column])]
        scale = 100.0 if name in _PERCENT else 1.0
        if not defined.size:
            found[name] = Figure(None, None, None, 0)
            continue
        value, least, most = (
            float(scale * edge) for edge in (defined.mean(), low[column], high[column])
        )
        found[name] = Figure(value, least, most, defined.size)
    return found


def _problem_figures(samples: Sequence[Row]) -> dict[str, float]:
    """Means over the samples; of several, also the best of them all in what counts as success."""
    names = [name for name in samples[0] if name != _FAILED]
    columns = {
        name: np.array([np.nan if s[name] is None else float(s[name]) for s in samples])
        for name in names
    }
    means = {name: _mean(column) for name, column in columns.items()}
    if len(samples) > 1:
        best = best_of_k(columns["success"][:, None], len(samples))
        means[f"success@{len(samples)}"] = float(best[0])
    return means


def _mean(column: np.ndarray) -> float:
    finite = column[np.isfinite(column)]  # the published divergence may be infinite
    return float(finite.mean()) if finite.size else float("nan")


def _measured(
    asked: Sequence[tuple[Record, tuple[str, ...]]],
    published: bool,
    client: VerificationClient,
) -> Iterator[list[Row]]:
    """A row of figures for each answer of each problem."""
    graphs = [(r, texts) for r, texts in asked if isinstance(r, ProblemRecord)]
    if len(graphs) == len(asked):
        yield from _measured_graphs(graphs, published, client)
        return
    reward = scoring_config().reward
    for record, texts in asked:
        assert isinstance(record.problem, TaskInstance)
        requests = [TaskRequest(record.problem, text, clock="processor") for text in texts]
        parts = get_task(record.problem.task).parts
        yield [
            {"valid": None, "success": None, "reward": None, **dict.fromkeys(parts), _FAILED: True}
            if isinstance(report, Failed) or report.task is None
            else {
                "valid": report.valid,
                "success": report.task.success,
                "reward": score(report, reward).value,
                **report.task.parts,
                _FAILED: False,
            }
            for report in client.verify(requests)
        ]


def _measured_graphs(
    asked: Sequence[tuple[ProblemRecord, tuple[str, ...]]],
    published: bool,
    client: VerificationClient,
) -> Iterator[list[Row]]:
    columns = {**_GRAPH, **(_AS_PUBLISHED if published else {})}
    jobs = (
        Job(r.problem, texts, family=r.ansatz, layers=r.n_layers, index=r.sample_index)
        for r, texts in asked
    )
    for graded in grade_all(jobs, client=client, config=scoring_config()):
        yield [_figures(row, columns) for row in graded.rows]


def _figures(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: row[column] for name, column in columns.items()}
    return {**found, _FAILED: found["valid"] is None}
