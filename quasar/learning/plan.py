"""What a run will take before it is started: memory and time of learners and rollout workers.

Takes the configuration and the shape of a model; gives a `Plan` for each. Memory of model states
follows ZeRO (arXiv 1910.02054, section 3): what is kept for the backward pass is not estimated but
counted, by running the real model's forward pass on tensors without storage. Times are floors from
the stated speed of one GPU: arithmetic for the update, memory traffic for decoding.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM, Qwen3Config

from quasar.config import LearnerConfig, PolicyConfig, QuasarConfig
from quasar.errors import CheckpointError
from quasar.learning.learner import LARGEST_BUCKET
from quasar.policy.models import policy_shape

GIB = float(1 << 30)
_BYTES = {"float32": 4, "bfloat16": 2}
# Copies of a trained token's logits that live at once: in the model's own type, then as float32
# scaled, as log-probabilities, as probabilities (for the entropy) and as gradient.
_FLOAT_LOGITS = 4
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
class Plan:
    """One model on this configuration. Memory in GiB for one actor, times in seconds a step."""

    name: str
    num_parameters: int
    learners: int
    workers: int
    learner: dict[str, float]  # GiB by part
    worker: dict[str, float]
    update_s: float
    rollout_s: float
    problems: list[str] = field(default_factory=list)  # what does not fit, and the mend

    @property
    def learner_gib(self) -> float:
        """Peak of one learner."""
        return sum(self.learner.values())

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
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{source}: no configuration of a language model ({reason}); give one of "
            f"{', '.join(SHAPES)}, config, or a directory in Hugging Face layout"
        ) from error


def plan_run(config: QuasarConfig, shape: Any, *, name: str, num_gpus: int, on: Hardware) -> Plan:
    """Memory and time of a run of this configuration with a model of that shape.

    num_gpus are shared out between learners and rollout workers as the configuration does.
    """
    learners, workers = _share_out(config, num_gpus)
    with _without_storage(shape, config.policy.dtype) as model:
        parameters = model.num_parameters()
    learner = learner_memory(config.learner, config.policy, shape, world_size=learners)
    worker = worker_memory(config, shape, num_parameters=parameters)
    update_s, rollout_s = _times(config, shape, parameters, learners, workers, on)
    found = Plan(name, parameters, learners, workers, learner, worker, update_s, rollout_s)
    found.problems.extend(_problems(config, found, on))
    return found


def learner_memory(
    config: LearnerConfig, policy: PolicyConfig, shape: Any, *, world_size: int
) -> dict[str, float]:
    """GiB of one learner by part; with offload, only what stays on the accelerator."""
    size = _BYTES[policy.dtype]
    with _without_storage(shape, policy.dtype) as model:
        n = model.num_parameters()
    stage, on_host = config.zero_stage, config.offload == "cpu"
    shared = 1 / world_size
    parts = {
        "weights": n * size * (shared if stage == 3 else 1.0),
        "gradients": n * size * (shared if stage >= 2 else 1.0),
        # A float32 copy of the weights, and Adam's two moments, in every type of the weights.
        "optimiser": 0.0 if on_host else 12.0 * n * shared,
        "buckets": 2.0 * min(LARGEST_BUCKET, n) * size,
    }
    if stage == 3 and on_host:
        parts["weights"] = 0.0
    tokens = config.micro_batch_tokens
    parts["activations"] = activation_bytes(
        shape, tokens, dtype=policy.dtype, checkpointing=policy.gradient_checkpointing
    )
    parts["logits"] = tokens * shape.vocab_size * (size + 4.0 * _FLOAT_LOGITS)
    return {part: value / GIB for part, value in parts.items()}


def worker_memory(config: QuasarConfig, shape: Any, *, num_parameters: int) -> dict[str, float]:
    """GiB of one rollout worker by part."""
    size = _BYTES[config.policy.dtype]
    generation = config.generation
    rows = generation.batch_size
    length = generation.max_prompt_tokens + generation.max_response_tokens
    parts = {
        "weights": num_parameters * size,
        "cache": rows * length * cache_bytes_per_token(shape, config.policy.dtype),
        # Logits, log-probabilities and probabilities in float32, their running sum in float64.
        "logits": rows * shape.vocab_size * (size + 4.0 * 2 + 8.0),
    }
    return {part: value / GIB for part, value in parts.items()}


def cache_bytes_per_token(shape: Any, dtype: str) -> float:
    """Keys and values of one token in all layers."""
    heads = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    return 2.0 * shape.num_hidden_layers * heads * width * _BYTES[dtype]


def activation_bytes(shape: Any, tokens: int, *, dtype: str, checkpointing: bool) -> float:
    """Bytes kept from the forward pass for the backward pass, by counting.

    With checkpointing: the inputs of the layers, and what one layer keeps while it is recomputed.
    """
    kept = _kept(shape, tokens, dtype, checkpointing=checkpointing)
    if not checkpointing:
        return kept
    layers = [_kept(_with_layers(shape, k), tokens, dtype, checkpointing=False) for k in (1, 2)]
    return kept + layers[1] - layers[0]


def _kept(shape: Any, tokens: int, dtype: str, *, checkpointing: bool) -> float:
    storages: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # kept alive, so that no other one gets its address
        return tensor

    with _without_storage(shape, dtype) as model:
        if checkpointing:
            model.gradient_checkpointing_enable()
        own = {p.untyped_storage()._cdata for p in model.parameters()}
        ids = torch.zeros((1, tokens), dtype=torch.long)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.get_decoder()(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
        return float(sum(s.nbytes() for key, s in storages.items() if key not in own))


@contextmanager
def _without_storage(shape: Any, dtype: str) -> Iterator[Any]:
    """A model in training mode whose tensors have a shape and no memory."""
    with FakeTensorMode():
        yield AutoModelForCausalLM.from_config(shape, dtype=getattr(torch, dtype)).train()


def _with_layers(shape: Any, count: int) -> Any:
    settings = {k: v for k, v in shape.to_dict().items() if k != "layer_types"}
    return type(shape)(**{**settings, "num_hidden_layers": count})


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
) -> tuple[float, float]:
    """Seconds of (update, rollout) of one step at the longest responses."""
    grpo, generation = config.grpo, config.generation
    episodes = grpo.prompts_per_step * grpo.samples_per_prompt
    length = generation.max_prompt_tokens + generation.max_response_tokens
    # 2 FLOP a parameter and token forward, 4 back, 2 for recomputing (arXiv 2001.08361, eq. 2.2).
    passes = 8 if config.policy.gradient_checkpointing else 6
    work = passes * parameters * episodes * length * grpo.updates_per_batch
    update_s = work / (learners * hardware.flops * hardware.flops_share)
    rows = ceil(episodes / workers)
    batches = ceil(rows / generation.batch_size)
    size = _BYTES[config.policy.dtype]
    # Each new token reads all weights and, on average, half of the cache of its rows.
    cache = min(rows, generation.batch_size) * cache_bytes_per_token(shape, config.policy.dtype)
    traffic = parameters * size + cache * (length - generation.max_response_tokens / 2)
    steps = batches * generation.max_response_tokens
    rollout_s = steps * traffic / (hardware.bandwidth * hardware.bandwidth_share)
    return update_s, rollout_s


def _problems(config: QuasarConfig, found: Plan, hardware: Hardware) -> list[str]:
    """One line for each actor that does not fit, with the settings that would help it most."""
    lines = []
    room = hardware.memory_gib * min(1.0, config.learner.gpus_per_learner or 1.0) - CONTEXT_GIB
    if found.learner_gib > room:
        lines.append(
            f"a learner needs {found.learner_gib:.1f} GiB of {room:.1f}: "
            + "; ".join(_learner_mends(config, found))
        )
    room = hardware.memory_gib * min(1.0, config.rollout.gpus_per_worker or 1.0) - CONTEXT_GIB
    if found.worker_gib > room:
        if found.worker["weights"] > room:
            mend = "the weights alone do not fit; take GPUs with more memory"
        else:
            rows = config.generation.batch_size * (room - found.worker["weights"])
            rows /= found.worker["cache"] + found.worker["logits"]
            mend = f"set generation.batch_size to {int(rows)}"
        lines.append(f"a rollout worker needs {found.worker_gib:.1f} GiB of {room:.1f}: {mend}")
    return lines


def _learner_mends(config: QuasarConfig, found: Plan) -> list[str]:
    learner, mends = config.learner, []
    if not config.policy.gradient_checkpointing:
        mends.append("set policy.gradient_checkpointing: true")
    states = found.learner["weights"] + found.learner["gradients"] + found.learner["optimiser"]
    if states > found.learner["activations"] + found.learner["logits"]:
        if learner.zero_stage < 3:
            mends.append("set learner.zero_stage: 3")
        elif learner.offload == "none":
            mends.append("set learner.offload: cpu")
        mends.append("give it more GPUs")
    else:
        mends.append(f"lower learner.micro_batch_tokens (now {learner.micro_batch_tokens})")
    return mends


def plan_table(plans: Sequence[Plan], config: QuasarConfig, hardware: Hardware) -> Group:
    """What was planned, printed for a person (rich)."""
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
        table.add_row(f"  one {label}", *(f"{sum(parts.values()):.1f}" for parts in memory))
    table.add_row("update of a step, s, at least", *(f"{p.update_s:.0f}" for p in plans))
    table.add_row("rollout of a step, s, at least", *(f"{p.rollout_s:.0f}" for p in plans))
    days = ((p.update_s + p.rollout_s) * config.grpo.iterations / 86_400 for p in plans)
    table.add_row(f"{config.grpo.iterations} steps, days", *(f"{d:.1f}" for d in days))
    lines = [f"{p.name}: {line}" for p in plans for line in p.problems]
    lines += [f"{p.name}: fits" for p in plans if not p.problems]
    assumed = (
        f"times at {hardware.flops / 1e12:.0f} TFLOP/s x {hardware.flops_share:g} and "
        f"{hardware.bandwidth / 1e12:g} TB/s x {hardware.bandwidth_share:g}"
    )
    return Group(table, assumed, *lines)
