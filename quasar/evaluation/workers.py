"""Grading on worker processes that may be killed.

Takes jobs (one problem with its texts and the names of its baselines); gives what was graded in
order, while only a few jobs are in flight. A worker stops itself where one sample takes more than
the limit, even inside compiled code; a job whose worker died is retried sample by sample, and a
sample that kills its worker again is reported as failed, never graded.
"""

import faulthandler
import multiprocessing
import os
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from quasar.config import QuasarConfig
from quasar.evaluation.hardware import SIDES
from quasar.evaluation.measure import Measurer, ProblemGrader, Question, failed_row, problem_facts

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One problem with the texts to grade and the baselines to build and grade."""

    question: Question
    texts: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    noise: bool = False  # whether to run one sample and the reference on the noisy device


@dataclass(frozen=True)
class Graded:
    """What a job gave: a row a text, a row a baseline that exists for the problem, and so on."""

    rows: list[Row]
    baselines: dict[str, Row]
    facts: Row  # of `Aggregator.add`
    hardware: dict[str, Row | None] | None = None  # side -> `ProblemGrader.on_hardware`


class _TimeLimit(Exception):
    """A sample took longer than the limit, in Python code."""


def grade_all(
    jobs: Iterable[Job],
    *,
    workers: int,
    config: QuasarConfig,
    measurer: type[Measurer] = Measurer,
) -> Iterator[Graded]:
    """What each job gave, in the order of the jobs. Closing the iterator ends the workers."""
    pool = _Pool(workers, (measurer, config))
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


def _result(pool: "_Pool", waiting: deque[tuple[Job, Future]]) -> Graded:
    job, future = waiting.popleft()
    try:
        return future.result()
    except BrokenProcessPool:
        # The dead worker took the whole pool along; whose job it was cannot be told.
        pool.restart()
        graded = _one_by_one(pool, job)
        for position, (other, earlier) in enumerate(waiting):
            if not earlier.done() or earlier.exception() is not None:
                waiting[position] = (other, pool.submit(other))
        return graded


def _one_by_one(pool: "_Pool", job: Job) -> Graded:
    """Each sample in a job of its own; a noise view that may have ended the worker is left out."""
    lost = failed_row("worker", "the verification ended its process (time or memory limit)")
    rows, baselines, facts = [], {}, problem_facts(job.question.problem)
    for part in (
        *(Job(job.question, (text,)) for text in job.texts),
        *(Job(job.question, (), (name,)) for name in job.baselines),
    ):
        try:
            graded = pool.submit(part).result()
        except BrokenProcessPool:
            pool.restart()
            graded = Graded([lost] * len(part.texts), dict.fromkeys(part.baselines, lost), facts)
        rows += graded.rows
        baselines |= graded.baselines
        facts = graded.facts
    return Graded(rows, baselines, facts)


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


def _start_worker(measurer: type[Measurer], config: QuasarConfig) -> None:
    global _measurer, _time_limit_s
    # A terminal's Ctrl-C reaches all processes; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _on_alarm)
    _measurer = measurer(config)
    _measurer.warm_up()
    _time_limit_s = config.verification.time_limit_s
    _limit_memory(config.verification.memory_limit_mb)


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


def _grade(job: Job) -> Graded:
    assert _measurer is not None
    grader = _measurer.grader(job.question)
    rows = [_limited(partial(grader.grade, text)) for text in job.texts]
    baselines = {name: _limited(partial(grader.baseline, name)) for name in job.baselines}
    return Graded(
        rows=rows,
        baselines={name: row for name, row in baselines.items() if row is not None},
        facts=grader.facts,
        hardware=_on_hardware(grader, job, rows) if job.noise else None,
    )


def _on_hardware(grader: ProblemGrader, job: Job, rows: list[Row]) -> dict[str, Row | None]:
    """The first valid sample and the reference; None for the one that takes too long."""
    text = next((t for t, row in zip(job.texts, rows, strict=True) if row["valid"]), None)
    found = {}
    for side in SIDES:
        columns = _limited(partial(grader.on_hardware, side, text))
        found[side] = None if columns and "failure" in columns else columns
    return found


def _limited(grade: Callable[[], Row | None]) -> Row | None:
    """One sample under the time limit: in time of the processor, so that no figure hangs on how
    busy the machine is.
    """
    with open(os.devnull, "w") as nowhere:
        # Ends this process from a thread that compiled code cannot hold up: wall clock, which a
        # busy machine stretches.
        faulthandler.dump_traceback_later(5 * _time_limit_s + 5, exit=True, file=nowhere)
        signal.setitimer(signal.ITIMER_PROF, _time_limit_s)
        try:
            return grade()
        except _TimeLimit:
            return failed_row("timeout", f"more than {_time_limit_s:g} s of processor time")
        except MemoryError:
            return failed_row("memory", "out of memory")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
