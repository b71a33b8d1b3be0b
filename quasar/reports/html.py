"""Reports as one self-contained HTML file: no scripts, no network, figures inline.

`write_report` for one evaluation, `main_report` for a whole run (training curves, rows compared).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from quasar.config import QuasarConfig, to_commented_yaml
from quasar.datasets.io import write_text
from quasar.evaluation.baseline_names import TRIVIAL
from quasar.evaluation.summary import (
    METRICS,
    YARDSTICKS,
    MetricGroup,
    Summary,
    format_value,
    metric,
)
from quasar.evaluation.task_tables import SUCCESS
from quasar.reports.charts import Chart, write_figures
from quasar.reports.console import beaten, format_estimate
from quasar.reports.family_table import family_table, whole_rows
from quasar.reports.figures import evaluation_charts, rows_chart
from quasar.reports.tables import (
    breakdown_tables,
    hardware_table,
    published_table,
    tracks_table,
)
from quasar.reports.task_table import task_tables
from quasar.reports.training_figures import training_charts
from quasar.system.plain_text import strip_credentials
from quasar.system.run_paths import RunPaths

# Columns of the comparison of rows: (name, group).
_COMPARED: tuple[tuple[str, MetricGroup], ...] = (
    ("valid", "corrected"),
    ("approximation_ratio", "corrected"),
    ("feasible_approximation_ratio", "corrected"),
    ("optimum_probability", "corrected"),
    ("optimum_enrichment_bits", "corrected"),
    ("decoded_correct", "corrected"),
    ("reward", "corrected"),
    ("device_two_qubit_gates", "corrected"),
)


def write_report(
    path: Path, name: str, summary: Summary, *, config: QuasarConfig, figures: Path | None = None
) -> Path:
    """Write the report of one evaluation; the figures also as files in `figures`.

    name: what was evaluated, e.g. the generations' file name.
    """
    charts = evaluation_charts(name, summary)
    if figures is not None:
        write_figures(figures, charts)
    page = _render(
        title=f"Evaluation of {name}",
        lead=_lead(name, summary),
        charts=charts,
        rows={name: summary, **summary.baselines},
        subject=name,
        summary=summary,
        config=config,
    )
    write_text(path, page)
    return path


def main_report(
    output: Path,
    rows: Mapping[str, Summary],
    training_curves: Mapping[str, Sequence[Any]],
    config: QuasarConfig,
    *,
    subject: str | None = None,
    rollouts: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a run's report: how training went, and the rows (each stage, baselines) compared.

    output: the HTML file, or a directory that gets `report.html`; figures go to `figures/` beside
    it. training_curves: see `training_figures.training_charts`.
    subject: the row that titles and details are about; by default the last whose name starts with
    "after", else the first. rollouts: as `rollout_view.report_rollouts` gives them.
    """
    if not rows:
        raise ValueError("main_report: there are no rows")
    path = output if output.suffix == ".html" else RunPaths(output).report
    after = [name for name in rows if name.startswith("after")]
    subject = subject or (after or [*rows])[-1 if after else 0]
    uniform = rows[subject].uniform_approximation_ratio
    charts = training_charts(training_curves)
    whole = whole_rows(rows)
    compared = [
        rows_chart(whole, "reward", subject=subject),
        rows_chart(whole, "approximation_ratio", subject=subject, reference=uniform),
        rows_chart(whole, "optimum_probability", subject=subject),
    ]
    charts = [chart for chart in compared if chart is not None] + charts
    write_figures(RunPaths(path.parent).figures, charts)
    page = _render(
        title=f"Run {config.run.name}",
        lead=_run_lead(whole, subject),
        charts=charts,
        rows=rows,
        subject=subject,
        summary=rows[subject],
        config=config,
        rollouts=rollouts,
    )
    write_text(path, page)
    return path


