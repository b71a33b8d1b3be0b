"""The main job: dataset → supervised fine-tuning → GRPO → evaluation → report; self-improvement
before GRPO where the run has begun it (`quasar improve`).

Everything a run makes lies under one directory (`system.run_paths`); each phase finds what it made
before and goes on from there, so that calling again after an interruption continues the run.

With `run.upload` the directory is copied there after fine-tuning, after each GRPO checkpoint and at
the end, and fetched from there where this machine has none.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console

from quasar.config import QuasarConfig
from quasar.datasets.io import read_records, write_problems, write_text
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import TaskRecord
from quasar.episodes.generate import generate_file
from quasar.evaluation.baseline_names import (
    BEST_TRIVIAL,
    BY_RULE,
    REFERENCES,
    SOLVER,
    SOLVERS,
    TRIVIAL,
    TUNED,
    asked_for,
)
from quasar.evaluation.summary import FORMULA, GUESSING, Summary, read_summary
from quasar.pipeline.bundle import register_model
from quasar.pipeline.evaluate import evaluate_files
from quasar.pipeline.improve import improve_run
from quasar.pipeline.phases import (
    fine_tune,
    fine_tuned,
    is_fine_tuned,
    keep_final,
    make_dataset_and_model,
    reinforce,
)
from quasar.pipeline.run import Run
from quasar.pipeline.tracked_run import tracked_run
from quasar.pipeline.trackers.mlflow import tracking_uri
from quasar.pipeline.tracking import Tracker
from quasar.policy.preflight import require_training
from quasar.reports.console import TABLED, compare_rows
from quasar.reports.family_table import family_console, whole_rows
from quasar.reports.html import main_report
from quasar.reports.model_card import model_card
from quasar.reports.rollout_view import report_rollouts
from quasar.reports.task_table import task_console
from quasar.runtime import init_ray, warn_if_waiting
from quasar.system.invocation import command
from quasar.system.run_paths import WEIGHTS
from quasar.training.state import StepLog
from quasar.verification.execution.pool import VerifierPool
from quasar.verification.request import VerificationClient

# Of the final table.
BASELINE_ROWS = (
    GUESSING,
    FORMULA,
    TUNED,
    SOLVER,
    *TRIVIAL,
    BEST_TRIVIAL,
    BY_RULE,
    REFERENCES,
)
SUBJECT = "after GRPO"  # the row of the trained model


@dataclass(frozen=True, slots=True)
class MainJobResult:
    """Where the run is and what it reached."""

    directory: Path
    rows: dict[str, Summary]  # name of the row -> evaluation on held-out problems
    report: Path


def run_main_job(config: QuasarConfig) -> MainJobResult:
    """Run (or go on with) the whole job. Raises QuasarError for what a user can fix."""
    require_training(config)
    console = Console(stderr=True)
    started = time.perf_counter()
    with Run.open(config) as run:
        with tracked_run(run) as tracker:
            trained = _train(run, tracker, console)
            with _verifiers(config) as verifiers:
                rows = _evaluate(run, trained, console, verifiers)
            report = _report(run, rows, tracker)
        if run.copy:
            run.copy.push()
    _print_end(run, rows, report, time.perf_counter() - started)
    return MainJobResult(run.directory, rows, report)


@contextmanager
def fine_tuned_run(config: QuasarConfig) -> Iterator[tuple[Run, Path, Tracker]]:
    """Dataset and supervised fine-tuning only: what a sweep starts from.

    Yields the run, the fine-tuned model and the run's tracker.
    """
    require_training(config)
    with Run.open(config) as run:
        with tracked_run(run) as tracker:
            init_ray(run.config)
            initial = make_dataset_and_model(run)
            warn_if_waiting(run.config)
            yield run, fine_tune(run, initial, tracker, Console(stderr=True)), tracker
        if run.copy:
            run.copy.push()


def _train(run: Run, tracker: Tracker, console: Console) -> dict[str, Path]:
    """Model directories by the name of their row in the final table."""
    init_ray(run.config)
    initial = make_dataset_and_model(run)
    warn_if_waiting(run.config)
    models = {}
    improves = run.improve.directory.is_dir()  # quasar improve has begun
    if improves and fine_tuned(run) is None:  # with a model from elsewhere
        models["before improvement"] = weights = initial
    elif not is_fine_tuned(run):
        models["before GRPO"] = weights = initial
    else:
        models["before SFT"] = initial
        models["after SFT"] = weights = fine_tune(run, initial, tracker, console)
    if improves:
        weights = improve_run(run, weights, tracker, console).chosen / WEIGHTS
        models["after improvement"] = weights
    keep_final(run, reinforce(run, weights, tracker, console))
    return models | {SUBJECT: run.final_model}


def _evaluate(
    run: Run,
    models: dict[str, Path],
    console: Console,
    verifiers: Callable[[], VerificationClient],
) -> dict[str, Summary]:
    """Held-out problems: each model's completions, and baselines, through one evaluation."""
    config, problems = run.config, run.evaluation_problems
    if not problems.is_file():
        write_problems(problems, read_records(run.split("test"))[: config.evaluation.num_problems])
    records = read_records(problems)
    ansatze = {record.ansatz for record in records if isinstance(record, ProblemRecord)}
    others = any(isinstance(record, TaskRecord) for record in records)
    asked = asked_for(BASELINE_ROWS, ansatze, other_tasks=others)
    rows: dict[str, Summary] = {}
    for name, model in models.items():
        place = run.evaluation(name)
        if not _is_evaluated(place.summary, asked):
            if not place.generations.is_file():
                generate_file(
                    model,
                    problems,
                    samples=config.evaluation.samples,
                    output=place.generations,
                    config=config,
                )
            console.print(f"evaluating: {name}")
            evaluate_files(
                problems,
                place.generations,
                place.directory,
                config=config,
                verifiers=verifiers(),
                baselines=asked,
                asked=config.evaluation.samples,
            )
        rows[name] = read_summary(place.summary)
    baselines = dict(next(iter(rows.values())).baselines)
    if SOLVER in rows[SUBJECT].baselines:  # it has the seconds of its own model's answers
        baselines[SOLVER] = rows[SUBJECT].baselines[SOLVER]
    return rows | {name: baselines[name] for name in asked if name in baselines}


