"""Where shards are solved, and the progress bar that shows their rate.

With one worker in this process; with more as Ray tasks, on this machine or on every node of a
cluster (then the dataset's directory must be on storage that all nodes see).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as ProgressTask
from rich.text import Text
from threadpoolctl import threadpool_limits

from quasar.config import QuasarConfig
from quasar.datasets.candidates import Shard, load_shard, solve_shard
from quasar.runtime import init_ray

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_RETRIES = 3  # of a task whose process or node died
AHEAD = 2  # tasks a worker that are handed out before the first one is taken back


def solve_shards(shards: Sequence[Shard], config: QuasarConfig) -> Iterator[list[dict[str, Any]]]:
    """The outcome of each shard, in order; those that an earlier run left are only read."""
    kept = [load_shard(shard) for shard in shards]
    todo = [shard for shard, rows in zip(shards, kept, strict=True) if rows is None]
    solved = ordered_map(_solve_once, todo, config)
    for rows in kept:
        yield next(solved) if rows is None else rows


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], config: QuasarConfig
) -> Iterator[Result]:
    """function(item) of each item, in order, by `dataset.num_workers` workers.

    One worker, or one item: in this process. More: Ray tasks, of which only a few more than there
    are workers are handed out at a time. A task whose process or node dies is run again.
    """
    workers = config.dataset.num_workers
    if workers == 1 or len(items) <= 1:
        yield from (_call(function, item) for item in items)
        return
    import ray

    init_ray(config)
    task = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_call)
    waiting, running = deque(items), deque()
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * workers:
                running.append(task.remote(function, waiting.popleft()))
            yield ray.get(running.popleft())
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    """A task: threads of linear algebra would only wait in turns, state vectors are small."""
    with threadpool_limits(limits=1):
        return function(item)


def _solve_once(shard: Shard) -> list[dict[str, Any]]:
    """A task that is run again, its result lost on the way, finds its shard solved."""
    return load_shard(shard) or solve_shard(shard)


class _RateColumn(ProgressColumn):
    def render(self, task: ProgressTask) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0.0:.1f}/s")


@contextmanager
def progress_bar(name: str, total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Gives a function that sets how many of `total` are done; the bar goes to standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
