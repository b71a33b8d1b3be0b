"""Episodes of circuits for environments of others: a prompt, answers, what the tool found of each.

One problem an episode. An answer earns its reward minus that of the one before, so that an
episode's sum is the reward of its last answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quasar.config import RewardConfig, VerificationConfig
from quasar.datasets.prompts import build_messages
from quasar.errors import InputError
from quasar.integrations.grading import Grader
from quasar.verification.observation import observation_text
from quasar.verification.report import VerificationReport
from quasar.verification.reward import Failed

MAX_OBSERVATION = 20_000  # characters
FAULT = "The answer was not verified: "


@dataclass(frozen=True)
class Answered:
    """What came of one answer.

    told: for the model to read; gained: the reward over that of the answer before, 0 after a
    fault; done: no turns are left; fault: why there is no grade, else None; report, without its
    seconds, and parts: None and empty after a fault.
    """

    told: str
    gained: float
    done: bool
    fault: str | None = None
    report: VerificationReport | None = None
    parts: dict[str, float] = field(default_factory=dict)


class CircuitEpisodes:
    """The problems of an environment, and the episode under way.

    problems: entries of a column "problem" (see `quasar.integrations`). turns: answers that an
    episode has. style: of the prompt, as `dataset.prompts`. grader: one that is there already,
    for several environments in one process.
    """

    def __init__(
        self,
        problems: Sequence[Any],
        *,
        turns: int = 1,
        style: str = "structured",
        config: VerificationConfig | None = None,
        reward: RewardConfig | None = None,
        grader: Grader | None = None,
    ):
        if not problems:
            raise InputError("give one problem at least")
        if turns < 1:
            raise InputError(f"turns {turns}: give 1 or more")
        self.grader = grader or Grader(config, reward)
        self._problems = [self.grader.problem(problem) for problem in problems]
        self._turns, self._style = turns, style
        self._before = 0.0
        self.place = 0
        self.turns_left = 0

    def __len__(self) -> int:
        return len(self._problems)

    def begin(self, place: int) -> str:
        """The prompt of that problem. Raises InputError for a number that there is not."""
        if not 0 <= place < len(self._problems):
            raise InputError(f"problem {place}: there are {len(self._problems)}, from 0")
        self.place, self.turns_left, self._before = place, self._turns, 0.0
        messages = build_messages(self._problems[place], style=self._style)
        return "\n\n".join(message["content"] for message in messages)

    def answer(self, text: str) -> Answered:
        """Verify an answer. Raises InputError where no turns are left."""
        if self.turns_left < 1:
            raise InputError("the episode is over: call reset()")
        problem = self._problems[self.place]
        ((report, graded),) = self.grader.grade([text], [problem], diagnose=True)
        if isinstance(report, Failed) or graded is None:
            self.turns_left = 0
            told = FAULT + getattr(report, "detail", "")
            return Answered(told, 0.0, done=False, fault=told)
        self.turns_left -= 1
        gained, self._before = graded.value - self._before, graded.value
        return Answered(
            told=observation_text(report, max_chars=MAX_OBSERVATION),
            gained=float(gained),
            done=self.turns_left == 0,
            report=replace(report, seconds={}),  # the same answer, the same step
            parts=dict(graded.parts),
        )
