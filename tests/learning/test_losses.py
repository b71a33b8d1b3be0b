import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quasar.learning.losses import grpo_loss, k3, supervised_loss


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
    result = grpo_loss(new, tensor(0.0), tensor(advantage), clip_low=0.2, clip_high=0.28)
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
    grpo_loss(log_probs, tensor(0.0), tensor(1.0), clip_low=0.2, clip_high=0.28).loss.backward()
    assert log_probs.grad.item() == 0.0


@given(st.floats(-5, 0), st.floats(-5, 0))
def test_k3_is_never_negative_and_zero_only_when_equal(p, q):
    value = k3(tensor(p), tensor(q)).item()
    assert value >= -1e-12
    assert k3(tensor(p), tensor(p)).item() == 0.0


def test_kl_to_the_reference_enters_with_its_coefficient():
    inputs = (tensor(-1.0), tensor(-1.0), tensor(0.0))
    bounds = dict(clip_low=0.2, clip_high=0.2)
    reference = tensor(-1.5)
    result = grpo_loss(*inputs, **bounds, reference_log_probs=reference, kl_coefficient=0.1)
    assert result.loss.item() == pytest.approx(0.1 * k3(inputs[0], reference).item())
    assert result.reference_kl.item() > 0
