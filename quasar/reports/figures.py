"""Figures of the reports: each says its finding in the title and carries axes with units.

Takes summaries; gives `Chart`s. What needs more than estimates of one metric is in
`context_figures`, training curves in `training_figures`.
"""

from collections.abc import Mapping

from matplotlib.ticker import MaxNLocator

from quasar.evaluation.summary import (
    FORMULA,
    GUESSING,
    MetricEstimate,
    Summary,
    axis_label,
    format_value,
    metric,
)
from quasar.reports.charts import INK, MUTED, SERIES, Chart, draw_dots, draw_line
from quasar.reports.context_figures import (
    bins_chart,
    gap_chart,
    hardware_chart,
    pareto_chart,
    random_chart,
    sweep_chart,
)
from quasar.reports.family_table import whole_rows

MIN_PROBLEMS_TO_TELL = 5  # of a size, before a title speaks of it


def evaluation_charts(name: str, summary: Summary) -> list[Chart]:
    """The figures of one evaluation, those without data left out. name: what was evaluated."""
    rows = whole_rows({name: summary, **summary.baselines})
    charts = [
        rows_chart(rows, "approximation_ratio", reference=summary.uniform_approximation_ratio),
        rows_chart(rows, "optimum_probability"),
        pareto_chart(rows, summary.device),
        pass_chart(summary),
        sweep_chart(name, summary),
        gap_chart(rows),
        random_chart(summary),
        breakdown_chart(summary),
        qubits_chart(summary),
        bins_chart(summary, "by_gates", "gates"),
        bins_chart(summary, "by_depth", "depth"),
        hardware_chart(summary),
        failure_chart(summary),
    ]
    return [chart for chart in charts if chart is not None]


