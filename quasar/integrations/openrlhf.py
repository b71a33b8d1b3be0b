"""The reward function of OpenRLHF, which takes a file's path: `--reward.remote_url FILE`.

FILE is this one: `python -c "import quasar.integrations.openrlhf as m; print(m.__file__)"`. The
label of a row is its problem (see `circuit_row`, `--data.label_key label`).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from quasar.errors import InputError
from quasar.integrations import trl
from quasar.integrations.grading import Grader, unverified


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any
) -> dict[str, Any]:
    """`rewards` and `scores` of the answers, float32 (n,), and `valid` in `extra_logs`.

    queries: prompts with the answers behind them; of a chat template's text the part behind the
    prompt is graded alone, so that nothing in a prompt is taken for an answer. Raises InputError
    where a query does not hold its prompt, and VerificationError for a fault, which is no grade.
    """
    answers = [_behind(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    found = _grader().grade(answers, list(labels))
    for report, graded in found:
        if graded is None:
            raise unverified(report)
    rewards = torch.tensor([graded.value for _, graded in found if graded is not None])
    valid = torch.tensor([float(getattr(report, "valid", False)) for report, _ in found])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"valid": valid}}


def circuit_row(given: Any, /, primitive: str | None = None, **how: Any) -> dict[str, Any]:
    """A row of OpenRLHF's dataset; arguments as `quasar.integrations.trl.circuit_row`."""
    row = trl.circuit_row(given, primitive, **how)
    return {"input": row["prompt"], "label": row["problem"]}


def _behind(query: str, prompt: str) -> str:
    start = query.find(prompt)
    if start < 0:
        raise InputError("a query does not hold its prompt; what follows it cannot be graded")
    return query[start + len(prompt) :]


@cache
def _grader() -> Grader:
    return Grader()
