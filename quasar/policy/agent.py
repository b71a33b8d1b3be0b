"""The agent loop: the policy writes, the verification tool answers, the policy may write again.

One rollout is an append-only token buffer: prompt, sampled turn, tool observation, sampled turn, …
Sampled ids are trained on as they were sampled; whatever was only read carries mask 0. A turn
submits a circuit: the one of its tool call, or else its text (`generation.tool_format`). The
rollout ends at its turn or token limit, when the circuit is good enough
(`generation.satisfied_at`), or, with the template's tool calls, at a turn that calls no tool.
Grades come from the verifications through structured fields, never from text.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quasar.config import GenerationConfig, RewardConfig
from quasar.policy.engine import Completion, GenerationEngine, Sampling, stream_seed
from quasar.policy.legal import LegalTokens, concatenate
from quasar.policy.sequence import TokenCounts, TokenSequence
from quasar.policy.tool_calls import called_circuit
from quasar.problems.base import ProblemInstance
from quasar.rewards import Failed, Outcome, score, with_call_cost
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
    tokens: Any  # TokenSequence, or where the learner finds it
    counts: TokenCounts
    texts: tuple[str, ...]  # the policy's turns
    observations: tuple[str, ...]  # the tool's answers between them
    outcome: Outcome  # Scored or Failed
    report: VerificationReport | None
    finished: bool  # False where the last turn was cut at a token limit
    primitive: str = ""
    num_qubits: int = 0
    problem_key: str = ""
    prompt: tuple[dict[str, str], ...] = ()  # the messages behind prompt_ids
    turn_rewards: tuple[float, ...] = ()  # of each verified circuit in turn, without the call cost

    @property
    def num_calls(self) -> int:
        """Verifications that gave a grade."""
        return len(self.turn_rewards)

    @property
    def improvement(self) -> float:
        """Reward of the last circuit minus the first one's, without the call cost; 0 with one."""
        return self.turn_rewards[-1] - self.turn_rewards[0] if self.turn_rewards else 0.0


@dataclass(slots=True)
class _Buffer:
    """A rollout under way."""

    task: Task
    prompt: list[int]
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    legal: list[tuple[int, LegalTokens | None]] = field(default_factory=list)  # (tokens, sets)
    texts: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    turn_rewards: list[float] = field(default_factory=list)
    result: VerificationReport | Failed | None = None
    finished: bool = False  # the last turn ended by itself
    answered: bool = False  # the last turn was a final answer, not a call

    def write(self, completion: Completion) -> None:
        """Append a sampled turn, ids as they were sampled."""
        self.ids += completion.token_ids
        self.mask += [1] * len(completion.token_ids)
        self.log_probs += completion.log_probs
        self.legal.append((len(completion.token_ids), completion.legal))
        self.texts.append(completion.text)
        self.finished = completion.finished

    def read(self, text: str, ids: Sequence[int]) -> None:
        """Append the tool's observation: not trained on."""
        self.ids += ids
        self.mask += [0] * len(ids)
        self.log_probs += [0.0] * len(ids)
        self.legal.append((len(ids), None))
        self.observations.append(text)


