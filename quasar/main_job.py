"""The main job: dataset → supervised fine-tuning → GRPO → evaluation → report.

Everything a run makes lies under one directory; each phase finds what it made before and goes on
from there, so that calling again after an interruption continues the run:

    runs/<name>/config.yaml        the resolved configuration
                dataset/           train, validation and test problems with solved circuits
                model/initial      the starting model; model/final the trained one
                sft/, grpo/        checkpoints, steps.jsonl (metrics), rollouts/
                evaluation/        one directory for each model in the final table
                report.html        what came out
                mlflow.db          tracking, unless another MLflow store is configured

With `run.upload` the directory is copied there after fine-tuning, after each GRPO checkpoint and at
the end, and fetched from there where this machine has none.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from quasar.config import QuasarConfig, with_overrides
from quasar.datasets.generate import generate_dataset
from quasar.datasets.io import read_problems, write_problems
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.datasets.traces import read_traces, write_traces
from quasar.evaluation.evaluate import evaluate_files, evaluate_rows
from quasar.evaluation.report import main_report
from quasar.evaluation.rollout_view import report_rollouts
from quasar.evaluation.summary import Summary, read_summary
from quasar.evaluation.table import COMPARED, compare_rows
from quasar.learning.sft import num_steps, train_supervised
from quasar.learning.state import CheckpointStore, StepLog, read_state
from quasar.learning.train import finished, train_grpo
from quasar.learning.validation import Validation
from quasar.policy.batch import generate_file
from quasar.policy.models import build_policy, load_policy
from quasar.run_directory import Run
from quasar.runtime import init_ray, warn_if_waiting
from quasar.tracking import TRACKED_AS, Tracker, tracking_uri

BASELINE_ROWS = ("H on every qubit", "references")  # of the final table


@dataclass(frozen=True, slots=True)
class MainJobResult:
    """Where the run is and what it reached."""

    directory: Path
    rows: dict[str, Summary]  # name of the row -> evaluation on held-out problems
    report: Path


def run_main_job(config: QuasarConfig) -> MainJobResult:
    """Run (or go on with) the whole job. Raises QuasarError for what a user can mend."""
    run = Run(config)
    console = Console(stderr=True)
    started = time.perf_counter()
    with _tracking(run) as tracker:
        trained = _train(run, tracker, console)
        rows = _evaluate(run, trained, console)
        report = _report(run, rows, tracker)
    if run.copy:
        run.copy.push()
    _print_end(run, rows, report, time.perf_counter() - started)
    return MainJobResult(run.directory, rows, report)


@contextmanager
def prepare(config: QuasarConfig) -> Iterator[tuple[Run, Path, Tracker]]:
    """Dataset and supervised fine-tuning only: what a sweep starts from.

    Yields the run, the fine-tuned model and the run's tracker.
    """
    run = Run(config)
    with _tracking(run) as tracker:
        init_ray(config)
        initial = _dataset_and_model(run)
        warn_if_waiting(config)
        yield run, _supervised(run, initial, tracker, Console(stderr=True)), tracker
    if run.copy:
        run.copy.push()


# Phases ------------------------------------------------------------------------------------------


def _train(run: Run, tracker: Tracker, console: Console) -> dict[str, Path]:
    """Model directories by the name of their row in the final table."""
    init_ray(run.config)
    initial = _dataset_and_model(run)
    warn_if_waiting(run.config)
    fine_tuned = _supervised(run, initial, tracker, console)
    reinforced = _reinforced(run, fine_tuned, tracker, console)
    if not run.final_model.is_dir():
        partial = run.final_model.with_name("final.partial")
        shutil.copytree(reinforced, partial, dirs_exist_ok=True)
        partial.rename(run.final_model)
    return {"before SFT": initial, "after SFT": fine_tuned, "after GRPO": run.final_model}


def _dataset_and_model(run: Run) -> Path:
    generate_dataset(run.config, run.dataset)
    if run.config.policy.model != "build":
        load_policy(run.config.policy.model)  # fails early, in one line
        return Path(run.config.policy.model)
    if not (run.initial_model / "config.json").is_file():
        partial = run.initial_model.with_name("initial.partial")
        shutil.rmtree(partial, ignore_errors=True)
        build_policy(run.config, list(_corpus(run)), partial)
        partial.rename(run.initial_model)
    return run.initial_model


def _corpus(run: Run) -> Iterator[str]:
    for record in read_problems(run.split("train")):
        messages = record_messages(record, style=run.config.dataset.prompts)
        yield from (message["content"] for message in messages)
        yield record.problem.reference_circuit or ""


def _supervised(run: Run, initial: Path, tracker: Tracker, console: Console) -> Path:
    config, directory = run.config, run.directory / "sft"
    traces = _traces(run)
    examples = len(read_problems(run.split("train"))) + (len(read_traces(traces)) if traces else 0)
    total = num_steps(config, examples)
    store = CheckpointStore(directory / "checkpoints")
    with _phase("SFT", directory, store, total, tracker, console) as on_step:
        checkpoint = train_supervised(
            config,
            model_directory=initial,
            problems_file=run.split("train"),
            traces_file=traces,
            checkpoints=store.directory,
            resume=True,
            on_step=on_step,
        )
    run.upload()
    return checkpoint / "huggingface"


def _traces(run: Run) -> Path | None:
    """The file of corrected mistakes for supervised training, where the configuration wants one."""
    share = run.config.sft.traces_per_example
    if not share:
        return None
    path = run.dataset / "traces.jsonl"
    if not path.is_file():
        write_traces(run.split("train"), path, run.config, share=share)
    return path


def _reinforced(run: Run, model: Path, tracker: Tracker, console: Console) -> Path:
    config, directory = run.config, run.directory / "grpo"
    result = finished(config, directory)
    if result is not None:
        return result.chosen / "huggingface"
    store, settings = CheckpointStore(directory / "checkpoints"), config.grpo
    watched = f"validation/{settings.validation.metric}"
    with _phase(
        "GRPO", directory, store, settings.iterations, tracker, console, watched=watched
    ) as on_step:

        def on_update(step: int, metrics: dict[str, float], episodes: list) -> None:
            on_step(step, metrics)
            if step % settings.checkpoint_every == 0:
                shown = episodes[: config.tracking.sample_circuits]
                rows = [{"reward": _reward(e), "text": e.texts[-1]} for e in shown]
                tracker.log_table(rows, f"samples/grpo-{step:06d}.json")

        result = train_grpo(
            config,
            model_directory=model,
            problems_file=run.split("train"),
            run_directory=directory,
            resume=True,
            on_step=on_update,
            validation=_validation(run, console),
            on_checkpoint=run.upload,
        )
    if result.stopped:
        console.print(f"GRPO ended after {result.step}/{settings.iterations}: {result.stopped}")
    if result.chosen != result.last:
        console.print(f"GRPO: going on with the weights after update {result.chosen_step}")
    return result.chosen / "huggingface"


def _validation(run: Run, console: Console) -> Validation | None:
    """Graded as `quasar evaluate` does it, without what costs most and no metric here needs."""
    if not run.config.grpo.validation.every:
        return None
    if not read_problems(run.split("validation")):
        console.print("GRPO: no validation, its split is empty; raise dataset.num_examples")
        return None
    config = with_overrides(
        run.config,
        {"evaluation.device": "none", "evaluation.noise": False, "evaluation.random_draws": 0},
    )
    names = dict.fromkeys([*COMPARED, config.grpo.validation.metric])

    def grade(answers: Sequence[tuple[ProblemRecord, Sequence[str]]]) -> dict[str, float | None]:
        summary = evaluate_rows(answers, config=config, workers=config.dataset.num_workers)
        return {name: summary.get(name).value for name in names}

    return Validation(config, run.split("validation"), grade)


def _reward(episode: Any) -> float | None:
    return getattr(episode.outcome, "value", None)


@contextmanager
def _phase(
    name: str,
    directory: Path,
    store: CheckpointStore,
    total: int,
    tracker: Tracker,
    console: Console,
    *,
    watched: str = "",
) -> Iterator[Any]:
    """A progress bar and the step log of one phase; yields on_step(step, metrics).

    watched: metric whose last value stays on the bar.
    """
    latest = store.latest()
    done = read_state(latest).step if latest else 0
    log = StepLog(directory / "steps.jsonl", resume_at=done if latest else -1)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        console=console,
    )
    seen: dict[str, float] = {}
    with bar:
        task = bar.add_task(name, total=total, completed=done, shown="")

        def on_step(step: int, metrics: dict[str, float]) -> None:
            log.append(step, metrics)
            tracker.log_metrics({f"{name.lower()}/{k}": v for k, v in metrics.items()}, step)
            seen.update({k: v for k, v in metrics.items() if k == watched})
            shown = _shown(metrics | seen, watched)
            bar.update(task, completed=step, shown=shown)
            told = step in (0, 1, total) or step % 10 == 0
            if not console.is_terminal and told:
                console.print(f"{name} {step}/{total}  {shown}")

        yield on_step


def _shown(metrics: dict[str, float], watched: str) -> str:
    names = {"reward": "reward", "valid_fraction": "valid", "loss": "loss", "tokens_per_s": "tok/s"}
    if watched in metrics:  # in the place of the loss, which says little of GRPO
        del names["loss"]
        names[watched] = watched.partition("/")[0]
    return "  ".join(
        f"{label} {metrics[key]:.3g}" for key, label in names.items() if key in metrics
    )


def _evaluate(run: Run, models: dict[str, Path], console: Console) -> dict[str, Summary]:
    """Held-out problems: each model's completions, and baselines, through one evaluation."""
    config, directory = run.config, run.directory / "evaluation"
    problems = directory / "problems.jsonl"
    if not problems.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        write_problems(problems, read_problems(run.split("test"))[: config.evaluation.num_problems])
    rows: dict[str, Summary] = {}
    for name, model in models.items():
        place = directory / name.replace(" ", "-").lower()
        if not (place / "summary.json").is_file():
            generations = place / "generations.jsonl"
            if not generations.is_file():
                generate_file(
                    model,
                    problems,
                    samples=config.evaluation.samples,
                    output=generations,
                    config=config,
                )
            console.print(f"evaluating: {name}")
            evaluate_files(
                problems,
                generations,
                place,
                config=config,
                workers=config.dataset.num_workers,
                baselines=BASELINE_ROWS,
            )
        rows[name] = read_summary(place / "summary.json")
    baselines = next(iter(rows.values())).baselines
    return rows | {name: baselines[name] for name in BASELINE_ROWS}


