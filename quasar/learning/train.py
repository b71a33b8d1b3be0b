"""The loop around GRPO: build or resume, step, checkpoint, write rollouts down."""

from collections.abc import Callable
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.learning.grpo import GRPO, GRPOConfig
from quasar.learning.rollout_log import step_file, write_rollouts
from quasar.learning.state import CheckpointStore
from quasar.policy.agent import Episode

OnStep = Callable[[int, dict[str, float], list[Episode]], None]


def train_grpo(
    config: QuasarConfig,
    *,
    model_directory: Path,
    problems_file: Path,
    run_directory: Path,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> Path:
    """Train for the configured number of updates; returns the last checkpoint's directory.

    Checkpoints go to run_directory/checkpoints, every rollout to run_directory/rollouts. Ray must
    be up. `on_step(step, metrics, episodes)` is called after each of the steps 1…iterations.
    """
    store = CheckpointStore(run_directory / "checkpoints", keep=config.grpo.keep_checkpoints)
    latest = store.latest() if resume else None
    total = config.grpo.iterations
    algorithm: GRPO = (
        GRPOConfig()
        .run(config, model_directory=model_directory, problems_file=problems_file)
        .build_algo()
    )
    try:
        if latest:
            algorithm.restore_from_path(str(latest))
        while algorithm.run_state.step < total:
            algorithm.train()
            step = algorithm.run_state.step
            write_rollouts(
                step_file(run_directory / "rollouts", step),
                algorithm.episodes,
                algorithm.advantages,
            )
            if on_step is not None:
                on_step(step, algorithm.last_metrics, algorithm.episodes)
            if step % config.grpo.checkpoint_every == 0 or step == total:
                with store.writing(algorithm.run_state) as directory:
                    algorithm.save_to_path(str(directory))
        if store.latest() is None:  # no update asked for: the starting model is the result
            with store.writing(algorithm.run_state) as directory:
                algorithm.save_to_path(str(directory))
    finally:
        algorithm.stop()
    return store.latest()
