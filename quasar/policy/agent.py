"""The agent loop: the policy writes, the verification tool answers, the policy may write again.

One rollout is an append-only token buffer: prompt, sampled turn, tool observation, sampled turn, …
Sampled ids are trained on as they were sampled; the observation's ids carry mask 0. The grade comes
from the last verification through a structured field, never from text.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quasar.config import GenerationConfig, RewardConfig
from quasar.policy.generation import CircuitGenerator, Completion, Sampling, stream_seed
from quasar.problems.base import ProblemInstance
from quasar.rewards import Failed, Outcome, score
from quasar.verification.observation import observation_text
from quasar.verification.report import VerificationReport
from quasar.verification.worker import Check

# Gives a report or a fault for each check, in order.
Tool = Callable[[Sequence[Check]], Sequence[VerificationReport | Failed]]


@dataclass(frozen=True, slots=True)
class Task:
    """One rollout to make: a problem, its prompt, and where it stands in the run."""

    problem: ProblemInstance
    messages: Sequence[dict[str, str]]
    group: int  # index of the prompt within the step
    sample: int  # index within the group
    seed: int  # of this rollout's random stream


@dataclass(slots=True)
class Episode:
    """One finished rollout: what was written, by which weights, and what it earned."""

    group: int
    sample: int
    weights_version: int
    prompt_ids: np.ndarray  # (prompt,), int32
    response_ids: np.ndarray  # (response,), int32: sampled and observation tokens
    mask: np.ndarray  # (response,), 1 where the policy sampled the token
    log_probs: np.ndarray  # (response,), float32, 0 where mask is 0
    texts: tuple[str, ...]  # the policy's turns
    observations: tuple[str, ...]  # the tool's answers between them
    outcome: Outcome  # Scored or Failed
    report: VerificationReport | None
    finished: bool  # False where a turn was cut at the token limit
    primitive: str = ""
    num_qubits: int = 0


@dataclass(slots=True)
class _Buffer:
    """A rollout under way."""

    task: Task
    prompt: list[int]
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    result: Any = None
    finished: bool = False

    def write(self, completion: Completion) -> None:
        """Append a sampled turn, ids as they were sampled."""
        self.ids += completion.token_ids
        self.mask += [1] * len(completion.token_ids)
        self.log_probs += completion.log_probs
        self.texts.append(completion.text)
        self.finished = completion.finished

    def read(self, text: str, ids: Sequence[int]) -> None:
        """Append the tool's observation: not trained on."""
        self.ids += ids
        self.mask += [0] * len(ids)
        self.log_probs += [0.0] * len(ids)
        self.observations.append(text)


class AgentLoop:
    """Runs rollouts of a generator with a verification tool."""

    def __init__(
        self,
        generator: CircuitGenerator,
        tool: Tool,
        *,
        config: GenerationConfig,
        reward: RewardConfig,
    ):
        self.generator = generator
        self.tool = tool
        self.config = config
        self.reward = reward
        self._seconds = {"generate": 0.0, "verify": 0.0}

    def take_seconds(self) -> dict[str, float]:
        """Seconds by phase since the last call."""
        taken, self._seconds = self._seconds, {"generate": 0.0, "verify": 0.0}
        return taken

    def run(self, tasks: Sequence[Task], *, weights_version: int) -> list[Episode]:
        """One episode for each task, in order. Prompts over the limit raise ValueError."""
        buffers = [_Buffer(t, self.generator.chat.prompt_ids(t.messages)) for t in tasks]
        for b in buffers:
            if len(b.prompt) > self.config.max_prompt_tokens:
                raise ValueError(
                    f"prompt of {len(b.prompt)} tokens is over generation.max_prompt_tokens = "
                    f"{self.config.max_prompt_tokens}"
                )
        active = buffers
        for turn in range(self.config.max_turns):
            self._take_turn(active, turn)
            active = [b for b in active if self._wants_another_turn(b)]
            if not active or turn + 1 == self.config.max_turns:
                break
            for b in active:
                limit = self.config.max_observation_tokens
                text = observation_text(b.result, max_chars=4 * limit)
                b.read(text, self.generator.chat.observation_ids(text, max_tokens=limit))
        return [self._episode(b, weights_version) for b in buffers]

    def _take_turn(self, buffers: list[_Buffer], turn: int) -> None:
        sampling = Sampling(
            self.config.temperature, self.config.top_p, self.config.max_response_tokens
        )
        started = time.perf_counter()
        completions = self.generator.sample(
            [b.prompt + b.ids for b in buffers],
            seeds=[stream_seed(b.task.seed, turn) for b in buffers],
            sampling=sampling,
            max_tokens=[self.config.max_response_tokens - sum(b.mask) for b in buffers],
        )
        for b, completion in zip(buffers, completions, strict=True):
            b.write(completion)
        generated = time.perf_counter()
        # What to mend is only worth finding out for a turn that may be followed by another.
        diagnose = turn + 1 < self.config.max_turns
        reports = self.tool(
            [Check(b.task.problem, b.texts[-1], diagnose=diagnose) for b in buffers]
        )
        for b, report in zip(buffers, reports, strict=True):
            b.result = report
        self._seconds["generate"] += generated - started
        self._seconds["verify"] += time.perf_counter() - generated

    def _wants_another_turn(self, buffer: _Buffer) -> bool:
        """A turn that ended, with room left, whose circuit is not yet as good as can be."""
        if not buffer.finished or sum(buffer.mask) >= self.config.max_response_tokens:
            return False
        report = buffer.result
        if isinstance(report, Failed):
            return False
        found = report.distribution
        return found is None or found.enrichment < 0.99

    def _episode(self, buffer: _Buffer, weights_version: int) -> Episode:
        result = buffer.result
        failed = isinstance(result, Failed)
        return Episode(
            group=buffer.task.group,
            sample=buffer.task.sample,
            weights_version=weights_version,
            prompt_ids=np.asarray(buffer.prompt, np.int32),
            response_ids=np.asarray(buffer.ids, np.int32),
            mask=np.asarray(buffer.mask, np.int8),
            log_probs=np.asarray(buffer.log_probs, np.float32),
            texts=tuple(buffer.texts),
            observations=tuple(buffer.observations),
            outcome=result if failed else score(result, self.reward),
            report=None if failed else result,
            finished=buffer.finished,
            primitive=buffer.task.problem.primitive,
            num_qubits=buffer.task.problem.num_qubits,
        )
