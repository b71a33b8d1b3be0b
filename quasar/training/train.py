"""The loop around GRPO: build or resume, step, validate, checkpoint, write rollouts down."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from quasar.config import QuasarConfig
from quasar.episodes.episode import Episode
from quasar.episodes.log import write_rollouts
from quasar.system.disk import when_there_is_room
from quasar.system.run_paths import PhasePaths
from quasar.training.rllib.grpo import GRPO, GRPOConfig
from quasar.training.state import CheckpointStore, RunState, read_state
from quasar.training.validation import Validation

OnCheckpoint = Callable[[], None]
OnUpdate = Callable[[int, dict[str, float], list[Episode]], None]


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
    on_update: OnUpdate | None = None,
    validation: Validation | None = None,
    on_checkpoint: OnCheckpoint | None = None,
) -> GrpoResult:
    """Train for the configured number of updates, or until validation ends it.

    run_directory: of the phase; checkpoints and every rollout go where `PhasePaths` says. Ray must
    be up. `on_update(step, metrics, episodes)` is called after each of the steps 1…iterations, and
    with step 0 and no episodes after a validation before the first; `on_checkpoint()` after each
    checkpoint.
    """
    store = _store(config, run_directory)
    done = finished(config, run_directory) if resume else None
    if done is not None:
        return done
    latest = store.latest() if resume else None
    settings = GRPOConfig().run(
        config, model_directory=model_directory, problems_file=problems_file
    )
    algorithm = cast(GRPO, settings.build_algo())

    def close(metrics: dict[str, float]) -> None:
        written = _close_step(algorithm, store, config, on_update, validation, metrics=metrics)
        if written and on_checkpoint is not None:
            on_checkpoint()

    try:
        if latest:
            algorithm.restore_from_path(str(latest))
        else:
            close({})
        while not _is_over(algorithm.run_state, config):
            algorithm.train()
            log_rollouts(algorithm, PhasePaths(run_directory))
            close(algorithm.last_metrics)
    finally:
        algorithm.stop()
    return _result(store, config)


def log_rollouts(algorithm: GRPO, phase: PhasePaths) -> None:
    """Write down the rollouts of the update that was done last."""
    rollouts = phase.rollouts_of(algorithm.run_state.step)
    write = partial(
        write_rollouts,
        rollouts,
        algorithm.episodes,
        algorithm.advantages,
        trained_version=algorithm.trained_version,
    )
    when_there_is_room(write, rollouts)


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
    on_update: OnUpdate | None,
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
    if metrics and on_update is not None:
        on_update(state.step, metrics, algorithm.episodes)
    is_regular = state.step > 0 and state.step % config.grpo.checkpoint_every == 0
    is_due = is_best or is_regular or _is_over(state, config)
    if is_due:
        size = algorithm.learner_group.checkpoint_bytes()
        with store.writing(state, num_bytes=size) as directory:
            algorithm.save_to_path(str(directory))
    return is_due


def _store(config: QuasarConfig, run_directory: Path) -> CheckpointStore:
    return CheckpointStore(PhasePaths(run_directory).checkpoints, keep=config.grpo.keep_checkpoints)


def _is_over(state: RunState, config: QuasarConfig) -> bool:
    return state.step >= config.grpo.iterations or bool(state.stopped)


def _result(store: CheckpointStore, config: QuasarConfig) -> GrpoResult:
    last = store.latest()
    assert last is not None  # written at the last step
    state = read_state(last)
    chosen = last
    if config.grpo.validation.result == "best":
        chosen = store.best() or last
    return GrpoResult(last, chosen, state.step, read_state(chosen).step, state.stopped)
