"""Processes that solve shards, and the progress bar that shows their rate."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

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

from quasar.datasets.candidates import Shard, load_shard, solve_shard

logger = logging.getLogger(__name__)


class ShardRunner:
    """Solves shards in `num_processes` processes (1: in this one); a context manager.

    Processes are spawned, not forked, because the caller may hold threads (Ray, torch). If they
    die, what is left is solved in this process.
    """

    def __init__(self, num_processes: int):
        self._num_processes = num_processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "ShardRunner":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, shards: Sequence[Shard]) -> Iterator[list[dict[str, Any]]]:
        """The outcome of each shard, in order; those that an earlier run left are only read."""
        kept = [load_shard(shard) for shard in shards]
        todo = [shard for shard, rows in zip(shards, kept, strict=True) if rows is None]
        solved = self._solve(todo)
        for rows in kept:
            yield next(solved) if rows is None else rows

    def _solve(self, shards: Sequence[Shard]) -> Iterator[list[dict[str, Any]]]:
        num_done = 0
        if self._num_processes > 1 and len(shards) > 1:
            try:
                for rows in self._processes().map(solve_shard, shards):
                    num_done += 1
                    yield rows
            except BrokenProcessPool:
                logger.warning("dataset processes died; going on in this process")
                self._num_processes, self._pool = 1, None
        for shard in shards[num_done:]:
            with threadpool_limits(limits=1):
                rows = load_shard(shard) or solve_shard(shard)
            yield rows

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._num_processes, mp_context=context, initializer=_follow_parent
            )
        return self._pool


def _follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent (shards in flight are kept), and end when it ends.

    One thread for linear algebra: state vectors are small, and threads would only wait in turns.
    """
    threadpool_limits(limits=1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


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
