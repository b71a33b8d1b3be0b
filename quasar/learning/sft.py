"""Supervised fine-tuning on solved examples, with the same learners as GRPO.

Takes a model directory and the training split; gives checkpoints of the same form. Resumable: the
step is the position in the seeded order of examples.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from quasar.config import QuasarConfig
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.datasets.traces import Trace, read_traces
from quasar.errors import InputError
from quasar.learning.grpo import GRPOConfig
from quasar.learning.learner import Objective
from quasar.learning.packing import Trained
from quasar.learning.sampler import EpochSampler
from quasar.learning.schedules import supervised_rate
from quasar.learning.state import CheckpointStore, RunState, read_state
from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy
from quasar.policy.sequence import TokenSequence

OnStep = Callable[[int, dict[str, float]], None]


def num_steps(config: QuasarConfig, num_examples: int) -> int:
    """Optimiser steps of the configured number of epochs."""
    return math.ceil(config.sft.epochs * num_examples / config.sft.batch_size)


def supervised_sequence(
    record: ProblemRecord, chat: ChatFormat, *, style: str = "structured"
) -> Trained:
    """Prompt and reference circuit of an example; all answer tokens are trained on."""
    messages = record_messages(record, style=style)
    answer = chat.answer_ids(record.problem.reference_circuit or "")
    return _trained(chat.prompt_ids(messages), answer, [1] * len(answer))


def trace_sequence(trace: Trace, chat: ChatFormat, *, max_observation: int) -> Trained:
    """A trace as a rollout reads it; only the corrected circuit is trained on.

    max_observation: tokens of the tool's turn, as in rollouts.
    """
    *asked, wrong, observed, right = (message["content"] for message in trace.messages)
    prompt = chat.prompt_ids(trace.messages[: len(asked)])
    context = chat.answer_ids(wrong)
    context += chat.observation_ids(observed, max_tokens=max_observation)
    answer = chat.answer_ids(right)
    return _trained(prompt, context + answer, [0] * len(context) + [1] * len(answer))


def _trained(prompt: Sequence[int], response: Sequence[int], mask: Sequence[int]) -> Trained:
    return Trained.of(
        TokenSequence(
            np.asarray(prompt, np.int32),
            np.asarray(response, np.int32),
            np.asarray(mask, np.int8),
            np.zeros(len(response), np.float32),
        )
    )


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
    records = read_problems(problems_file, max_qubits=config.verification.max_qubits)
    if not records:
        raise InputError(f"{problems_file}: no training examples; raise dataset.num_examples")
    traces = read_traces(traces_file) if traces_file else []
    total = num_steps(config, len(records) + len(traces))
    store = CheckpointStore(checkpoints, keep=1)
    latest = store.latest() if resume else None
    state = read_state(latest) if latest else RunState("sft", seed=config.run.seed)
    if latest and state.step >= total:
        return latest
    chat = ChatFormat(load_policy(model_directory)[1])
    sequences = [
        supervised_sequence(record, chat, style=config.dataset.prompts) for record in records
    ]
    limit = config.generation.max_observation_tokens
    sequences += [trace_sequence(trace, chat, max_observation=limit) for trace in traces]
    sampler = EpochSampler(len(sequences), per_step=config.sft.batch_size, seed=config.run.seed)
    group = GRPOConfig().run(config, model_directory=model_directory).build_learner_group()
    try:
        group.preflight(max(s.counts.total for s in sequences), Objective("supervised"))
        if latest:
            group.restore_from_path(latest)
        while state.step < total:
            started = time.perf_counter()
            rate = supervised_rate(config.sft, state.step, total)
            metrics = group.update_policy(
                [sequences[i] for i in sampler.indices(state.step)],
                objective=Objective("supervised"),
                learning_rate=rate,
            )
            state.step += 1
            state.weights_version += 1
            spent = time.perf_counter() - started
            if on_step is not None:
                tokens = metrics["trained_tokens"] / spent
                on_step(state.step, metrics | {"learning_rate": rate, "tokens_per_s": tokens})
            if state.step % config.sft.checkpoint_every == 0 or state.step == total:
                with store.writing(state) as directory:
                    group.save_to_path(directory)
    finally:
        group.shutdown()
    return store.latest()
