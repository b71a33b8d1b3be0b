"""Evaluation of a file of generations: Pass@k in the published and in the corrected definitions.

Takes a problem file and a generation file; leaves `summary.json`, `report.html`,
`per_sample.parquet` and `figures/` in a directory, and gives the `Summary`. Generations are read,
graded on worker processes and written problem by problem; the baselines go the same way. What an
interrupted evaluation had graded is taken over when it is started again.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from quasar.config import QuasarConfig
from quasar.datasets.io import iterate_generations, read_problems, write_text
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError
from quasar.evaluation.aggregate import REPORTED_K, Aggregator
from quasar.evaluation.baselines import BASELINES
from quasar.evaluation.context import device_is_here
from quasar.evaluation.hardware import HardwareView, summarise
from quasar.evaluation.measure import Question
from quasar.evaluation.progress import ProgressLog, evaluation_key
from quasar.evaluation.report import write_report
from quasar.evaluation.storage import SampleWriter, Showcase
from quasar.evaluation.summary import Summary, read_summary
from quasar.evaluation.workers import Graded, Job, grade_all

__all__ = ["evaluate_files", "evaluate_rows", "read_summary"]

logger = logging.getLogger(__name__)
PROGRESS = "progress.jsonl"  # there only while an evaluation is under way

Answer = tuple[ProblemRecord, Sequence[str]]


def evaluate_files(
    problems: Path | str,
    generations: Path | str,
    output: Path | str,
    *,
    config: QuasarConfig,
    workers: int = 1,
    progress: bool = True,
    baselines: Sequence[str] = tuple(BASELINES),
) -> Summary:
    """Evaluate a generation file (`sample_index`, `completions`) and write its directory.

    workers: grading processes; baselines: names of `BASELINES` to put beside it.
    Problems without generations, and those with fewer samples than a reported k, are named in a
    warning. Raises InputError, one line that names the file and the line: unreadable or malformed
    files, a sample_index that the problem file does not have, one used twice, an empty list of
    completions. Raises ConfigError where the noise view is asked for without its device.
    """
    problems, generations, output = Path(problems), Path(generations), Path(output)
    records = {
        record.sample_index: record
        for record in read_problems(problems, max_qubits=config.verification.max_qubits)
    }
    num_rows = _check(generations, records, problems)
    settings = {"config": config.model_dump(mode="json"), "baselines": list(baselines)}
    started = time.monotonic()
    with ProgressLog(output / PROGRESS, evaluation_key(problems, generations, **settings)) as log:
        summary = evaluate_rows(
            ((records[row.sample_index], row.completions)
             for _, row in iterate_generations(generations)),
            config=config,
            workers=workers,
            progress=num_rows if progress else None,
            baselines=baselines,
            per_sample=output / "per_sample.parquet",
            log=log,
        )  # fmt: skip
        resumed = log.num_done
        details = {
            "problems": problems.name,
            "generations": generations.name,
            "seed": config.run.seed,
            "seconds": round(time.monotonic() - started, 3),
            "problems_taken_over": resumed,
        }
        summary = replace(summary, details=details)
        text = json.dumps(summary.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(output / "summary.json", text + "\n")
        write_report(
            output / "report.html",
            generations.stem,
            summary,
            config=config,
            figures=output / "figures",
        )
    return summary


def evaluate_rows(
    answers: Iterable[Answer],
    *,
    config: QuasarConfig,
    workers: int = 1,
    progress: int | None = None,
    baselines: Sequence[str] = (),
    per_sample: Path | None = None,
    log: ProgressLog | None = None,
) -> Summary:
    """The same for (problem, completions) pairs, which are read as they are needed.

    Baselines are run on the same problems; `Summary.baselines` holds theirs by name.
    progress: show a bar up to so many problems. log: of what was graded before.
    Raises InputError where there is nothing to evaluate, ConfigError as `evaluate_files`.
    """
    if config.evaluation.noise:
        HardwareView(config.evaluation.device)  # said here, before anything is written
    elif config.evaluation.device != "none" and not device_is_here(config.evaluation.device):
        logger.warning(
            "two-qubit gates and depth on %s are left out: pip install 'quasar-rl[devices]'",
            config.evaluation.device,
        )
    result = _Result(config, baselines)
    with ExitStack() as stack:
        writer = stack.enter_context(SampleWriter(per_sample)) if per_sample else None
        # Closed at once when something fails, so that no worker outlives the evaluation.
        graded = closing(_graded(answers, config, workers, baselines, log))
        steps = stack.enter_context(graded)
        for record, texts, found in _shown(steps, progress):
            rows = result.add(record, texts, found)
            if writer is not None:
                for row in rows:
                    writer.add(row)
    return result.summary()


class _Result:
    """What the graded problems add up to."""

    def __init__(self, config: QuasarConfig, baselines: Sequence[str]):
        self._config = config
        seed = config.run.seed
        self._own = Aggregator(seed=seed)
        self._baselines = {name: Aggregator(seed=seed) for name in baselines}
        self._showcase = Showcase(config.verification)
        self._hardware: list[Mapping[str, Any]] = []

    def add(
        self, record: ProblemRecord, texts: Sequence[str], graded: Graded
    ) -> list[dict[str, Any]]:
        """Takes one problem; gives the rows of its samples, labelled."""
        rows = [_label(record, i, row) for i, row in enumerate(graded.rows)]
        self._own.add(rows, graded.facts)
        for name, row in graded.baselines.items():
            self._baselines[name].add([row], graded.facts)
        for row, text in zip(rows, texts, strict=True):
            self._showcase.offer(row, text)
        self._hardware.append(graded.hardware or {})
        return rows

    def summary(self) -> Summary:
        """Raises InputError where no problem was added."""
        evaluation = self._config.evaluation
        counted = device_is_here(evaluation.device)
        return self._own.finish(
            circuits=self._showcase.circuits(self._own.failures),
            baselines={
                name: aggregator.finish()
                for name, aggregator in self._baselines.items()
                if aggregator.num_problems
            },
            device=evaluation.device if counted else None,
            hardware=summarise(evaluation.device, self._hardware, seed=self._config.run.seed)
            if evaluation.noise
            else None,
        )


def _graded(
    answers: Iterable[Answer],
    config: QuasarConfig,
    workers: int,
    baselines: Sequence[str],
    log: ProgressLog | None,
) -> Iterator[tuple[ProblemRecord, Sequence[str], Graded]]:
    """Each answer with what was graded, taken over from the log as far as that goes."""
    answers = iter(answers)
    if log is not None and log.num_done:
        logger.info("%d problems were graded before; going on from there", log.num_done)
        # The log is exhausted first: `zip` would take one answer too many the other way round.
        for graded, (record, texts) in zip(log.done(), answers, strict=False):
            yield record, texts, graded
    in_flight: list[Answer] = []

    def jobs() -> Iterator[Job]:
        for record, texts in answers:
            in_flight.append((record, texts))
            question = Question(record.problem, record.ansatz, record.sample_index)
            yield Job(question, tuple(texts), tuple(baselines), noise=config.evaluation.noise)

    for graded in grade_all(jobs(), workers=workers, config=config):
        if log is not None:
            log.add(graded)
        yield *in_flight.pop(0), graded


def _check(generations: Path, records: Mapping[int, ProblemRecord], problems: Path) -> int:
    """Read the whole file once, keeping nothing; the number of its rows."""
    first_line_of: dict[int, int] = {}  # number of samples -> first line with so many
    num_rows = 0
    for line, row in iterate_generations(generations):
        num_rows += 1
        if row.sample_index not in records:
            raise InputError(
                f"{generations} line {line}: sample_index {row.sample_index} is not in "
                f"{problems}; give the problem file it was made for"
            )
        if not row.completions:
            raise InputError(
                f"{generations} line {line}: 'completions' is empty; "
                "remove the line or give it a text"
            )
        first_line_of.setdefault(len(row.completions), line)
    most, fewest = max(first_line_of), min(first_line_of)
    k = max((k for k in REPORTED_K if k <= most), default=1)
    if fewest < k:
        logger.warning(
            "%s line %d: %d samples, fewer than the k of pass@%d; all of them are taken there",
            generations, first_line_of[fewest], fewest, k,
        )  # fmt: skip
    elif 1 < most < max(REPORTED_K):
        logger.warning(
            "%s line %d: %d samples are the most of any problem; pass@%d needs %d and is left out",
            generations, first_line_of[most], most, max(REPORTED_K), max(REPORTED_K),
        )  # fmt: skip
    if num_rows < len(records):
        logger.warning(
            "%s: %d of %d problems have no generations; they are left out",
            generations, len(records) - num_rows, len(records),
        )  # fmt: skip
    return num_rows


def _label(record: ProblemRecord, sample: int, row: Mapping[str, Any]) -> dict[str, Any]:
    problem = record.problem
    top = row.get("most_probable") or [{"bitstring": None}]
    return {
        **row,
        "sample_index": record.sample_index,
        "sample": sample,
        "primitive": problem.primitive,
        "num_qubits": problem.num_qubits,
        "most_probable_bitstring": top[0]["bitstring"],
    }


def _shown(steps: Iterator[Any], total: int | None) -> Iterator[Any]:
    """Pass the steps on, with a progress bar on a terminal's standard error."""
    console = Console(stderr=True)
    with Progress(console=console, disable=total is None or not console.is_terminal) as bar:
        yield from bar.track(steps, total=total, description="Verifying")
