"""Episodes made by an engine of this process, with tools that answer before it goes on."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from quasar.config import GenerationConfig, RewardConfig
from quasar.episodes.episode import Episode
from quasar.episodes.loop import EpisodeLoop, WriteTurns
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import BoundTool, Execute, execute, make_tools
from quasar.episodes.turns import PromptTooLong, TurnRequest, WrittenTurn
from quasar.episodes.writer import NewerWeights, write_turns
from quasar.errors import InputError
from quasar.policy.engines.protocol import ChatEngine, GenerationEngine
from quasar.verification.reward import Failed

logger = logging.getLogger(__name__)
Value = TypeVar("Value")


def verifying(
    verify: Execute, reward: RewardConfig, generation: GenerationConfig
) -> list[BoundTool]:
    """The tools of a run (`generation.tools`), all carried out by the verifier."""
    return [BoundTool(tool, verify) for tool in make_tools(reward, generation)]


class EpisodeRunner:
    """Makes episodes, all of a call together."""

    def __init__(
        self,
        engine: GenerationEngine | ChatEngine,
        tools: Sequence[BoundTool],
        *,
        generation: GenerationConfig,
        newer: NewerWeights | None = None,
    ):
        """newer: asked between two tokens for weights to go on with; None: no others come."""
        self.engine = engine
        self.tools = list(tools)
        self.generation = generation
        self.weights_version = 0  # of the weights that the engine holds
        self._newer = newer
        self._seconds = {"generate": 0.0, "verify": 0.0}

    def take_seconds(self) -> dict[str, float]:
        """Seconds by phase since the last call."""
        taken, self._seconds = self._seconds, {"generate": 0.0, "verify": 0.0}
        return taken

    def run(self, tasks: Sequence[EpisodeTask], *, weights_version: int) -> list[Episode]:
        """One episode for each task, in order. Raises InputError for a prompt over the limit.

        weights_version: of the weights that the engine holds at the start.
        """
        self.weights_version = weights_version
        return self._run(tasks, grade_last=True).episodes(weights_version=weights_version)

    def answers(self, tasks: Sequence[EpisodeTask]) -> list[str]:
        """What each episode submits last, in order; only what a further turn reads is verified, and
        what a tool rewrites.

        Raises InputError for a prompt over the limit.
        """
        loop = self._run(tasks, grade_last=False)
        faults = [e.result for e in loop.growing if isinstance(e.result, Failed)]
        if faults:
            logger.warning(
                "%d of %d answers were given as they stood, without a further turn, because they "
                "could not be verified: %s",
                len(faults),
                len(tasks),
                faults[0].detail,
            )
        return loop.answers()

    def _run(self, tasks: Sequence[EpisodeTask], *, grade_last: bool) -> EpisodeLoop:
        loop = EpisodeLoop(
            tasks,
            generation=self.generation,
            tools=[bound.tool for bound in self.tools],
            grade_last=grade_last,
        )
        answer = None
        while (action := loop.advance(answer)) is not None:
            if isinstance(action, WriteTurns):
                answer = self._timed("generate", self._write, action.requests)
            else:
                answer = self._timed("verify", execute, action.calls, self.tools)
        return loop

    def _write(self, requests: Sequence[TurnRequest]) -> list[WrittenTurn]:
        written = write_turns(
            self.engine,
            requests,
            self.generation,
            weights_version=self.weights_version,
            newer=None if self._newer is None else self._take_newer,
        )
        if isinstance(written, PromptTooLong):
            raise InputError(
                f"prompt of {written.num_tokens} tokens is over generation.max_prompt_tokens = "
                f"{written.limit}: raise it, or leave out such problems"
            )
        return written

    def _take_newer(self):
        """What there is of newer weights, which the engine is about to take."""
        assert self._newer is not None
        found = self._newer()
        if found is not None:
            self.weights_version = found[1]
        return found

    def _timed(self, phase: str, function: Callable[..., Value], *arguments: object) -> Value:
        started = time.perf_counter()
        value = function(*arguments)
        self._seconds[phase] += time.perf_counter() - started
        return value
