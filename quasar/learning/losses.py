"""Losses as pure functions of tensors. All sums are over the tokens of one micro-batch; the caller
divides by the number of trained tokens of the whole step, so that the result does not depend on how
tokens are spread over ranks and micro-batches.
"""

from typing import NamedTuple

import torch


class PolicyLoss(NamedTuple):
    """Sums over tokens, scalars."""

    loss: torch.Tensor
    clipped: torch.Tensor  # number of tokens whose ratio was clipped
    sampler_kl: torch.Tensor  # k3 estimate of KL(sampler ‖ learner)
    reference_kl: torch.Tensor  # k3 estimate of KL(policy ‖ reference), 0 without a reference


def supervised_loss(log_probs: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood. log_probs: (tokens,) of the target tokens. Returns the sum."""
    return -log_probs.sum()


def grpo_loss(
    log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    advantages: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    reference_log_probs: torch.Tensor | None = None,
    kl_coefficient: float = 0.0,
) -> PolicyLoss:
    """Clipped policy loss with asymmetric bounds (PPO 1707.06347 eq. 7; clip-higher: DAPO
    2503.14476 eq. 10) and token-level aggregation.

    All inputs (tokens,): log-probabilities under the current policy, under the policy that sampled,
    and the advantage of the token's episode.
    """
    log_ratio = log_probs - old_log_probs
    ratio = log_ratio.exp()
    clipped_ratio = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    surrogate = torch.minimum(ratio * advantages, clipped_ratio * advantages)
    loss = -surrogate.sum()
    reference_kl = torch.zeros((), device=log_probs.device)
    if reference_log_probs is not None:
        reference_kl = k3(log_probs, reference_log_probs).sum()
        loss = loss + kl_coefficient * reference_kl
    with torch.no_grad():
        clipped = (ratio * advantages > clipped_ratio * advantages).sum()
        sampler_kl = k3(old_log_probs, log_probs).sum()
    return PolicyLoss(loss, clipped, sampler_kl, reference_kl.detach())


def k3(log_probs: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Per-token estimate of KL(p ‖ q) ≥ 0 from samples of p: q/p − 1 − log(q/p) (Schulman 2020)."""
    log_ratio = other - log_probs
    return log_ratio.exp() - 1.0 - log_ratio
