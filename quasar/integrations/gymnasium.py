"""A Gymnasium environment: the observation is a text, the action is an answer, an OpenQASM program.

env = CircuitEnv(["max cut of 0-1:3 1-2:1 2-0:2"], turns=2)
"""

import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from quasar.config import RewardConfig, VerificationConfig
from quasar.datasets.prompts import build_messages
from quasar.errors import InputError
from quasar.integrations.grading import Grader
from quasar.verification.observation import observation_text
from quasar.verification.reward import Failed

MAX_TEXT = 200_000
MAX_OBSERVATION = 20_000
FAULT = "The answer was not verified: "
# What texts are made of; a label of another script is shown by its escape.
CHARACTERS = frozenset(string.printable)


class CircuitEnv(gymnasium.Env[str, str]):
    """One problem an episode, drawn from those given; the reward is that of the last answer.

    problems: entries of a column "problem" (see `quasar.integrations`). turns: answers that an
    episode has; between two the observation is what the tool found. An answer earns its reward
    minus that of the one before, so that an episode's sum is the reward of its last answer. A
    verification that failed truncates the episode: it has no grade.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(
        self,
        problems: Sequence[Any],
        *,
        turns: int = 1,
        style: str = "structured",
        config: VerificationConfig | None = None,
        reward: RewardConfig | None = None,
    ):
        if not problems:
            raise InputError("give one problem at least")
        if turns < 1:
            raise InputError(f"turns {turns}: give 1 or more")
        self.grader = Grader(config, reward)
        self._problems = [self.grader.problem(problem) for problem in problems]
        self._turns, self._style = turns, style
        self._place = 0
        self._left = 0
        self._before = 0.0
        self.observation_space = gymnasium.spaces.Text(
            MAX_OBSERVATION, min_length=0, charset=CHARACTERS
        )
        self.action_space = gymnasium.spaces.Text(MAX_TEXT, min_length=0, charset=CHARACTERS)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The prompt; info has the problem's number. options: {"problem": number} asks for one."""
        super().reset(seed=seed)
        asked = (options or {}).get("problem")
        if asked is not None and not 0 <= asked < len(self._problems):
            raise InputError(f"problem {asked}: there are {len(self._problems)}, from 0")
        self._place = int(self.np_random.integers(len(self._problems)) if asked is None else asked)
        self._left, self._before = self._turns, 0.0
        problem = self._problems[self._place]
        messages = build_messages(problem, style=self._style)
        return _shown("\n\n".join(message["content"] for message in messages)), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """What the tool found, the reward gained, whether the turns are over."""
        if self._left < 1:
            raise InputError("the episode is over: call reset()")
        problem = self._problems[self._place]
        ((report, graded),) = self.grader.grade([action], [problem], diagnose=True)
        if isinstance(report, Failed) or graded is None:
            self._left = 0
            told = FAULT + getattr(report, "detail", "")
            return _shown(told), 0.0, False, True, self._info() | {"fault": told}
        self._left -= 1
        gained, self._before = graded.value - self._before, graded.value
        told = observation_text(report, max_chars=MAX_OBSERVATION)
        # without its seconds: the same answer, the same step
        report = replace(report, seconds={})
        info = self._info() | {"report": report, "reward_parts": dict(graded.parts)}
        return _shown(told), float(np.float64(gained)), self._left == 0, False, info

    def close(self) -> None:
        """End the verifier's process."""
        self.grader.close()

    def _info(self) -> dict[str, Any]:
        return {"problem": self._place, "turns_left": self._left}


def _shown(text: str) -> str:
    """In the characters of the space, not longer than it."""
    plain = "".join(
        c if c in CHARACTERS else c.encode("unicode_escape").decode("ascii") for c in text
    )
    return plain[:MAX_OBSERVATION]
