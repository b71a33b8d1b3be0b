"""The candidates of one request over its turns: what was found, the best of it, the answer.

Takes drafts and their verifications turn by turn; gives the events' candidates and the final
answer. Pure: it neither writes nor verifies.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from quasar.circuits.extraction import extract_program
from quasar.config import DeviceName, GenerationConfig, RewardConfig
from quasar.policy.tool_calls import called_circuit, submitted_circuit
from quasar.problems import ProblemInstance
from quasar.rewards import Failed, Scored, score
from quasar.serving.schema import (
    Candidate,
    Candidates,
    CircuitAnswer,
    Compiled,
    Fault,
    Finding,
    ProblemFacts,
    Stopped,
    Turn,
)
from quasar.serving.writer import Draft
from quasar.verification.observation import observation_text
from quasar.verification.report import Outcome, VerificationReport
from quasar.verification.worker import Result


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that was read and found possible. limit_s: seconds; num_qubits: held to it."""

    problem: ProblemInstance
    messages: tuple[dict[str, str], ...]
    samples: int
    turns: int
    temperature: float
    seed: int
    limit_s: float
    num_qubits: int | None
    device: DeviceName
    alternatives: int
    draw: bool  # with the drawing in the report
    stream: bool = False  # events for the text as it grows


@dataclass(frozen=True, slots=True)
class Judged:
    """One draft with what its verification found. `scored` is None where it is not valid."""

    draft: Draft
    turn: int
    result: Result
    scored: Scored | None

    @property
    def circuit(self) -> str:
        return extract_program(submitted_circuit(self.draft.text))

    def to_candidate(self) -> Candidate:
        report = self.result
        common = {"turn": self.turn, "sample": self.draft.sample, "circuit": self.circuit}
        if isinstance(report, Failed):
            error = Fault(kind=report.kind, message=f"not verified: {report.detail}")
            return Candidate(**common, valid=False, error=error)
        if self.scored is None:
            error = report.error and Fault(kind=report.error.kind, message=report.error.message)
            return Candidate(**common, valid=False, error=error)
        return Candidate(
            **common,
            valid=True,
            reward=self.scored.value,
            approximation_ratio=report.expectation and report.expectation.approximation_ratio,
            optimum_probability=report.distribution and report.distribution.optimum_probability,
            num_gates=report.num_gates,
            two_qubit_gates=report.num_two_qubit_gates,
            depth=report.depth,
        )


