"""Figures that put one evaluation beside its context: cost, cuts, random angles, sizes, noise.

Takes summaries; gives `Chart`s, None where there are no data.
"""

from collections.abc import Mapping

from quasar.evaluation.hardware import SIDES
from quasar.evaluation.summary import GUESSING, MetricEstimate, Summary, axis_label
from quasar.reports.charts import INK, MARKERS, MUTED, SERIES, Chart, draw_dots, draw_line

_UNIFORM = GUESSING


def pareto_chart(rows: Mapping[str, Summary], device: str | None) -> Chart | None:
    """Approximation ratio against two-qubit gates on the device, a point a row."""
    points = {
        name: (gates, s.get("approximation_ratio").defined)
        for name, s in rows.items()
        if (gates := s.get("device_two_qubit_gates").value) is not None
    }
    if device is None or len(points) < 2:
        return None
    subject = next(iter(rows))
    if subject not in points:
        return None
    cost, ratio = points[subject]
    better = [
        name
        for name, (gates, other) in points.items()
        if name != subject and gates <= cost and other[0] > ratio[0]
    ]
    front = _front({name: (gates, e[0]) for name, (gates, e) in points.items()})

    def draw(axes):
        axes.step(*zip(*front, strict=True), where="post", color=MUTED, linewidth=1, zorder=1)
        for i, (name, (gates, (value, low, high))) in enumerate(points.items()):
            axes.errorbar(
                gates, value, yerr=[[value - low], [high - value]],
                fmt=(*MARKERS, "X", "*")[i % 8], color=(*SERIES, INK, MUTED)[i % 8],
                markersize=9 if name == subject else 6, linewidth=1.4, label=name,
            )  # fmt: skip
        axes.set(xlabel=f"two-qubit gates on {device}, mean", ylabel="approximation ratio")
        axes.margins(x=0.06)
        axes.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.2))

    told = f"{len(better)} of {len(points) - 1} rows are better with no more gates"
    if not better:
        told = "no other row is better with as few gates"
    return Chart(
        name="pareto",
        title=f"{subject}: ratio {ratio[0]:.2f} at {cost:.0f} two-qubit gates; {told}",
        note="Upper left is better"
        + ("; the grey line joins rows that no other row beats in both. " if front[1:] else ". ")
        + "Valid samples count for gates, all for the ratio.",
        height_inches=4.0,
        draw=draw,
    )


