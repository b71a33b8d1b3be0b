"""Constrained rollouts: the learner recomputes the distribution that the sampler drew from."""

import pytest
import torch

from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.training.algorithm.losses import k3
from quasar.training.algorithm.packing import TrainingSequence, pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.verification.execution.pool import LocalVerifierPool


@pytest.fixture(scope="module")
def generator(tiny_policy):
    return CircuitGenerator.load(tiny_policy, device="cpu")


@pytest.fixture(scope="module")
def batch(generator, tiny_config, tiny_dataset):
    """One micro-batch of two-turn constrained rollouts."""
    config = with_overrides(
        tiny_config,
        {
            "generation.constrained": True,
            "generation.max_turns": 2,
            "generation.turn_tokens": 40,
            "generation.satisfied_at": 1.0,
        },
    )
    tool = LocalVerifierPool(config.verification, "hierarchical").verify
    loop = EpisodeRunner(
        generator, verifying(tool, config.reward, config.generation), generation=config.generation
    )
    records = read_problems(tiny_dataset / "train.jsonl")[:5]
    tasks = [
        EpisodeTask(r.problem, build_messages(r.problem), 0, i, (i,)) for i, r in enumerate(records)
    ]
    sequences = [TrainingSequence.of(e.tokens, 1.0) for e in loop.run(tasks, weights_version=0)]
    return pad(sequences, pad_id=0), config.generation.temperature


def scored(generator, batch, temperature, legal):
    arrays = (batch.input_ids, batch.attention_mask, batch.trained)
    ids, mask, trained = (torch.from_numpy(a) for a in arrays)
    return TokenScorer(generator.model)(ids, mask, trained, temperature, legal=legal)


def test_the_mismatch_of_equal_weights_is_nothing(generator, batch):
    packed, temperature = batch
    sampled = torch.from_numpy(packed.sampler_log_probs[packed.trained])
    log_probs, entropy = scored(generator, packed, temperature, packed.legal)
    torch.testing.assert_close(log_probs.detach(), sampled, atol=3e-5, rtol=1e-5)
    assert k3(sampled, log_probs).mean() < 1e-8
    assert torch.isfinite(entropy).all()
    free, _ = scored(generator, packed, temperature, None)
    assert k3(sampled, free).mean() > 0.1  # without the sets it would look like another policy


def test_gradients_leave_illegal_tokens_alone(generator, batch):
    packed, temperature = batch
    log_probs, _ = scored(generator, packed, temperature, packed.legal)
    log_probs.sum().backward()
    grads = [p.grad for p in generator.model.parameters()]
    assert all(torch.isfinite(g).all() for g in grads)
    generator.model.zero_grad()
