"""Summaries as short terminal tables (rich)."""

from collections.abc import Mapping

from rich.table import Table

from quasar.evaluation.published_rows import PUBLISHED_ROWS
from quasar.evaluation.summary import METRICS, Estimate, Summary, format_value

COMPARED = ("valid", "approximation_ratio", "optimum_probability", "reward")
_BESIDE = {  # (name, group) -> heading
    ("valid", "corrected"): "valid",
    ("approximation_ratio", "corrected"): "ratio",
    ("optimum_probability", "corrected"): "P(opt)",
    ("decoded_correct", "corrected"): "decoded",
    ("srev", "published"): "SREV",
    ("hqcr", "published"): "HQCR",
}
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


def rows_table(summary: Summary) -> Table:
    """The evaluation, its baselines and the published rows, one sample a problem; 80 columns."""
    table = Table(
        title="Beside it: pass@1, SREV and HQCR as published, rates in %",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("", no_wrap=True)
    for head in (*_BESIDE.values(), "struct."):
        table.add_column(head, justify="right", no_wrap=True)
    for label, row in {"this evaluation": summary, **summary.baselines}.items():
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


def _bare(value: float | None, name: str, group: str) -> str:
    return format_value(value, name, group=group).removesuffix(" %")


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
