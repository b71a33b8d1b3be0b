"""Reward functions of verl, named in its configuration by this file's path:

    reward.custom_reward_function.path=…/quasar/integrations/verl.py
    reward.custom_reward_function.name=compute_score

`compute_score` is of its reward managers that grade an answer at a time, `compute_scores` of the
one that grades a batch. The ground truth of a row is its problem (see `circuit_row`).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from quasar.integrations import trl
from quasar.integrations.grading import Grader, unverified
from quasar.verification.reward import Failed

DATA_SOURCE = "quasar"


def compute_score(
    data_source: str | None = None,
    solution_str: str = "",
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    fault_score: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """The reward of one answer as `score`, with `valid` and `fault` (0 or 1), which verl logs.

    verl has no answer without a grade: a verification that failed raises VerificationError, unless
    fault_score says what to write down (`reward_kwargs`).
    """
    (found,) = compute_scores(
        solution_strs=[solution_str], ground_truths=[ground_truth], fault_score=fault_score
    )
    return found


def compute_scores(
    data_sources: Sequence[str] | None = None,
    solution_strs: Sequence[str] = (),
    ground_truths: Sequence[Any] = (),
    extra_infos: Sequence[Any] | None = None,
    *,
    fault_score: float | None = None,
    **_: Any,
) -> list[dict[str, float]]:
    """As `compute_score`, of a batch."""
    return [
        _shown(report, None if graded is None else graded.value, fault_score)
        for report, graded in _grader().grade(list(solution_strs), list(ground_truths))
    ]


def circuit_row(given: Any, /, primitive: str | None = None, **how: Any) -> dict[str, Any]:
    """A row of verl's dataset; arguments as `quasar.integrations.trl.circuit_row`."""
    row = trl.circuit_row(given, primitive, **how)
    return {
        "data_source": DATA_SOURCE,
        "prompt": row["prompt"],
        "reward_model": {"style": "rule", "ground_truth": row["problem"]},
        "extra_info": {},
    }


def _shown(report: Any, value: float | None, fault_score: float | None) -> dict[str, float]:
    if isinstance(report, Failed) or value is None:
        if fault_score is None:
            raise unverified(report, "; to go on all the same set reward_kwargs.fault_score")
        return {"score": fault_score, "valid": 0.0, "fault": 1.0}
    return {"score": value, "valid": float(report.valid), "fault": 0.0}


@cache
def _grader() -> Grader:
    return Grader()
