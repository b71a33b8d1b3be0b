"""From graded episodes to what the learner trains on, and to the step's metrics. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.errors import TrainingError
from quasar.learning.advantages import group_advantages
from quasar.learning.packing import TokenSequence
from quasar.policy.agent import Episode
from quasar.rewards import Failed, Scored


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Sequences with a non-zero advantage, and what was counted on the way."""

    sequences: list[TokenSequence]
    failed_fraction: float  # of episodes: not graded, masked
    flat_fraction: float  # of groups: all rewards equal, nothing to learn
    main_failure: str  # kind and detail of the most frequent fault, "" without faults


def assign(
    episodes: Sequence[Episode], *, weights_version: int, normalise_by_std: bool
) -> TrainingBatch:
    """Set advantages within groups; failed episodes are dropped and enter no statistic.

    Raises TrainingError if an episode was written by other weights than `weights_version`.
    """
    stale = {e.weights_version for e in episodes} - {weights_version}
    if stale:
        raise TrainingError(f"episodes of weights {sorted(stale)} in a step of {weights_version}")
    rewards = np.array(
        [e.outcome.value if isinstance(e.outcome, Scored) else np.nan for e in episodes]
    )
    groups = np.array([e.group for e in episodes])
    advantages = group_advantages(rewards, groups, normalise_by_std=normalise_by_std)
    sequences = [
        TokenSequence(
            e.prompt_ids, e.response_ids, e.mask, e.log_probs, float(advantage), legal=e.legal
        )
        for e, advantage in zip(episodes, advantages, strict=True)
        if advantage != 0.0
    ]
    flat = [not np.any(advantages[groups == g]) for g in np.unique(groups)]
    faults = [e.outcome for e in episodes if isinstance(e.outcome, Failed)]
    kinds = [f"{fault.kind}: {fault.detail}" for fault in faults]
    main = max(set(kinds), key=kinds.count) if kinds else ""
    return TrainingBatch(sequences, len(faults) / len(episodes), float(np.mean(flat)), main)


def episode_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """Means over the graded episodes: reward, its parts raw and weighted, validity, quality.

    An invalid circuit counts 0 in approximation ratio and probability of an optimum.
    """
    graded = [e for e in episodes if isinstance(e.outcome, Scored)]
    if not graded:
        return {"valid_fraction": 0.0}
    rewards = np.array([e.outcome.value for e in graded])
    metrics = {
        "reward": float(rewards.mean()),
        "reward_std": float(rewards.std()),
        "valid_fraction": float(np.mean([e.report.valid for e in graded])),
        "finished_fraction": float(np.mean([e.finished for e in graded])),
        "response_tokens": float(np.mean([len(e.response_ids) for e in graded])),
        "turns": float(np.mean([len(e.texts) for e in graded])),
    }
    for kind in ("parts", "weighted"):
        names = sorted({name for e in graded for name in getattr(e.outcome, kind)})
        label = "reward_part" if kind == "parts" else "reward_weighted"
        for name in names:
            values = [getattr(e.outcome, kind).get(name, 0.0) for e in graded]
            metrics[f"{label}/{name}"] = float(np.mean(values))
    metrics["approximation_ratio"] = float(
        np.mean(
            [
                e.report.expectation.approximation_ratio if e.report.expectation else 0.0
                for e in graded
            ]
        )
    )
    metrics["optimum_probability"] = float(
        np.mean(
            [
                e.report.distribution.optimum_probability if e.report.distribution else 0.0
                for e in graded
            ]
        )
    )
    return metrics
