import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quasar.training.algorithm.losses import (
    distilled_advantages,
    grpo_loss,
    k3,
    supervised_loss,
    token_weights,
)

BOUNDS = dict(clip_low=0.2, clip_high=0.28)
log_ratios = st.floats(-2, 2)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_supervised_loss_is_the_negative_log_likelihood():
    assert supervised_loss(tensor(-1.0, -2.5)).item() == 3.5


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.0, 2.0, -2.0),  # on policy: minus the advantage
        (1.5, 1.0, -1.28),  # raised too far: held at 1 + clip_high
        (0.5, -1.0, 0.8),  # lowered too far: held at 1 − clip_low
        (1.5, -1.0, 1.5),  # moving the wrong way is never clipped
        (0.5, 1.0, -0.5),
    ],
)
def test_clipped_loss_of_one_token(ratio, advantage, expected):
    new = tensor(ratio).log()
    result = grpo_loss(new, tensor(0.0), tensor(advantage), **BOUNDS)
    assert result.loss.item() == pytest.approx(expected)
    assert bool(result.clipped) == (abs(expected) != abs(ratio * advantage))


def test_gradient_on_policy_is_the_policy_gradient():
    log_probs = tensor(-1.0, -2.0).requires_grad_()
    loss = grpo_loss(
        log_probs, log_probs.detach(), tensor(0.5, -1.5), clip_low=0.2, clip_high=0.2
    ).loss
    loss.backward()
    torch.testing.assert_close(log_probs.grad, tensor(-0.5, 1.5))


def test_a_clipped_token_has_no_gradient():
    log_probs = tensor(0.5).requires_grad_()
    grpo_loss(log_probs, tensor(0.0), tensor(1.0), **BOUNDS).loss.backward()
    assert log_probs.grad.item() == 0.0


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (5.0, -1.0, 3.0),  # without the bound it would cost 5
        (2.0, -1.0, 2.0),  # below the bound nothing changes
        (5.0, 1.0, -1.28),  # nor for a token that is to be raised
    ],
)
def test_dual_clip_bounds_what_a_token_may_cost(ratio, advantage, expected):
    result = grpo_loss(tensor(ratio).log(), tensor(0.0), tensor(advantage), **BOUNDS, dual_clip=3.0)
    assert result.loss.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("importance", "expected", "truncated"), [(1.5, -1.5, 0), (0.25, -0.25, 0), (7.0, -2.0, 1)]
)
def test_importance_of_a_token_is_capped(importance, expected, truncated):
    old = tensor(-1.0)
    sampler = old - math.log(importance)
    log_probs = old.clone().requires_grad_()
    result = grpo_loss(
        log_probs, old, tensor(1.0), **BOUNDS, sampler_log_probs=sampler, importance_cap=2.0
    )
    assert result.loss.item() == pytest.approx(expected)
    assert result.truncated.item() == truncated
    result.loss.backward()  # the correction is a weight: it has no gradient of its own
    assert log_probs.grad.item() == pytest.approx(expected)


def test_importance_corrected_expectation_is_that_of_the_learner():
    """Over all tokens that a sampler may draw, E_sampler[ρ·A·∇log π] = E_learner[A·∇log π]."""
    learner = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    sampler = torch.tensor([0.4, 0.2, 0.4], dtype=torch.float64)
    advantages = tensor(1.0, -2.0, 0.5)
    result = grpo_loss(
        learner,
        learner,
        advantages,
        **BOUNDS,
        sampler_log_probs=sampler.log(),
        importance_cap=2.0,
        weights=sampler,  # the probability of drawing each
    )
    assert result.loss.item() == pytest.approx(-(learner.exp() * advantages).sum().item())


@given(log_ratios, log_ratios, st.floats(-2, 2))
def test_clip_bounds_the_step_from_old_whoever_sampled(step, mismatch, advantage):
    old = tensor(-1.0)
    inputs = (old + step, old, tensor(advantage))
    plain = grpo_loss(*inputs, **BOUNDS)
    corrected = grpo_loss(
        *inputs, **BOUNDS, sampler_log_probs=old - mismatch, importance_cap=math.exp(2)
    )
    assert corrected.clipped.item() == plain.clipped.item()
    expected = math.exp(mismatch) * plain.loss.item()
    assert corrected.loss.item() == pytest.approx(expected, abs=1e-12)


def test_sampler_kl_is_measured_against_the_learner_before_its_update():
    old, sampler = tensor(-1.0, -1.2), tensor(-1.1, -1.0)
    result = grpo_loss(
        old + 0.3, old, tensor(0.0, 0.0), **BOUNDS, sampler_log_probs=sampler, importance_cap=2.0
    )
    assert result.sampler_kl.item() == pytest.approx(k3(sampler, old).sum().item())
    assert result.sampler_kl.item() > 0


