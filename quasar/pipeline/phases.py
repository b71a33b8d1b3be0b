"""The phases of the main job that make weights: dataset and model, supervised fine-tuning, GRPO.

Each finds in the run's directory what it made before and goes on from there.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import TextColumn, TimeElapsedColumn

from quasar.config import QuasarConfig, with_overrides
from quasar.datasets.generation.generate import SPLITS, generate_dataset
from quasar.datasets.generation.traces import read_traces, write_traces
from quasar.datasets.io import read_records
from quasar.datasets.prompts import record_messages
from quasar.datasets.task_records import Record
from quasar.errors import ConfigError
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.task_tables import FIGURES
from quasar.pipeline.run import Run
from quasar.pipeline.tracking import Tracker
from quasar.policy.models import build_policy, load_chat
from quasar.policy.preflight import require_prompts
from quasar.reports.console import COMPARED
from quasar.system.progress import make_bars
from quasar.system.resumable import model_digest
from quasar.system.run_paths import WEIGHTS, partial
from quasar.training.sft import num_steps, train_supervised
from quasar.training.state import CheckpointStore, StepLog, read_state
from quasar.training.train import finished, train_grpo
from quasar.training.validation import Grade, Validation
from quasar.verification.request import VerificationClient


def make_dataset_and_model(run: Run) -> Path:
    """The dataset, and the model that training starts from: given, or built here."""
    generate_dataset(run.config, run.dataset)
    model = Path(run.config.policy.model)
    if run.config.policy.model == "build":
        model = run.initial_model
        if not (model / "config.json").is_file():
            built = partial(model)
            shutil.rmtree(built, ignore_errors=True)
            build_policy(run.config, list(_corpus(run)), built)
            built.rename(model)
    require_prompts(load_chat(model), _prompts(run), run.config)
    return model


def _prompts(run: Run) -> Iterator[list[dict[str, str]]]:
    """Of all problems of the dataset."""
    for split in SPLITS:
        for record in read_records(run.split(split)):
            yield record_messages(record, style=run.config.dataset.prompts)


def _corpus(run: Run) -> Iterator[str]:
    for record in read_records(run.split("train")):
        messages = record_messages(record, style=run.config.dataset.prompts)
        yield from (message["content"] for message in messages)
        yield record.problem.reference_circuit or ""


def fine_tune(run: Run, initial: Path, tracker: Tracker, console: Console) -> Path:
    """The weights after supervised fine-tuning, as a directory."""
    config, phase = run.config, run.sft
    traces = _traces(run)
    total = _num_updates(run, traces)
    store = CheckpointStore(phase.checkpoints)
    with _phase("SFT", phase.steps, store, total, tracker, console) as on_step:
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
    return checkpoint / WEIGHTS


def is_fine_tuned(run: Run) -> bool:
    """Whether the configuration has any step of supervised fine-tuning."""
    return bool(run.config.sft.epochs or run.config.sft.stream.examples)


def _num_updates(run: Run, traces: Path | None) -> int:
    """Of supervised fine-tuning."""
    examples = len(read_records(run.split("train"))) + (len(read_traces(traces)) if traces else 0)
    return num_steps(run.config, examples)


def _traces(run: Run) -> Path | None:
    """The file of corrected mistakes for supervised training, where the configuration wants one."""
    share = run.config.sft.traces_per_example
    if not share:
        return None
    path = run.traces
    if not path.is_file():
        write_traces(run.split("train"), path, run.config, share=share)
    return path


def fine_tuned(run: Run) -> Path | None:
    """The weights that finished supervised fine-tuning left; None where it has not begun.

    Raises ConfigError where it is under way.
    """
    latest = CheckpointStore(run.sft.checkpoints).latest()
    if latest is None:
        return None
    step, total = read_state(latest).step, _num_updates(run, _traces(run))
    if step < total:
        raise ConfigError(
            f"supervised fine-tuning of {run.directory} is at {step} of {total} updates; finish it "
            f"with quasar sft --resume {run.directory}, or improve it in a new run with "
            f"--set policy.model={latest / WEIGHTS}"
        )
    return latest / WEIGHTS


def reinforce(run: Run, model: Path, tracker: Tracker, console: Console) -> Path:
    """The weights that GRPO leaves: of its last update, or of its best validation."""
    config, phase = run.config, run.grpo
    result = finished(config, phase.directory)
    if result is not None:
        return result.chosen / WEIGHTS
    store, settings = CheckpointStore(phase.checkpoints), config.grpo
    watched = f"validation/{settings.validation.metric}"
    with _phase(
        "GRPO", phase.steps, store, settings.iterations, tracker, console, watched=watched
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
            run_directory=phase.directory,
            resume=True,
            on_update=on_update,
            validation=_validation(run, console),
            on_checkpoint=run.upload,
        )
    if result.stopped:
        console.print(f"GRPO ended after {result.step}/{settings.iterations}: {result.stopped}")
    if result.chosen != result.last:
        console.print(f"GRPO: going on with the weights after update {result.chosen_step}")
    return result.chosen / WEIGHTS


def _validation(run: Run, console: Console) -> Validation | None:
    if not run.config.grpo.validation.every:
        return None
    if not read_records(run.split("validation")):
        console.print(
            "GRPO: no validation, its split is empty; in a new run raise dataset.num_examples"
        )
        return None
    grade = grading(run.config, run.config.grpo.validation.metric)
    return Validation(run.config, run.split("validation"), grade)


def grading(config: QuasarConfig, metric: str) -> Grade:
    """How a validation is graded: as `quasar evaluate` does it, without what costs most and no
    metric here needs.
    """
    config = with_overrides(
        config,
        {"evaluation.device": "none", "evaluation.noise": False, "evaluation.random_draws": 0},
    )
    names = dict.fromkeys([*COMPARED, metric])

    def grade(
        answers: Sequence[tuple[Record, Sequence[str]]], verifiers: VerificationClient
    ) -> dict[str, float | None]:
        summary = evaluate_rows(answers, config=config, verifiers=verifiers)
        found = {name: summary.get(name) for name in names}
        error = {f"{metric}_error": found[metric].standard_error}
        by_task = {
            f"{task}/{name}": estimate.value
            for task, table in summary.tasks.items()
            for name, estimate in table.tables["pass@1"].items()
            if name in FIGURES
        }
        return {name: estimate.value for name, estimate in found.items()} | error | by_task

    return grade


def keep_final(run: Run, weights: Path) -> None:
    """Make these weights the run's final model."""
    final = run.final_model
    if final.is_dir() and model_digest(final) == model_digest(weights):
        return
    copied, old = partial(final), final.with_name("replaced.partial")
    for place in (copied, old):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(weights, copied)
    if final.exists():
        final.rename(old)
    copied.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _reward(episode: Any) -> float | None:
    return getattr(episode.outcome, "value", None)


@contextmanager
def _phase(
    name: str,
    steps: Path,
    store: CheckpointStore,
    total: int,
    tracker: Tracker,
    console: Console,
    *,
    watched: str = "",
) -> Iterator[Any]:
    """A progress bar and the step log of one phase; yields on_step(step, metrics).

    steps: the step log's file.     watched: metric whose last value stays on the bar.
    """
    latest = store.latest()
    done = read_state(latest).step if latest else 0
    log = StepLog(steps, resume_at=done if latest else -1)
    bar = make_bars(TextColumn("{task.fields[shown]}"), TimeElapsedColumn(), console=console)
    seen: dict[str, float] = {}
    with bar:
        task = bar.add_task(name, total=total, completed=done, shown="")

        def on_step(step: int, metrics: dict[str, float]) -> None:
            log.append(step, metrics)
            tracker.log_metrics({f"{name.lower()}/{k}": v for k, v in metrics.items()}, step)
            seen.update({k: v for k, v in metrics.items() if k == watched})
            shown = _shown(metrics | seen, watched)
            bar.update(task, completed=step, shown=shown)
            told = step in (0, 1, total) or step % (10 * math.ceil(total / 100)) == 0
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
