"""Advantages of a step's episodes from their rewards, and the shaping of rewards by length.

Takes the rewards of the episodes of one step with their group numbers; a NaN reward marks an
episode that was not graded. Pure numpy.
"""

import numpy as np

_EPSILON = 1e-6


def advantages_of(rewards: np.ndarray, groups: np.ndarray, estimator: str) -> np.ndarray:
    """One advantage an episode, by one of four estimators.

    - "grpo": reward minus the mean of its group, over the group's standard deviation
      (2402.03300 eq. 4);
    - "dr_grpo": without the division (2503.20783);
    - "rloo": reward minus the mean of the *other* members of its group (2402.14740 eq. 8);
    - "reinforce_pp": reward minus the mean of the whole step, over the step's standard deviation
      (REINFORCE++, 2501.03262; its KL term is ours in the loss, `grpo.kl_coefficient`).

    rewards: (episodes,), NaN where the verification failed; groups: (episodes,), integers.
    Returns (episodes,): 0 for ungraded episodes, which do not enter any statistic either, and
    where all rewards that are compared are equal.
    """
    if estimator == "reinforce_pp":
        return _compared(rewards, ~np.isnan(rewards), "grpo")
    advantages = np.zeros(len(rewards))
    for group in np.unique(groups):
        advantages += _compared(rewards, (groups == group) & ~np.isnan(rewards), estimator)
    return advantages


def decoupled_advantages(parts: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """One advantage an episode by GDPO (2601.05242): each part of the reward is normalised within
    its group by itself, as "grpo" does with the sum; the sum of these, times their weights, is then
    divided by its standard deviation over the step. So a part counts by its weight, not by how far
    it happens to spread, and two answers that earn the same by different parts may differ.

    parts: (episodes, parts), raw, all NaN where the verification failed; weights: (episodes,
    parts), equal within a group, below 0 for costs; groups: (episodes,), integers. Returns
    (episodes,): 0 for ungraded episodes, which enter no statistic, and where no part of any weight
    differs.
    """
    summed = np.zeros(len(groups))
    for values, of_part in zip(parts.T, weights.T, strict=True):
        summed += of_part * _standardised(values, groups)
    # Each group's sum is 0, and so is the mean that the paper takes off once more.
    return _compared(summed, np.asarray(~np.isnan(parts).any(axis=1)), "grpo")


def _standardised(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Minus the group's mean, over its standard deviation: exactly, since parts that cancel must
    leave nothing that the division by the step's spread would make large.
    """
    centred = advantages_of(values, groups, "dr_grpo")
    for group in np.unique(groups):
        member = (groups == group) & ~np.isnan(values)
        if centred[member].any():
            centred[member] /= centred[member].std()
    return centred


def _compared(rewards: np.ndarray, member: np.ndarray, estimator: str) -> np.ndarray:
    """Advantages of the members among themselves; 0 elsewhere."""
    advantages = np.zeros(len(rewards))
    count = int(member.sum())
    if count < 2:
        return advantages
    centred = rewards[member] - rewards[member].mean()
    spread = centred.std()
    if spread < _EPSILON:
        return advantages
    if estimator == "grpo":
        centred = centred / (spread + _EPSILON)
    elif estimator == "rloo":  # r − (Σ others) / (n − 1) = (r − mean) · n / (n − 1)
        centred = centred * (count / (count - 1))
    advantages[member] = centred
    return advantages


def flat_groups(rewards: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Numbers of the groups whose graded rewards are all equal, or that have fewer than two.

    rewards: (episodes,), or (episodes, parts) of which all must be.
    """
    columns = rewards.reshape(len(groups), -1).T
    flat = [
        group
        for group in np.unique(groups)
        if not any(
            _compared(column, (groups == group) & ~np.isnan(column), "dr_grpo").any()
            for column in columns
        )
    ]
    return np.array(flat, dtype=int)


def overlong_penalty(lengths: np.ndarray, *, max_tokens: int, buffer_tokens: int) -> np.ndarray:
    """What is added to the reward of long responses (soft overlong punishment, DAPO 2503.14476
    eq. 13): 0 up to max_tokens − buffer_tokens, then falling in a line to −1 at max_tokens.

    lengths: (episodes,) sampled tokens. buffer_tokens 0: no penalty.
    """
    if not buffer_tokens:
        return np.zeros(len(lengths))
    excess = np.asarray(lengths, float) - (max_tokens - buffer_tokens)
    return -np.clip(excess / buffer_tokens, 0.0, 1.0)