class AgentLoop:
    """Runs rollouts of an engine with a verification tool."""

    def __init__(
        self,
        engine: GenerationEngine,
        tool: Tool,
        *,
        config: GenerationConfig,
        reward: RewardConfig,
    ):
        self.engine = engine
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
        chat = self.engine.chat
        buffers = [_Buffer(t, chat.prompt_ids(t.messages)) for t in tasks]
        for b in buffers:
            if len(b.prompt) > self.config.max_prompt_tokens:
                raise ValueError(
                    f"prompt of {len(b.prompt)} tokens is over generation.max_prompt_tokens = "
                    f"{self.config.max_prompt_tokens}"
                )
        active = buffers
        for turn in range(self.config.max_turns):
            self._write(active, turn)
            self._verify(active, turn)
            active = [b for b in active if self._wants_another_turn(b)]
            if not active or turn + 1 == self.config.max_turns:
                break
            for b in active:
                limit = self.config.max_observation_tokens
                text = observation_text(b.result, max_chars=4 * limit)
                ended = b.ids[-1] == chat.eos_id
                b.read(text, chat.observation_ids(text, max_tokens=limit, ended=ended))
        return [self._episode(b, weights_version) for b in buffers]

    def _write(self, buffers: list[_Buffer], turn: int) -> None:
        config = self.config
        sampling = Sampling(
            config.temperature,
            config.top_p,
            config.turn_tokens or config.max_response_tokens,
            config.stop_at_program_end,
        )
        started = time.perf_counter()
        completions = self.engine.sample(
            [b.prompt + b.ids for b in buffers],
            seeds=[stream_seed(b.task.seed, turn) for b in buffers],
            sampling=sampling,
            max_tokens=[config.max_response_tokens - sum(b.mask) for b in buffers],
            num_qubits=[b.task.problem.num_qubits for b in buffers] if config.constrained else None,
        )
        for b, completion in zip(buffers, completions, strict=True):
            b.write(completion)
        self._seconds["generate"] += time.perf_counter() - started

    def _verify(self, buffers: list[_Buffer], turn: int) -> None:
        """Verify what the turns submit. A final answer without a program leaves the last grade."""
        # What to mend is only worth finding out for a turn that may be followed by another.
        diagnose = turn + 1 < self.config.max_turns
        submitted: list[tuple[_Buffer, Check]] = []
        for b in buffers:
            text = b.texts[-1]
            circuit = called_circuit(text)
            # Under the grammar a turn is a program and cannot be a call: it is read as one.
            b.answered = (
                circuit is None
                and self.config.tool_format == "chat_template"
                and not self.config.constrained
            )
            if b.answered and b.turn_rewards and "OPENQASM" not in text:
                continue
            check = Check(
                b.task.problem,
                text if circuit is None else circuit,
                diagnose=diagnose and not b.answered,
            )
            submitted.append((b, check))
        started = time.perf_counter()
        results = self.tool([check for _, check in submitted]) if submitted else []
        self._seconds["verify"] += time.perf_counter() - started
        for (b, _), result in zip(submitted, results, strict=True):
            b.result = result
            if not isinstance(result, Failed):
                b.turn_rewards.append(score(result, self.reward).value)

    def _wants_another_turn(self, buffer: _Buffer) -> bool:
        """Whether there is room left, and a circuit that is not yet as good as it should be."""
        if buffer.answered or sum(buffer.mask) >= self.config.max_response_tokens:
            return False
        report = buffer.result
        if isinstance(report, Failed):
            return False
        found = report.distribution
        return found is None or found.enrichment < self.config.satisfied_at

    def _episode(self, buffer: _Buffer, weights_version: int) -> Episode:
        result = buffer.result
        failed = isinstance(result, Failed)
        tokens = TokenSequence(
            np.asarray(buffer.prompt, np.int32),
            np.asarray(buffer.ids, np.int32),
            np.asarray(buffer.mask, np.int8),
            np.asarray(buffer.log_probs, np.float32),
            concatenate(buffer.legal),
        )
        return Episode(
            group=buffer.task.group,
            sample=buffer.task.sample,
            weights_version=weights_version,
            tokens=tokens,
            counts=tokens.counts,
            texts=tuple(buffer.texts),
            observations=tuple(buffer.observations),
            outcome=result if failed else self._grade(result, len(buffer.turn_rewards)),
            report=None if failed else result,
            finished=buffer.finished,
            primitive=buffer.task.problem.primitive,
            num_qubits=buffer.task.problem.num_qubits,
            problem_key=buffer.task.problem.key,
            prompt=tuple(buffer.task.messages),
            turn_rewards=tuple(buffer.turn_rewards),
        )

    def _grade(self, report: VerificationReport, num_calls: int) -> Outcome:
        scored = score(report, self.reward)
        return with_call_cost(scored, num_calls=num_calls, cost=self.reward.call_cost)
