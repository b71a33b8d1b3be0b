"""From graded episodes to what the learner trains on, and to the step's metrics. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from quasar.config import GrpoConfig, RewardConfig
from quasar.episodes.episode import Episode
from quasar.errors import TrainingError
from quasar.training.algorithm.losses import token_weights
from quasar.training.algorithm.packing import TrainingSequence
from quasar.training.algorithm.step_rewards import StepRewards
from quasar.verification.reward import Failed, Scored, is_success

# Of the means over the episodes of one task; parts of the reward beside them.
_OF_A_TASK = ("reward", "reward_std", "valid_fraction", "success", "response_tokens")


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Sequences with a non-zero advantage, and what was counted on the way."""

    sequences: list[TrainingSequence]
    advantages: np.ndarray  # (episodes,), of all, 0 where one was not graded
    failed_fraction: float  # of episodes: not graded, masked
    flat_fraction: float  # of groups: all rewards equal
    overlong_penalty: float  # mean over the graded episodes, ≤ 0
    main_failure: str  # kind and detail of the most frequent fault, "" without faults
    token_ages: dict[str, float]  # metrics; of what may be older than the learner only


def assign(
    episodes: Sequence[Episode],
    *,
    weights_version: int,
    settings: GrpoConfig,
    reward: RewardConfig,
    max_response_tokens: int,
) -> TrainingBatch:
    """Set advantages and token weights; failed episodes are dropped and enter no statistic.
    reward: by which the episodes were graded.

    An episode that was cut at the token limit keeps its place in its group's statistics where
    `settings.mask_cut_episodes` takes it out of the loss. Raises TrainingError if a token was drawn
    from weights more than `settings.staleness` updates behind `weights_version`.
    """
    allowed = range(weights_version - settings.staleness, weights_version + 1)
    stale = {v for e in episodes for v in e.weights_versions if v not in allowed}
    if stale:
        raise TrainingError(
            f"tokens of weights {sorted(stale)} in a step of {weights_version} with "
            f"grpo.staleness = {settings.staleness}"
        )
    step = _step(episodes, settings, reward, max_response_tokens)
    flat, advantages = step.flat, step.advantages(settings)
    distillation = settings.distillation
    if distillation.teacher is not None and not distillation.with_rewards:
        advantages = np.zeros_like(advantages)
    trained = [
        (e, float(advantage))
        for e, advantage in zip(episodes, advantages, strict=True)
        # A teacher has something to say where rewards have not, of whatever was graded.
        if (advantage != 0.0 or (distillation.teacher and isinstance(e.outcome, Scored)))
        and e.counts.trained
        and (e.finished or not settings.mask_cut_episodes)
    ]
    lengths = torch.tensor([e.counts.trained for e, _ in trained])
    weights = token_weights(lengths, settings.aggregation).tolist()
    sequences = [
        TrainingSequence(e.tokens, e.counts, advantage, weight)
        for (e, advantage), weight in zip(trained, weights, strict=True)
    ]
    faults = [e.outcome for e in episodes if isinstance(e.outcome, Failed)]
    kinds = [f"{fault.kind}: {fault.detail}" for fault in faults]
    graded = ~np.isnan(step.rewards)
    return TrainingBatch(
        sequences,
        advantages,
        failed_fraction=len(faults) / len(episodes),
        flat_fraction=len(flat) / step.num_groups,
        overlong_penalty=float(step.penalties[graded].mean()) if graded.any() else 0.0,
        main_failure=max(set(kinds), key=kinds.count) if kinds else "",
        token_ages=_token_ages(episodes, weights_version) if settings.staleness else {},
    )


def _token_ages(episodes: Sequence[Episode], weights_version: int) -> dict[str, float]:
    """Of trained tokens: updates between the weights that drew one and those that learn from it."""
    ages = [e.token_ages(weights_version) for e in episodes]
    number = sum(e.counts.trained for e in episodes)
    total = sum(age.mean * e.counts.trained for age, e in zip(ages, episodes, strict=True))
    return {
        "token_age/mean": total / max(1, number),
        "token_age/max": float(max(age.max for age in ages)),
    }


def num_informative(
    episodes: Sequence[Episode],
    settings: GrpoConfig,
    reward: RewardConfig,
    max_response_tokens: int,
) -> int:
    """Groups whose rewards differ: what dynamic sampling keeps (DAPO 2503.14476 eq. 11)."""
    step = _step(episodes, settings, reward, max_response_tokens)
    return step.num_groups - len(step.flat)


def _step(
    episodes: Sequence[Episode],
    settings: GrpoConfig,
    reward: RewardConfig,
    max_response_tokens: int,
) -> StepRewards:
    return StepRewards.of(
        [e.outcome for e in episodes],
        groups=[e.group for e in episodes],
        tasks=[e.task for e in episodes],
        sampled=[e.counts.sampled for e in episodes],
        settings=settings,
        reward=reward,
        max_response_tokens=max_response_tokens,
    )


def episode_metrics(episodes: Sequence[Episode], *, by_task: bool = False) -> dict[str, float]:
    """Means over the graded episodes: reward, its parts raw and weighted, validity, quality.

    An invalid circuit counts 0 in approximation ratio and probability of an optimum, which graph
    problems alone have; a part counts 0 where the task does not have it, so that the weighted ones
    add up to the reward. by_task: with the same of each task, as `ground_state/reward`.
    """
    metrics = _means(episodes)
    if by_task:
        for task in sorted({e.task for e in episodes}):
            own = _means([e for e in episodes if e.task == task])
            metrics |= {f"{task}/{name}": own[name] for name in own if _is_of_a_task(name)}
    return metrics


def _is_of_a_task(name: str) -> bool:
    return name in _OF_A_TASK or name.startswith(("reward_part/", "reward_weighted/"))


def _means(episodes: Sequence[Episode]) -> dict[str, float]:
    graded = [e for e in episodes if isinstance(e.outcome, Scored)]
    reports = [e.report for e in graded if e.report is not None]  # each has one
    if not graded:
        return {"valid_fraction": 0.0}
    rewards = np.array([e.outcome.value for e in episodes if isinstance(e.outcome, Scored)])
    metrics = {
        "reward": float(rewards.mean()),
        "reward_std": float(rewards.std()),
        "valid_fraction": float(np.mean([report.valid for report in reports])),
        "finished_fraction": float(np.mean([e.finished for e in graded])),
        "response_tokens": float(np.mean([e.counts.response for e in graded])),
        "turns": float(np.mean([len(e.texts) for e in graded])),
        "calls": float(np.mean([e.num_calls for e in graded])),
        "improvement": float(np.mean([e.improvement for e in graded])),
    }
    for kind in ("parts", "weighted"):
        names = sorted({name for e in graded for name in getattr(e.outcome, kind)})
        label = "reward_part" if kind == "parts" else "reward_weighted"
        for name in names:
            values = [getattr(e.outcome, kind).get(name, 0.0) for e in graded]
            metrics[f"{label}/{name}"] = float(np.mean(values))
    metrics["success"] = float(np.mean([is_success(report) for report in reports]))
    reports = [report for report in reports if report.task is None]
    if not reports:
        return metrics
    metrics["approximation_ratio"] = float(
        np.mean(
            [
                report.expectation.approximation_ratio if report.expectation else 0.0
                for report in reports
            ]
        )
    )
    metrics["optimum_probability"] = float(
        np.mean(
            [
                report.distribution.optimum_probability if report.distribution else 0.0
                for report in reports
            ]
        )
    )
    return metrics
