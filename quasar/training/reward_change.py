"""What another reward would have changed in the rollouts of a run: pure numpy and scipy.

Takes rewards and advantages of the same rollouts before and after, step by step; gives the figures
of `RewardChange`. Rollouts come from policies that were trained by the reward before: a prediction
for the beginning of another training, not for where it would end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

_DECIMALS = 9  # in which equal rewards agree
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class StepChange:
    """One step; arrays (rollouts,). NaN: not graded, with advantage 0."""

    groups: np.ndarray
    before: np.ndarray
    after: np.ndarray
    advantages_before: np.ndarray
    advantages_after: np.ndarray


@dataclass(frozen=True, slots=True)
class RewardChange:
    """Counts, and figures over the rollouts that both rewards grade. None: not defined, for want of
    rollouts or because one side is constant.

    change_quantiles: of reward after minus before, at `QUANTILES`. rank_correlation: Spearman's
    over all rollouts; within_groups: the mean of the groups' own, over those in which both differ.
    Of the groups of at least two graded rollouts (`groups`): order_flips have a pair that changes
    sides, winner_flips whose best rollouts before are none of the best after, informative_before
    and _after in which rewards differ. pairs_flipped: share of the pairs of a group that differ
    under both. signs_flipped: share of rollouts, whose advantage changes sides.
    """

    rollouts: int
    graded: int  # under both
    not_graded_before: int
    not_graded_after: int
    changed: int
    mean_before: float | None
    mean_after: float | None
    change_quantiles: tuple[float, ...]
    rank_correlation: float | None
    within_groups: float | None
    groups: int
    order_flips: int
    winner_flips: int
    informative_before: int
    informative_after: int
    pairs_flipped: float | None
    advantage_correlation: float | None  # Pearson's
    signs_flipped: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        quantiles = {f"{q:g}": v for q, v in zip(QUANTILES, self.change_quantiles, strict=False)}
        return {**asdict(self), "change_quantiles": quantiles}


def reward_change(steps: Sequence[StepChange]) -> RewardChange:
    """The figures of at least one step."""
    before, after = (
        np.concatenate([getattr(s, name) for s in steps]).round(_DECIMALS)
        for name in ("before", "after")
    )
    both = ~np.isnan(before) & ~np.isnan(after)
    old, new = before[both], after[both]
    advantages = [
        np.concatenate([getattr(s, name) for s in steps])[both].round(_DECIMALS)
        for name in ("advantages_before", "advantages_after")
    ]
    pairs = [pair for step in steps for pair in _groups(step)]
    sides = [_sides(*pair) for pair in pairs]  # (pairs of a group, 2)
    differing = np.concatenate([s[(s != 0).all(axis=1)] for s in sides] or [np.zeros((0, 2))])
    own = [found for pair in pairs if (found := _spearman(*pair)) is not None]
    delta = new - old
    return RewardChange(
        rollouts=len(before),
        graded=int(both.sum()),
        not_graded_before=int(np.isnan(before).sum()),
        not_graded_after=int(np.isnan(after).sum()),
        changed=int(np.count_nonzero(delta.round(_DECIMALS))),
        mean_before=_mean(old),
        mean_after=_mean(new),
        change_quantiles=tuple(np.quantile(delta, QUANTILES).tolist()) if len(delta) else (),
        rank_correlation=_spearman(old, new),
        within_groups=_mean(own),
        groups=len(pairs),
        order_flips=sum(bool((s.prod(axis=1) < 0).any()) for s in sides),
        winner_flips=sum(not ((old == old.max()) & (new == new.max())).any() for old, new in pairs),
        informative_before=sum(bool(np.ptp(old)) for old, _ in pairs),
        informative_after=sum(bool(np.ptp(new)) for _, new in pairs),
        pairs_flipped=_mean(differing.prod(axis=1) < 0),
        advantage_correlation=_pearson(*advantages),
        signs_flipped=_mean(advantages[0] * advantages[1] < 0),
    )


def _groups(step: StepChange) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(before, after) of each group of at least two rollouts that both rewards grade."""
    graded = ~np.isnan(step.before) & ~np.isnan(step.after)
    for group in np.unique(step.groups):
        member = (step.groups == group) & graded
        if member.sum() > 1:
            yield step.before[member].round(_DECIMALS), step.after[member].round(_DECIMALS)


def _sides(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(pairs, 2): which of a pair is ahead, before and after: −1, 0 or 1."""
    first, second = np.triu_indices(len(before), k=1)
    return np.sign([v[second] - v[first] for v in (before, after)]).T


def _spearman(before: np.ndarray, after: np.ndarray) -> float | None:
    return _pearson(rankdata(before), rankdata(after))


def _pearson(before: np.ndarray, after: np.ndarray) -> float | None:
    if len(before) < 2 or not np.ptp(before) or not np.ptp(after):
        return None
    return float(np.corrcoef(before, after)[0, 1])


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
