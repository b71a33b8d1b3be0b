"""Grading on worker processes that may be killed.

Takes jobs (one problem with its texts); gives their rows in order, while only a few jobs are in
flight. A worker stops itself where one sample takes longer than the limit, even inside compiled
code; a job whose worker died is retried sample by sample, and a sample that kills its worker again
is reported as failed, never graded.
"""

import faulthandler
import multiprocessing
import os
import resource
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quasar.config import RewardConfig, VerificationConfig
from quasar.evaluation.measure import Measurer, failed_row
from quasar.problems.base import ProblemInstance

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One problem with the texts to grade."""

    problem: ProblemInstance
    texts: tuple[str, ...]


class _TimeLimit(Exception):
    """A sample took longer than the limit, in Python code."""


def grade_all(
    jobs: Iterable[Job],
    *,
    workers: int,
    verification: VerificationConfig,
    reward: RewardConfig,
    measurer: type[Measurer] = Measurer,
) -> Iterator[list[Row]]:
    """Rows of each job, in the order of the jobs. Closing the iterator ends the workers."""
    pool = _Pool(workers, (measurer, verification, reward))
    waiting: deque[tuple[Job, Future]] = deque()
    try:
        for job in jobs:
            waiting.append((job, pool.submit(job)))
            if len(waiting) > 2 * workers:
                yield _result(pool, waiting)
        while waiting:
            yield _result(pool, waiting)
    finally:
        pool.close()


def _result(pool: "_Pool", waiting: deque[tuple[Job, Future]]) -> list[Row]:
    job, future = waiting.popleft()
    try:
        return future.result()
    except BrokenProcessPool:
        # The dead worker took the whole pool along; whose job it was cannot be told.
        pool.restart()
        rows = [_alone(pool, Job(job.problem, (text,))) for text in job.texts]
        for position, (other, earlier) in enumerate(waiting):
            if not earlier.done() or earlier.exception() is not None:
                waiting[position] = (other, pool.submit(other))
        return rows


def _alone(pool: "_Pool", job: Job) -> Row:
    try:
        return pool.submit(job).result()[0]
    except BrokenProcessPool:
        pool.restart()
        return failed_row("worker", "the verification ended its process (time or memory limit)")


class _Pool:
    """A process pool that can be started again."""

    def __init__(self, workers: int, arguments: tuple):
        self._arguments = arguments  # of `_start_worker`
        self._workers = workers
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Not fork: threads of this process would not survive it. The fork server has none, imports
        # once, and gives a new worker in milliseconds.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["quasar.evaluation.measure"])
        return ProcessPoolExecutor(
            self._workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=self._arguments,
        )

    def submit(self, job: Job) -> Future:
        try:
            return self._executor.submit(_grade, job)
        except BrokenProcessPool as error:
            broken: Future = Future()
            broken.set_exception(error)
            return broken

    def restart(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._start()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


_measurer: Measurer | None = None
_time_limit_s = 0.0


def _start_worker(
    measurer: type[Measurer], verification: VerificationConfig, reward: RewardConfig
) -> None:
    global _measurer, _time_limit_s
    # A terminal's Ctrl-C reaches all processes; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _on_alarm)
    _measurer = measurer(verification, reward)
    _time_limit_s = verification.time_limit_s
    _limit_memory(verification.memory_limit_mb)


def _limit_memory(megabytes: int) -> None:
    """Let this process take so much more than it has now; beyond it, MemoryError."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return  # not Linux
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _on_alarm(*_: Any) -> None:
    raise _TimeLimit


def _grade(job: Job) -> list[Row]:
    assert _measurer is not None
    grader = _measurer.grader(job.problem)
    return [_grade_one(grader, text) for text in job.texts]


def _grade_one(grader: Any, text: str) -> Row:
    """One sample under the time limit; the clock runs only while it is worked on."""
    with open(os.devnull, "w") as nowhere:
        # Ends this process from a thread that compiled code cannot hold up.
        faulthandler.dump_traceback_later(2 * _time_limit_s + 5, exit=True, file=nowhere)
        signal.setitimer(signal.ITIMER_REAL, _time_limit_s)
        try:
            return grader.grade(text)
        except _TimeLimit:
            return failed_row("timeout", f"longer than {_time_limit_s:g} s")
        except MemoryError:
            return failed_row("memory", "out of memory")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
