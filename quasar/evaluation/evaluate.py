"""Evaluation of a file of generations: Pass@k in the published and in the corrected definitions.

Takes a problem file and a generation file; leaves `summary.json`, `report.html`,
`per_sample.parquet` and `figures/*.svg` in a directory, and gives the `Summary`. Samples are graded
on worker processes and written as they come; the baselines go the same way.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from quasar.circuits.qasm import Limits
from quasar.config import QuasarConfig
from quasar.datasets.io import read_generations, read_problems, write_text
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.errors import InputError
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.baselines import QUICK_BASELINES, baseline_rows
from quasar.evaluation.measure import uniform_ratio
from quasar.evaluation.report import write_report
from quasar.evaluation.storage import SampleWriter, Showcase
from quasar.evaluation.summary import Summary, read_summary
from quasar.evaluation.workers import Job, grade_all

__all__ = ["evaluate_files", "evaluate_rows", "read_summary"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    """One problem with the texts of each source; source None: the generations themselves."""

    record: ProblemRecord
    texts: Mapping[str | None, tuple[str, ...]]

    @property
    def job(self) -> Job:
        """All texts in one job, so that the problem's reference is simulated once."""
        return Job(self.record.problem, tuple(t for texts in self.texts.values() for t in texts))


def evaluate_files(
    problems: Path | str,
    generations: Path | str,
    output: Path | str,
    *,
    config: QuasarConfig,
    workers: int = 1,
    progress: bool = True,
    baselines: Sequence[str] = QUICK_BASELINES,
) -> Summary:
    """Evaluate a generation file (`sample_index`, `completions`) and write its directory.

    workers: grading processes; baselines: names of `BASELINES` to put beside it.
    Problems without generations are left out with a warning. Raises InputError, one line that names
    the file and the line: unreadable or malformed files, a sample_index that the problem file does
    not have, one used twice, an empty list of completions.
    """
    records = {
        record.sample_index: record
        for record in read_problems(problems, max_qubits=config.verification.max_qubits)
    }
    rows = read_generations(generations)
    _check(rows, records, Path(generations), Path(problems))
    if len(rows) < len(records):
        logger.warning(
            "%s: %d of %d problems have no generations; they are left out",
            generations, len(records) - len(rows), len(records),
        )  # fmt: skip
    output = Path(output)
    started = time.monotonic()
    summary = evaluate_rows(
        [(records[row.sample_index], row.completions) for row in rows],
        config=config,
        workers=workers,
        progress=progress,
        baselines=baselines,
        per_sample=output / "per_sample.parquet",
    )
    details = {
        "problems": Path(problems).name,
        "generations": Path(generations).name,
        "seed": config.run.seed,
        "seconds": round(time.monotonic() - started, 3),
    }
    summary = replace(summary, details=details)
    text = json.dumps(summary.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(output / "summary.json", text + "\n")
    name = Path(generations).stem
    write_report(output / "report.html", name, summary, config=config, figures=output / "figures")
    return summary


def evaluate_rows(
    answers: Sequence[tuple[ProblemRecord, Sequence[str]]],
    *,
    config: QuasarConfig,
    workers: int = 1,
    progress: bool = True,
    baselines: Sequence[str] = (),
    per_sample: Path | None = None,
) -> Summary:
    """The same for answers in memory: (problem, completions) pairs; writes only `per_sample`.

    Baselines are run on the same problems; `Summary.baselines` holds theirs by name.
    """
    tasks = _tasks(answers, baselines, config)
    aggregators: dict[str | None, Aggregator] = {}
    showcase = Showcase()
    graded = grade_all(
        (task.job for task in tasks),
        workers=workers,
        verification=config.verification,
        reward=config.reward,
    )
    with SampleWriter(per_sample) if per_sample else _Nowhere() as writer:
        for task, rows in _shown(zip(tasks, graded, strict=True), len(tasks), progress):
            problem, uniform = task.record.problem, uniform_ratio(task.record.problem)
            unread = iter(rows)
            for source, texts in task.texts.items():
                labelled = [
                    _label(task.record, i, row) for i, row in enumerate(islice(unread, len(texts)))
                ]
                aggregator = aggregators.setdefault(source, Aggregator(seed=config.run.seed))
                aggregator.add(problem.primitive, problem.num_qubits, labelled, uniform=uniform)
                if source is None:
                    for row, text in zip(labelled, texts, strict=True):
                        writer.add(row)
                        showcase.offer(row, text)
    own = aggregators.pop(None)
    return own.finish(
        circuits=showcase.circuits(own.failures),
        baselines={name: aggregator.finish() for name, aggregator in aggregators.items()},
    )


class _Nowhere:
    """Takes rows where no file is asked for."""

    def __enter__(self) -> "_Nowhere":
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def add(self, row: Mapping[str, Any]) -> None:
        """Drop the row."""


def _tasks(
    answers: Sequence[tuple[ProblemRecord, Sequence[str]]],
    baselines: Sequence[str],
    config: QuasarConfig,
) -> list[_Task]:
    if not answers:
        raise InputError("evaluation: there are no generations to evaluate")
    limits = Limits(
        max_text_bytes=config.verification.max_text_bytes,
        max_qubits=config.verification.max_qubits,
        max_gates=config.verification.max_gates,
    )
    tasks = []
    for record, texts in answers:
        sources: dict[str | None, tuple[str, ...]] = {None: tuple(texts)}
        for name in baselines:
            for row in baseline_rows(name, [record], seed=config.run.seed, limits=limits):
                sources[name] = row.completions
        tasks.append(_Task(record, sources))
    return tasks


def _check(
    rows: Sequence[GenerationRow],
    records: Mapping[int, ProblemRecord],
    generations: Path,
    problems: Path,
) -> None:
    for position, row in enumerate(rows):
        if row.sample_index not in records:
            raise InputError(
                f"{generations} line {_line(generations, position)}: sample_index "
                f"{row.sample_index} is not in {problems}; give the problem file it was made for"
            )
        if not row.completions:
            raise InputError(
                f"{generations} line {_line(generations, position)}: 'completions' is empty; "
                "remove the line or give it a text"
            )


def _line(path: Path, position: int) -> int:
    """1-based line of the row at a position: readers skip blank lines."""
    with path.open(encoding="utf-8") as lines:
        filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return filled[position]


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


def _shown(steps: Iterator[Any], total: int, progress: bool) -> Iterator[Any]:
    """Pass the steps on, with a progress bar on a terminal's standard error."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not (progress and console.is_terminal)) as bar:
        yield from bar.track(steps, total=total, description="Verifying")
