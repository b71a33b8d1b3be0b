"""Summaries as short terminal tables (rich)."""

from collections.abc import Collection, Mapping

from rich.table import Table

from quasar.evaluation.baseline_names import TRIVIAL
from quasar.evaluation.published_rows import PUBLISHED_ROWS
from quasar.evaluation.summary import (
    METRICS,
    YARDSTICKS,
    MetricEstimate,
    MetricGroup,
    Summary,
    format_value,
    metric,
)
from quasar.reports.family_table import whole_rows

COMPARED = ("valid", "approximation_ratio", "optimum_probability", "reward")
TABLED = ("valid", "approximation_ratio", "optimum_probability", "decoded_correct", "reward")
_BESIDE: dict[tuple[str, MetricGroup], str] = {  # (name, group) -> heading
    ("valid", "corrected"): "valid",
    ("approximation_ratio", "corrected"): "ratio",
    ("optimum_probability", "corrected"): "P(opt)",
    ("decoded_correct", "corrected"): "decoded",
    ("srev", "published"): "SREV",
    ("hqcr", "published"): "HQCR",
}
_HEADINGS = {
    "valid": "valid",
    "approximation_ratio": "approx. ratio",
    "optimum_probability": "P(optimum)",
    "decoded_correct": "decoded",
    "reward": "mean reward",
}


def compare_rows(
    rows: Mapping[str, Summary],
    *,
    title: str | None = None,
    subject: str | None = None,
    baselines: Collection[str] = (),
) -> Table:
    """A row a summary: valid share, approximation ratio, P(optimum), decoded, mean reward.

    The baselines, names of rows, come last; where one of them beats the row `subject`, the caption
    says so. Trivial answers that are not there for every problem are left out.
    """
    rows = whole_rows(rows)
    table = Table(
        title=title,
        title_justify="left",
        caption=beaten(rows, subject, baselines) if subject else None,
        caption_justify="left",
        caption_style="",
    )
    table.add_column("", no_wrap=True)
    for name in TABLED:
        table.add_column(_HEADINGS[name], justify="right")
    for names in ([n for n in rows if n not in baselines], [n for n in rows if n in baselines]):
        for label in names:
            values = (format_value(rows[label].get(n).value, n) for n in TABLED)
            table.add_row(label, *values)
        table.add_section()
    return table


def beaten(rows: Mapping[str, Summary], subject: str, others: Collection[str]) -> str | None:
    """Which of these rows are above the subject, in which means over problems; None where none is.

    A formula's circuits are always valid, so that validity is not counted.
    """
    told = []
    for label in (name for name in rows if name in others and name != subject):
        better = [
            f"{metric(name).label} ({format_value(other, name)} against {format_value(own, name)})"
            for name in TABLED[1:]
            if (own := rows[subject].get(name).value) is not None
            and (other := rows[label].get(name).value) is not None
            and other > own
        ]
        if better:
            told.append(f"{label} in {', '.join(better)}")
    return f"Better than {subject}: {'; '.join(told)}." if told else None


def rows_table(summary: Summary) -> Table:
    """The evaluation, its baselines and the published rows, one sample a problem; 80 columns."""
    rows = whole_rows({"this evaluation": summary, **summary.baselines})
    table = Table(
        title="Beside it: pass@1, SREV and HQCR as published, rates in %",
        title_justify="left",
        caption=beaten(rows, "this evaluation", (*YARDSTICKS, *TRIVIAL)),
        caption_justify="left",
        caption_style="",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("", no_wrap=True)
    for head in (*_BESIDE.values(), "struct."):
        table.add_column(head, justify="right", no_wrap=True)
    for label, row in rows.items():
        values = [_bare(row.get(key[0], group=key[1]).value, *key) for key in _BESIDE]
        structured = row.structured.get("pass@1")
        valid = structured["valid"].value if structured else None
        table.add_row(label, *values, _bare(valid, "valid", "corrected"))
    if summary.get("scr", group="published").value is not None:
        table.add_section()
        table.add_row("[bold]as published, all 580[/bold]")
        for label, row in PUBLISHED_ROWS.items():
            found = row["pass@1"]
            values = [_bare(found.get(name) if group == "published" else None, name, group)
                      for name, group in _BESIDE]  # fmt: skip
            table.add_row(f"  {label}", *values, "–")
    return table


def _bare(value: float | None, name: str, group: MetricGroup) -> str:
    return format_value(value, name, group=group).removesuffix(" %")


def summary_table(summary: Summary) -> Table:
    """All metrics of one evaluation, a column for each k and for the best of all, with 95 %
    intervals.
    """
    table = Table(
        title=f"{summary.num_problems} problems, {summary.num_samples} samples "
        "(mean over problems, 95 % interval)",
        title_justify="left",
    )
    table.add_column("metric", no_wrap=True)
    for at in summary.tables:
        table.add_column(at, justify="right", no_wrap=True)
    previous = None
    for m in METRICS:
        estimates = [summary.get(m.name, group=m.group, at=at) for at in summary.tables]
        if all(e.value is None for e in estimates):
            continue
        if m.group != previous:
            table.add_section()
            table.add_row(f"[bold]{m.group}[/bold]")
        previous = m.group
        texts = (format_estimate(e, m.name, group=m.group) for e in estimates)
        table.add_row(f"  {m.label}", *texts)
    return table


def format_estimate(
    estimate: MetricEstimate, name: str, *, group: MetricGroup = "corrected"
) -> str:
    """`value [low, high]`, or a dash."""
    if estimate.value is None:
        return "–"
    value, low, high = (
        format_value(v, name, group=group).removesuffix(" %")
        for v in (estimate.value, estimate.low, estimate.high)
    )
    unit = " %" if format_value(0.0, name, group=group).endswith("%") else ""
    return f"{value}{unit} [{low}, {high}]"
