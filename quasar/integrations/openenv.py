"""An OpenEnv server: `uvicorn.run(circuit_server(["max cut of 0-1:3"]))`.

Each session has episodes of its own; all share one guarded verifier. The reward of a step is what
the answer gained over the one before; a verification that failed ends the episode without one.
"""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from openenv.core.env_server import (  # pyright: ignore[reportMissingImports]  # extra openenv
    Action,
    Environment,
    Observation,
    State,
    create_fastapi_app,
)
from pydantic import Field

from quasar.integrations.episode import CircuitEpisodes
from quasar.integrations.grading import Grader


class CircuitAction(Action):
    """An answer of a model."""

    answer: str = Field(description="an OpenQASM 3 program, or a text with one in it")


class CircuitObservation(Observation):
    """The prompt, or what the tool found; `reward` and `done` are those of OpenEnv."""

    text: str = Field(description="for the model to read")
    problem: int = Field(description="number of the problem, from 0")
    turns_left: int = Field(description="answers that the episode still takes")
    valid: bool | None = Field(default=None, description="of the circuit; null before an answer")
    reward_parts: dict[str, float] = Field(default_factory=dict, description="each in [0, 1]")
    fault: str | None = Field(default=None, description="why an answer has no grade")


class _LockedGrader(Grader):
    """A grader that sessions in several threads share."""

    def __init__(self, **how: Any):
        super().__init__(**how)
        self._lock = threading.Lock()

    def grade(self, texts: Sequence[Any], problems: Sequence[Any], *, diagnose: bool = False):
        with self._lock:
            return super().grade(texts, problems, diagnose=diagnose)


class CircuitEnvironment(Environment):
    """One session: episodes as `CircuitEpisodes` has them."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, problems: Sequence[Any], **how: Any):
        super().__init__()
        self._episodes = CircuitEpisodes(problems, **how)
        self._rng = np.random.default_rng()
        self._state = State(episode_id=str(uuid4()), step_count=0)

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        problem: int | None = None,
        **_: Any,
    ) -> CircuitObservation:
        """A prompt; problem: its number, else one is drawn. Raises InputError."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        place = int(self._rng.integers(len(self._episodes))) if problem is None else problem
        text = self._episodes.begin(place)
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        return self._observed(text)

    def step(
        self, action: CircuitAction, timeout_s: float | None = None, **_: Any
    ) -> CircuitObservation:
        """What the tool found. The verifier has time limits of its own."""
        found = self._episodes.answer(action.answer)
        self._state.step_count += 1
        return self._observed(
            found.told,
            done=found.done or found.fault is not None,
            reward=None if found.fault else found.gained,
            valid=None if found.report is None else found.report.valid,
            reward_parts=found.parts,
            fault=found.fault,
        )

    @property
    def state(self) -> State:
        """Episode and number of steps."""
        return self._state

    def _observed(self, text: str, **more: Any) -> CircuitObservation:
        return CircuitObservation(
            text=text,
            problem=self._episodes.place,
            turns_left=self._episodes.turns_left,
            **more,
        )


def circuit_server(
    problems: Sequence[Any], *, max_sessions: int = 64, num_workers: int = 1, **how: Any
) -> Any:
    """The FastAPI application. how: as `CircuitEpisodes` takes it, but for the grader.

    max_sessions: at a time; num_workers: processes that verify at a time.
    """
    grading = {name: how.pop(name, None) for name in ("config", "reward")}
    grader = _LockedGrader(num_workers=num_workers, **grading)
    return create_fastapi_app(
        lambda: CircuitEnvironment(problems, grader=grader, **how),
        CircuitAction,
        CircuitObservation,
        max_concurrent_envs=max_sessions,
    )
