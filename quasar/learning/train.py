"""The loop around GRPO: build or resume, step, checkpoint, write rollouts down."""

import json
from collections.abc import Callable
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.learning.grpo import GRPO, GRPOConfig
from quasar.learning.state import CheckpointStore
from quasar.policy.agent import Episode
from quasar.rewards import Failed

OnCheckpoint = Callable[[], None]
OnStep = Callable[[int, dict[str, float], list[Episode]], None]


def train_grpo(
    config: QuasarConfig,
    *,
    model_directory: Path,
    problems_file: Path,
    run_directory: Path,
    resume: bool = False,
    on_step: OnStep | None = None,
    on_checkpoint: OnCheckpoint | None = None,
) -> Path:
    """Train for the configured number of updates; returns the last checkpoint's directory.

    Checkpoints go to run_directory/checkpoints, every rollout to run_directory/rollouts. Ray must
    be up. `on_step(step, metrics, episodes)` is called after each of the steps 1…iterations,
    `on_checkpoint()` after each checkpoint.
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
                run_directory / "rollouts" / f"step-{step:06d}.jsonl", algorithm.episodes
            )
            if on_step is not None:
                on_step(step, algorithm.last_metrics, algorithm.episodes)
            if step % config.grpo.checkpoint_every == 0 or step == total:
                with store.writing(algorithm.run_state) as directory:
                    algorithm.save_to_path(str(directory))
                if on_checkpoint is not None:
                    on_checkpoint()
        if store.latest() is None:  # no update asked for: the starting model is the result
            with store.writing(algorithm.run_state) as directory:
                algorithm.save_to_path(str(directory))
    finally:
        algorithm.stop()
    return store.latest()


def write_rollouts(path: Path, episodes: list[Episode]) -> None:
    """One JSON line an episode: texts, observations, reward parts or the fault, weights version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        for e in episodes:
            failed = isinstance(e.outcome, Failed)
            row = {
                "group": e.group,
                "sample": e.sample,
                "primitive": e.primitive,
                "num_qubits": e.num_qubits,
                "weights_version": e.weights_version,
                "texts": e.texts,
                "observations": e.observations,
                "finished": e.finished,
                "tokens": int(e.mask.sum()),
                "reward": None if failed else e.outcome.value,
                "parts": {} if failed else dict(e.outcome.parts),
                "fault": f"{e.outcome.kind}: {e.outcome.detail}" if failed else None,
            }
            file.write(json.dumps(row) + "\n")
