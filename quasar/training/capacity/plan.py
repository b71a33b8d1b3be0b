"""What a run will take before it is started: memory and time of learners and rollout workers.

Takes the configuration and the shape of a model; gives a `CapacityPlan` for each. Memory is that of
`plan_memory`. Times are floors from the stated speed of one GPU: arithmetic for the update, memory
traffic for decoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from transformers import Qwen3Config

from quasar.config import QuasarConfig
from quasar.errors import CheckpointError
from quasar.policy.models import load_shape, policy_shape
from quasar.training.capacity.hints import learner_hints
from quasar.training.capacity.memory import (
    BYTES,
    cache_bytes_per_token,
    learner_memory,
    learner_peak,
    num_parameters,
    worker_memory,
)

# What the accelerator's runtime and its libraries take in each process.
CONTEXT_GIB = 1.0
# Shapes of the published checkpoints (their config.json), for planning without a download.
SHAPES: dict[str, dict[str, Any]] = {
    "0.6B": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
             "num_attention_heads": 16, "tie_word_embeddings": True},
    "4B": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
           "num_attention_heads": 32, "tie_word_embeddings": True},
    "14B": {"hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 40,
            "num_attention_heads": 40, "tie_word_embeddings": False},
    "32B": {"hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64,
            "num_attention_heads": 64, "tie_word_embeddings": False},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hardware:
    """One GPU: memory (GiB), dense bfloat16 arithmetic (FLOP/s), memory traffic (bytes/s).

    The defaults are an H100's (SXM data sheet); the shares are what large-model code reaches of it.
    """

    memory_gib: float
    flops: float = 989e12
    bandwidth: float = 3.35e12
    flops_share: float = 0.4
    bandwidth_share: float = 0.6


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """One model on this configuration. Memory in GiB for one actor, times in seconds a step."""

    name: str
    num_parameters: int
    learners: int
    workers: int
    learner: dict[str, float]  # GiB by part
    worker: dict[str, float]
    update_s: float
    rollout_s: float
    step_s: float  # of both: one after the other, or at the same time (grpo.staleness > 0)
    arithmetic: str  # how the times come about, in words
    problems: list[str] = field(default_factory=list)  # what does not fit, and a hint

    @property
    def learner_gib(self) -> float:
        """Peak of one learner; not all of its parts are there at the same time."""
        return learner_peak(self.learner)

    @property
    def worker_gib(self) -> float:
        """Peak of one rollout worker."""
        return sum(self.worker.values())


def named_shape(name: str, config: QuasarConfig) -> Any:
    """The Hugging Face configuration behind a name: a Qwen3 size (0.6B, 4B, 14B, 32B), "config"
    (the configuration's own model), a model directory or a hub name.

    Raises CheckpointError where there is none.
    """
    if name in SHAPES:
        return Qwen3Config(vocab_size=151_936, num_key_value_heads=8, head_dim=128, **SHAPES[name])
    if name == "config" and config.policy.model == "build":
        return policy_shape(config.policy, vocab_size=config.policy.vocab_size)
    source = config.policy.model if name == "config" else name
    try:
        return load_shape(source)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}; give one of {', '.join(SHAPES)}, config, or a directory in Hugging Face "
            "layout"
        ) from error


def plan_run(
    config: QuasarConfig,
    shape: Any,
    *,
    name: str,
    num_gpus: int,
    on: Hardware,
    response_tokens: int | None = None,
) -> CapacityPlan:
    """Memory and time of a run of this configuration with a model of that shape.

    Memory is that of the longest sequences. response_tokens: mean length of a response, for the
    times; None: all are `generation.max_response_tokens` long. num_gpus are shared out between
    learners and rollout workers as the configuration does. Raises CheckpointError where there is no
    teacher of the name that `grpo.distillation.teacher` gives.
    """
    learners, workers = _share_out(config, num_gpus)
    parameters = num_parameters(shape)
    named = config.grpo.distillation.teacher
    teacher = None if named is None else load_shape(named)
    learner = learner_memory(config, shape, world_size=learners, teacher=teacher)
    worker = worker_memory(config, shape, num_parameters=parameters)
    limit = config.generation.max_response_tokens
    response = min(response_tokens or limit, limit)
    update_s, rollout_s, arithmetic = _times(
        config, shape, parameters, learners, workers, on, response
    )
    overlap = config.grpo.staleness > 0
    step_s = max(update_s, rollout_s) if overlap else update_s + rollout_s
    found = CapacityPlan(
        name, parameters, learners, workers, learner, worker,
        update_s, rollout_s, step_s, arithmetic,
    )  # fmt: skip
    found.problems.extend(_problems(config, found, on))
    return found


def _share_out(config: QuasarConfig, num_gpus: int) -> tuple[int, int]:
    """(learners, rollout workers): the configured numbers, scaled to so many GPUs."""
    learners, workers = config.learner.num_learners, config.rollout.num_workers
    wanted = learners * (config.learner.gpus_per_learner or 1.0)
    wanted += workers * (config.rollout.gpus_per_worker or 1.0)
    scale = num_gpus / wanted
    return max(1, int(learners * scale)), max(1, int(workers * scale))


def _times(
    config: QuasarConfig,
    shape: Any,
    parameters: int,
    learners: int,
    workers: int,
    hardware: Hardware,
    response: int,
) -> tuple[float, float, str]:
    """Seconds of (update, rollout) of one step at responses of so many tokens, and the sums."""
    grpo, generation = config.grpo, config.generation
    episodes = grpo.prompts_per_step * grpo.samples_per_prompt
    # Prompt and observations at their limits.
    length = generation.max_context_tokens - generation.max_response_tokens + response
    # 2 FLOP a parameter and token forward, 4 back, 2 for recomputing (arXiv 2001.08361, eq. 2.2).
    # Of the gradient, frozen weights take the half that goes on to the layer below.
    back = 2 if config.policy.lora_rank else 4
    passes = 2 + back + 2 * config.policy.gradient_checkpointing
    passes += 2 * (grpo.kl_coefficient > 0)
    work = passes * parameters * episodes * length * grpo.updates_per_batch
    update_s = work / (learners * hardware.flops * hardware.flops_share)
    rows = ceil(episodes / workers)
    together = min(rows, generation.batch_size)
    weights = parameters * BYTES[config.policy.dtype]
    # A pass writes a token of each row: it reads all weights and the cache of the rows, of whose
    # responses on average the half is there. A row that ends makes room for the next one.
    cache = together * cache_bytes_per_token(shape, config.policy.dtype) * (length - response / 2)
    passes_made = ceil(rows / together * response)
    bandwidth = hardware.bandwidth * hardware.bandwidth_share
    rollout_s = passes_made * (weights + cache) / bandwidth
    arithmetic = (
        f"update: {passes} FLOP x {parameters / 1e9:.2f}e9 parameters x {episodes} episodes x "
        f"{length} tokens x {grpo.updates_per_batch} / ({learners} learners x "
        f"{hardware.flops * hardware.flops_share / 1e12:.0f} TFLOP/s) = {update_s:.0f} s; rollout: "
        f"{rows} rows a worker, {together} together, {response} tokens each: {passes_made} passes "
        f"x ({weights / 1e9:.1f} GB weights + {cache / 1e9:.1f} GB cache) / "
        f"{bandwidth / 1e12:.2f} TB/s = {rollout_s:.0f} s, "
        f"{episodes * response / rollout_s:.0f} tokens/s"
    )
    return update_s, rollout_s, arithmetic


def _problems(config: QuasarConfig, found: CapacityPlan, hardware: Hardware) -> list[str]:
    """One line for each actor that does not fit, with the settings that would help it most."""
    lines = []
    room = hardware.memory_gib * min(1.0, config.learner.gpus_per_learner or 1.0) - CONTEXT_GIB
    if found.learner_gib > room:
        lines.append(
            f"a learner needs {found.learner_gib:.1f} GiB of {room:.1f}: "
            + "; ".join(_learner_hints(config, found))
        )
    room = hardware.memory_gib * min(1.0, config.rollout.gpus_per_worker or 1.0) - CONTEXT_GIB
    if found.worker_gib > room:
        if found.worker["weights"] > room:
            hint = "the weights alone do not fit; take GPUs with more memory"
        else:
            rows = config.generation.batch_size * (room - found.worker["weights"])
            rows /= found.worker["cache"] + found.worker["logits"]
            hint = f"set generation.batch_size to {int(rows)}"
        lines.append(f"a rollout worker needs {found.worker_gib:.1f} GiB of {room:.1f}: {hint}")
    return lines


def _learner_hints(config: QuasarConfig, found: CapacityPlan) -> list[str]:
    passing = found.learner["activations"] + found.learner["logits"]
    in_states = found.learner_gib - passing > found.learner_gib / 2
    return learner_hints(
        config,
        tokens=config.generation.max_context_tokens,
        causes=("states",) if in_states else ("activations",),
    )


def plan_table(
    plans: Sequence[CapacityPlan],
    config: QuasarConfig,
    hardware: Hardware,
    *,
    response_tokens: int | None = None,
) -> Group:
    """What was planned, printed for a person (rich). Arguments as those of `plan_run`."""
    table = Table(
        title=f"GiB of one actor at its longest sequences, of {hardware.memory_gib:g} a GPU",
        box=SIMPLE_HEAD,
    )
    table.add_column("")
    for found in plans:
        table.add_column(found.name, justify="right")
    table.add_row("parameters, billions", *(f"{p.num_parameters / 1e9:.2f}" for p in plans))
    for label, actors in (("learner", "learners"), ("rollout worker", "workers")):
        memory = [getattr(p, actors.removesuffix("s")) for p in plans]
        table.add_row(f"{label}s", *(str(getattr(p, actors)) for p in plans))
        for part in memory[0]:
            table.add_row(f"  {part}", *(f"{parts[part]:.1f}" for parts in memory))
        peaks = [getattr(p, f"{actors.removesuffix('s')}_gib") for p in plans]
        table.add_row(f"  one {label}, peak", *(f"{peak:.1f}" for peak in peaks))
    table.add_row("update of a step, s, at least", *(f"{p.update_s:.0f}" for p in plans))
    table.add_row("rollout of a step, s, at least", *(f"{p.rollout_s:.0f}" for p in plans))
    days = (p.step_s * config.grpo.iterations / 86_400 for p in plans)
    table.add_row(f"{config.grpo.iterations} steps, days, at least", *(f"{d:.1f}" for d in days))
    lines = [f"{p.name}: {p.arithmetic}" for p in plans]
    if response_tokens is None:
        lines.append(
            f"times if every response has {config.generation.max_response_tokens} tokens "
            "(generation.max_response_tokens): --response-tokens N for those of a mean of N"
        )
    lines.append(
        f"rollouts and update at the same time (grpo.staleness {config.grpo.staleness})"
        if config.grpo.staleness
        else "update after rollouts (grpo.staleness 0)"
    )
    lines += [f"{p.name}: {line}" for p in plans for line in p.problems]
    lines += [f"{p.name}: fits" for p in plans if not p.problems]
    assumed = (
        f"times at {hardware.flops / 1e12:.0f} TFLOP/s x {hardware.flops_share:g} and "
        f"{hardware.bandwidth / 1e12:g} TB/s x {hardware.bandwidth_share:g}"
    )
    return Group(table, assumed, *lines)