def _report(run: Run, rows: dict[str, Summary], tracker: Tracker) -> Path:
    curves = {name: StepLog.read(run.directory / name / "steps.jsonl") for name in ("sft", "grpo")}
    rollouts = report_rollouts(run.directory, run.config.verification)
    report = main_report(run.directory, rows, curves, run.config, rollouts=rollouts)
    for name, summary in rows.items():
        label = name.replace(" ", "_").lower()
        values = {m: summary.get(m).value for m in COMPARED}
        tracker.log_metrics(
            {f"evaluation/{label}/{m}": v for m, v in values.items() if v is not None}, 0
        )
    tracker.log_artifact(report)
    tracker.log_artifacts(run.directory / "figures", "figures")
    return report


def _print_end(run: Run, rows: dict[str, Summary], report: Path, seconds: float) -> None:
    """The short table and the three commands that a user wants next."""
    console = Console()
    where = _relative(run.directory)
    console.print(compare_rows(rows, title=f"Held-out problems of {where} ({seconds:.0f} s)"))
    problem = json.dumps(_example_problem(run), separators=(",", ":"))
    console.print(f"report: {_relative(report)}")
    console.print("next:", highlight=False)
    for line in (
        f"quasar serve --checkpoint {where}",
        f"curl -s {_endpoint(run.config)} -H 'content-type: application/json' -d '{problem}'",
        f"mlflow ui --backend-store-uri {store_uri(run.config)}",
    ):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _example_problem(run: Run) -> dict[str, Any]:
    problem = read_problems(run.split("test"))[0].problem
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


@contextmanager
def _tracking(run: Run) -> Iterator[Tracker]:
    """The run's MLflow run, re-opened where there is one; FAILED if an error leaves."""
    run.require_own_copy()
    tracker = Tracker.start(run.config, run_directory=run.directory, resume_run_id=run.tracked_as)
    (run.directory / TRACKED_AS).write_text(tracker.run_id)
    with tracker:
        if run.copy:
            run.copy.push()  # a place that cannot be written to is refused before hours of work
        yield tracker


def store_uri(config: QuasarConfig) -> str:
    """The MLflow store of a configuration's run."""
    return tracking_uri(config, config.run_directory)
