"""An episode: an append-only token buffer of prompt, sampled turn, tool observation, turn, …

Sampled ids are trained on as they were sampled; whatever was only read carries mask 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from quasar.config.task_names import GRAPH_TASK
from quasar.episodes.task import EpisodeTask
from quasar.episodes.turns import WrittenTurn
from quasar.policy.legal import LegalTokens, concatenate
from quasar.policy.sequence import TokenCounts, TokenSequence
from quasar.tasks.base import task_of
from quasar.verification.report import VerificationReport
from quasar.verification.request import VerificationResult
from quasar.verification.reward import Failed, ScoringResult


class TokenAges(NamedTuple):
    """Of an episode's trained tokens, in updates."""

    mean: float
    max: int


@dataclass(slots=True)
class Episode:
    """One finished episode: what was written, by which weights, and what it earned."""

    group: int
    sample: int
    weights_version: int  # of the last token, the newest; those of all are in `counts`
    tokens: Any  # TokenSequence, or where the learner finds it
    counts: TokenCounts
    texts: tuple[str, ...]  # the policy's turns
    observations: tuple[str, ...]  # the tool's answers between them
    outcome: ScoringResult  # Scored or Failed
    report: VerificationReport | None
    finished: bool  # False where the last turn was cut at a token limit
    task: str = GRAPH_TASK
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
    def weights_versions(self) -> tuple[int, ...]:
        """Of the weights that its trained tokens were drawn from, oldest first."""
        return tuple(v for v, _ in self.counts.versions) or (self.weights_version,)

    def token_ages(self, weights_version: int) -> TokenAges:
        """How old its tokens are to weights of this version."""
        drawn = self.counts.versions or ((self.weights_version, 1),)
        number = sum(n for _, n in drawn)
        mean = sum((weights_version - version) * n for version, n in drawn) / number
        return TokenAges(mean, weights_version - drawn[0][0])

    @property
    def improvement(self) -> float:
        """Reward of the last circuit minus the first one's, without the call cost; 0 with one."""
        return self.turn_rewards[-1] - self.turn_rewards[0] if self.turn_rewards else 0.0


@dataclass(slots=True)
class GrowingEpisode:
    """An episode under way."""

    task: EpisodeTask
    prompt_ids: tuple[int, ...] = ()
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    legal: list[tuple[int, LegalTokens | None]] = field(default_factory=list)  # (tokens, sets)
    texts: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)  # names of the tools that gave a result
    turn_rewards: list[float] = field(default_factory=list)
    submitted: str | None = None  # the last circuit given, or to be given, to the grading tool
    result: VerificationResult | None = None  # of what was graded last
    finished: bool = False  # the last turn ended by itself
    answered: bool = False  # the last turn was a final answer, not a call
    counted_tokens: int = 0  # of turns whose ids are not known

    @property
    def num_sampled(self) -> int:
        """Tokens that the policy sampled."""
        return sum(self.mask) + self.counted_tokens

    def write(self, turn: WrittenTurn) -> None:
        """Append what was read before the turn, then the turn, ids as they were sampled."""
        self.prompt_ids = turn.prompt_ids
        self._append(turn.read_ids, 0, [0.0] * len(turn.read_ids), None, ())
        completion = turn.completion
        self._append(
            completion.token_ids, 1, completion.log_probs, completion.legal, completion.versions
        )
        self.texts.append(completion.text)
        self.finished = completion.finished
        self.counted_tokens += completion.counted_tokens

    def _append(
        self,
        ids: Sequence[int],
        mask: int,
        log_probs: Sequence[float],
        legal: LegalTokens | None,
        versions: Sequence[int],
    ) -> None:
        self.ids += ids
        self.mask += [mask] * len(ids)
        self.log_probs += log_probs
        self.versions += versions or [-1] * len(ids)
        self.legal.append((len(ids), legal))

    def tokens(self) -> TokenSequence:
        """All of it as arrays."""
        return TokenSequence(
            np.asarray(self.prompt_ids, np.int32),
            np.asarray(self.ids, np.int32),
            np.asarray(self.mask, np.int8),
            np.asarray(self.log_probs, np.float32),
            concatenate(self.legal),
            np.asarray(self.versions, np.int32),
        )

    def ended(self, outcome: ScoringResult, *, weights_version: int) -> Episode:
        """The finished episode. weights_version: where the tokens do not tell it."""
        report = None if isinstance(self.result, Failed) else self.result
        tokens, problem = self.tokens(), self.task.problem
        newest = max(self.versions, default=-1)
        return Episode(
            group=self.task.group,
            sample=self.task.sample,
            weights_version=weights_version if newest < 0 else newest,
            tokens=tokens,
            counts=tokens.counts,
            texts=tuple(self.texts),
            observations=tuple(self.observations),
            outcome=outcome,
            report=None if isinstance(outcome, Failed) else report,
            finished=self.finished,
            task=task_of(problem),
            primitive=problem.primitive,
            num_qubits=problem.num_qubits,
            problem_key=problem.key,
            prompt=tuple(self.task.messages),
            turn_rewards=tuple(self.turn_rewards),
        )
