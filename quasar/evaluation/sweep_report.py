"""What a sweep found: a table of its trials, and which of them no other beats.

Takes trials (`quasar.learning.sweep`); writes `trials.csv` and `pareto.svg`, and gives the table
for the terminal. A trial is on the Pareto front where no other one is at least as good in both
measures and better in one.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from quasar.evaluation.charts import INK, MUTED, SERIES, Chart
from quasar.learning.sweep import SHOWN, Trial

HEADINGS = ("valid", "AR", "P(optimum)", "reward")  # of SHOWN, in the terminal
MEASURES = ("optimum_probability", "approximation_ratio")  # x and y of the figure


def pareto_front(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that no other dominates in MEASURES, both to be large; failed ones never."""
    judged = [trial for trial in trials if all(name in trial.metrics for name in MEASURES)]
    return [t for t in judged if not any(_dominates(other, t) for other in judged)]


def _dominates(first: Trial, second: Trial) -> bool:
    gaps = [first.metrics[name] - second.metrics[name] for name in MEASURES]
    return min(gaps) >= 0.0 and max(gaps) > 0.0


def sweep_table(trials: Sequence[Trial]) -> Table:
    """One row a trial, best approximation ratio first: mean of the last steps ± standard error."""
    table = Table(
        title="trials: means of the last steps ± standard error, AR the approximation ratio",
        box=SIMPLE_HEAD,
        padding=0,
        collapse_padding=True,
    )
    for heading in ("trial", "seed", "steps", *HEADINGS, "best"):
        is_name = heading == "trial"
        # In a narrow terminal the name is folded, and no figure is cut.
        justify = "left" if is_name else "right"
        width = 14 if is_name else None
        table.add_column(
            heading, justify=justify, no_wrap=not is_name, overflow="fold", min_width=width
        )
    front = pareto_front(trials)
    for trial in sorted(trials, key=lambda t: -t.metrics.get(MEASURES[1], -1.0)):
        cells = [
            f"{trial.metrics[name]:.3f}±{trial.errors[name]:.3f}" if name in trial.metrics else ""
            for name in SHOWN
        ]
        name = trial.name if trial.failure is None else f"{trial.name} (failed: {trial.failure})"
        seed = str(trial.values.get("run.seed", ""))
        table.add_row(name, seed, str(trial.steps), *cells, "*" if trial in front else "")
    return table


def pareto_chart(trials: Sequence[Trial]) -> Chart:
    """Both measures of each trial, with the front."""
    front = sorted(pareto_front(trials), key=lambda t: t.metrics[MEASURES[0]])
    judged = [trial for trial in trials if all(name in trial.metrics for name in MEASURES)]

    def draw(axes):
        for trial in judged:
            best = trial in front
            x, y = (trial.metrics[name] for name in MEASURES)
            axes.errorbar(
                x,
                y,
                xerr=trial.errors[MEASURES[0]],
                yerr=trial.errors[MEASURES[1]],
                marker="o",
                color=SERIES[0] if best else MUTED,
                linewidth=0.8,
            )
            axes.annotate(
                trial.name, (x, y), (4, 4), textcoords="offset points", fontsize=7, color=INK
            )
        points = [[t.metrics[name] for t in front] for name in MEASURES]
        axes.step(*points, where="post", color=SERIES[0], linewidth=1.0)
        axes.set_xlabel("probability of an optimum")
        axes.set_ylabel("approximation ratio")

    names = ", ".join(dict.fromkeys(trial.name for trial in front))
    return Chart(
        name="pareto",
        title=f"No trial beats {names} in both measures",
        note="Means of the last steps of each trial with standard errors; the line is the front.",
        height_inches=3.6,
        draw=draw,
    )


def write_sweep(trials: Sequence[Trial], directory: Path) -> list[Path]:
    """trials.csv and pareto.svg in `directory`; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = [directory / "trials.csv"]
    paths = sorted({path for trial in trials for path in trial.values})
    measures = [f"{name}{suffix}" for name in SHOWN for suffix in ("", "_error")]
    front = pareto_front(trials)
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
                    "pareto": trial in front,
                    "failure": trial.failure or "",
                }
            )
    if front:
        written.append(directory / "pareto.svg")
        written[1].write_text(pareto_chart(trials).svg())
    return written
