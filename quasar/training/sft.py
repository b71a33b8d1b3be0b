"""Supervised fine-tuning on solved examples, with the same learners as GRPO.

Takes a model directory and the training split; gives checkpoints of the same form. Resumable: the
step is the position in the seeded order of examples.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.datasets.generation.traces import read_traces
from quasar.datasets.io import read_records
from quasar.errors import ConfigError, InputError
from quasar.training.algorithm.packing import TrainingSequence
from quasar.training.algorithm.schedules import supervised_rate
from quasar.training.examples import teacher_examples
from quasar.training.learner.deepspeed import Objective
from quasar.training.rllib.group import PolicyLearnerGroup
from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.state import CheckpointStore, RunState, read_state

OnStep = Callable[[int, dict[str, float]], None]
SUPERVISED = Objective("supervised")


def num_steps(config: QuasarConfig, num_examples: int) -> int:
    """Optimiser steps of the configured stream, or number of epochs over so many examples."""
    examples = config.sft.stream.examples or config.sft.epochs * num_examples
    return math.ceil(examples / config.sft.batch_size)


def train_supervised(
    config: QuasarConfig,
    *,
    model_directory: Path,
    problems_file: Path,
    traces_file: Path | None = None,
    checkpoints: Path,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> Path:
    """Train to the configured number of epochs; returns the last checkpoint's directory.

    `on_step(step, metrics)` is called after each of the steps 1…total. Ray must be up.
    """
    records = read_records(problems_file, max_qubits=config.verification.max_qubits)
    if not records:
        raise InputError(
            f"{problems_file}: no training examples; in a new run raise dataset.num_examples"
        )
    traces = read_traces(traces_file) if traces_file else []
    total = num_steps(config, len(records) + len(traces))
    if not total:
        raise ConfigError(
            "nothing to train on: in a new run raise sft.epochs, or give sft.stream.examples"
        )
    store = CheckpointStore(checkpoints, keep=1)
    latest = store.latest() if resume else None
    state = read_state(latest) if latest else RunState("sft", seed=config.run.seed)
    if latest and state.step >= total:
        return latest
    examples = teacher_examples(
        config,
        records,
        traces,
        model=model_directory,
        first=state.step,
        per_step=config.sft.batch_size,
    )
    group = GRPOConfig().supervised(config, model_directory=model_directory).build_learner_group()
    try:
        group.preflight(examples.longest, SUPERVISED)
        if latest:
            group.restore_from_path(latest)
        while state.step < total:
            rate = supervised_rate(config.sft, state.step, total)
            metrics = supervised_step(group, examples.batch(state.step), state, rate=rate)
            if on_step is not None:
                on_step(state.step, metrics)
            if state.step % config.sft.checkpoint_every == 0 or state.step == total:
                with store.writing(state, num_bytes=group.checkpoint_bytes()) as directory:
                    group.save_to_path(directory)
    finally:
        group.shutdown()
        examples.close()
    latest = store.latest()
    assert latest is not None  # written at the last step
    return latest


def supervised_step(
    group: PolicyLearnerGroup, batch: Sequence[TrainingSequence], state: RunState, *, rate: float
) -> dict[str, float]:
    """One optimiser step on the likelihood of a batch, entered into the state; its metrics."""
    started = time.perf_counter()
    metrics = group.update_policy(batch, objective=SUPERVISED, learning_rate=rate)
    state.step += 1
    state.weights_version += 1
    tokens = metrics["trained_tokens"] / (time.perf_counter() - started)
    return metrics | {"learning_rate": rate, "tokens_per_s": tokens}
