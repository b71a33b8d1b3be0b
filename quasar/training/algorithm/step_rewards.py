"""What a step's outcomes are to the algorithm: shaped rewards by group, and their advantages.

Pure numpy; for the step that is trained on, and for saved steps that are graded anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.config import GrpoConfig, RewardConfig
from quasar.training.algorithm.advantages import (
    advantages_of,
    decoupled_advantages,
    flat_groups,
    overlong_penalty,
)
from quasar.verification.reward import Scored, ScoringResult, part_weights


@dataclass(frozen=True, slots=True)
class StepRewards:
    """Of the episodes of one step, in order; NaN: not graded.

    parts, weights: (episodes, parts), raw and what a unit of each is worth, the penalty for length
    among them; no columns where advantages are made of the sum.
    """

    groups: np.ndarray  # (episodes,), integers
    rewards: np.ndarray  # (episodes,), with the penalty for length
    penalties: np.ndarray  # (episodes,), ≤ 0
    parts: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(
        cls,
        outcomes: Sequence[ScoringResult],
        *,
        groups: Sequence[int],
        tasks: Sequence[str],
        sampled: Sequence[int],
        settings: GrpoConfig,
        reward: RewardConfig,
        max_response_tokens: int,
    ) -> "StepRewards":
        """groups, tasks: of each episode's prompt; sampled: tokens that each policy wrote; reward:
        by which the outcomes were graded.
        """
        rewards = [o.value if isinstance(o, Scored) else np.nan for o in outcomes]
        penalties = overlong_penalty(
            np.array(sampled),
            max_tokens=max_response_tokens,
            buffer_tokens=settings.overlong_buffer_tokens,
        )
        shape = (len(outcomes), 0)
        parts, weights = np.zeros(shape), np.zeros(shape)
        if settings.advantage == "gdpo":
            parts, weights = _columns(outcomes, tasks, penalties, reward)
        return cls(np.array(groups), np.array(rewards) + penalties, penalties, parts, weights)

    @property
    def num_groups(self) -> int:
        """Distinct prompts."""
        return len(np.unique(self.groups))

    @property
    def flat(self) -> np.ndarray:
        """Numbers of the groups that teach nothing."""
        if self.parts.shape[1]:
            return flat_groups(np.where(self.weights != 0, self.parts, 0.0), self.groups)
        return flat_groups(self.rewards, self.groups)

    def advantages(self, settings: GrpoConfig) -> np.ndarray:
        """(episodes,) by `settings.advantage`; 0 where ungraded."""
        left_out = np.zeros(len(self.groups), bool)
        if settings.max_refills:
            # What was replaced by other prompts is no measure for them either.
            left_out = np.isin(self.groups, self.flat)
        if settings.advantage == "gdpo":
            parts = np.where(left_out[:, None], np.nan, self.parts)
            return decoupled_advantages(parts, self.weights, self.groups)
        rewards = np.where(left_out, np.nan, self.rewards)
        return advantages_of(rewards, self.groups, settings.advantage)


def _columns(
    outcomes: Sequence[ScoringResult],
    tasks: Sequence[str],
    penalties: np.ndarray,
    reward: RewardConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """`parts` and `weights`. A part that an episode does not have is 0; its weight is that of its
    task's other episodes, since what is not there (a call) is a value, too.
    """
    by_task: dict[str, dict[str, float]] = {}
    for outcome, task in zip(outcomes, tasks, strict=True):
        if isinstance(outcome, Scored):
            by_task.setdefault(task, {}).update(part_weights(task, outcome.parts, reward))
    names = sorted({name for found in by_task.values() for name in found})
    parts = [
        [o.parts.get(name, 0.0) if isinstance(o, Scored) else np.nan for name in names]
        for o in outcomes
    ]
    weights = [[by_task.get(task, {}).get(name, 0.0) for name in names] for task in tasks]
    shape = (len(outcomes), len(names))
    graded = np.array([isinstance(o, Scored) for o in outcomes])
    length = np.where(graded, penalties, np.nan)[:, None]
    return (
        np.hstack([np.reshape(parts, shape), length]),
        np.hstack([np.reshape(weights, shape), np.ones_like(length)]),
    )