def _render(
    *,
    title: str,
    lead: str,
    charts: Sequence[Chart],
    rows: Mapping[str, Summary],
    subject: str,
    summary: Summary,
    config: QuasarConfig,
    rollouts: Sequence[Mapping[str, Any]] = (),
) -> str:
    whole = whole_rows(rows)
    return render(
        "report.html.j2",
        title=title,
        lead=lead,
        charts=charts,
        comparison=_comparison(whole),
        families=family_table(rows),
        tasks=task_tables(rows),
        tracks=tracks_table(whole),
        as_published=published_table(whole),
        hardware=hardware_table(summary),
        subject=subject,
        metrics=_metric_rows(summary),
        ks=list(summary.tables),
        breakdowns=breakdown_tables(summary),
        failure_rows=[(k.replace("_", " "), [n]) for k, n in summary.failures.items()],
        summary=summary,
        rollouts=rollouts,
        config_text=strip_credentials(to_commented_yaml(config)),
    )


def render(template: str, *, charts: Sequence[Chart], **content: Any) -> str:
    """A page of this package's templates; all text is escaped, charts are drawn inline."""
    environment = Environment(
        loader=PackageLoader("quasar", "reports/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = [(chart, Markup(chart.inline_svg())) for chart in charts]  # our own SVG
    return environment.get_template(template).render(charts=drawn, **content)


def _lead(name: str, summary: Summary) -> str:
    rows = whole_rows({name: summary, **summary.baselines})
    told = beaten(rows, name, (*YARDSTICKS, *TRIVIAL))
    ratio = summary.get("approximation_ratio").value
    uniform = summary.uniform_approximation_ratio
    begin = (
        f"{summary.num_samples} circuits for {summary.num_problems} problems: "
        f"{format_value(summary.get('valid').value, 'valid')} are valid"
    )
    by_task = [
        f"{task.replace('_', ' ')} succeeds in "
        f"{format_value(table.tables['pass@1'][SUCCESS].value, 'valid')}"
        for task, table in summary.tasks.items()
    ]
    if by_task:
        return f"{begin}; {', '.join(by_task)}."
    return (
        f"{begin}, the mean approximation ratio (0 for "
        f"invalid ones) is {ratio:.3f} (uniform sampling: {uniform:.3f}), and an optimum is "
        f"measured with probability {summary.get('optimum_probability').value:.3f}."
        + (f" {told}" if told else "")
    )


def _run_lead(rows: Mapping[str, Summary], subject: str) -> str:
    parts = [
        f"{name}: {format_value(summary.get('valid').value, 'valid')} valid, approximation ratio "
        f"{format_value(summary.get('approximation_ratio').value, 'approximation_ratio')}"
        for name, summary in rows.items()
    ]
    stages = ("before", "after")
    told = beaten(rows, subject, [name for name in rows if not name.startswith(stages)])
    return "; ".join(parts) + "." + (f" {told}" if told else "")


def _comparison(rows: Mapping[str, Summary]) -> dict[str, Any]:
    shown = [
        m
        for m in (metric(name, group) for name, group in _COMPARED)
        if any(s.get(m.name, group=m.group).value is not None for s in rows.values())
    ]
    body = [
        (
            label,
            [
                format_value(s.get(m.name, group=m.group).value, m.name, group=m.group)
                for m in shown
            ],
        )
        for label, s in rows.items()
    ]
    heads = [f"{m.label} (published)" if m.group == "published" else m.label for m in shown]
    return {"heads": heads, "body": body}


def _metric_rows(summary: Summary) -> list[dict[str, Any]]:
    """Every metric with its meaning and its estimate at each k and for the best of all."""
    rows = []
    for m in (m for m in METRICS if m.group != "context"):
        estimates = [summary.get(m.name, group=m.group, at=at) for at in summary.tables]
        if any(e.value is not None for e in estimates):
            cells = [format_estimate(e, m.name, group=m.group) for e in estimates]
            rows.append({"metric": m, "cells": cells})
    return rows
