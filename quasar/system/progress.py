"""The progress bars of what takes a while. They go to standard error, never among the output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


def make_bars(
    *columns: ProgressColumn, console: Console | None = None, show: bool = True
) -> Progress:
    """Bars with their name and count, then the columns given. console: default standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        console=console or Console(stderr=True),
        disable=not show,
    )


@contextmanager
def progress_bar(
    name: str, total: int, *, done: int = 0, show: bool = True
) -> Iterator[Callable[[int], None]]:
    """One bar with its rate and the time left; gives a function that sets how many are done."""
    with make_bars(_RateColumn(), TimeRemainingColumn(), show=show) as bars:
        task = bars.add_task(name, total=total, completed=done)
        yield lambda now_done: bars.update(task, completed=now_done)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0.0:.1f}/s")
