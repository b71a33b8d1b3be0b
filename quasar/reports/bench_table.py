"""The tables of `quasar bench`: the model's row, the baselines', and the published ones."""

from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from quasar.evaluation.bench.result import BenchResult, BenchRow, FigureRow, SetResult

_RATES = ("valid", "success", "in_family")  # shown in percent
_WITHOUT_INTERVAL = ("valid", "in_family")
_PIPED_WIDTH = 120  # characters, where no terminal says how wide it is
_PUBLISHED = ("scr", "re", "srev", "hqcr")


def print_result(result: BenchResult) -> None:
    """The tables, on standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    for table in bench_tables(result):
        console.print(table)


def bench_tables(result: BenchResult) -> Iterator[Table]:
    """One table a set; of the published set one more, with the published metrics."""
    for entry in result.sets:
        own = f"{result.model.name} ({result.model.kind})"
        others = {n: row for n, row in entry.baselines.items() if n != result.model.name}
        rows = {own: entry.row, **others}
        names = [name for name in entry.row.figures if name not in _PUBLISHED]
        title = f"{entry.set} ({entry.num_problems} problems, digest {entry.digest})"
        yield _table(title, names, rows)
        if entry.as_published is not None:
            yield _published_table(entry, rows, entry.as_published)


def _table(title: str, names: list[str], rows: Mapping[str, BenchRow]) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("", overflow="fold", min_width=20)
    table.add_column("n", justify="right")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for place, (row, found) in enumerate(rows.items()):
        cells = [_cell(name, found.figures.get(name)) for name in names]
        style = "bold" if place == 0 else None
        table.add_row(row, str(found.num_problems), *cells, style=style)
    return table


def _published_table(
    entry: SetResult, rows: Mapping[str, BenchRow], published: Mapping[str, Mapping[str, float]]
) -> Table:
    table = Table(title=f"{entry.set}, the published metrics", box=SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for name in _PUBLISHED:
        table.add_column(name.upper() + (", bits" if name == "re" else ", %"), justify="right")
    for row, found in rows.items():
        table.add_row(row, *(_plain(found.figures.get(name)) for name in _PUBLISHED))
    table.add_section()
    for row, values in published.items():
        table.add_row(f"{row}, as published", *(f"{values[name]:.2f}" for name in _PUBLISHED))
    return table


def _cell(name: str, figure: FigureRow | None) -> str:
    """The value and its interval."""
    if figure is None or figure.value is None or figure.low is None or figure.high is None:
        return "–"
    scale, digits = (100.0, 1) if name.split("@")[0] in _RATES else (1.0, 3)
    value, low, high = (scale * edge for edge in (figure.value, figure.low, figure.high))
    shown = f"{value:.{digits}f}" + (" %" if scale > 1 else "")
    if name in _WITHOUT_INTERVAL:
        return shown
    return f"{shown}\n[{low:.{digits}f}, {high:.{digits}f}]"


def _plain(figure: FigureRow | None) -> str:
    return "–" if figure is None or figure.value is None else f"{figure.value:.2f}"
