"""Rewards for TRL: `GRPOTrainer(reward_funcs=circuit_reward(), …)`.

rows = [circuit_row("max cut of 0-1:3 1-2:1 2-0:2"), …]
data = Dataset.from_list(rows)
trainer = GRPOTrainer(model, reward_funcs=circuit_reward(), train_dataset=data)
"""

import json
from collections.abc import Sequence
from typing import Any

from quasar.config import RewardConfig, VerificationConfig
from quasar.datasets.prompts import build_messages
from quasar.integrations.grading import Grader
from quasar.schema.sources import read_problem_from
from quasar.schema.verify import to_instance


class CircuitReward:
    """A reward function of TRL: completions and the column "problem" in, rewards out.

    A verification that failed gives None, which TRL leaves out.
    """

    __name__ = "circuit_reward"  # what TRL logs it under

    def __init__(self, grader: Grader):
        self.grader = grader

    def __call__(
        self, *, completions: Sequence[Any], problem: Sequence[Any], **_: Any
    ) -> list[float | None]:
        """One reward a completion; the other columns are not read."""
        return self.grader.values(completions, problem)


def circuit_reward(
    config: VerificationConfig | None = None,
    reward: RewardConfig | None = None,
    *,
    num_workers: int = 1,
) -> CircuitReward:
    """The hierarchical reward, by default with the weights of `quasar config show`."""
    return CircuitReward(Grader(config, reward, num_workers=num_workers))


def circuit_row(
    given: Any, /, primitive: str | None = None, *, style: str = "structured", **attributes: Any
) -> dict[str, Any]:
    """A row to train on: the prompt, as chat messages, and the problem, as JSON.

    given, primitive, attributes: as `quasar.read_problem` takes them; style: of the prompt, as
    `dataset.prompts`.
    """
    problem = read_problem_from(given, primitive, **attributes)
    instance = to_instance(problem, max_qubits=VerificationConfig().max_qubits)
    return {
        "prompt": build_messages(instance, style=style),
        "problem": json.dumps(problem.model_dump(mode="json")),
    }
