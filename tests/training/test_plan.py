"""Estimates before a run: counted against real tensors, and against the published sizes."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from quasar.cli.main import main
from quasar.config import PolicyConfig, load_config, with_overrides
from quasar.errors import CheckpointError
from quasar.training.capacity.memory import (
    activation_bytes,
    cache_bytes_per_token,
    learner_memory,
    learner_peak,
    longest_micro_batch,
)
from quasar.training.capacity.plan import Hardware, named_shape, plan_run

PUBLISHED = load_config("published")
SHAPE = named_shape("config", PUBLISHED)


@pytest.mark.parametrize(
    ("name", "billions"), [("0.6B", 0.596), ("4B", 4.022), ("14B", 14.768), ("32B", 32.762)]
)
def test_sizes_are_those_of_the_published_checkpoints(name, billions):
    found = plan_run(
        PUBLISHED, named_shape(name, PUBLISHED), name=name, num_gpus=8, on=Hardware(80.0)
    )
    assert found.num_parameters / 1e9 == pytest.approx(billions, abs=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_what_a_real_forward_pass_keeps(checkpointing):
    rows, time, storages = 2, 48, {}
    model = AutoModelForCausalLM.from_config(SHAPE, dtype=torch.float32).train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    ids, mask = torch.zeros((rows, time), dtype=torch.long), torch.ones((rows, time)).long()
    mask[1, -3:] = 0  # padding, as rows of different lengths have it
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False)
    kept = sum(s.nbytes() for key, s in storages.items() if key not in own)

    def planned(checkpointing):
        policy = PolicyConfig(gradient_checkpointing=checkpointing)
        return activation_bytes(SHAPE, rows, time, policy=policy)

    if checkpointing:  # and one layer while it is recomputed
        assert kept < planned(True) < kept + planned(False)
    else:
        assert planned(False) == pytest.approx(kept, rel=0.1)


def test_model_states_are_partitioned_as_zero_says():
    """arXiv 1910.02054, figure 1: stage 1 the optimiser, 2 gradients too, 3 weights too."""
    config = load_config("cluster-4b")
    shape = named_shape("4B", config)

    def memory(**values):
        changed = with_overrides(config, {f"learner.{k}": v for k, v in values.items()})
        return learner_memory(changed, shape, world_size=8)

    one, two, three = (memory(zero_stage=stage) for stage in (1, 2, 3))
    assert one["optimiser"] == two["optimiser"] == three["optimiser"]
    assert one["gradients"] == pytest.approx(8 * two["gradients"])
    assert two["weights"] == pytest.approx(8 * three["weights"])
    assert two["gradients"] == three["gradients"]
    # Two bytes a weight, twelve of the optimiser over eight learners.
    assert one["optimiser"] / one["weights"] == pytest.approx(12 / 2 / 8)
    assert memory(zero_stage=3, offload="cpu")["optimiser"] == 0.0


def test_the_longest_sequence_has_the_tools_answers_in_it():
    """Prompt 256, response 256, three observations of 96 tokens."""
    config = with_overrides(PUBLISHED, {"generation.max_turns": 4})
    assert longest_micro_batch(config) == (5, 819)
    assert longest_micro_batch(PUBLISHED) == (8, 512)
    tight = with_overrides(config, {"learner.micro_batch_tokens": 256})
    assert longest_micro_batch(tight) == (1, 800)

    def cache(config):
        found = plan_run(config, SHAPE, name="x", num_gpus=8, on=Hardware(80.0))
        return found.worker["cache"], found.update_s

    assert cache(config)[0] == pytest.approx(cache(PUBLISHED)[0] * 800 / 512)
    assert cache(config)[1] == pytest.approx(cache(PUBLISHED)[1] * 800 / 512)


def test_adapters_have_no_states_but_their_own_and_need_no_reference():
    shape = named_shape("4B", PUBLISHED)
    config = with_overrides(PUBLISHED, {"policy.dtype": "bfloat16", "grpo.kl_coefficient": 0.1})
    full = learner_memory(config, shape, world_size=1)
    adapted = with_overrides(config, {"policy.lora_rank": 16})
    lora = learner_memory(adapted, shape, world_size=1)
    # r (in + out) for q, k, v, o, gate, up and down in each of 36 layers.
    pairs = ((2560, 4096), (2560, 1024), (2560, 1024), (4096, 2560))
    pairs += ((2560, 9728), (2560, 9728), (9728, 2560))
    trained = 36 * 16 * sum(a + b for a, b in pairs)
    assert lora["gradients"] == pytest.approx(2 * trained / 2**30)
    assert lora["optimiser"] == pytest.approx(12 * trained / 2**30)
    assert lora["weights"] == pytest.approx(full["weights"] + 2 * trained / 2**30)
    assert full["reference"] == full["weights"]  # a whole copy, on each learner
    assert lora["reference"] == 0.0
    assert learner_peak(lora) < learner_peak(full) / 2
    without = with_overrides(config, {"grpo.kl_coefficient": 0.0})
    assert learner_memory(without, shape, world_size=1)["reference"] == 0.0


def test_a_teacher_is_whole_in_each_learner(tmp_path):
    shape, larger = (named_shape(name, PUBLISHED) for name in ("0.6B", "4B"))
    larger.save_pretrained(tmp_path)
    told = {"policy.dtype": "bfloat16", "grpo.distillation.teacher": str(tmp_path)}
    config = with_overrides(PUBLISHED, told)
    found, without = (
        plan_run(c, shape, name="0.6B", num_gpus=4, on=Hardware(80.0))
        for c in (config, with_overrides(config, {"grpo.distillation.teacher": None}))
    )
    assert found.learner["teacher"] == pytest.approx(2 * 4.022e9 / 2**30, rel=1e-3)
    assert found.learner_gib - without.learner_gib == pytest.approx(found.learner["teacher"])
    missing = with_overrides(config, {"grpo.distillation.teacher": str(tmp_path / "none")})
    with pytest.raises(CheckpointError):
        plan_run(missing, shape, name="0.6B", num_gpus=4, on=Hardware(80.0))


def test_logits_do_not_grow_with_the_tokens():
    config, shape = load_config("cluster-4b"), named_shape("4B", PUBLISHED)
    twice = with_overrides(config, {"learner.micro_batch_tokens": 32_768})
    first, second = (learner_memory(c, shape, world_size=8) for c in (config, twice))
    assert first["logits"] == second["logits"] < 1.0
    assert second["activations"] == pytest.approx(2 * first["activations"], rel=0.05)


def test_the_peak_is_that_of_the_fullest_moment():
    parts = dict.fromkeys(("weights", "gradients", "optimiser", "reference"), 1.0)
    parts |= {"gathered": 0.5, "bucket": 1.0, "pending": 2.0, "activations": 5.0, "logits": 2.0}
    assert learner_peak(parts | {"update": 3.0}) == 4.0 + 8.5
    assert learner_peak(parts | {"update": 3.0, "activations": 0.0}) == 4.0 + 3.5
    assert learner_peak(parts | {"update": 9.0}) == 4.0 + 9.0


def test_cache_of_a_token():
    """Qwen3-4B: 36 layers x 8 heads x 128 x keys and values x 2 bytes = 144 KiB."""
    assert cache_bytes_per_token(named_shape("4B", PUBLISHED), "bfloat16") == 144 * 1024


def test_what_does_not_fit_is_said_with_the_mend(capsys):
    code = main(["plan", "--config", "cluster-4b", "--gpus", "16", "--gpu-memory", "24"])
    printed = " ".join(capsys.readouterr().out.split())
    assert code == 1
    assert "4B: a learner needs" in printed
    assert "14B: a learner needs" in printed
    assert "set policy.lora_rank=16" in printed
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
        named_shape(str(tmp_path), PUBLISHED)


def test_times_follow_the_length_of_responses_and_the_sums_are_shown(capsys):
    """By hand, for Qwen3-4B: 8.0 GB of weights and 144 KiB of cache a token, 2.01 TB/s, 8 workers
    of 256 rows, 40 together; prompt and observation 3,072 tokens."""
    config = load_config("cluster-4b")
    shape = named_shape("4B", config)

    def planned(**changed):
        settings = with_overrides(config, changed.pop("settings", {}))
        return plan_run(settings, shape, name="4B", num_gpus=16, on=Hardware(80.0), **changed)

    weights, a_token = 2 * 4.022e9, 144 * 1024
    for response, found in ((9216, planned()), (1500, planned(response_tokens=1500))):
        passes = 256 / 40 * response
        cache = 40 * a_token * (3072 + response / 2)
        assert found.rollout_s == pytest.approx(passes * (weights + cache) / 2.01e12, rel=1e-3)
        work = 8 * 4.022e9 * 2048 * (3072 + response)
        assert found.update_s == pytest.approx(work / (8 * 0.4 * 989e12), rel=1e-3)
        assert found.step_s == max(found.update_s, found.rollout_s)  # staleness 1
        assert f"{found.rollout_s:.0f} s" in found.arithmetic
    in_turns = planned(settings={"grpo.staleness": 0})
    assert in_turns.step_s == in_turns.update_s + in_turns.rollout_s
    options = ["--gpus", "16", "--gpu-memory", "80", "--models", "4B", "--response-tokens", "1500"]
    assert main(["plan", "--config", "cluster-4b", *options]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "930 steps, days, at least 1.6" in printed
    assert "at the same time" in printed
