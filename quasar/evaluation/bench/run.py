"""`quasar bench`: a model's row on fixed sets, and the check of a row that somebody else made."""

import json
from collections.abc import Sequence
from pathlib import Path

from quasar import __version__
from quasar.config import QuasarConfig
from quasar.episodes.generate import setting_fingerprint
from quasar.errors import InputError
from quasar.evaluation.bench.baselines import baseline_answers, baselines_of
from quasar.evaluation.bench.models import Answerer, Answers
from quasar.evaluation.bench.result import (
    BenchResult,
    BenchRow,
    SetResult,
    read_result,
    write_result,
)
from quasar.evaluation.bench.scoring import score_answers, scoring_config
from quasar.evaluation.bench.sets import PUBLISHED, ProblemSet, make_set, published_set
from quasar.evaluation.published_rows import NUM_PROBLEMS, PUBLISHED_ROWS
from quasar.system.locks import held_file
from quasar.system.progress import progress_bar
from quasar.system.run_paths import partial
from quasar.verification.execution.process import MAX_TRIES, GuardedVerifier
from quasar.verification.request import VerificationClient

# Figures are exact up to the rounding of sums; other processors round otherwise.
TOLERANCE = 1e-6


def run_bench(
    answerer: Answerer,
    sets: Sequence[ProblemSet],
    *,
    samples: int,
    output: Path,
    config: QuasarConfig,
    workers: int = 1,
    baselines: Sequence[str] | None = None,
    progress: bool = True,
) -> BenchResult:
    """Answers, verifies and writes the result. baselines: None for those of each set's task.

    An interrupted call goes on with the answers that are missing. Raises InputError, also where
    another process writes the output or another call left its answers there.
    """
    entries, logs = [], []
    with held_file(output), _verifiers(workers) as client:
        for problems in sets:
            log = partial(output.with_name(f"{output.name}.{problems.name}"))
            logs.append(log)
            answers, usage = answerer.answer(problems, samples=samples, log=log, progress=progress)
            names = baselines_of(problems.task) if baselines is None else baselines
            entries.append(
                SetResult(
                    set=problems.name,
                    digest=problems.digest,
                    num_problems=len(problems.records),
                    row=BenchRow.of(score_answers(problems, answers, client=client)),
                    baselines=_baseline_rows(problems, names, client, progress=progress),
                    as_published=_published_rows(problems),
                    usage=usage,
                    answers={
                        record.sample_index: texts
                        for record, texts in zip(problems.records, answers, strict=True)
                        if texts
                    },
                )
            )
        result = BenchResult(
            quasar=__version__,
            model=answerer.model,
            samples=samples,
            settings=json.loads(json.dumps(dict(setting_fingerprint(config)))),  # as it is read
            sets=entries,
        )
        write_result(output, result)
        for log in logs:
            log.unlink(missing_ok=True)
    return result


def check_result(
    path: Path, *, data: Path | None = None, workers: int = 1, progress: bool = True
) -> BenchResult:
    """The result in a file, once everything in it was worked out anew from its answers.

    data: the benchmark's rows, for the published set. Raises InputError in one line that names the
    set and the figure where they do not agree.
    """
    result = read_result(path)
    told = []
    for entry in result.sets:
        problems = _set_of(entry, path, data)
        told.append((entry, problems, _answers_of(entry, problems, result, path)))
        if entry.as_published != _published_rows(problems):
            raise InputError(f"{path}: set {entry.set}: as_published is not as published")
    with _verifiers(workers) as client:
        for entry, problems, answers in told:
            found = BenchRow.of(score_answers(problems, answers, client=client))
            _require_equal(entry.row, found, f"{path}: set {entry.set}: the model's row")
            again = _baseline_rows(problems, list(entry.baselines), client, progress=progress)
            for name, row in entry.baselines.items():
                if name not in again:
                    raise InputError(f"{path}: set {entry.set}: baseline {name!r} has no answers")
                _require_equal(row, again[name], f"{path}: set {entry.set}: baseline {name!r}")
    return result


