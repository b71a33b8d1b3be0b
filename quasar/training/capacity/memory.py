"""Memory of learners and rollout workers, by part, from the configuration and a model's shape.

Model states follow ZeRO (arXiv 1910.02054, section 3). What is kept for the backward pass is not
estimated but counted, by running the real model's forward pass on tensors without storage.
`benchmarks/plan.py` compares with real steps.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM

from quasar.config import PolicyConfig, QuasarConfig
from quasar.training.algorithm.scorer import CHUNK_COPIES, chunk_tokens
from quasar.training.learner.deepspeed import LARGEST_BUCKET
from quasar.training.learner.lora import add_adapters

GIB = float(1 << 30)
BYTES = {"float32": 4, "bfloat16": 2}
# DeepSpeed's defaults at stage 3, elements: of the gathered parameters that live at once, and of
# what the optimiser updates at once.
_LIVE_PARAMETERS = _SUB_GROUP = 1_000_000_000
# A learner's fullest moments: the end of the forward pass, the end of the backward pass (all that
# was kept is gone, the last gradients are not yet summed), the optimiser's step. The parts that are
# in none of them stay.
_MOMENTS = (
    ("gathered", "bucket", "activations", "logits"),
    ("gathered", "bucket", "pending"),
    ("update",),
)


def learner_memory(
    config: QuasarConfig, shape: Any, *, world_size: int, teacher: Any = None
) -> dict[str, float]:
    """GiB of one learner by part; with offload, only what stays on the accelerator.

    teacher: the shape of `grpo.distillation.teacher`. Not all parts are there at the same time, see
    `learner_peak`.
    """
    learner, policy, grpo = config.learner, config.policy, config.grpo
    size = BYTES[policy.dtype]
    with _without_storage(shape, policy) as model:
        # A parameter that stands in two places counts once.
        numbers = [(p.numel(), p.requires_grad) for p in model.parameters()]
    n = sum(number for number, _ in numbers)
    trained = sum(number for number, trains in numbers if trains)
    stage, on_host = learner.zero_stage, learner.offload == "cpu"
    shared = 1 / world_size
    bucket = min(LARGEST_BUCKET, trained) * size
    parts = {
        "weights": n * size * (shared if stage == 3 else 1.0),
        "gradients": trained * size * (shared if stage >= 2 else 1.0),
        # A float32 copy of the weights, and Adam's two moments, in every type of the weights.
        "optimiser": 12.0 * trained * shared,
        # The frozen starting policy; under adapters it is the model itself.
        "reference": n * size if grpo.kl_coefficient > 0 and not policy.lora_rank else 0.0,
        # Whole in each learner, as the reference is.
        "teacher": num_parameters(teacher) * size if teacher is not None else 0.0,
        "gathered": min(_LIVE_PARAMETERS, n) * size if stage == 3 and world_size > 1 else 0.0,
        "bucket": bucket,
        # Gradients that wait for the bucket, and at stage 3 what is scattered from it.
        "pending": bucket * (2.0 if stage == 3 else 1.0),
        # A float32 gradient and two temporaries of AdamW.
        "update": 12.0 * trained * shared,
    }
    if stage == 3:
        parts["update"] = min(parts["update"], 12.0 * _SUB_GROUP) + bucket
    if on_host:
        parts["optimiser"] = parts["update"] = 0.0
        if stage == 3:
            parts["weights"] = 0.0
    rows, time = longest_micro_batch(config)
    parts["activations"] = activation_bytes(shape, rows, time, policy=policy)
    # The hidden states of the trained tokens, cut out and picked.
    parts["activations"] += 2.0 * rows * time * shape.hidden_size * size
    copies = CHUNK_COPIES + (grpo.entropy_coefficient > 0)
    if rows * time <= chunk_tokens(shape.vocab_size):
        copies += parts["reference"] > 0  # scored while the policy's own are kept
    tokens = min(rows * time, chunk_tokens(shape.vocab_size))
    parts["logits"] = 4.0 * tokens * shape.vocab_size * copies
    return {part: value / GIB for part, value in parts.items()}


def learner_peak(parts: Mapping[str, float]) -> float:
    """GiB of a learner at the fullest of its moments."""
    passing = {part for moment in _MOMENTS for part in moment}
    stays = sum(value for part, value in parts.items() if part not in passing)
    return stays + max(sum(parts[part] for part in moment) for moment in _MOMENTS)


def longest_micro_batch(config: QuasarConfig) -> tuple[int, int]:
    """(rows, tokens a row) of the micro-batch of the longest rollouts: prompt, all turns and
    observations. A rollout that is longer than the budget has a micro-batch of its own."""
    time = config.generation.max_context_tokens
    rows = max(1, config.learner.micro_batch_tokens // time)
    return rows, max(time, config.learner.micro_batch_tokens // rows)


def worker_memory(config: QuasarConfig, shape: Any, *, num_parameters: int) -> dict[str, float]:
    """GiB of one rollout worker by part."""
    size = BYTES[config.policy.dtype]
    rows, length = config.generation.batch_size, config.generation.max_context_tokens
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
    return 2.0 * shape.num_hidden_layers * heads * width * BYTES[dtype]


def num_parameters(shape: Any) -> int:
    """Parameters of the plain model."""
    with _without_storage(shape, PolicyConfig()) as model:
        return model.num_parameters()


def activation_bytes(shape: Any, rows: int, time: int, *, policy: PolicyConfig) -> float:
    """Bytes kept from the forward pass for the backward pass, by counting.

    With checkpointing: the inputs of the layers, and what one layer keeps while it is recomputed.
    """
    if not policy.gradient_checkpointing:
        return _kept(shape, rows, time, policy)
    plain = policy.model_copy(update={"gradient_checkpointing": False})
    layers = [_kept(_with_layers(shape, k), rows, time, plain) for k in (1, 2)]
    return _kept(shape, rows, time, policy) + layers[1] - layers[0]


def _kept(shape: Any, rows: int, time: int, policy: PolicyConfig) -> float:
    storages: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # kept alive, so that no other one gets its address
        return tensor

    with _without_storage(shape, policy) as model:
        own = {p.untyped_storage()._cdata for p in model.parameters()}
        ids = torch.zeros((rows, time), dtype=torch.long)
        # Rows of different lengths have a mask; one alone has no padding.
        mask = torch.ones((rows, 1, time, time), dtype=torch.bool) if rows > 1 else None
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False)
        return float(sum(s.nbytes() for key, s in storages.items() if key not in own))


@contextmanager
def _without_storage(shape: Any, policy: PolicyConfig) -> Iterator[Any]:
    """The learner's model in training mode, of tensors that have a shape and no memory."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape, dtype=getattr(torch, policy.dtype))
        if policy.gradient_checkpointing:
            model.gradient_checkpointing_enable()
        if policy.lora_rank:
            model = add_adapters(model, policy, seed=0)
    # On "meta" attention would take another way than on a device; fake tensors take the real one.
    with FakeTensorMode():
        made: dict[int, Any] = {}
        for module in model.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and id(tensor) not in made:
                        fake = torch.empty(tensor.shape, dtype=tensor.dtype)
                        if tensors is module._parameters:
                            fake = torch.nn.Parameter(fake, requires_grad=tensor.requires_grad)
                        made[id(tensor)] = (fake, tensor)  # the old one too: ids are used again
                    if tensor is not None:
                        tensors[name] = made[id(tensor)][0]
        yield model.train()


def _with_layers(shape: Any, count: int) -> Any:
    settings = {k: v for k, v in shape.to_dict().items() if k != "layer_types"}
    return type(shape)(**{**settings, "num_hidden_layers": count})
