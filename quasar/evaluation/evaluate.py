"""Evaluation of generations: Pass@k in the published and in the corrected definitions.

Takes problems with completions; gives the `Summary`, and writes `per_sample.parquet` as it goes.
Completions are graded by a verification client problem by problem; the baselines go the same way.
What an interrupted evaluation had graded is taken over from its log.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from quasar.config import QuasarConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.baseline_names import check_names, group_of, is_row_of
from quasar.evaluation.context import device_is_here
from quasar.evaluation.grade import Graded, Job, grade_all
from quasar.evaluation.hardware import HardwareView, summarise
from quasar.evaluation.progress import ProgressLog
from quasar.evaluation.storage import SampleWriter, Showcase
from quasar.evaluation.summary import Summary
from quasar.system.progress import progress_bar
from quasar.tasks.base import task_of
from quasar.verification.execution.process import MAX_TRIES, GuardedVerifier, preload
from quasar.verification.request import VerificationClient

logger = logging.getLogger(__name__)
preload("quasar.evaluation.measure", "qiskit.converters", "qiskit.quantum_info")

AnsweredProblem = tuple[Record, Sequence[str]]


def evaluate_rows(
    answers: Iterable[AnsweredProblem],
    *,
    config: QuasarConfig,
    workers: int = 1,
    verifiers: VerificationClient | None = None,
    progress: int | None = None,
    baselines: Sequence[str] = (),
    per_sample: Path | None = None,
    log: ProgressLog | None = None,
    best_of: int | None = None,
    seconds: Mapping[int, float] | None = None,
) -> Summary:
    """The same for (problem, completions) pairs, which are read as they are needed.

    Baselines are run on the same problems; `Summary.baselines` holds theirs by name.
    progress: show a bar up to so many problems. log: of what was graded before. best_of: answers of
    which the one with the highest reward is measured, too; None: all of a problem. seconds: that
    the answers to a problem took together, by sample_index, for the baselines `SOLVERS`.
    Raises InputError where there is nothing to evaluate or a baseline has no such name, ConfigError
    where the noise view is asked for without its device.
    """
    check_names(baselines)
    if config.evaluation.noise:
        HardwareView(config.evaluation.device)  # said here, before anything is written
    elif config.evaluation.device != "none" and not device_is_here(config.evaluation.device):
        logger.warning(
            "two-qubit gates and depth on %s are left out: pip install 'quasar-rl[devices]'",
            config.evaluation.device,
        )
    result = _Result(config, baselines, best_of)
    with ExitStack() as stack:
        writer = stack.enter_context(SampleWriter(per_sample)) if per_sample else None
        if verifiers is None:
            verifiers = stack.enter_context(
                GuardedVerifier(config.verification, num_workers=workers, max_tries=MAX_TRIES)
            )
        # Closed at once when something fails, before its verifiers are.
        graded = closing(_graded(answers, config, verifiers, baselines, log, seconds or {}))
        steps = stack.enter_context(graded)
        for record, texts, found in _shown(steps, progress):
            rows = result.add(record, texts, found)
            if writer is not None:
                for row in rows:
                    writer.add(row)
    return result.summary()


class _Result:
    """What the graded problems add up to."""

    def __init__(self, config: QuasarConfig, baselines: Sequence[str], best_of: int | None):
        self._config = config
        seed = config.run.seed
        self._own = Aggregator(seed=seed, best_of=best_of)
        self._baselines = {name: Aggregator(seed=seed) for name in baselines}
        self._unanswered: dict[str, Counter[str]] = {name: Counter() for name in baselines}
        self._showcase = Showcase(config.verification)
        self._hardware: list[Mapping[str, Any]] = []

    def add(self, record: Record, texts: Sequence[str], graded: Graded) -> list[dict[str, Any]]:
        """Takes one problem; gives the rows of its samples, labelled."""
        rows = [_label(record, i, row) for i, row in enumerate(graded.rows)]
        facts = graded.facts
        if isinstance(record, ProblemRecord):
            facts = {**facts, "family_group": group_of(record.ansatz)}
        self._own.add(rows, facts)
        for name, aggregator in self._baselines.items():
            if name in graded.baselines:
                aggregator.add([graded.baselines[name]], facts)
            elif isinstance(record, ProblemRecord) and is_row_of(name, graph=True):
                self._unanswered[name][record.ansatz] += 1
        for row, text in zip(rows, texts, strict=True):
            self._showcase.offer(row, text)
        self._hardware.append(graded.hardware or {})
        return rows

    def summary(self) -> Summary:
        """Raises InputError where no problem was added."""
        evaluation = self._config.evaluation
        counted = device_is_here(evaluation.device)
        # Of graph problems alone the figures of all are those of the task.
        by_task = self._own.tasks != {GRAPH_TASK}
        return self._own.finish(
            by_task=by_task,
            circuits=self._showcase.circuits(self._own.failures),
            baselines={
                name: aggregator.finish(by_task=by_task)
                for name, aggregator in self._baselines.items()
                if aggregator.num_problems
            },
            unanswered={name: dict(found) for name, found in self._unanswered.items() if found},
            device=evaluation.device if counted else None,
            hardware=summarise(evaluation.device, self._hardware, seed=self._config.run.seed)
            if evaluation.noise
            else None,
        )


def _graded(
    answers: Iterable[AnsweredProblem],
    config: QuasarConfig,
    verifiers: VerificationClient,
    baselines: Sequence[str],
    log: ProgressLog | None,
    seconds: Mapping[int, float],
) -> Generator[tuple[Record, Sequence[str], Graded], None, None]:
    """Each answer with what was graded, taken over from the log as far as that goes."""
    answers = iter(answers)
    if log is not None and log.num_done:
        logger.info("%d problems were graded before; going on from there", log.num_done)
        # The log is exhausted first: `zip` would take one answer too many the other way round.
        for graded, (record, texts) in zip(log.graded(), answers, strict=False):
            yield record, texts, graded
    in_flight: list[AnsweredProblem] = []

    def jobs() -> Iterator[Job]:
        for record, texts in answers:
            in_flight.append((record, texts))
            yield _job(record, texts, baselines, seconds.get(record.sample_index))

    for graded in grade_all(jobs(), client=verifiers, config=config):
        if log is not None:
            log.add_graded(graded)
        yield *in_flight.pop(0), graded


def _job(
    record: Record, texts: Sequence[str], baselines: Sequence[str], seconds: float | None
) -> Job:
    graph = isinstance(record, ProblemRecord)
    job = Job(
        record.problem,
        tuple(texts),
        index=record.sample_index,
        baselines=tuple(name for name in baselines if is_row_of(name, graph=graph)),
        seconds=seconds,
    )
    return replace(job, family=record.ansatz, layers=record.n_layers) if graph else job


def _label(record: Record, sample: int, row: Mapping[str, Any]) -> dict[str, Any]:
    problem = record.problem
    top = row.get("most_probable") or [{"bitstring": None}]
    return {
        **row,
        "sample_index": record.sample_index,
        "sample": sample,
        "task": task_of(problem),
        "primitive": problem.primitive,
        "num_qubits": problem.num_qubits,
        "most_probable_bitstring": top[0]["bitstring"],
    }


def _shown(steps: Iterator[Any], total: int | None) -> Iterator[Any]:
    """Pass the steps on, with a progress bar on a terminal's standard error."""
    show = total is not None and Console(stderr=True).is_terminal
    with progress_bar("verify", total or 0, show=show) as advance_to:
        for done, step in enumerate(steps, start=1):
            yield step
            advance_to(done)
