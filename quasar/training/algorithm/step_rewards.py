"""What a step's outcomes are to the algorithm: shaped rewards by group, and their advantages.

Pure numpy; for the step that is trained on, and for saved steps that are graded anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.config import GrpoConfig
from quasar.training.algorithm.advantages import advantages_of, flat_groups, overlong_penalty
from quasar.verification.reward import Scored, ScoringResult


@dataclass(frozen=True, slots=True)
class StepRewards:
    """Of the episodes of one step, in order; NaN: not graded."""

    groups: np.ndarray  # (episodes,), integers
    rewards: np.ndarray  # (episodes,), with the penalty for length
    penalties: np.ndarray  # (episodes,), ≤ 0

    @classmethod
    def of(
        cls,
        outcomes: Sequence[ScoringResult],
        *,
        groups: Sequence[int],
        sampled: Sequence[int],
        settings: GrpoConfig,
        max_response_tokens: int,
    ) -> "StepRewards":
        """groups: of each episode's prompt; sampled: tokens that each episode's policy wrote."""
        rewards = [o.value if isinstance(o, Scored) else np.nan for o in outcomes]
        penalties = overlong_penalty(
            np.array(sampled),
            max_tokens=max_response_tokens,
            buffer_tokens=settings.overlong_buffer_tokens,
        )
        return cls(np.array(groups), np.array(rewards) + penalties, penalties)

    @property
    def num_groups(self) -> int:
        """Distinct prompts."""
        return len(np.unique(self.groups))

    @property
    def flat(self) -> np.ndarray:
        """Numbers of the groups that teach nothing."""
        return flat_groups(self.rewards, self.groups)

    def advantages(self, settings: GrpoConfig) -> np.ndarray:
        """(episodes,) by `settings.advantage`; 0 where ungraded."""
        rewards = self.rewards
        if settings.max_refills:
            # What was replaced by other prompts is no measure for them either.
            rewards = np.where(np.isin(self.groups, self.flat), np.nan, rewards)
        return advantages_of(rewards, self.groups, settings.advantage)
