"""Real DeepSpeed ZeRO engines in real Ray actors over gloo."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.errors import CheckpointError, TrainingError
from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy
from quasar.training.algorithm.packing import TrainingSequence
from quasar.training.examples import supervised_sequence
from quasar.training.learner.deepspeed import Objective
from quasar.training.learner.reshard import universal
from quasar.training.rllib.grpo import GRPOConfig

pytestmark = pytest.mark.ray
GRPO_LOSS = Objective("grpo", temperature=0.9)


@pytest.fixture(scope="module")
def sequences(tiny_policy, tiny_dataset):
    """Sequences of uneven length, with advantages and slightly off-policy log-probabilities."""
    chat = ChatFormat(load_policy(tiny_policy)[1])
    rng = np.random.default_rng(1)
    made = []
    for record in read_problems(tiny_dataset / "train.jsonl")[:7]:
        plain = supervised_sequence(record, chat)
        old = rng.normal(-7.0, 0.1, plain.counts.response).astype(np.float32)
        made.append(TrainingSequence.of(replace(plain.tokens, log_probs=old), float(rng.normal())))
    return made


@pytest.fixture
def make_group(local_ray, tiny_config, tiny_policy):
    groups = []

    def make(**overrides):
        changes = {"learner." + name: value for name, value in overrides.items()}
        config = with_overrides(tiny_config, {"learner.torch_threads": 1, **changes})
        group = GRPOConfig().supervised(config, model_directory=tiny_policy).build_learner_group()
        groups.append(group)
        return group

    yield make
    for group in groups:
        group.shutdown()


def steps(group, sequences, count):
    return [
        group.update_policy(sequences, objective=objective, learning_rate=1e-3)
        for objective in [Objective("supervised"), GRPO_LOSS][:count]
    ]


@pytest.fixture(scope="module")
def one_learner(local_ray, tiny_config, tiny_policy, sequences):
    """Metrics of two steps on one learner that sees all tokens in one micro-batch."""
    config = with_overrides(
        tiny_config, {"learner.micro_batch_tokens": 10**6, "learner.torch_threads": 1}
    )
    group = GRPOConfig().supervised(config, model_directory=tiny_policy).build_learner_group()
    metrics = steps(group, sequences, 2)
    group.shutdown()
    return metrics


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_spread_over_ranks_and_micro_batches_changes_nothing_and_a_checkpoint_goes_on(
    make_group, sequences, one_learner, tmp_path, stage
):
    group = make_group(num_learners=2, zero_stage=stage, micro_batch_tokens=256)
    first, second = steps(group, sequences, 1)[0], None
    for name in ("loss", "gradient_norm", "trained_tokens", "entropy"):
        assert first[name] == pytest.approx(one_learner[0][name], rel=2e-4), name

    group.save_to_path(tmp_path)
    second = group.update_policy(sequences, objective=GRPO_LOSS, learning_rate=1e-3)
    for name in ("loss", "gradient_norm", "sampler_kl"):
        assert second[name] == pytest.approx(one_learner[1][name], rel=2e-3, abs=1e-5), name

    group.restore_from_path(tmp_path)
    again = group.update_policy(sequences, objective=GRPO_LOSS, learning_rate=1e-3)
    assert again == second  # bit for bit


def optimizer_steps(group):
    """Adam's step counters, of each learner."""
    answers = group._worker_manager.foreach_actor(
        lambda learner: {
            float(s["step"]) for s in learner.policy_learner.optimizer.state.values() if s
        }
    )
    return [answer.get() for answer in answers]


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 3])
def test_a_checkpoint_goes_on_with_two_learners_and_back(
    make_group, sequences, tmp_path, local_ray, stage
):
    def weights(group):
        return local_ray.get(group.publish()[0])

    def step(group):
        group.update_policy(sequences, objective=GRPO_LOSS, learning_rate=1e-3)
        return weights(group)

    one = make_group(num_learners=1, zero_stage=stage)
    steps(one, sequences, 2)
    one.save_to_path(tmp_path / "one")
    before, after = weights(one), step(one)
    one.shutdown()

    two = make_group(num_learners=2, zero_stage=stage)
    two.restore_from_path(tmp_path / "one")
    assert optimizer_steps(two) == [{2.0}, {2.0}]
    for name, value in weights(two).items():
        np.testing.assert_array_equal(value, before[name])
    again = step(two)
    for name, value in after.items():  # with fresh moments a weight would be 1e-3 off
        np.testing.assert_allclose(again[name], value, atol=5e-5)
    two.save_to_path(tmp_path / "two")
    assert not list(tmp_path.rglob("*.partial"))
    after = step(two)
    two.shutdown()

    back = make_group(num_learners=1, zero_stage=stage)
    back.restore_from_path(tmp_path / "two")
    assert optimizer_steps(back) == [{3.0}]
    for name, value in weights(back).items():
        np.testing.assert_array_equal(value, again[name])
    last = step(back)
    for name, value in after.items():
        np.testing.assert_allclose(last[name], value, atol=5e-5)


def test_other_zero_stages_read_a_checkpoint_as_far_as_they_can(
    make_group, sequences, tmp_path, local_ray
):
    first = make_group(num_learners=1, zero_stage=1)
    steps(first, sequences, 1)
    first.save_to_path(tmp_path)
    expected = local_ray.get(first.publish()[0])
    first.shutdown()

    second = make_group(num_learners=2, zero_stage=2)
    second.restore_from_path(tmp_path)
    for name, value in local_ray.get(second.publish()[0]).items():
        np.testing.assert_array_equal(value, expected[name])
    second.shutdown()

    third = make_group(num_learners=1, zero_stage=3)
    with pytest.raises(CheckpointError, match="ZeRO stage 1 or 2, this run has 3"):
        third.restore_from_path(tmp_path)


def test_shards_that_cannot_be_cut_anew_are_named(make_group, sequences, tmp_path):
    one = make_group(num_learners=1)
    steps(one, sequences, 1)
    one.save_to_path(tmp_path)
    (shard,) = (tmp_path / "engine").glob("*optim_states.pt")
    shard.write_bytes(shard.read_bytes()[:1000])
    with (
        pytest.raises(CheckpointError, match=r"cannot be cut anew \(.*num_learners=1"),
        universal(tmp_path),
    ):
        pass


def test_the_checkpoint_holds_a_model_that_agrees_with_the_engine(
    make_group, sequences, tmp_path, local_ray
):
    group = make_group(num_learners=1)
    steps(group, sequences, 1)
    group.save_to_path(tmp_path)
    published = local_ray.get(group.publish()[0])
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "huggingface")
    for name, tensor in loaded.state_dict().items():
        torch.testing.assert_close(tensor, torch.from_numpy(published[name].copy()))


def test_a_lost_learner_stops_the_step_with_a_message(make_group, sequences, local_ray):
    group = make_group(num_learners=1)
    local_ray.kill(group._workers[0])
    with pytest.raises(TrainingError, match="resume"):
        steps(group, sequences, 1)


def test_a_directory_without_a_checkpoint_is_refused(make_group, tmp_path):
    group = make_group(num_learners=1)
    with pytest.raises((CheckpointError, TrainingError), match="checkpoint"):
        group.restore_from_path(tmp_path)
