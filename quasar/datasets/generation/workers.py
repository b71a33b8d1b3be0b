"""Where shards are solved.

With one worker in this process; with more as Ray actors, on this machine or on every node of a
cluster (then the dataset's directory must be on storage that all nodes see).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from quasar.config import QuasarConfig
from quasar.datasets.generation.candidates import Shard, load_shard, solve_shard
from quasar.runtime import init_ray

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_RETRIES = 3  # of an item whose process or node died


class WorkerPool:
    """`dataset.num_workers` workers that map a function over items; a context manager.

    One worker is this process. More are Ray actors, which live as long as the pool; one whose
    process or node dies is started anew and its item done again.
    """

    def __init__(self, config: QuasarConfig):
        self._config = config
        self._actors: list[Any] = []

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        for actor in self._actors:
            ray.kill(actor)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """function(item) of each item, in order; no worker waits for another one's item."""
        if self._config.dataset.num_workers == 1 or len(items) <= 1:
            for item in items:
                with threadpool_limits(limits=1):
                    result = function(item)
                yield result
            return
        import ray

        idle = list(self._started())
        waiting = iter(enumerate(items))
        running: dict[Any, tuple[int, Any]] = {}
        finished: dict[int, Result] = {}
        wanted = 0
        while wanted < len(items):
            while idle and (job := next(waiting, None)) is not None:
                number, item = job
                actor = idle.pop()
                running[actor.call.remote(function, item)] = number, actor
            for reference in ray.wait(list(running))[0]:
                number, actor = running.pop(reference)
                finished[number] = ray.get(reference)
                idle.append(actor)
            while wanted in finished:
                yield finished.pop(wanted)
                wanted += 1

    def _started(self) -> list[Any]:
        import ray

        if not self._actors:
            init_ray(self._config, cpus=self._config.dataset.num_workers)
            worker = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=MAX_RETRIES)(_Worker)
            self._actors = [worker.remote() for _ in range(self._config.dataset.num_workers)]
        return self._actors


class _Worker:
    def call(self, function: Callable[[Item], Result], item: Item) -> Result:
        # Threads of linear algebra would only wait in turns: state vectors are small.
        with threadpool_limits(limits=1):
            return function(item)


def solve_shards(shards: Sequence[Shard], pool: WorkerPool) -> Iterator[list[dict[str, Any]]]:
    """The outcome of each shard, in order; those that an earlier run left are only read."""
    kept = [load_shard(shard) for shard in shards]
    todo = [shard for shard, rows in zip(shards, kept, strict=True) if rows is None]
    solved = pool.map(_solve_once, todo)
    for rows in kept:
        yield next(solved) if rows is None else rows


def _solve_once(shard: Shard) -> list[dict[str, Any]]:
    """A call that is made again, its result lost on the way, finds its shard solved."""
    return load_shard(shard) or solve_shard(shard)
