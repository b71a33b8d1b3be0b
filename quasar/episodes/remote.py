"""Answers by a model behind a server: many episodes under way, each on its own, none lost.

Takes episode tasks and a log; appends a row for each answer as it comes, in any order, so that an
interrupted call goes on with the answers that are missing: an answer that was paid for is kept.
"""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import reduce
from operator import add
from threading import Event
from typing import Any

from quasar.config import QuasarConfig
from quasar.episodes.answers import answering
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import Execute
from quasar.errors import ConfigError, EngineError
from quasar.policy.engines.remote import RemoteEngine, TokenUsage
from quasar.system.progress import progress_bar
from quasar.system.resumable import RowLog

logger = logging.getLogger(__name__)


def remote_engine(config: QuasarConfig) -> RemoteEngine:
    """The engine of `remote`. Raises ConfigError where a setting of `generation` cannot be kept."""
    generation = config.generation
    for name in ("constrained", "stop_at_program_end"):
        if getattr(generation, name):
            raise ConfigError(
                f"generation.{name} is not carried out by a server: set generation.{name}=false"
            )
    return RemoteEngine(config.remote, tool_format=generation.tool_format, tools=generation.tools)


def answer_remotely(
    engine: RemoteEngine,
    tasks: Sequence[EpisodeTask],
    log: RowLog,
    *,
    verify: Execute,
    config: QuasarConfig,
    progress: bool = True,
) -> tuple[list[str], TokenUsage]:
    """What each episode submits last, in order, and what all of it took, earlier calls included.

    At the first answer that the server does not give nothing more is begun; what is under way comes
    to its end and is kept. Raises EngineError then, in one line that says so.
    """
    done = {row["task"] for row in log.done()}
    missing = [i for i in range(len(tasks)) if i not in done]
    runner = _Runner(engine, verify, config)
    pool = ThreadPoolExecutor(config.remote.concurrency, thread_name_prefix="remote")
    futures = {pool.submit(runner.answer, tasks[i]): i for i in missing}
    fault: BaseException | None = None
    try:
        with progress_bar("ask", len(tasks), done=len(done), show=progress) as advance_to:
            for future in as_completed(futures):
                error = future.exception()
                answered = None if error else future.result()
                if answered is not None:
                    done.add(futures[future])
                    log.add(_row(futures[future], *answered))
                    advance_to(len(done))
                fault = fault or error
    except BaseException:  # the user's Ctrl-C, or a disk that is full
        pool.shutdown(wait=False, cancel_futures=True)
        engine.close()
        pool.shutdown(wait=True)
        for future, number in futures.items():  # that came in the meantime
            if number not in done and not future.cancelled() and not future.exception():
                answered = future.result()
                if answered is not None:
                    with suppress(OSError):
                        log.add(_row(number, *answered))
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if isinstance(fault, EngineError):
        raise EngineError(
            f"{fault}; {len(done)} of {len(tasks)} answers are kept in {log.path}: the same "
            "command goes on from there"
        )
    if fault is not None:
        raise fault
    rows = sorted(log.rows(), key=lambda row: row["task"])
    return [row["text"] for row in rows], usage_of(rows)


def usage_of(rows: Iterable[dict[str, Any]]) -> TokenUsage:
    """What the answers of a log took."""
    used = (TokenUsage(row["read"], row["written"], row["requests"]) for row in rows)
    return reduce(add, used, TokenUsage())


def told_usage(used: TokenUsage, config: QuasarConfig) -> str:
    """In one line, with the cost where prices are given."""
    told = f"{used.read:,} tokens read, {used.written:,} written in {used.requests:,} requests"
    cost = used.cost(config.remote)
    return told if cost is None else f"{told}; cost {cost:.6g}"


class _Runner:
    """Answers one task in the thread that asks; nothing more once one was not answered."""

    def __init__(self, engine: RemoteEngine, verify: Execute, config: QuasarConfig):
        self._engine = engine
        self._runner = answering(engine, verify, config)
        self._failed = Event()

    def answer(self, task: EpisodeTask) -> tuple[str, TokenUsage] | None:
        """The answer and what it took; None where it was not begun."""
        if self._failed.is_set():
            return None
        self._engine.take_usage()
        try:
            (text,) = self._runner.answers([task])
        except BaseException:
            self._failed.set()
            raise
        return text, self._engine.take_usage()


def _row(number: int, text: str, used: TokenUsage) -> dict[str, Any]:
    return {
        "task": number,
        "text": text,
        "read": used.read,
        "written": used.written,
        "requests": used.requests,
    }
