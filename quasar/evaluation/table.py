"""Summaries as short terminal tables (rich)."""

from collections.abc import Mapping

from rich.table import Table

from quasar.evaluation.summary import METRICS, Estimate, Summary, format_value

COMPARED = ("valid", "approximation_ratio", "optimum_probability", "reward")
_HEADINGS = {
    "valid": "valid",
    "approximation_ratio": "approximation ratio",
    "optimum_probability": "P(optimum)",
    "reward": "mean reward",
}


def compare_rows(rows: Mapping[str, Summary], *, title: str | None = None) -> Table:
    """A row a summary: valid share, approximation ratio, P(optimum), mean reward."""
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in COMPARED:
        table.add_column(_HEADINGS[name], justify="right")
    for label, summary in rows.items():
        table.add_row(label, *(format_value(summary.get(n).value, n) for n in COMPARED))
    return table


def summary_table(summary: Summary) -> Table:
    """All metrics of one evaluation, a column for each k, with 95 % intervals."""
    ks = [int(name.removeprefix("pass@")) for name in summary.tables]
    table = Table(
        title=f"{summary.num_problems} problems, {summary.num_samples} samples "
        "(mean over problems, 95 % interval)",
        title_justify="left",
    )
    table.add_column("metric", no_wrap=True)
    for k in ks:
        table.add_column(f"pass@{k}", justify="right", no_wrap=True)
    previous = None
    for m in METRICS:
        estimates = [summary.get(m.name, group=m.group, k=k) for k in ks]
        if all(e.value is None for e in estimates):
            continue
        if m.group != previous:
            table.add_section()
            table.add_row(f"[bold]{m.group}[/bold]")
        previous = m.group
        texts = (format_estimate(e, m.name, group=m.group) for e in estimates)
        table.add_row(f"  {m.label}", *texts)
    return table


def format_estimate(estimate: Estimate, name: str, *, group: str = "corrected") -> str:
    """`value [low, high]`, or a dash."""
    if estimate.value is None:
        return "–"
    value, low, high = (
        format_value(v, name, group=group).removesuffix(" %")
        for v in (estimate.value, estimate.low, estimate.high)
    )
    unit = " %" if format_value(0.0, name, group=group).endswith("%") else ""
    return f"{value}{unit} [{low}, {high}]"
