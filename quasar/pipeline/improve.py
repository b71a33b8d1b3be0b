"""Self-improvement of a run: `quasar improve`, and the phase between fine-tuning and GRPO.

Takes a run; starts from its fine-tuned weights, or from `policy.model`; leaves `improve/` and the
run's final model, from which serving, generation and GRPO go on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.config import QuasarConfig
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_problems, write_text
from quasar.datasets.records import ProblemRecord
from quasar.errors import CircuitError, ConfigError, InputError
from quasar.evaluation.baseline_names import CONSTANT_ANGLES, GREEDY_DESCENT, QAOA, group_of
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.context import in_family
from quasar.pipeline.bundle import register_model
from quasar.pipeline.phases import fine_tuned, grading, keep_final
from quasar.pipeline.run import Run
from quasar.pipeline.tracked_run import tracked_run
from quasar.pipeline.tracking import Tracker
from quasar.policy.preflight import require_training
from quasar.reports.model_card import model_card
from quasar.runtime import init_ray, warn_if_waiting
from quasar.system.run_paths import WEIGHTS
from quasar.training.improvement import ImproveResult, improve, result_of
from quasar.training.round_answers import Yardsticks, validation_problems
from quasar.training.state import CheckpointStore, StepLog
from quasar.training.validation import Validation


@dataclass(frozen=True, slots=True)
class ImprovedRun:
    """Where a run's improved model is and what it came from."""

    run: Path
    model: Path
    result: ImproveResult


def run_improvement(config: QuasarConfig) -> ImprovedRun:
    """Begin a run's self-improvement or go on with it.

    Raises QuasarError for what a user can fix.
    """
    require_improvement(config)
    require_training(config)
    console = Console(stderr=True)
    with Run.open(config) as run:
        start = starting_weights(run)
        with tracked_run(run) as tracker:
            init_ray(run.config)
            warn_if_waiting(run.config)
            result = improve_run(run, start, tracker, console)
            keep_final(run, result.chosen / WEIGHTS)
            write_text(run.card, model_card(run.config, {}))
            register_model(run, tracker)
        if run.copy:
            run.copy.push()
    return ImprovedRun(run.directory, run.final_model, result)


def require_improvement(config: QuasarConfig) -> None:
    """Raises ConfigError for what self-improvement does not carry out."""
    if config.dataset.ranges:
        raise ConfigError(
            "self-improvement is of graph problems alone, and dataset.tasks names "
            f"{', '.join(config.dataset.ranges)}; train them with quasar train"
        )
    if config.generation.tool_format != "compact":
        raise ConfigError(
            "self-improvement imitates programs, not tool calls; set "
            f"generation.tool_format=compact (now {config.generation.tool_format})"
        )


def starting_weights(run: Run) -> Path:
    """Of the model to improve. Raises ConfigError where there is none."""
    tuned = fine_tuned(run)
    if tuned is not None:
        return tuned
    if run.config.policy.model == "build":
        raise ConfigError(
            f"nothing to improve: {run.directory} has no fine-tuned model, and policy.model is "
            "'build'; run quasar sft first, then quasar improve --resume with its directory, or "
            "name a model: --set policy.model=DIR"
        )
    return Path(run.config.policy.model)


def improve_run(run: Run, start: Path, tracker: Tracker, console: Console) -> ImproveResult:
    """The phase: what it left, or what it makes now. Raises ConfigError where GRPO has begun."""
    config, paths = run.config, run.improve
    done = result_of(config, paths)
    if done is not None:
        return done
    if CheckpointStore(run.grpo.checkpoints).latest() is not None:
        raise ConfigError(
            f"GRPO of {run.directory} has begun from other weights; improve what it leaves in a "
            f"new run: --set run.name=NAME --set policy.model={run.final_model}"
        )
    require_improvement(config)
    settings = config.improve
    fresh = settings.source == "fresh"
    if settings.teacher_share or not fresh:
        generate_dataset(config, run.dataset)
    problems = validation_problems(config, start, paths) if fresh else run.split("validation")
    if not read_problems(problems):
        raise InputError(f"{problems}: no problems; in a new run raise dataset.num_examples")
    grade = grading(config, settings.validation.metric)
    # The last round's row, for what follows it.
    before = next(reversed(StepLog.read(paths.rounds)), {})

    def on_round(number: int, metrics: dict[str, float]) -> None:
        tracker.log_metrics({f"improve/{k}": v for k, v in metrics.items()}, number)
        console.print(_line(number, settings.rounds, metrics, before), highlight=False)
        before.update(metrics)
        run.upload()

    result = improve(
        config,
        model_directory=start,
        paths=paths,
        train_file=run.split("train") if settings.teacher_share or not fresh else None,
        validation=Validation(config, problems, grade, settings.validation),
        yardsticks=_yardsticks(config),
        on_round=on_round,
        on_step=lambda step, found: tracker.log_metrics(
            {f"improve_update/{k}": v for k, v in found.items()}, step
        ),
        show=console.is_terminal,
    )
    if result.stopped:
        console.print(f"improve: ended after {result.rounds}/{settings.rounds}: {result.stopped}")
    if result.chosen != result.last:
        console.print(f"improve: going on with the weights after round {result.chosen_round}")
    return result


def _yardsticks(config: QuasarConfig) -> Yardsticks:
    named = config.dataset.prompts != "free"  # those name no family

    def trivial(record: ProblemRecord) -> str | None:
        name = CONSTANT_ANGLES if group_of(record.ansatz) == QAOA else GREEDY_DESCENT
        return build_baseline(
            name,
            record.problem,
            seed=(config.run.seed, record.sample_index),
            ansatz=record.ansatz,
            layers=record.n_layers,
        )

    def is_asked(record: ProblemRecord, text: str) -> bool:
        try:
            circuit = read_qasm(extract_program(text))
        except CircuitError:
            return False
        found = in_family(circuit, record.ansatz, record.problem.hamiltonian)
        return not named or found is not False

    return Yardsticks(trivial, is_asked)


def _line(
    number: int, rounds: int, metrics: Mapping[str, float], before: Mapping[str, float]
) -> str:
    """A round in one line; 0: the start."""
    validated = []
    for name, label in (("reward", "reward"), ("approximation_ratio", "ratio")):
        key = f"validation/{name}"
        if key in metrics:
            was = f"{before[key]:.4f} → " if number and key in before else ""
            validated.append(f"{label} {was}{metrics[key]:.4f}")
            beside = metrics.get(f"validation_trivial/{name}")
            validated[-1] += "" if beside is None else f" (no learning {beside:.4f})"
    parts = [f"validation {', '.join(validated)}"] if validated else []
    if number:
        parts.insert(0, f"{metrics['problems']:.0f} problems, {metrics['kept']:.0f} kept")
        for name, label in (("reward", "reward"), ("approximation_ratio", "ratio")):
            values = [
                f"{metrics[key]:.4f} {what}"
                for key, what in (
                    (name, "sampled"),
                    (f"best/{name}", "best"),
                    (f"chosen/{name}", "optimised"),
                    (f"trivial/{name}", "no learning"),
                )
                if key in metrics
            ]
            if values:
                parts.insert(-1, f"{label} {', '.join(values)}")
    return f"improve {number}/{rounds}: " + "; ".join(parts)
