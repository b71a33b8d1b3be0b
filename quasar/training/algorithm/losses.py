"""Losses as pure functions of tensors. All sums are over the tokens of one micro-batch; the caller
divides by the number of trained tokens of the whole step, so that the result does not depend on how
tokens are spread over ranks and micro-batches.

Three policies meet in a token: the one being trained (θ), the learner's before the step's first
update (old), and the one that sampled it, which differs from old by numerics, or by updates where
rollouts run ahead. The clip bounds θ / old; a truncated weight corrects old / sampler.
"""

from typing import NamedTuple

import torch


class PolicyLoss(NamedTuple):
    """Sums over tokens, scalars."""

    loss: torch.Tensor
    clipped: torch.Tensor  # number of tokens whose ratio was clipped
    truncated: torch.Tensor  # number of tokens whose importance weight was capped
    sampler_kl: torch.Tensor  # k3 estimate of KL(sampler ‖ old)
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
    dual_clip: float = 0.0,
    sampler_log_probs: torch.Tensor | None = None,
    importance_cap: float = 1.0,
    weights: torch.Tensor | None = None,
    entropy: torch.Tensor | None = None,
    entropy_coefficient: float = 0.0,
    reference_log_probs: torch.Tensor | None = None,
    kl_coefficient: float = 0.0,
) -> PolicyLoss:
    """Clipped policy loss with asymmetric bounds (PPO 1707.06347 eq. 7; clip-higher: DAPO
    2503.14476 eq. 10), summed over tokens.

    All tensors (tokens,). `advantages`: of the token's episode. `dual_clip` c > 1 bounds the loss
    of a token with a negative advantage by c·|A| (Dual-clip PPO 1912.09729 eq. 5); 0: no bound.
    `sampler_log_probs`: where given, each token is weighted with min(old / sampler, importance_cap)
    (truncated importance sampling: IMPALA 1802.01561 eq. 1 and its ρ̄). `weights`: of each token in
    the loss, see `token_weights`; None: all 1. `entropy` (with gradient) enters with minus its
    coefficient, the KL to the reference (k3) with plus.
    """
    share = torch.ones_like(advantages) if weights is None else weights
    weight, truncated, sampler_kl = share, torch.zeros(()), torch.zeros(())
    if sampler_log_probs is not None:
        importance = (old_log_probs - sampler_log_probs).exp()
        weight = importance.clamp(max=importance_cap) * share
        truncated = (importance > importance_cap).sum()
        sampler_kl = k3(sampler_log_probs, old_log_probs).sum()
    ratio = (log_probs - old_log_probs).exp()
    clipped_ratio = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    surrogate = torch.minimum(weight * ratio * advantages, weight * clipped_ratio * advantages)
    if dual_clip:
        bounded = torch.maximum(surrogate, dual_clip * weight * advantages)
        surrogate = torch.where(advantages < 0, bounded, surrogate)
    loss = -surrogate.sum()
    if entropy_coefficient and entropy is not None:
        loss = loss - entropy_coefficient * (share * entropy).sum()
    reference_kl = torch.zeros((), device=log_probs.device)
    if reference_log_probs is not None:
        per_token = k3(log_probs, reference_log_probs)
        loss = loss + kl_coefficient * (share * per_token).sum()
        reference_kl = per_token.detach().sum()
    with torch.no_grad():
        clipped = (ratio * advantages > clipped_ratio * advantages).sum()
    return PolicyLoss(loss, clipped, truncated, sampler_kl, reference_kl)


def distilled_advantages(
    advantages: torch.Tensor,
    old_log_probs: torch.Tensor,
    teacher_log_probs: torch.Tensor,
    *,
    coefficient: float,
) -> torch.Tensor:
    """Advantages, raised where a teacher finds a token likelier than the learner does and lowered
    where less likely: A + c·(log p_teacher − log p_old), all (tokens,).

    On the learner's own samples the policy gradient of what is added is minus c times the gradient
    of the reverse KL(learner ‖ teacher) of each token given what is before it (on-policy
    distillation: GKD 2306.13649, MiniLLM 2306.08543, without the return of later tokens).
    """
    return advantages + coefficient * (teacher_log_probs - old_log_probs)


def token_weights(lengths: torch.Tensor, aggregation: str) -> torch.Tensor:
    """Weight in the loss of each trained token of a sequence; over a step's tokens they average 1.

    lengths: (sequences,) trained tokens > 0 of each sequence of the whole step; returns
    (sequences,). "token": all tokens count alike (DAPO 2503.14476 eq. 8); "sequence": the mean over
    sequences of the mean over their tokens (GRPO 2402.03300 eq. 3).
    """
    if aggregation == "token":
        return torch.ones(len(lengths))
    return lengths.sum() / (len(lengths) * lengths.float())


def k3(log_probs: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Per-token estimate of KL(p ‖ q) ≥ 0 from samples of p: q/p − 1 − log(q/p) (Schulman 2020)."""
    log_ratio = other - log_probs
    return log_ratio.exp() - 1.0 - log_ratio
