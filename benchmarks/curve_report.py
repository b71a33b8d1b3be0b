"""What a learning curve says: table, fit and figure of `learning_curve.py`.

Reads the runs' logs and evaluations; the error of a point is what is missing to the bound: the
solver's ratio on QAOA problems, 1 on others. log error is linear in log tokens as far as a power
law holds; intervals are of a bootstrap over the problems, the same draws for all points.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from quasar.datasets.io import read_problems
from quasar.evaluation.baseline_names import (
    CONSTANT_ANGLES,
    OTHER,
    QAOA,
    REFERENCES,
    group_of,
)
from quasar.evaluation.summary import metric, read_summary
from quasar.reports.charts import MUTED, Chart, draw_line
from quasar.training.state import StepLog

RATIO, OPTIMUM = "approximation_ratio", "optimum_most_probable"
_DRAWS = 2000
_LAST = 0.1  # share of a branch's steps whose mean loss is the point's
_HOURS = 10


@dataclass
class Point:
    """A finished training of one length."""

    size: str
    steps: int
    tokens: float  # of answers, trained on
    read: float  # with prompts
    loss: float
    found: dict[str, Path] = field(default_factory=dict)  # what was measured -> its directory


def points_of(place: Path) -> list[Point]:
    """All that were trained, by size and length."""
    points = []
    for run in sorted(p.parent for p in place.glob("*/points")):
        trunk = StepLog.read(run / "trunk.jsonl")
        for end in sorted((run / "points").glob("step-??????")):
            steps = int(end.name.removeprefix("step-"))
            branch = StepLog.read(run / f"point-{steps}.jsonl")
            path = [r for r in trunk if r["step"] < branch[0]["step"]] + branch
            last = branch[-max(1, round(_LAST * len(branch) / 0.2)) :]
            measured = run / "measured" / end.name
            points.append(
                Point(
                    run.name,
                    steps,
                    sum(r["trained_tokens"] for r in path),
                    sum(r["read_tokens"] for r in path),
                    float(np.mean([r["loss"] for r in last])),
                    {p.parent.name: p.parent for p in sorted(measured.glob("*/summary.json"))},
                )
            )
    return points


def values(directory: Path, problems: Path, group: str, name: str) -> dict[int, float]:
    """By sample_index, one answer each: 0 where it is not of the family that was asked for."""
    groups = {r.sample_index: group_of(r.ansatz) for r in read_problems(problems)}
    columns = ["sample_index", metric(name).column, metric("in_family", "context").column]
    table = pq.read_table(directory / "per_sample.parquet", columns=columns).to_pylist()
    return {
        row["sample_index"]: float(row[columns[1]] or 0.0) if row[columns[2]] else 0.0
        for row in table
        if groups[row["sample_index"]] == group
    }


def fit(tokens: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """(log a, b) of error = a·tokens^−b, least squares of the logarithms."""
    slope, offset = np.polyfit(np.log(tokens), np.log(np.maximum(errors, 1e-6)), 1)
    return float(offset), float(-slope)


def foreseen(
    points: Sequence[Point], where: str, problems: Path, group: str, further: float, bound: float
) -> dict[str, Any] | None:
    """The ratio after so many further tokens beyond the longest point, with its interval. bound:
    the highest ratio that there is.
    """
    points = [p for p in points if where in p.found]
    if len(points) < 3:
        return None
    each = [values(p.found[where], problems, group, RATIO) for p in points]
    indices = sorted(each[0])
    ratios = np.array([[of[i] for i in indices] for of in each])  # (points, problems)
    tokens = [p.tokens for p in points]
    later = tokens[-1] + further
    rng, drawn = np.random.default_rng(0), []
    for _ in range(_DRAWS):
        chosen = rng.integers(0, len(indices), len(indices))
        offset, power = fit(tokens, bound - ratios[:, chosen].mean(axis=1))
        drawn.append((power, bound - np.exp(offset) * later**-power))
    powers, ends = np.array(drawn).T
    return {
        "power": [round(float(np.quantile(powers, q)), 3) for q in (0.025, 0.5, 0.975)],
        "ratio": [round(float(np.quantile(ends, q)), 4) for q in (0.025, 0.5, 0.975)],
        "bound": round(bound, 4),
        "last": round(float(ratios[-1].mean()), 4),
    }


def tokens_per_s(place: Path, size: str) -> float:
    """What the size trains on while it is least disturbed: the fastest tenth of its steps."""
    rows = StepLog.read(place / size / "trunk.jsonl")
    return float(np.quantile([r["tokens_per_s"] for r in rows], 0.9))


def report(place: Path, problems: dict[str, Path], figure: Path | None) -> None:
    """problems: the file of each set that was measured, by the beginning of its name."""
    points = points_of(place)
    print_table(points)
    for size in dict.fromkeys(p.size for p in points):
        rate = tokens_per_s(place, size)
        own = [p for p in points if p.size == size]
        millions = rate * 3.6e-3 * _HOURS
        print(f"{size}: {rate:.0f} answer tokens/s at best, {_HOURS} h: {millions:.0f} M")
        for where in dict.fromkeys(name for p in own for name in p.found):
            file = problems[where.rpartition("-")[0]]
            for group in (QAOA, OTHER):
                if group == QAOA and not where.startswith("held-out"):
                    continue  # its references are not the solver's
                solved = beside(points, where.rpartition("-")[0], REFERENCES)
                bound = 1.0 if group == OTHER or solved is None else solved
                found = foreseen(own, where, file, group, rate * 3600 * _HOURS, bound)
                print(f"  {where}, {group}: {json.dumps(found)}")
    if figure is not None:
        chart = curve_chart(points, problems)
        figure.write_text(chart.svg(), "utf-8")


def print_table(points: Sequence[Point]) -> None:
    """All points and what stands beside them."""
    table = Table(title="one answer a problem, structured track")
    heads = ("size", "steps", "M tokens", "loss", "measured", "QAOA: ratio", "other: ratio",
             "other: optimum, %", "valid, %")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="right")
    told: set[str] = set()
    for p in points:
        for where, directory in p.found.items():
            summary = read_summary(directory / "summary.json")
            table.add_row(p.size, str(p.steps), f"{p.tokens / 1e6:.2f}", f"{p.loss:.3f}", where,
                          *_cells(summary.by_family))  # fmt: skip
            file = where.rpartition("-")[0]
            if file not in told and summary.baselines:
                told.add(file)
                for name, row in summary.baselines.items():
                    table.add_row(name, "", "", "", file, *_cells(row.by_family))
    Console(width=140).print(table)


def _cells(by_family: Any) -> list[str]:
    def shown(group: str, name: str) -> str:
        found = by_family.get(group)
        value = None if found is None else found[name].value
        return "–" if value is None else f"{value:.3f}" if name == RATIO else f"{value:.0f}"

    valid = [shown(group, "valid") for group in (QAOA, OTHER)]
    return [shown(QAOA, RATIO), shown(OTHER, RATIO), shown(OTHER, OPTIMUM), "/".join(valid)]


# What is drawn: group of families, and whether under the grammar.
_DRAWN = ((QAOA, "held-out-grammar"), (OTHER, "held-out-free"))


def curve_chart(points: Sequence[Point], problems: dict[str, Path]) -> Chart:
    """Ratio on held-out problems against tokens: QAOA under the grammar, whose answers without it
    come later, and the other families without it, whose answers with it are right from the start.
    """
    sizes = list(dict.fromkeys(p.size for p in points))
    curves: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for group, where in _DRAWN:
        for size in sizes:
            own = [p for p in points if p.size == size and where in p.found]
            file = problems[where.rpartition("-")[0]]
            found = [[*values(p.found[where], file, group, RATIO).values()] for p in own]
            means = [float(np.mean(ratios)) for ratios in found]
            curves[size, group] = ([p.tokens / 1e6 for p in own], means)
    constant = beside(points, "held-out", CONSTANT_ANGLES)

    def draw(axes: Any) -> None:
        for number, ((size, group), (x, y)) in enumerate(curves.items()):
            how = "under the grammar" if group == QAOA else "free"
            draw_line(axes, x, y, number, f"{size}: {group}, {how}")
        if constant is not None:
            axes.axhline(constant, color=MUTED, linewidth=1, linestyle="--")
            axes.annotate("constant angles", (0.02, constant), xycoords=("axes fraction", "data"),
                          va="bottom", fontsize=8, color=MUTED)  # fmt: skip
        axes.set_xscale("log")
        ticks = sorted({round(p.tokens / 1e6, 2) for p in points})
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("answer tokens trained on, millions")
        axes.set_ylabel("approximation ratio, invalid = 0")
        axes.set_ylim(0, 1)
        axes.legend(fontsize=8, loc="center left")

    return Chart("learning_curve", title_of(curves, constant), "", 3.0, draw)


def beside(points: Sequence[Point], file: str, row: str) -> float | None:
    """The mean ratio of a row on QAOA problems of a file."""
    for point in points:
        for name, directory in point.found.items():
            rows = read_summary(directory / "summary.json").baselines
            if name.startswith(file) and row in rows:
                return rows[row].by_family[QAOA][RATIO].value
    return None


def title_of(
    curves: dict[tuple[str, str], tuple[list[float], list[float]]], constant: float | None
) -> str:
    """What the curves say at the longest point of each."""
    told = []
    for (size, group), (x, y) in curves.items():
        if group == QAOA and x:
            told.append(f"{size} {y[-1]:.3f} after {x[-1]:.2f} M tokens")
    against = "" if constant is None else f" (constant angles {constant:.3f})"
    free = max(y[-1] for (_, group), (x, y) in curves.items() if group == OTHER and x)
    return f"QAOA under the grammar: {', '.join(told)}{against}; written freely at most {free:.2f}"
