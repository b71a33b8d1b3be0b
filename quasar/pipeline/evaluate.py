"""Evaluation of a file of generations: `quasar evaluate`.

Takes a problem file and a generation file; leaves `summary.json`, `report.html`,
`per_sample.parquet` and `figures/` in a directory, and gives the `Summary`.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.datasets.answer_seconds import read_seconds, seconds_file
from quasar.datasets.io import iterate_generations, read_records, write_text
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record
from quasar.errors import InputError
from quasar.evaluation.aggregate import REPORTED_K
from quasar.evaluation.baseline_names import (
    BASELINE_NAMES,
    SOLVER,
    SOLVER_OF_ALL,
    SOLVERS,
    asked_for,
    check_names,
    is_row_of,
)
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.progress import ProgressLog
from quasar.evaluation.summary import Summary
from quasar.reports.html import write_report
from quasar.system.locks import held_directory
from quasar.system.resumable import digest_of, file_digest, settings
from quasar.system.run_paths import EvaluationPaths
from quasar.verification.request import VerificationClient

logger = logging.getLogger(__name__)

# What the figures depend on; not where and on how much they are computed.
_THAT_COUNT = (
    "run.seed",
    "verification.",
    "reward.",
    "evaluation.",
    "generation.optimise_evaluations",
)


def evaluate_files(
    problems: Path | str,
    generations: Path | str,
    output: Path | str,
    *,
    config: QuasarConfig,
    workers: int = 1,
    verifiers: VerificationClient | None = None,
    progress: bool = True,
    baselines: Sequence[str] = BASELINE_NAMES,
    asked: int | None = None,
    best_of: int | None = None,
) -> Summary:
    """Evaluate a generation file (`sample_index`, `completions`) and write its directory.

    verifiers: who grades; by default as many guarded processes as `workers` says.
    baselines: names of `BASELINE_NAMES` to put beside it; asked: samples a problem that the file
    was made with, on purpose. best_of: answers of which the one with the highest reward is
    measured, too; by default all of a problem.
    Problems without generations, and those with fewer samples than a reported k, are named in a
    warning, unless so many were asked for. An evaluation that is there is replaced. Raises
    InputError where another process writes there or another one was interrupted; and, naming the
    file and the line: unreadable or malformed files, a sample_index that the problem file does not
    have, one used twice, an empty list of completions; a baseline of no such name; a best_of that
    no problem has samples for. Raises ConfigError where the noise view is asked for without its
    device.
    """
    check_names(baselines)
    problems, generations, output = Path(problems), Path(generations), Path(output)
    records = {
        record.sample_index: record
        for record in read_records(problems, max_qubits=config.verification.max_qubits)
    }
    of_graphs = [r for r in records.values() if isinstance(r, ProblemRecord)]
    if len(of_graphs) < len(records):  # else those that have no answer are told of
        ansatze = {record.ansatz for record in of_graphs}
        baselines = asked_for(baselines, ansatze, other_tasks=True)
    else:
        baselines = [name for name in baselines if is_row_of(name, graph=True)]
    samples = _check(generations, records, problems, asked, best_of)
    seconds = _seconds(generations, samples, config)
    baselines = _with_seconds(baselines, seconds, samples, generations)
    fingerprint = {
        "problems": file_digest(problems),
        "generations": file_digest(generations),
        "baselines": list(baselines),
        "seconds": digest_of(sorted(seconds.items())) if set(SOLVERS) & set(baselines) else None,
        **settings(config, *_THAT_COUNT),
    }
    started, paths = time.monotonic(), EvaluationPaths(output)
    with (
        held_directory(output),
        ProgressLog(paths.progress, fingerprint) as log,
    ):
        summary = evaluate_rows(
            ((records[row.sample_index], row.completions)
             for _, row in iterate_generations(generations)),
            config=config,
            workers=workers,
            verifiers=verifiers,
            progress=len(samples) if progress else None,
            baselines=baselines,
            per_sample=paths.per_sample,
            log=log,
            best_of=best_of,
            seconds=seconds,
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
        write_text(paths.summary, text + "\n")
        write_report(
            paths.report,
            generations.stem,
            summary,
            config=config,
            figures=paths.figures,
        )
    return summary


def _check(
    generations: Path,
    records: Mapping[int, Record],
    problems: Path,
    asked: int | None,
    best_of: int | None,
) -> dict[int, int]:
    """Read the whole file once; the number of samples of each of its rows, by sample_index."""
    first_line_of: dict[int, int] = {}  # number of samples -> first line with so many
    samples: dict[int, int] = {}
    for line, row in iterate_generations(generations):
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
        samples[row.sample_index] = len(row.completions)
        first_line_of.setdefault(len(row.completions), line)
    most, fewest = max(first_line_of), min(first_line_of)
    if best_of is not None and best_of > most:
        raise InputError(
            f"{generations}: --best-of {best_of} needs as many samples of a problem, and {most} "
            "are the most; lower it or generate more"
        )
    k = max((k for k in REPORTED_K if k <= most), default=1)
    if fewest < k:
        logger.warning(
            "%s line %d: %d samples, fewer than the k of pass@%d; all of them are taken there",
            generations, first_line_of[fewest], fewest, k,
        )  # fmt: skip
    elif 1 < most < max(REPORTED_K) and most != asked:
        logger.warning(
            "%s line %d: %d samples are the most of any problem; pass@%d needs %d and is left out",
            generations, first_line_of[most], most, max(REPORTED_K), max(REPORTED_K),
        )  # fmt: skip
    if len(samples) < len(records):
        logger.warning(
            "%s: %d of %d problems have no generations; they are left out",
            generations, len(records) - len(samples), len(records),
        )  # fmt: skip
    return samples


def _seconds(
    generations: Path, samples: Mapping[int, int], config: QuasarConfig
) -> Mapping[int, float]:
    """That the answers to each problem took together, as set or as measured; empty: not known."""
    each = config.evaluation.solver_seconds
    if each is not None:
        return {index: each * count for index, count in samples.items()}
    return read_seconds(generations)


def _with_seconds(
    baselines: Sequence[str],
    seconds: Mapping[int, float],
    samples: Mapping[int, int],
    generations: Path,
) -> list[str]:
    """The baselines without those of the solver that there are no seconds for, which is told."""
    if seconds:
        one_each = max(samples.values()) == 1
        return [name for name in baselines if not (name == SOLVER_OF_ALL and one_each)]
    if SOLVER in baselines:
        logger.warning(
            "%s: the row '%s' is left out, because what an answer took is not known: quasar "
            "generate keeps it in %s, and --set evaluation.solver_seconds=SECONDS sets it",
            generations, SOLVER, seconds_file(generations).name,
        )  # fmt: skip
    return [name for name in baselines if name not in SOLVERS]