def _front(points: Mapping[str, tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both, by ascending cost."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points.values(), key=lambda p: (p[0], -p[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front


def sweep_chart(name: str, summary: Summary) -> Chart | None:
    """Share of problems with RE below a cut, against the cut."""
    lines = {f"{name}, {k}": sweep for k, sweep in summary.re_sweep.items()}
    uniform = summary.baselines.get(_UNIFORM)
    if not lines:
        return None
    if uniform is not None and uniform.re_sweep:
        lines[f"{_UNIFORM}, pass@1"] = uniform.re_sweep["pass@1"]
    own = summary.re_sweep["pass@1"]
    first, last = next(iter(own)), list(own)[-1]
    title = f"HQCR at pass@1 goes from {own[first]:.0f} % to {own[last]:.0f} % with the cut"
    if uniform is not None and uniform.re_sweep:
        theirs = uniform.re_sweep["pass@1"]
        below = sum(own[cut] < theirs[cut] for cut in own)
        title = f"HQCR at pass@1 is below guessing at {below} of {len(own)} cuts"

    def draw(axes):
        for i, (label, sweep) in enumerate(lines.items()):
            draw_line(axes, [float(c) for c in sweep], list(sweep.values()), i, label)
        axes.set(xlabel="cut of RE, bits", ylabel="problems below the cut, %", xscale="log")
        axes.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8, loc="upper left")

    return Chart(
        name="re_sweep",
        title=title,
        note="The published cut is 0.1 bit. Guessing: H on every qubit.",
        height_inches=2.9,
        draw=draw,
    )


def gap_chart(rows: Mapping[str, Summary]) -> Chart | None:
    """Spread of the relative energy gap over problems, a row each."""
    spreads = {name: s.energy_gap_quantiles for name, s in rows.items() if s.energy_gap_quantiles}
    if not spreads:
        return None
    subject, own = next(iter(spreads.items()))

    def draw(axes):
        for i, (low, first, middle, third, high) in enumerate(spreads.values()):
            colour = SERIES[0] if i == 0 else MUTED
            axes.plot([low, high], [i, i], color=colour, linewidth=1)
            axes.plot([first, third], [i, i], color=colour, linewidth=7, solid_capstyle="butt")
            axes.plot(middle, i, "o", color=INK, markersize=4)
        axes.set_yticks(range(len(spreads)), list(spreads))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set(xlabel="(E − E_min)/(E_max − E_min), 0 to 1", xlim=(-0.02, 1.02))

    return Chart(
        name="energy_gap",
        title=f"Half of the problems of {subject} end within {own[2]:.2f} of the spectrum above "
        "the optimum",
        note="Energy gap over problems, one sample each: median, middle half, 5 to 95 %.",
        height_inches=0.75 + 0.3 * len(spreads),
        draw=draw,
    )


def random_chart(summary: Summary) -> Chart | None:
    """The circuits beside the same gates with random angles."""
    pairs = {
        "JS distance": (
            summary.get("js_distance"),
            summary.get("random_js_distance", group="context"),
        ),
        "energy gap": (
            summary.get("relative_energy_gap"),
            summary.get("random_energy_gap", group="context"),
        ),
    }
    pairs = {k: p for k, p in pairs.items() if all(e.value is not None for e in p)}
    if "energy gap" not in pairs:
        return None
    own, drawn = pairs["energy gap"]
    relation = "smaller than" if own.high < drawn.low else "larger than"
    if own.low <= drawn.high and own.high >= drawn.low:
        relation = "not clearly different from"

    def draw(axes):
        for i, (as_answered, at_random) in enumerate(pairs.values()):
            for j, (e, label) in enumerate(
                ((as_answered, "as answered"), (at_random, "random angles"))
            ):
                y = i + (j - 0.5) * 0.3
                axes.plot([e.low, e.high], [y, y], color=SERIES[j], linewidth=2)
                axes.plot(e.value, y, MARKERS[j], color=SERIES[j], label=label if i == 0 else None)
        axes.set_yticks(range(len(pairs)), list(pairs))
        axes.invert_yaxis()
        axes.margins(y=0.3)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("mean over problems, 0 to 1; smaller is better")
        axes.legend(fontsize=8)

    return Chart(
        name="random_angles",
        title=f"The energy gap ({own.value:.2f}) is {relation} that of random angles in the same "
        f"gates ({drawn.value:.2f})",
        note="Angles uniform on [0, 2π); samples that are not valid count 1 in both.",
        height_inches=2.4,
        draw=draw,
    )


def bins_chart(summary: Summary, by: str, what: str) -> Chart | None:
    """Approximation ratio by the size of the reference circuit."""
    groups: Mapping[str, Mapping[str, MetricEstimate]] = getattr(summary, by)
    ratios = {
        f"{label} ({values['approximation_ratio'].num_problems})": values["approximation_ratio"]
        for label, values in groups.items()
        if values["approximation_ratio"].value is not None
    }
    if len(ratios) < 2:
        return None
    (short, first), *_, (long, last) = ratios.items()
    names = [label.rsplit(" ", 1)[0] for label in (short, long)]
    ends = f"{first.value:.2f} at {names[0]}, {last.value:.2f} at {names[1]}"
    title = f"The ratio does not clearly differ by {what}: {ends}"
    (start, start_low, start_high), (end, end_low, end_high) = first.defined, last.defined
    if end_high < start_low or end_low > start_high:
        verb = "lower" if end < start else "higher"
        title = f"The ratio is {verb} with more {what}: {ends}"

    def draw(axes):
        draw_dots(axes, ratios, highlight=ratios)
        axes.set_xlabel(axis_label("approximation_ratio"))
        axes.set_ylabel(f"{what} of the reference")

    return Chart(
        name=by,
        title=title,
        note=f"By {what} of the reference circuit (number of problems); 95 % intervals.",
        height_inches=0.9 + 0.28 * len(ratios),
        draw=draw,
    )


def hardware_chart(summary: Summary) -> Chart | None:
    """Generated and reference circuits under the device's noise, with and without mitigation."""
    hardware = summary.hardware
    if not hardware or not hardware["num_problems"]:
        return None
    steps = {
        "approximation_ratio": "no noise",
        "noisy": "noise",
        "readout_mitigated": "readout\nmitigated",
        "zero_noise": "and zero-noise\nextrapolated",
    }
    told = [
        f"{hardware[side]['approximation_ratio']['value']:.2f} to "
        f"{hardware[side]['noisy']['value']:.2f} for {side} circuits"
        for side in SIDES
    ]

    def draw(axes):
        for i, side in enumerate(SIDES):
            found = [hardware[side][name] for name in steps]
            values = [f["value"] for f in found]
            x = [place + (i - 0.5) * 0.12 for place in range(len(steps))]
            bars = [
                [v - f["interval_95"][0] for v, f in zip(values, found, strict=True)],
                [f["interval_95"][1] - v for v, f in zip(values, found, strict=True)],
            ]
            axes.errorbar(x, values, yerr=bars, fmt=MARKERS[i] + "-", color=SERIES[i],
                          linewidth=1.4, markersize=5, label=side)  # fmt: skip
        axes.set_xticks(range(len(steps)), list(steps.values()), fontsize=8)
        axes.set_ylabel("approximation ratio")
        axes.legend(fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return Chart(
        name="hardware",
        title=f"The noise of {hardware['device']} takes the ratio from {told[0]}, from {told[1]}",
        note=f"The same {hardware['num_problems']} problems; means with 95 % intervals. Noise "
        "pulls towards uniform sampling, from above and from below.",
        height_inches=3.0,
        draw=draw,
    )