def _is_evaluated(summary: Path, asked: Sequence[str]) -> bool:
    """Whether it is there with all rows of the final table (an earlier version made fewer), but
    those that hang on what an answer took, which is not known of earlier answers.
    """
    if not summary.is_file():
        return False
    found = read_summary(summary)
    return set(asked) - set(SOLVERS) <= found.baselines.keys() | found.unanswered.keys()


@contextmanager
def _verifiers(config: QuasarConfig) -> Iterator[Callable[[], VerificationClient]]:
    """Gives the run's verifier pool, which starts when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(closing(VerifierPool(config.verification))))


def _report(run: Run, rows: dict[str, Summary], tracker: Tracker) -> Path:
    curves = {
        "sft": StepLog.read(run.sft.steps),
        "improve": StepLog.read(run.improve.rounds),
        "grpo": StepLog.read(run.grpo.steps),
    }
    rollouts = report_rollouts(run.directory, run.config.verification)
    report = main_report(run.directory, rows, curves, run.config, rollouts=rollouts)
    for name, summary in rows.items():
        label = name.replace(" ", "_").lower()
        values = {m: summary.get(m).value for m in TABLED}
        values |= {
            f"{task}/{m}": estimate.value
            for task, table in summary.tasks.items()
            for m, estimate in table.tables["pass@1"].items()
        }
        tracker.log_metrics(
            {f"evaluation/{label}/{m}": v for m, v in values.items() if v is not None}, 0
        )
    tracker.log_artifact(report)
    tracker.log_artifacts(run.figures, "figures")
    write_text(run.card, model_card(run.config, rows, subject=SUBJECT, baselines=BASELINE_ROWS))
    register_model(run, tracker)
    return report


def _print_end(run: Run, rows: dict[str, Summary], report: Path, seconds: float) -> None:
    """The short table and the three commands that a user wants next."""
    console = Console()
    where = _relative(run.directory)
    title = f"Held-out problems of {where} ({seconds:.0f} s)"
    console.print(compare_rows(rows, title=title, subject=SUBJECT, baselines=BASELINE_ROWS))
    families = family_console(rows)
    if families is not None and len(whole_rows(rows)) < len(rows):
        console.print(families)
    tasks = task_console(rows)
    if tasks is not None:
        console.print(tasks)
    problem = json.dumps(_example_problem(run), separators=(",", ":"))
    console.print(f"report: {_relative(report)}")
    console.print("next:", highlight=False)
    for words in (
        (command("quasar"), "serve", "--checkpoint", where),
        (
            "curl",
            "-s",
            _endpoint(run.config),
            "-H",
            "content-type: application/json",
            "-d",
            problem,
        ),
        (command("mlflow"), "ui", "--backend-store-uri", store_uri(run.config)),
    ):
        console.print(
            f"  {shlex.join(map(str, words))}", highlight=False, markup=False, soft_wrap=True
        )


def _example_problem(run: Run) -> dict[str, Any]:
    records = read_records(run.split("test"))
    record = next((r for r in records if isinstance(r, ProblemRecord)), records[0])
    if isinstance(record, TaskRecord):
        row = record.to_dict()
        return {"row": {name: row[name] for name in ("task", "family", "n_qubits", "instance")}}
    problem = record.problem
    return {
        "problem": {
            "primitive": problem.primitive,
            "graph": problem.graph,
            "attributes": dict(problem.attributes),
        }
    }


def _endpoint(config: QuasarConfig) -> str:
    return f"http://{config.serving.host}:{config.serving.port}/v1/circuits"


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def store_uri(config: QuasarConfig) -> str:
    """The MLflow store of a configuration's run."""
    return tracking_uri(config, config.run_directory)
