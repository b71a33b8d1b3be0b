"""A `Comparison` as terminal table and as one self-contained HTML page."""

from pathlib import Path
from typing import Any

from rich.table import Table

from quasar.datasets.io import write_text
from quasar.evaluation.compare import LEVEL, RESAMPLES, Comparison, Difference
from quasar.evaluation.summary import Metric, axis_label, format_value
from quasar.reports.charts import MUTED, SERIES, Chart
from quasar.reports.html import render

_DRAWN = ("approximation_ratio", "optimum_probability", "decoded_correct")


def comparison_tables(comparison: Comparison) -> list[Table]:
    """One table for each evaluation but the first and each k."""
    return [_table(comparison, *key) for key in comparison.differences]


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write the page. Raises InputError where the place cannot be written."""
    first, *others = comparison.names
    sections = [
        {
            "title": f"{name}, pass@{k}",
            "heads": [first, name, "difference", "95 % interval", "p", "adjusted p", "problems"],
            "body": [(_label(m), _cells(m, d)) for m, d in found.items()],
        }
        for (name, k), found in comparison.differences.items()
    ]
    page = render(
        "compare.html.j2",
        title=f"{', '.join(others)} compared with {first}",
        lead=_lead(comparison),
        sections=sections,
        level=LEVEL,
        resamples=RESAMPLES,
        charts=[c for c in (_chart(comparison, name) for name in _DRAWN) if c is not None],
    )
    write_text(path, page)


def _table(comparison: Comparison, name: str, k: int) -> Table:
    first = comparison.names[0]
    table = Table(
        title=f"pass@{k}: this is {name}, first is {first} ({comparison.num_problems} problems)",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    # Short headings stay whole at 80 columns, whatever the directories are called: the title says
    # which is which.
    table.add_column("metric", overflow="fold")
    for head in ("first", "this", "difference", "95 % interval", "adj. p"):
        table.add_column(head, justify="right", no_wrap=True)
    for m, d in comparison.differences[name, k].items():
        cells = _cells(m, d)
        shown = (*cells[:4], cells[5])  # neither the raw p nor the number of problems
        table.add_row(_label(m), *shown, style="bold" if d.is_significant else "")
    return table


def _cells(m: Metric, d: Difference) -> list[str]:
    def text(value: float) -> str:
        return format_value(value, m.name, group=m.group)

    def signed(value: float) -> str:
        """A difference of rates is in percent points."""
        shown = text(value).replace(" %", "")
        return shown if shown.startswith("-") else f"+{shown}"

    mark = "*" if d.is_significant else ""
    return [
        text(d.first),
        text(d.value),
        signed(d.difference),
        f"[{signed(d.low)}, {signed(d.high)}]",
        f"{d.p:.4f}",
        f"{d.adjusted:.4f}{mark}",
        str(d.num_problems),
    ]


def _label(m: Metric) -> str:
    return f"{m.label} (published)" if m.group == "published" else m.label


def _lead(comparison: Comparison) -> str:
    told = []
    for (name, k), found in comparison.differences.items():
        better = sum(d.is_significant and _is_better(m, d) for m, d in found.items())
        worse = sum(d.is_significant and not _is_better(m, d) for m, d in found.items())
        told.append(
            f"{name} at pass@{k}: better in {better} and worse in {worse} of {len(found)} metrics"
        )
    return f"On the {comparison.num_problems} problems that all have. " + "; ".join(told) + "."


def _is_better(m: Metric, d: Difference) -> bool:
    return (d.difference > 0) == m.larger_is_better


def _chart(comparison: Comparison, name: str) -> Chart | None:
    """The difference in one metric, a row for each evaluation and k."""
    found: dict[str, Difference] = {
        f"{other}, pass@{k}": d
        for (other, k), differences in comparison.differences.items()
        for m, d in differences.items()
        if (m.name, m.group) == (name, "corrected")
    }
    if not found:
        return None
    row, told = next(iter(found.items()))
    label = axis_label(name)
    shown = label.split(",")[0]
    verb = "does not clearly differ from"
    if told.is_significant:
        verb = "is higher than" if told.difference > 0 else "is lower than"
    first = comparison.names[0]

    def draw(axes: Any) -> None:
        axes.axvline(0, color=MUTED, linewidth=1, linestyle="--")
        for i, d in enumerate(found.values()):
            colour = SERIES[0] if d.is_significant else MUTED
            axes.plot([d.low, d.high], [i, i], color=colour, linewidth=2)
            axes.plot(d.difference, i, "o", color=colour, markersize=6)
        axes.set_yticks(range(len(found)), list(found))
        axes.invert_yaxis()
        axes.margins(y=0.3)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"{label.replace(', %', ', percent points')}, less that of {first}")

    return Chart(
        name=f"compare_{name}",
        title=f"{shown[0].upper()}{shown[1:]} of {row} {verb} that of {first}: "
        f"{told.difference:+.3g}, adjusted p {told.adjusted:.3f}",
        note="Paired differences over problems with 95 % intervals; blue: significant.",
        height_inches=0.9 + 0.35 * len(found),
        draw=draw,
    )