@given(st.floats(-5, 0), st.floats(-5, 0))
def test_k3_is_never_negative_and_zero_only_when_equal(p, q):
    value = k3(tensor(p), tensor(q)).item()
    assert value >= -1e-12
    assert k3(tensor(p), tensor(p)).item() == 0.0


def test_k3_is_an_unbiased_estimate_of_the_divergence():
    p, q = tensor(0.7, 0.2, 0.1), tensor(0.5, 0.1, 0.4)
    expected = (p * (p / q).log()).sum().item()
    assert (p * k3(p.log(), q.log())).sum().item() == pytest.approx(expected)


def test_kl_to_the_reference_enters_with_its_coefficient():
    inputs = (tensor(-1.0), tensor(-1.0), tensor(0.0))
    bounds = dict(clip_low=0.2, clip_high=0.2)
    reference = tensor(-1.5)
    result = grpo_loss(*inputs, **bounds, reference_log_probs=reference, kl_coefficient=0.1)
    assert result.loss.item() == pytest.approx(0.1 * k3(inputs[0], reference).item())
    assert result.reference_kl.item() > 0


def test_entropy_bonus_lowers_the_loss_and_raises_the_entropy():
    logits = tensor(2.0, 0.0, -1.0).requires_grad_()
    log_probs = torch.log_softmax(logits, -1)
    entropy = -(log_probs.exp() * log_probs).sum().reshape(1)
    taken = log_probs[:1]
    loss = grpo_loss(
        taken, taken.detach(), tensor(0.0), **BOUNDS, entropy=entropy, entropy_coefficient=0.01
    ).loss
    assert loss.item() == pytest.approx(-0.01 * entropy.item())
    loss.backward()
    after = torch.log_softmax(logits.detach() - logits.grad, -1)
    assert -(after.exp() * after).sum() > entropy


def test_token_aggregation_weighs_tokens_and_sequence_aggregation_sequences():
    lengths = torch.tensor([1, 3])
    per_token = tensor(4.0, 1.0, 1.0, 1.0)  # one sequence of one token, one of three
    sequence = torch.tensor([0, 1, 1, 1])
    for aggregation, expected in (("token", 7.0 / 4), ("sequence", (4.0 + 1.0) / 2)):
        weights = token_weights(lengths, aggregation).double()[sequence]
        result = grpo_loss(
            tensor(0.0, 0.0, 0.0, 0.0),
            tensor(0.0, 0.0, 0.0, 0.0),
            -per_token,
            **BOUNDS,
            weights=weights,
        )
        assert (result.loss / lengths.sum()).item() == pytest.approx(expected), aggregation


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_token_weights_average_one_over_the_tokens(lengths):
    lengths = torch.tensor(lengths)
    for aggregation in ("token", "sequence"):
        weights = token_weights(lengths, aggregation)
        total = (weights * lengths).sum().item()
        assert total == pytest.approx(lengths.sum().item(), rel=1e-5)


@given(st.lists(st.tuples(log_ratios, log_ratios), min_size=2, max_size=5), st.floats(0.1, 3))
def test_distillation_descends_the_reverse_divergence(logits, coefficient):
    """Over all tokens that the policy may draw, the gradient is c·∇KL(policy ‖ teacher)."""
    own = torch.tensor([a for a, _ in logits], dtype=torch.float64, requires_grad=True)
    teacher = torch.log_softmax(torch.tensor([b for _, b in logits], dtype=torch.float64), -1)
    log_probs = torch.log_softmax(own, -1)
    old = log_probs.detach()
    advantages = distilled_advantages(torch.zeros_like(old), old, teacher, coefficient=coefficient)
    # each token weighs with the probability of drawing it
    loss = grpo_loss(log_probs, old, advantages, **BOUNDS, weights=old.exp()).loss
    (found,) = torch.autograd.grad(loss, own, retain_graph=True)
    divergence = (log_probs.exp() * (log_probs - teacher)).sum()
    (expected,) = torch.autograd.grad(divergence, own)
    torch.testing.assert_close(found, coefficient * expected, atol=1e-9, rtol=1e-9)


def test_distillation_adds_to_what_rewards_say():
    found = distilled_advantages(tensor(1.0, -2.0), tensor(-1.0, -3.0), tensor(-0.5, -3.0),
                                 coefficient=2.0)  # fmt: skip
    assert found.tolist() == [2.0, -2.0]
