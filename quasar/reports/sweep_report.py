"""What a sweep found: a table of its points, and which of them no other beats.

Takes trials (`quasar.training.sweep`); writes `trials.csv`, one row a trial, and `pareto.svg`, and
gives the table for the terminal. Trials that differ in their seed alone are one point. A point is
on the Pareto front where no other one is at least as good in both measures and better in one.
"""

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from quasar.reports.charts import INK, MUTED, SERIES, Chart
from quasar.training.sweep import SHOWN, Trial

HEADINGS = ("valid", "AR", "P(optimum)", "reward")  # of SHOWN, in the terminal
MEASURES = ("optimum_probability", "approximation_ratio")  # x and y of the figure
SEED = "run.seed"  # trials that differ in it alone are repetitions


@dataclass(frozen=True, slots=True)
class Point:
    """Trials of the same values with different seeds.

    metrics: means over the seeds; errors: standard errors of these, or with one seed of its last
    steps; gains: differences to the first point of the sweep, seed by seed, as (mean, standard
    error), of those seeds that both have.
    """

    name: str
    trials: tuple[Trial, ...]
    metrics: Mapping[str, float]
    errors: Mapping[str, float]
    gains: Mapping[str, tuple[float, float]]

    @property
    def title(self) -> str:
        """The name, with why trials failed."""
        failures = [trial.failure for trial in self.trials if trial.failure]
        if not failures:
            return self.name
        return f"{self.name} ({len(failures)} of {len(self.trials)} failed: {failures[0]})"


def points_of(trials: Sequence[Trial]) -> list[Point]:
    """The points of a sweep, in order. Failed trials are kept and not counted in."""
    groups: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        values = sorted((k, v) for k, v in trial.values.items() if k != SEED)
        groups[f"{trial.name} {values}"].append(trial)
    return [_point(group, next(iter(groups.values()))) for group in groups.values()]


