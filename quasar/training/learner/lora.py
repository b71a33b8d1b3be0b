"""LoRA adapters (2106.09685) by `peft`: added to a model, and merged into plain weights.

Everything outside the learner sees a plain model: rollout workers and the `huggingface/` directory
of a checkpoint get base weights with the adapters added in. Knows nothing of DeepSpeed; under
ZeRO-3 the caller gathers the parameters first.
"""

from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from quasar.config import PolicyConfig

_ADAPTER = "default"  # peft's own name for the first adapter


def add_adapters(network: Any, config: PolicyConfig, *, seed: int) -> PeftModel:
    """Freeze `network` and put adapters on its linear layers (not on the output embedding).

    The new model gives the same output until the first update (B starts at zero, A is drawn from
    the seed); only the adapters have gradients.
    """
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # pyright: ignore[reportArgumentType]  # any number
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # In the model's own type, as DeepSpeed holds them; `peft` would make them float32.
        return get_peft_model(network, lora, autocast_adapter_dtype=False)


def plain_weights(policy: Any) -> dict[str, torch.Tensor]:
    """Weights by the names of the plain model, with adapters, if any, merged: W + (α / r)·B·A."""
    if not isinstance(policy, PeftModel):
        return policy.state_dict()
    base = policy.get_base_model()
    weights = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in base.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in base.named_modules():
        if isinstance(module, LoraLayer):
            layer = cast(Any, module)  # of a kind that has weights
            plain = layer.get_base_layer().weight
            weights[f"{name}.weight"] = plain + layer.get_delta_weight(_ADAPTER).to(plain.dtype)
    return weights


def save_adapter(policy: PeftModel, directory: Path) -> None:
    """The adapters alone, as `peft` reads them; the caller has gathered the parameters."""
    weights = get_peft_model_state_dict(policy, adapter_name=_ADAPTER)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / "adapter_model.safetensors")
    policy.peft_config[_ADAPTER].save_pretrained(str(directory))
