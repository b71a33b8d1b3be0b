"""Figures of training curves: how reward, validity and loss went over the steps."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from quasar.evaluation.charts import SERIES, Chart, draw_line

_PART = "reward_weighted/"  # what a part adds to the reward, in the step log
_FEW = 60  # steps that are drawn one by one
_WINDOWS = 12  # a curve of many steps is drawn as the mean over a twelfth of them

Points = Sequence[tuple[int, float]]  # (step, value)


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
            panels.setdefault(panel, {})[series] = [*enumerate(values, start=1)]
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
    panels = {}
    for panel, shown in (
        ("reward", ["reward"]),
        ("reward by part", parts),
        ("valid fraction", ["valid_fraction"]),
        ("validation reward", ["validation/reward"]),
        ("loss", ["loss"]),
    ):
        series = {
            name.removeprefix(_PART) if name in parts else "": [
                (step["step"], step[name]) for step in steps if name in step
            ]
            for name in shown
            if name in names
        }
        if series:
            panels[f"{stage.upper()} {panel}"] = series
    return panels


def _training_panel(panel: str, series: Mapping[str, Points]) -> Chart:
    told, points = next(iter(series.items()))
    values = [value for _, value in points]
    share = max(1, len(values) // 5)
    start, end = sum(values[:share]) / share, sum(values[-share:]) / share
    verb = "rises" if end > start else "falls" if end < start else "stays"
    label = panel.replace("_", " ")
    what = f"{label}: {told.replace('_', ' ')}" if told else label
    most = max(map(len, series.values()))
    window = max(1, most // _WINDOWS) if most > _FEW else 1

    def draw(axes):
        for i, (name, drawn) in enumerate(series.items()):
            steps, ys = zip(*drawn, strict=True)
            colour = SERIES[i % len(SERIES)]
            if window > 1:
                axes.plot(steps, ys, color=colour, linewidth=0.6, alpha=0.35)
            text = name.replace("_", " ") or "total"
            draw_line(axes, steps, running_mean(ys, window), i, text, marker=window == 1)
        axes.set(xlabel="step", ylabel=label)
        if len(series) > 1:
            axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4,
                        handlelength=1.2, columnspacing=1.0)  # fmt: skip

    mean = f"thick lines are means over {window} steps; " if window > 1 else ""
    return Chart(
        name=f"training_{re.sub(r'[^a-z0-9]+', '_', panel.lower())}",
        title=f"{what[0].upper()}{what[1:]} {verb} from {start:.3g} to {end:.3g} "
        f"over {points[-1][0]} steps",
        note=f"Each point is one step; {mean}the title compares the first and the last fifth.",
        height_inches=2.6,
        draw=draw,
    )


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Means over `window` neighbouring values, as many as there are of them near the ends."""
    means = []
    for i in range(len(values)):
        near = values[max(0, i - window // 2) : i + (window + 1) // 2]
        means.append(sum(near) / len(near))
    return means


def _finite(points: Points) -> Points:
    return [(step, value) for step, value in points if value is not None and math.isfinite(value)]