def chosen_sets(names: Sequence[str], data: Path | None) -> list[ProblemSet]:
    """The sets by name; that of `data` for the published one. Raises InputError."""
    if data is not None and PUBLISHED not in names:
        names = [*names, PUBLISHED]
    made = []
    for name in dict.fromkeys(names):
        if name == PUBLISHED and data is None:
            raise InputError(
                f"set {PUBLISHED}: give its rows with --data FILE (quasar dataset import writes it)"
            )
        made.append(
            published_set(data) if name == PUBLISHED and data is not None else make_set(name)
        )
    return made


def _verifiers(workers: int) -> GuardedVerifier:
    return GuardedVerifier(scoring_config().verification, num_workers=workers, max_tries=MAX_TRIES)


def _baseline_rows(
    problems: ProblemSet, names: Sequence[str], client: VerificationClient, *, progress: bool
) -> dict[str, BenchRow]:
    """Rows of those that have an answer to any problem."""
    found = {}
    with progress_bar("baselines", len(names), show=progress) as advance_to:
        for done, name in enumerate(names, start=1):
            answers = baseline_answers(name, problems)
            if any(answers):
                found[name] = BenchRow.of(score_answers(problems, answers, client=client))
            advance_to(done)
    return found


def _published_rows(problems: ProblemSet) -> dict[str, dict[str, float]] | None:
    """Those of pass@1, on all problems of the benchmark, as published: not measured here."""
    if not problems.name.startswith(f"{PUBLISHED}-"):
        return None
    return {f"{name} ({NUM_PROBLEMS} problems)": r["pass@1"] for name, r in PUBLISHED_ROWS.items()}


def _set_of(entry: SetResult, path: Path, data: Path | None) -> ProblemSet:
    if entry.set.startswith(f"{PUBLISHED}-"):
        if data is None:
            raise InputError(f"{path}: set {entry.set}: give its rows with --data FILE")
        problems = published_set(data)
    else:
        problems = make_set(entry.set)
    for what, there, here in (
        ("digest", entry.digest, problems.digest),
        ("name", entry.set, problems.name),
        ("num_problems", entry.num_problems, len(problems.records)),
    ):
        if there != here:
            raise InputError(
                f"{path}: set {entry.set}: its {what} is {there}, that of the set here is {here}: "
                "its figures are about other problems"
            )
    return problems


def _answers_of(entry: SetResult, problems: ProblemSet, result: BenchResult, path: Path) -> Answers:
    """By problem, in the order of the set: as many as the file says, of each. A baseline may have
    none for a problem.
    """
    known = {record.sample_index for record in problems.records}
    strange = sorted(entry.answers.keys() - known)
    if strange:
        raise InputError(f"{path}: set {entry.set} has no problem {strange[0]}")
    may_lack = result.model.kind == "baseline"
    for index in sorted(known):
        count = len(entry.answers.get(index, ()))
        if count != result.samples and not (may_lack and count == 0):
            raise InputError(
                f"{path}: set {entry.set}: {count} answers to sample_index {index}, not "
                f"{result.samples}: every problem is answered so often"
            )
    return [entry.answers.get(record.sample_index, []) for record in problems.records]


def _require_equal(there: BenchRow, here: BenchRow, what: str) -> None:
    for name in dict.fromkeys((*here.figures, *there.figures)):
        told, found = there.figures.get(name), here.figures.get(name)
        if told is None or found is None:
            missing = "is not in the file" if told is None else "is not a figure of this set"
            raise InputError(f"{what}: {name} {missing}")
        for field in ("value", "low", "high", "num_problems"):
            a, b = getattr(told, field), getattr(found, field)
            if (a is None) != (b is None) or (a is not None and abs(a - b) > TOLERANCE):
                shown = name if field == "value" else f"{name} ({field})"
                raise InputError(f"{what}: {shown} is {a}, its answers give {b}")
    for field in ("num_problems", "num_answers", "num_failed"):
        a, b = getattr(there, field), getattr(here, field)
        if a != b:
            raise InputError(f"{what}: {field} is {a}, its answers give {b}")
