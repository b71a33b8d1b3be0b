"""Rewards of completions, for the adapters: one guarded verifier, problems built once."""

import atexit
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from quasar.config import RewardConfig, VerificationConfig
from quasar.errors import InputError, ProblemError, VerificationError
from quasar.problems.base import ProblemInstance
from quasar.schema.verify import Problem, Question, to_problem
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.report import VerificationReport
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import Failed, Scored, score

_KEPT = 1024  # problems that stay built


class Grader:
    """Grades texts for problems. Its processes start with the first text.

    config, reward: limits and weights, by default those of `quasar config show`; num_workers:
    processes that verify at a time.
    """

    def __init__(
        self,
        config: VerificationConfig | None = None,
        reward: RewardConfig | None = None,
        *,
        num_workers: int = 1,
    ):
        self.config = config or VerificationConfig()
        self.reward = reward or RewardConfig()
        self._num_workers = num_workers
        self._verifier: GuardedVerifier | None = None
        self._built = lru_cache(_KEPT)(self._build)

    def grade(
        self, texts: Sequence[Any], problems: Sequence[Any], *, diagnose: bool = False
    ) -> list[tuple[VerificationReport | Failed, Scored | None]]:
        """(report, grade) of each text; a fault, which is never a grade, has none.

        texts: completions as trainers have them, text or chat messages. Raises ProblemError or
        InputError for a problem that cannot be built.
        """
        requests = [
            VerificationRequest(self.problem(problem), completion_text(text), diagnose=diagnose)
            for text, problem in zip(texts, problems, strict=True)
        ]
        results = self._open().verify(requests)
        return [
            (result, None if isinstance(result, Failed) else score(result, self.reward))
            for result in results
        ]

    def values(self, texts: Sequence[Any], problems: Sequence[Any]) -> list[float | None]:
        """The reward of each text; None for a fault, so that it is left out of the loss."""
        return [None if got is None else got.value for _, got in self.grade(texts, problems)]

    def problem(self, stated: Any) -> ProblemInstance:
        """The problem of a column's entry (see `quasar.integrations`)."""
        if isinstance(stated, ProblemInstance):
            return stated
        if isinstance(stated, Problem):
            stated = stated.model_dump()
        if isinstance(stated, Mapping):
            # tables fill in what other rows have
            stated = json.dumps(_without_nulls(stated), sort_keys=True)
        if not isinstance(stated, str):
            raise ProblemError(
                f"the column problem holds a {type(stated).__name__}; give words, JSON or an object"
            )
        return self._built(stated)

    def close(self) -> None:
        """End the processes."""
        if self._verifier is not None:
            self._verifier.close()
            self._verifier = None

    def _open(self) -> GuardedVerifier:
        if self._verifier is None:
            self._verifier = GuardedVerifier(
                self.config, self.reward.formula, num_workers=self._num_workers, max_tries=2
            )
            atexit.register(self.close)
        return self._verifier

    def _build(self, text: str) -> ProblemInstance:
        if not text.lstrip().startswith("{"):
            from quasar.schema.words.reader import read_problem

            question = Question(problem=read_problem(text))
        else:
            try:
                data = json.loads(text)
            except ValueError as error:
                raise InputError(f"the column problem is no JSON: {error}") from None
            if "problem_type" in data:
                question = Question(row=data)
            else:
                from quasar.schema.sources import read_problem_from

                question = Question(problem=read_problem_from(data))
        return to_problem(question, max_qubits=self.config.max_qubits)


def unverified(fault: Any, advice: str = "") -> VerificationError:
    """The error of an answer that has no grade, for trainers that have no other word for it."""
    kind, detail = getattr(fault, "kind", "error"), getattr(fault, "detail", "")
    return VerificationError(kind, f"an answer was not verified: {detail}{advice}")


def completion_text(completion: Any) -> str:
    """The text of a completion: itself, or the content of the last message of a chat."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Sequence) and completion:
        last = completion[-1]
        content = last.get("content") if isinstance(last, Mapping) else last
        if isinstance(content, str):
            return content
        if content is None:
            return ""
    raise InputError(f"a completion is a {type(completion).__name__}, neither text nor a chat")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(part) for part in value]
    return value
