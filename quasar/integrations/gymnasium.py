"""A Gymnasium environment: the observation is a text, the action is an answer, an OpenQASM program.

env = CircuitEnv(["max cut of 0-1:3 1-2:1 2-0:2"], turns=2)
"""

import string
from collections.abc import Sequence
from typing import Any

import gymnasium

from quasar.config import RewardConfig, VerificationConfig
from quasar.integrations.episode import MAX_OBSERVATION, CircuitEpisodes

MAX_TEXT = 200_000
# What texts are made of; a label of another script is shown by its escape.
CHARACTERS = frozenset(string.printable)


class CircuitEnv(gymnasium.Env[str, str]):
    """One problem an episode, drawn from those given; the reward is that of the last answer.

    Problems, turns, style and rewards are those of `CircuitEpisodes`. A verification that failed
    truncates the episode: it has no grade.
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
        self._episodes = CircuitEpisodes(
            problems, turns=turns, style=style, config=config, reward=reward
        )
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
        place = self.np_random.integers(len(self._episodes)) if asked is None else asked
        return _shown(self._episodes.begin(int(place))), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """What the tool found, the reward gained, whether the turns are over."""
        found = self._episodes.answer(action)
        if found.fault is not None:
            return _shown(found.told), 0.0, False, True, self._info() | {"fault": found.fault}
        info = self._info() | {"report": found.report, "reward_parts": found.parts}
        return _shown(found.told), found.gained, found.done, False, info

    def close(self) -> None:
        """End the verifier's process."""
        self._episodes.grader.close()

    def _info(self) -> dict[str, Any]:
        return {"problem": self._episodes.place, "turns_left": self._episodes.turns_left}


def _shown(text: str) -> str:
    """In the characters of the space, not longer than it."""
    plain = "".join(
        c if c in CHARACTERS else c.encode("unicode_escape").decode("ascii") for c in text
    )
    return plain[:MAX_OBSERVATION]
