"""Group-relative advantages (GRPO, arXiv 2402.03300 eq. 4; without std: Dr. GRPO, 2503.20783).

Takes the rewards of the episodes of one step with their group numbers; a NaN reward marks an
episode that was not graded. Pure numpy.
"""

import numpy as np

_EPSILON = 1e-6


def group_advantages(
    rewards: np.ndarray, groups: np.ndarray, *, normalise_by_std: bool
) -> np.ndarray:
    """Reward minus the mean of its group (divided by the group's standard deviation).

    rewards: (episodes,), NaN where the verification failed; groups: (episodes,), integers.
    Returns (episodes,): 0 for ungraded episodes, which do not enter their group's statistics
    either, and for groups in which all graded rewards are equal.
    """
    advantages = np.zeros(len(rewards))
    for group in np.unique(groups):
        member = (groups == group) & ~np.isnan(rewards)
        if member.sum() < 2:
            continue
        centred = rewards[member] - rewards[member].mean()
        spread = centred.std()
        if spread < _EPSILON:
            continue
        advantages[member] = centred / (spread + _EPSILON) if normalise_by_std else centred
    return advantages