@dataclass(slots=True)
class Search:
    """All that one request has drawn so far."""

    plan: Plan
    reward: RewardConfig
    generation: GenerationConfig
    judged: list[Judged] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    seconds: dict[str, float] = field(
        default_factory=lambda: {"generation": 0.0, "verification": 0.0}
    )

    def judge(self, drafts: Sequence[Draft], results: Sequence[Result]) -> list[Judged]:
        """Take in one turn: a result for each draft."""
        turn = len(self.turns) + 1
        new = [
            Judged(draft, turn, result, self._score(result))
            for draft, result in zip(drafts, results, strict=True)
        ]
        self.judged += new
        best = self.best()
        self.turns.append(
            Turn(
                turn=turn,
                drawn=len(new),
                valid=sum(found.scored is not None for found in new),
                best_reward=best and best.scored.value,
            )
        )
        return new

    def ranked(self) -> list[Judged]:
        """The valid ones, best first; among equals the earliest."""
        valid = [found for found in self.judged if found.scored is not None]
        return sorted(valid, key=lambda found: -found.scored.value)

    def best(self) -> Judged | None:
        return next(iter(self.ranked()), None)

    def to_write_again(self, judged: Sequence[Judged]) -> tuple[tuple[Draft, str], ...]:
        """The drafts that may become better, each with the tool's observation on it."""
        limit = 4 * self.generation.max_observation_tokens
        return tuple(
            (found.draft, observation_text(found.result, max_chars=limit))
            for found in judged
            if self._may_become_better(found)
        )

    def _may_become_better(self, found: Judged) -> bool:
        if isinstance(found.result, Failed):
            return False
        calls_tools = self.generation.tool_format == "chat_template" and not self.plan.num_qubits
        if calls_tools and called_circuit(found.draft.text) is None:
            return False  # a final answer
        distribution = found.result.distribution
        return distribution is None or distribution.enrichment < self.generation.satisfied_at

    def _score(self, result: Result) -> Scored | None:
        if isinstance(result, Failed) or not result.valid:
            return None
        return score(result, self.reward)

    def answer(self, *, model: str, stopped: Stopped, compiled: Compiled | None) -> CircuitAnswer:
        """The best circuit and what stands beside it; without a valid one, why."""
        problem, ranked = self.plan.problem, self.ranked()
        best = ranked[0] if ranked else None
        report = best.result if best else None
        drawn = len(self.judged)
        if best is None:
            message = (
                f"none of the {drawn} candidates is a valid circuit; ask for more samples, "
                "another seed or a smaller problem"
            )
        else:
            message = f"best of {len(ranked)} valid circuits from {drawn} candidates"
        if stopped == "budget":
            message += "; the time ran out"
        elif stopped == "interrupted":
            message += "; a later turn could not be taken"
        return CircuitAnswer(
            circuit=best and best.circuit,
            valid=best is not None,
            message=message,
            reward=best and best.scored.value,
            reward_parts=dict(best.scored.parts) if best else {},
            **(best_outcome(problem, report) if best else _no_outcome()),
            turn=best and best.turn,
            sample=best and best.draft.sample,
            compiled=compiled,
            alternatives=self._alternatives(ranked),
            problem=facts(problem),
            candidates=self._counts(len(ranked)),
            findings=findings(self.judged),
            turns=self.turns,
            stopped=stopped,
            report=report.to_dict() if best else None,
            model=model,
            seed=self.plan.seed,
            seconds={name: round(value, 4) for name, value in self.seconds.items()},
        )

    def _alternatives(self, ranked: Sequence[Judged]) -> list[Candidate]:
        distinct: dict[str, Judged] = {}
        for found in ranked:
            distinct.setdefault(found.circuit, found)
        return [f.to_candidate() for f in list(distinct.values())[1 : 1 + self.plan.alternatives]]

    def _counts(self, valid: int) -> Candidates:
        failed = sum(isinstance(found.result, Failed) for found in self.judged)
        drawn = len(self.judged)
        return Candidates(
            drawn=drawn, valid=valid, invalid=drawn - valid - failed, unverified=failed
        )


def facts(problem: ProblemInstance) -> ProblemFacts:
    """The problem in short."""
    return ProblemFacts(primitive=problem.primitive, num_qubits=problem.num_qubits)


def _no_outcome() -> dict[str, Any]:
    names = ("best_bitstring", "probability", "energy", "answer", "feasible", "optimal")
    return dict.fromkeys(names)


def best_outcome(problem: ProblemInstance, report: VerificationReport) -> dict[str, Any]:
    """Fields of the lowest-energy outcome among the most probable ones; ties: more probable."""
    if report.distribution is None or not report.distribution.most_probable:
        return _no_outcome()

    def energy(outcome: Outcome) -> float:
        # binary variable q is 1 where Z_q = +1; term by term, because the whole diagonal is 2**n
        z = [1.0 if variable == "1" else -1.0 for variable in outcome.bitstring]
        terms = problem.hamiltonian.interactions()
        return sum(coefficient * prod(z[q] for q in wires) for coefficient, wires in terms)

    best = min(report.distribution.most_probable, key=lambda o: (energy(o), -o.probability))
    return {
        "best_bitstring": best.bitstring,
        "probability": best.probability,
        "energy": energy(best),
        "answer": best.answer,
        "feasible": best.feasible,
        "optimal": best.optimal,
    }


def findings(judged: Sequence[Judged]) -> list[Finding]:
    """Kinds of errors, most frequent first, each with the first message of its kind."""
    reports = [found.result for found in judged if isinstance(found.result, VerificationReport)]
    errors = [report.error for report in reports if not report.valid and report.error is not None]
    first = {error.kind: error.message for error in reversed(errors)}
    counted = Counter(error.kind for error in errors).most_common()
    return [Finding(kind=kind, message=first[kind], count=count) for kind, count in counted]
