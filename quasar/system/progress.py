"""The progress bars of what takes a while. They go to standard error, never among the output."""

import time
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

_EVERY_S = 30.0  # between lines where the output is no terminal, e.g. a job's log


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
    """One bar with its rate and the time left; gives a function that sets how many are done. Where
    the output is no terminal, a line now and then, and the bar at the end.
    """
    with make_bars(_RateColumn(), TimeRemainingColumn(), show=show) as bars:
        task = bars.add_task(name, total=total, completed=done)
        told_at = time.monotonic()

        def advance_to(now_done: int) -> None:
            nonlocal told_at
            bars.update(task, completed=now_done)
            is_due = time.monotonic() - told_at >= _EVERY_S and now_done < total
            if show and is_due and not bars.console.is_terminal:
                told_at = time.monotonic()
                bars.console.print(f"{name} {now_done}/{total}", highlight=False)

        yield advance_to


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0.0:.1f}/s")