def _point(trials: Sequence[Trial], first: Sequence[Trial]) -> Point:
    judged = [trial for trial in trials if not trial.failure]
    metrics, errors, gains = {}, {}, {}
    for name in SHOWN:
        found = [trial for trial in judged if name in trial.metrics]
        if not found:
            continue
        metrics[name], errors[name] = _mean([trial.metrics[name] for trial in found])
        if len(found) == 1:
            errors[name] = found[0].errors[name]
        base = {t.values.get(SEED): t.metrics[name] for t in first if name in t.metrics}
        paired = [
            trial.metrics[name] - base[trial.values.get(SEED)]
            for trial in found
            if trial.values.get(SEED) in base
        ]
        if trials is not first and len(paired) > 1:
            gains[name] = _mean(paired)
    return Point(trials[0].name, tuple(trials), metrics, errors, gains)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; the error of a single value is given as 0."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.mean(values), spread / math.sqrt(len(values))


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Points that no other dominates in MEASURES, both to be large; failed ones never."""
    judged = [point for point in points if all(name in point.metrics for name in MEASURES)]
    return [p for p in judged if not any(_dominates(other, p) for other in judged)]


def _dominates(first: Point, second: Point) -> bool:
    gaps = [first.metrics[name] - second.metrics[name] for name in MEASURES]
    return min(gaps) >= 0.0 and max(gaps) > 0.0


def sweep_table(points: Sequence[Point]) -> Table:
    """One row a point, best approximation ratio first: mean ± standard error."""
    several = any(len(point.trials) > 1 for point in points)
    over = "seeds" if several else "the last steps"
    table = _table(f"means over {over} ± standard error, AR the approximation ratio")
    for heading in ("point", "seeds" if several else "seed", "steps", *HEADINGS, "best"):
        _add_column(table, heading)
    front = pareto_front(points)
    for point in sorted(points, key=lambda p: -p.metrics.get(MEASURES[1], -1.0)):
        cells = [
            f"{point.metrics[name]:.3f}±{point.errors[name]:.3f}" if name in point.metrics else ""
            for name in SHOWN
        ]
        seeds = len(point.trials) if several else point.trials[0].values.get(SEED, "")
        steps = "–".join(str(n) for n in sorted({trial.steps for trial in point.trials}))
        best = "*" if point in front else ""
        table.add_row(point.title, str(seeds), steps, *cells, best)
    return table


def gains_table(points: Sequence[Point]) -> Table | None:
    """Each point less the first one, seed by seed; None where no two seeds can be compared.

    A difference of more than two standard errors is marked by its sign.
    """
    compared = [point for point in points if point.gains]
    if not compared:
        return None
    table = _table(f"less {points[0].name}, seed by seed; + or − beyond two standard errors")
    for heading in ("point", *HEADINGS):
        _add_column(table, heading)
    for point in compared:
        table.add_row(point.name, *(_gain(point.gains.get(name)) for name in SHOWN))
    return table


def _gain(gain: tuple[float, float] | None) -> str:
    if gain is None:
        return ""
    mean, error = gain
    sign = " " if abs(mean) <= 2.0 * error or mean == 0.0 else "+" if mean > 0.0 else "−"
    return f"{mean:+.3f}±{error:.3f} {sign}"


def _table(title: str) -> Table:
    return Table(title=title, box=SIMPLE_HEAD, padding=0, collapse_padding=True)


def _add_column(table: Table, heading: str) -> None:
    is_name = heading == "point"
    # In a narrow terminal the name is folded, and no figure is cut.
    table.add_column(
        heading,
        justify="left" if is_name else "right",
        no_wrap=not is_name,
        overflow="fold",
        min_width=14 if is_name else None,
    )


def pareto_chart(points: Sequence[Point]) -> Chart:
    """Both measures of each point, with the front."""
    front = sorted(pareto_front(points), key=lambda p: p.metrics[MEASURES[0]])
    judged = [point for point in points if all(name in point.metrics for name in MEASURES)]

    def draw(axes):
        for point in judged:
            best = point in front
            x, y = (point.metrics[name] for name in MEASURES)
            axes.errorbar(
                x,
                y,
                xerr=point.errors[MEASURES[0]],
                yerr=point.errors[MEASURES[1]],
                marker="o",
                color=SERIES[0] if best else MUTED,
                linewidth=0.8,
            )
            axes.annotate(
                point.name, (x, y), (4, 4), textcoords="offset points", fontsize=7, color=INK
            )
        line = [[p.metrics[name] for p in front] for name in MEASURES]
        axes.step(*line, where="post", color=SERIES[0], linewidth=1.0)
        axes.set_xlabel("probability of an optimum")
        axes.set_ylabel("approximation ratio")

    names = ", ".join(dict.fromkeys(point.name for point in front))
    return Chart(
        name="pareto",
        title=f"No point beats {names} in both measures",
        note="Means over seeds or the last steps, with standard errors; the line is the front.",
        height_inches=3.6,
        draw=draw,
    )


def write_sweep(trials: Sequence[Trial], directory: Path) -> list[Path]:
    """trials.csv and pareto.svg in `directory`; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = [directory / "trials.csv"]
    paths = sorted({path for trial in trials for path in trial.values})
    measures = [f"{name}{suffix}" for name in SHOWN for suffix in ("", "_error")]
    points = points_of(trials)
    best = {id(trial) for point in pareto_front(points) for trial in point.trials}
    with open(written[0], "w", newline="") as file:
        writer = csv.DictWriter(
            file, ["trial", *paths, "steps", *measures, "pareto", "failure"], restval=""
        )
        writer.writeheader()
        for trial in trials:
            writer.writerow(
                {
                    "trial": trial.name,
                    **trial.values,
                    "steps": trial.steps,
                    **trial.metrics,
                    **{f"{name}_error": value for name, value in trial.errors.items()},
                    "pareto": id(trial) in best,
                    "failure": trial.failure or "",
                }
            )
    if best:
        written.append(directory / "pareto.svg")
        written[1].write_text(pareto_chart(points).svg())
    return written