def rows_chart(
    rows: Mapping[str, Summary],
    name: str,
    *,
    subject: str | None = None,
    reference: float | None = None,
) -> Chart | None:
    """Estimates of one metric, a row each, with intervals.

    subject: the row that the title is about, by default the first; reference: uniform sampling.
    """
    estimates = {row: summary.get(name) for row, summary in rows.items()}
    estimates = {row: e for row, e in estimates.items() if e.value is not None}
    if not estimates:
        return None
    subject = subject if subject in estimates else next(iter(estimates))

    def draw(axes):
        draw_dots(axes, estimates, highlight={subject})
        axes.set_xlabel(axis_label(name))
        if reference is not None:
            axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1)
            axes.annotate(
                "uniform sampling",
                (reference, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=MUTED,
                fontsize=8,
            )

    return Chart(
        name=f"rows_{name}",
        title=_rows_finding(estimates, name, subject),
        note="Mean over problems, one sample each; bars are 95 % bootstrap intervals.",
        height_inches=0.75 + 0.3 * len(estimates),
        draw=draw,
    )


def _rows_finding(estimates: Mapping[str, MetricEstimate], name: str, subject: str) -> str:
    """The subject's value, its change from a row "before …", and how it stands to the others."""
    own = estimates[subject]
    label = metric(name).label
    told = f"{subject}: {label} {format_value(own.value, name)}"
    before = next((row for row in estimates if row.startswith("before") and row != subject), None)
    if before is not None:
        told += f", from {format_value(estimates[before].value, name)} {before}"
    others = {row: e for row, e in estimates.items() if row not in (subject, before)}
    if not others:
        return told
    _, own_low, own_high = own.defined
    # Guessing and the formula are what an answer must beat; without these, the best other row.
    beside = [row for row in (GUESSING, FORMULA) if row in others]
    for other in beside or [max(others, key=lambda row: others[row].defined[0])]:
        _, other_low, other_high = others[other].defined
        if own_low > other_high:
            relation = "above"
        elif own_high < other_low:
            relation = "below"
        else:
            relation = "its interval overlaps that of"
        told += f"; {relation} {other} ({format_value(others[other].value, name)})"
    return told


def breakdown_chart(summary: Summary) -> Chart | None:
    """Approximation ratio by primitive."""
    estimates = {
        f"{key.replace('_', ' ')} ({values['valid'].num_problems})": values["approximation_ratio"]
        for key, values in summary.by_primitive.items()
        if values["approximation_ratio"].value is not None
    }
    if len(estimates) < 2:
        return None
    ordered = dict(sorted(estimates.items(), key=lambda item: -item[1].defined[0]))
    enough = [key for key, e in ordered.items() if e.num_problems >= MIN_PROBLEMS_TO_TELL]
    best, *_, worst = enough if len(enough) > 1 else ordered
    high, low = ordered[best], ordered[worst]

    def draw(axes):
        draw_dots(axes, ordered, highlight=ordered)
        axes.set_xlabel(axis_label("approximation_ratio"))

    return Chart(
        name="by_primitive",
        title=f"Best on {best.rsplit(' ', 1)[0]} ({high.value:.2f}), "
        f"weakest on {worst.rsplit(' ', 1)[0]} ({low.value:.2f})",
        note="Approximation ratio by primitive (number of problems); 95 % intervals.",
        height_inches=0.75 + 0.26 * len(ordered),
        draw=draw,
    )


def qubits_chart(summary: Summary) -> Chart | None:
    """Approximation ratio and valid share by number of qubits, where there are graph problems."""
    groups = {
        int(n): values
        for n, values in summary.by_qubits.items()
        if values["approximation_ratio"].value is not None
    }
    if len(groups) < 2:
        return None
    sizes = sorted(groups)
    ratios = [groups[n]["approximation_ratio"] for n in sizes]
    valid = [groups[n]["valid"].defined[0] for n in sizes]

    def draw(axes):
        axes.fill_between(sizes, [r.low for r in ratios], [r.high for r in ratios],
                          color=SERIES[0], alpha=0.2, linewidth=0)  # fmt: skip
        draw_line(axes, sizes, [r.value for r in ratios], 0, "approximation ratio")
        draw_line(axes, sizes, [v / 100 for v in valid], 1, "valid share")
        axes.set(xlabel="qubits", ylabel="ratio, share (0 to 1)", ylim=(0, 1.03))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower left", fontsize=8)

    return Chart(
        name="by_qubits",
        title=_size_finding(dict(zip(sizes, ratios, strict=True))),
        note="Mean over the problems of a size; the band is the 95 % interval.",
        height_inches=2.8,
        draw=draw,
    )


def _size_finding(ratios: Mapping[int, MetricEstimate]) -> str:
    """Smallest against largest size, of those with enough problems to tell."""
    told = {n: e for n, e in ratios.items() if e.num_problems >= MIN_PROBLEMS_TO_TELL}
    if len(told) < 2:
        return "Approximation ratio by size: too few problems of each to tell a trend"
    small, *_, large = told
    first, last = told[small], told[large]
    shown = f"{last.value:.2f} and {first.value:.2f}"
    (_, first_low, first_high), (_, last_low, last_high) = first.defined, last.defined
    if first_low > last_high:
        change = f"is lower at {large} qubits than at {small}"
    elif last_low > first_high:
        change = f"is higher at {large} qubits than at {small}"
    else:
        change = f"does not clearly differ between {small} and {large} qubits"
        shown = f"{first.value:.2f} and {last.value:.2f}"
    return f"The approximation ratio {change}: {shown}"


def pass_chart(summary: Summary) -> Chart | None:
    """Rates against the number of samples that may be drawn."""
    names = ("valid", "decoded_correct", "at_least_reference")
    curves = {n: summary.pass_curves[n] for n in names if len(summary.pass_curves.get(n, ())) > 1}
    if not curves:
        return None
    told = "decoded_correct" if "decoded_correct" in curves else next(iter(curves))
    curve = curves[told]
    ks = range(1, len(curve) + 1)

    def draw(axes):
        for i, (name, values) in enumerate(curves.items()):
            draw_line(axes, ks, values, i, metric(name).label)
        axes.set(xlabel="k, samples drawn a problem", ylabel="pass@k, %", ylim=(0, 103))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=8)

    return Chart(
        name="pass_at_k",
        title=f"{len(curve)} samples instead of one take '{metric(told).label}' "
        f"from {curve[0]:.0f} % to {curve[-1]:.0f} %",
        note="Unbiased pass@k: the share of problems where at least one of k samples succeeds.",
        height_inches=2.8,
        draw=draw,
    )


def failure_chart(summary: Summary) -> Chart | None:
    """Counts of the kinds of failure."""
    failures = dict(list(summary.failures.items())[:12])
    if not failures:
        return None
    total = sum(summary.failures.values())
    kind, count = next(iter(failures.items()))

    def draw(axes):
        names = [name.replace("_", " ") for name in failures]
        bars = axes.barh(names, list(failures.values()), color=SERIES[1], height=0.6)
        axes.bar_label(bars, padding=3, fontsize=8, color=INK)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.12)
        axes.set_xlabel("samples")

    return Chart(
        name="failures",
        title=f"{total} of {summary.num_samples} samples are not accepted; "
        f"{count} for '{kind.replace('_', ' ')}'",
        note="First fault the verifier found in each sample.",
        height_inches=0.75 + 0.26 * len(failures),
        draw=draw,
    )
