"""The loop around GRPO: build or resume, step, validate, checkpoint, write rollouts down."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.learning.grpo import GRPO, GRPOConfig
from quasar.learning.rollout_log import step_file, write_rollouts
from quasar.learning.state import CheckpointStore, RunState, read_state
from quasar.learning.validation import Validation
from quasar.policy.agent import Episode

OnCheckpoint = Callable[[], None]
OnStep = Callable[[int, dict[str, float], list[Episode]], None]


@dataclass(frozen=True, slots=True)
class GrpoResult:
    """What training left."""

    last: Path  # newest checkpoint
    chosen: Path  # the checkpoint whose weights are the result
    step: int  # updates done
    chosen_step: int
    stopped: str  # why it ended before the configured number of updates; "" where it did not


def train_grpo(
    config: QuasarConfig,
    *,
    model_directory: Path,
    problems_file: Path,
    run_directory: Path,
    resume: bool = False,
    on_step: OnStep | None = None,
    validation: Validation | None = None,
    on_checkpoint: OnCheckpoint | None = None,
) -> GrpoResult:
    """Train for the configured number of updates, or until validation ends it.

    Checkpoints go to run_directory/checkpoints, every rollout to run_directory/rollouts. Ray must
    be up. `on_step(step, metrics, episodes)` is called after each of the steps 1…iterations, and
    with step 0 and no episodes after a validation before the first; `on_checkpoint()` after each
    checkpoint.
    """
    store = _store(config, run_directory)
    done = finished(config, run_directory) if resume else None
    if done is not None:
        return done
    latest = store.latest() if resume else None
    algorithm: GRPO = (
        GRPOConfig()
        .run(config, model_directory=model_directory, problems_file=problems_file)
        .build_algo()
    )

    def close(metrics: dict[str, float]) -> None:
        written = _close_step(algorithm, store, config, on_step, validation, metrics=metrics)
        if written and on_checkpoint is not None:
            on_checkpoint()

    try:
        if latest:
            algorithm.restore_from_path(str(latest))
        else:
            close({})
        while not _is_over(algorithm.run_state, config):
            algorithm.train()
            write_rollouts(
                step_file(run_directory / "rollouts", algorithm.run_state.step),
                algorithm.episodes,
                algorithm.advantages,
            )
            close(algorithm.last_metrics)
    finally:
        algorithm.stop()
    return _result(store, config)


def finished(config: QuasarConfig, run_directory: Path) -> GrpoResult | None:
    """The result of a run that has nothing left to do, else None."""
    store = _store(config, run_directory)
    latest = store.latest()
    if latest is None or not _is_over(read_state(latest), config):
        return None
    return _result(store, config)


def _close_step(
    algorithm: GRPO,
    store: CheckpointStore,
    config: QuasarConfig,
    on_step: OnStep | None,
    validation: Validation | None,
    *,
    metrics: dict[str, float],
) -> bool:
    """What follows an update (or precedes the first): validation, report, checkpoint. Returns
    whether there was one.
    """
    state = algorithm.run_state
    is_best = False
    if validation is not None and validation.is_due(state):
        metrics = metrics | validation.run(algorithm)
        is_best = state.best_step == state.step
    if metrics and on_step is not None:
        on_step(state.step, metrics, algorithm.episodes)
    is_regular = state.step > 0 and state.step % config.grpo.checkpoint_every == 0
    is_due = is_best or is_regular or _is_over(state, config)
    if is_due:
        with store.writing(state) as directory:
            algorithm.save_to_path(str(directory))
    return is_due


def _store(config: QuasarConfig, run_directory: Path) -> CheckpointStore:
    return CheckpointStore(run_directory / "checkpoints", keep=config.grpo.keep_checkpoints)


def _is_over(state: RunState, config: QuasarConfig) -> bool:
    return state.step >= config.grpo.iterations or bool(state.stopped)


def _result(store: CheckpointStore, config: QuasarConfig) -> GrpoResult:
    last = store.latest()
    state = read_state(last)
    chosen = last
    if config.grpo.validation.result == "best":
        chosen = store.best() or last
    return GrpoResult(last, chosen, state.step, read_state(chosen).step, state.stopped)
