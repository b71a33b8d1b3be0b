"""Estimates before a run: counted against real tensors, and against the published sizes."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from quasar.cli import main
from quasar.config import load_config
from quasar.errors import CheckpointError
from quasar.learning.plan import (
    Hardware,
    activation_bytes,
    cache_bytes_per_token,
    learner_memory,
    named_shape,
    plan_run,
)

LAPTOP = load_config("laptop")
SHAPE = named_shape("config", LAPTOP)


@pytest.mark.parametrize(
    ("name", "billions"), [("0.6B", 0.596), ("4B", 4.022), ("14B", 14.768), ("32B", 32.762)]
)
def test_sizes_are_those_of_the_published_checkpoints(name, billions):
    found = plan_run(LAPTOP, named_shape(name, LAPTOP), name=name, num_gpus=8, on=Hardware(80.0))
    assert found.num_parameters / 1e9 == pytest.approx(billions, abs=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_what_a_real_forward_pass_keeps(checkpointing):
    tokens, storages = 96, {}
    model = AutoModelForCausalLM.from_config(SHAPE, dtype=torch.float32).train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    ids = torch.zeros((1, tokens), dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.get_decoder()(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    kept = sum(s.nbytes() for key, s in storages.items() if key not in own)
    estimate = activation_bytes(SHAPE, tokens, dtype="float32", checkpointing=checkpointing)
    if checkpointing:  # and one layer while it is recomputed
        assert (
            kept
            < estimate
            < kept + activation_bytes(SHAPE, tokens, dtype="float32", checkpointing=False)
        )
    else:
        assert estimate == pytest.approx(kept, rel=0.1)


def test_model_states_are_partitioned_as_zero_says():
    """arXiv 1910.02054, figure 1: stage 1 the optimiser, 2 gradients too, 3 weights too."""
    config = load_config("cluster-4b")
    shape = named_shape("4B", config)

    def memory(**values):
        learner = config.learner.model_copy(update=values)
        return learner_memory(learner, config.policy, shape, world_size=8)

    one, two, three = (memory(zero_stage=stage) for stage in (1, 2, 3))
    assert one["optimiser"] == two["optimiser"] == three["optimiser"]
    assert one["gradients"] == pytest.approx(8 * two["gradients"])
    assert two["weights"] == pytest.approx(8 * three["weights"])
    assert two["gradients"] == three["gradients"]
    # Two bytes a weight, twelve of the optimiser over eight learners.
    assert one["optimiser"] / one["weights"] == pytest.approx(12 / 2 / 8)
    assert memory(zero_stage=3, offload="cpu")["optimiser"] == 0.0


def test_cache_of_a_token():
    """Qwen3-4B: 36 layers x 8 heads x 128 x keys and values x 2 bytes = 144 KiB."""
    assert cache_bytes_per_token(named_shape("4B", LAPTOP), "bfloat16") == 144 * 1024


def test_what_does_not_fit_is_said_with_the_mend(capsys):
    code = main(["plan", "--config", "cluster-4b", "--gpus", "16", "--gpu-memory", "24"])
    printed = " ".join(capsys.readouterr().out.split())
    assert code == 1
    assert "4B: a learner needs" in printed
    assert "lower learner.micro_batch_tokens" in printed
    assert "set generation.batch_size to" in printed
    assert "32B: a rollout worker needs" in printed
    assert "the weights alone do not fit" in printed


def test_the_laptop_model_fits_anywhere(capsys):
    assert main(["plan", "--gpus", "1", "--gpu-memory", "8", "--models", "config"]) == 0
    assert "config: fits" in capsys.readouterr().out


def test_a_preset_fits_the_machine_that_it_is_made_for():
    config = load_config("cluster-4b")
    found = plan_run(config, named_shape("4B", config), name="4B", num_gpus=16, on=Hardware(80.0))
    assert found.problems == []
    assert (found.learners, found.workers) == (8, 8)


def test_an_unknown_model_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"give one of 0\.6B, 4B, 14B, 32B, config"):
        named_shape(str(tmp_path), LAPTOP)
