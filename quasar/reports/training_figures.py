"""Figures of training curves: how reward, validity and loss went over the steps."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quasar.config.task_names import task_names
from quasar.reports.charts import SERIES, Chart, draw_line

_PART = "reward_weighted/"  # what a part adds to the reward, in the step log
_REWARDS = {
    "reward": "sampled",
    "best/reward": "best of a group",
    "chosen/reward": "optimised",
    "trivial/reward": "no learning",
}
_FEW = 60  # steps that are drawn one by one
_WINDOWS = 12  # a curve of many steps is drawn as the mean over a twelfth of them

_MANY = 20  # steps from which a curve's start is told as a mean, over a twelfth of them
_MOST = 10  # steps in such a mean
_ERROR = "_error"  # behind a metric's name: its standard error

Points = Sequence[tuple[int, float, float]]  # (step, value, standard error or 0)


def training_charts(curves: Mapping[str, Sequence[Any]]) -> list[Chart]:
    """Panels of curves over steps.

    A value is either a list of numbers, one a step, or the step log of a stage: dicts with "step"
    and metrics, of which reward, what each part of it adds, valid fraction, validation reward and
    loss are drawn.
    Numbers whose names agree before a `/` share a panel (`reward/total`, `reward/distribution`).
    """
    panels: dict[str, dict[str, Points]] = {}
    for name, values in curves.items():
        if values and isinstance(values[0], Mapping):
            for panel, series in _stage_panels(name, values).items():
                panels.setdefault(panel, {}).update(series)
        else:
            panel, _, series = name.partition("/")
            points = [(step, value, 0.0) for step, value in enumerate(values, start=1)]
            panels.setdefault(panel, {})[series] = points
    drawn = {
        panel: {name: kept for name, points in series.items() if (kept := _finite(points))}
        for panel, series in panels.items()
    }
    return [_training_panel(panel, series) for panel, series in drawn.items() if series]


def _stage_panels(stage: str, steps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Points]]:
    """Panels of a step log: reward, its parts, valid fraction, validation, loss."""
    names = dict.fromkeys(name for step in steps for name in step)
    # A part without weight adds nothing anywhere.
    parts = [
        name for name in names if name.startswith(_PART) and any(step.get(name) for step in steps)
    ]
    # Self-improvement has more than one: of the samples, and of what they are compared with.
    rewards = [name for name in _REWARDS if name in names]
    panels = {}
    for panel, shown in (
        ("reward", rewards),
        ("reward by part", parts),
        ("valid fraction", ["valid_fraction"]),
        ("reward by task", _by_task(names, "reward")),
        ("success by task", _by_task(names, "success")),
        ("validation reward", ["validation/reward"]),
        ("loss", ["loss"]),
    ):
        series = {
            _series(name, shown): [
                (step["step"], step[name], step.get(name + _ERROR) or 0.0)
                for step in steps
                if name in step
            ]
            for name in shown
            if name in names
        }
        if series:
            panels[f"{stage.upper()} {panel}"] = series
    return panels


def _by_task(names: Iterable[str], figure: str) -> list[str]:
    """Metrics of a figure that are of one task each."""
    return [name for name in names if name.removesuffix(f"/{figure}") in task_names()]


def _series(name: str, shown: Sequence[str]) -> str:
    """What a metric is called among those of its panel; "" where it is the only one."""
    if name.startswith(_PART):
        return name.removeprefix(_PART)
    task, _, figure = name.partition("/")
    if figure and task in task_names():
        return task
    return _REWARDS.get(name, "") if len(shown) > 1 else ""


def _training_panel(panel: str, series: Mapping[str, Points]) -> Chart:
    told, points = next(iter(series.items()))
    finding, told_of = _course(points)
    label = panel.replace("_", " ")
    what = f"{label}: {told.replace('_', ' ')}" if told else label
    most = max(map(len, series.values()))
    window = max(1, most // _WINDOWS) if most > _FEW else 1

    def draw(axes):
        for i, (name, drawn) in enumerate(series.items()):
            steps, ys, errors = zip(*drawn, strict=True)
            colour = SERIES[i % len(SERIES)]
            if window > 1:
                axes.plot(steps, ys, color=colour, linewidth=0.6, alpha=0.35)
            if any(errors):
                axes.errorbar(steps, ys, errors, color=colour, linewidth=0, elinewidth=0.8)
            text = name.replace("_", " ") or "total"
            draw_line(axes, steps, running_mean(ys, window), i, text, marker=window == 1)
        axes.set(xlabel="step", ylabel=label)
        if len(series) > 1:
            axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4,
                        handlelength=1.2, columnspacing=1.0)  # fmt: skip

    mean = f"thick lines are means over {window} steps; " if window > 1 else ""
    return Chart(
        name=f"training_{re.sub(r'[^a-z0-9]+', '_', panel.lower())}",
        title=f"{what[0].upper()}{what[1:]} {finding}",
        note=f"Each point is one step; {mean}the title compares {told_of}.",
        height_inches=2.6,
        draw=draw,
    )


def _course(points: Points) -> tuple[str, str]:
    """How a curve ends up beside its start, and what of it was compared.

    The start is the first step, or the mean of the first ones where there are many, so that a
    recovery from a fall is not told as a gain. Where standard errors are known, a difference below
    twice its own is no change. Where the curve (mean over as many steps as its end) was beyond both
    ends in between, that is told too.
    """
    values = [value for _, value, _ in points]
    first, last = _ends(len(values))
    if len(values) == 1:
        return f"is {values[0]:.3g} at its only step", "nothing"
    start, start_error = _mean(points[:first])
    end, end_error = _mean(points[-last:])
    known = start_error > 0 and end_error > 0
    begun, ended = f"{start:.3g}", f"{end:.3g}"
    if known:
        begun, ended = f"{begun} ± {start_error:.2g}", f"{ended} ± {end_error:.2g}"
    when = f"between step {points[0][0]} and step {points[-1][0]}"
    if known and abs(end - start) < 2 * math.hypot(start_error, end_error):
        finding = f"is unchanged, {begun} and {ended}, {when}"
    elif f"{start:.3g}" == f"{end:.3g}":
        finding = f"ends where it began, at {end:.3g}, {when}"
    else:
        verb = "rises" if end > start else "falls"
        finding = f"{verb} from {begun} to {ended} {when}"
    means = {points[i + last // 2][0]: sum(values[i : i + last]) / last
             for i in range(len(values) - last + 1)}  # fmt: skip
    noise = max(0.1 * (max(values) - min(values)), 2 * max(start_error, end_error))
    for extreme, word, beyond in (
        (min(means, key=means.__getitem__), "low", min(start, end)),
        (max(means, key=means.__getitem__), "high", max(start, end)),
    ):
        if abs(means[extreme] - beyond) > noise and (
            means[extreme] < beyond if word == "low" else means[extreme] > beyond
        ):
            finding += f", with a {word} of {means[extreme]:.3g} about step {extreme}"
    told = "the first step with " if first == 1 else f"the mean of the first {first} steps with "
    told += "the last one" if last == 1 else f"the mean of the last {last}"
    return finding, told + (" (± standard error)" if known else "")


def _ends(count: int) -> tuple[int, int]:
    """How many steps a curve's start is the mean of, and its end."""
    if count < _MANY:
        return 1, max(1, count // 5)
    few = min(_MOST, max(3, count // _WINDOWS))
    return few, few


def _mean(points: Points) -> tuple[float, float]:
    """The mean of some steps and its standard error; 0 where it is not known.

    Errors of the values are of the same problems each time, so that a mean has their size.
    """
    values = [value for _, value, _ in points]
    errors = [error for _, _, error in points]
    mean = sum(values) / len(values)
    if all(errors):
        return mean, sum(errors) / len(errors)
    if len(values) < 3:
        return mean, 0.0
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(spread / len(values))


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Means over `window` neighbouring values, as many as there are of them near the ends."""
    means = []
    for i in range(len(values)):
        near = values[max(0, i - window // 2) : i + (window + 1) // 2]
        means.append(sum(near) / len(near))
    return means


def _finite(points: Points) -> Points:
    return [point for point in points if point[1] is not None and math.isfinite(point[1])]
