"""How a figure of the reports looks: style, palette, and rendering to SVG and PNG.

A `Chart` renders for a file, SVG or PNG (light, with its title), and inline in a page, where
colours are CSS variables so that it follows the page's light or dark scheme.
"""

import io
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from quasar.datasets.io import write_text
from quasar.evaluation.summary import MetricEstimate

# Okabe & Ito's colour-blind-safe palette; each colour is a CSS variable of the page.
INK, MUTED, GRID, PAPER = "#1b1f24", "#5f6873", "#d8dce1", "#ffffff"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"} | {
    colour: f"series-{i}" for i, colour in enumerate(SERIES)
}
WIDTH_INCHES = 4.6  # narrow, so that the text stays readable on a phone
# At the sides: texts stay texts, and a reader's font may be a third wider than the one here, so
# that a last tick's label at the end of the axis would else be cut.
_SIDE_INCHES = 0.12
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
}


@dataclass(frozen=True)
class Chart:
    """A figure that is drawn when it is rendered. `title` is the finding, `note` how to read it."""

    name: str
    title: str
    note: str
    height_inches: float
    draw: Callable[[Any], None]  # called with the axes

    def svg(self) -> str:
        """Stand-alone SVG document with the title, for a light background."""
        return self._render(title=True).decode()

    def png(self) -> bytes:
        """The same as a picture, 200 dots an inch."""
        return self._render(title=True, kind="png")

    def inline_svg(self) -> str:
        """SVG element for an HTML page that defines the CSS variables; title left to the page."""
        text = self._render(title=False).decode()
        text = text[text.index("<svg") :]
        for colour, variable in _VARIABLES.items():
            text = text.replace(colour, f"var(--{variable})")
        # Without a fixed size the page's CSS decides; the viewBox keeps the proportions.
        return re.sub(r' (?:width|height)="[^"]*pt"', "", text, count=2)

    def _render(self, *, title: bool, kind: str = "svg") -> bytes:
        lines = textwrap.wrap(self.title, 52) if title else []
        # The hash salt keeps the ids of several figures in one page apart.
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": self.name}):
            height = self.height_inches + 0.19 * len(lines)
            layout = ConstrainedLayoutEngine(w_pad=_SIDE_INCHES)
            figure = Figure(figsize=(WIDTH_INCHES, height), layout=layout)
            self.draw(figure.add_subplot())
            if lines:
                figure.suptitle("\n".join(lines), fontsize=10, x=0.01, ha="left")
            out = io.BytesIO()
            metadata = {"Date": None, "Creator": None} if kind == "svg" else None
            figure.savefig(out, format=kind, dpi=200, metadata=metadata)
        return out.getvalue()


def draw_dots(
    axes: Any, estimates: Mapping[str, MetricEstimate], *, highlight: Collection[str]
) -> None:
    """Estimates as dots with their intervals, one row each; those not highlighted are muted."""
    for name, e in estimates.items():
        colour = SERIES[0] if name in highlight else MUTED
        axes.plot([e.low, e.high], [name, name], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(e.value, name, "o", color=colour, markersize=6)
    axes.invert_yaxis()
    axes.margins(y=0.15)
    axes.grid(axis="y", visible=False)


def write_figures(directory: Path, charts: Iterable[Chart]) -> None:
    """Each chart as NAME.svg and NAME.png. Raises InputError where the place cannot be written."""
    for chart in charts:
        write_text(directory / f"{chart.name}.svg", chart.svg())
        (directory / f"{chart.name}.png").write_bytes(chart.png())


def draw_line(axes: Any, x: Any, y: Any, i: int, label: str, *, marker: bool = True) -> None:
    """A curve in the i-th colour and marker of the palette."""
    axes.plot(x, y, color=SERIES[i % len(SERIES)], label=label, linewidth=1.6, markersize=4,
              marker=MARKERS[i % len(MARKERS)] if marker else None)  # fmt: skip
