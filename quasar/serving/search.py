"""The candidates of one request over its turns: what was found, the best of it, the answer.

Takes the turns' calls of the verifier and their results; gives the events' candidates and the final
answer. Pure: it neither writes nor verifies.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.extraction import extract_program
from quasar.config import DeviceName, GenerationConfig, RewardConfig, StyleName
from quasar.episodes.loop import EpisodeLoop
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import ToolCall, make_tools
from quasar.policy.program_form import ProgramForm
from quasar.problems import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.schema.circuits import (
    Candidate,
    Candidates,
    CircuitAnswer,
    Compiled,
    Fault,
    Finding,
    ProblemSummary,
    Stopped,
    TurnSummary,
)
from quasar.serving.models import ServedModel
from quasar.tasks.base import AnyInstance, task_of
from quasar.verification.optimiser import SKIPPED
from quasar.verification.report import Outcome, VerificationReport
from quasar.verification.request import VerificationResult
from quasar.verification.reward import Failed, Scored, score


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A request that was read and found possible.

    model: that answers it. generation: turns, limits and how to draw. limit_s: seconds.
    """

    model: ServedModel
    problem: AnyInstance
    messages: tuple[dict[str, str], ...]
    samples: int
    generation: GenerationConfig
    seed: int
    limit_s: float
    device: DeviceName
    alternatives: int
    draw: bool  # with the drawing in the report
    form: ProgramForm  # of constrained programs
    style: StyleName | None = None  # of the answered programs; None: as the model wrote them
    stream: bool = False  # events for the text as it grows
    ansatz: str | None = None  # that the request names: its circuits come first
    warnings: tuple[str, ...] = ()  # of what the model was not trained on

    @property
    def turns(self) -> int:
        """The most that are taken."""
        return self.generation.max_turns

    def episodes(self, reward: RewardConfig) -> EpisodeLoop:
        """The episodes to make: one a sample, each with a random stream of its own."""
        tasks = [
            EpisodeTask(self.problem, self.messages, 0, sample, (self.seed, sample), self.form)
            for sample in range(self.samples)
        ]
        tools = make_tools(reward, self.generation, draw=self.draw)
        return EpisodeLoop(tasks, generation=self.generation, tools=tools)


@dataclass(frozen=True)
class ScoredCandidate:
    """A submitted text with what its verification found. scored: None where it is not valid."""

    sample: int
    text: str
    hamiltonian: IsingHamiltonian | None  # of a graph problem
    turn: int
    result: VerificationResult
    scored: Scored | None

    @property
    def grade(self) -> Scored:
        """Of a valid one."""
        assert self.scored is not None
        return self.scored

    @property
    def report(self) -> VerificationReport:
        """Of a valid one."""
        assert not isinstance(self.result, Failed)
        return self.result

    @property
    def circuit(self) -> str:
        return extract_program(self.text)

    @cached_property
    def ansatz(self) -> str | None:
        """Of a valid one: the name of its family or template, None where it has none."""
        if self.hamiltonian is None:
            return None
        found = recognise(self.circuit, self.hamiltonian)
        return None if found is None else found.ansatz.name

    def to_candidate(self) -> Candidate:
        report = self.result
        common = {"turn": self.turn, "sample": self.sample, "circuit": self.circuit}
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
            success=report.task and report.task.success,
            num_gates=report.num_gates,
            two_qubit_gates=report.num_two_qubit_gates,
            depth=report.depth,
        )


@dataclass(slots=True)
class Search:
    """All that one request has drawn so far."""

    plan: SearchPlan
    reward: RewardConfig
    candidates: list[ScoredCandidate] = field(default_factory=list)
    turns: list[TurnSummary] = field(default_factory=list)
    seconds: dict[str, float] = field(
        default_factory=lambda: {"generation": 0.0, "verification": 0.0}
    )
    # In the style asked for: programs by the model's own, the best one, or why it is not.
    restated: Mapping[str, str] = field(default_factory=dict)
    restated_best: ScoredCandidate | None = None
    not_restated: str | None = None

    def take(
        self, calls: Sequence[ToolCall], results: Sequence[VerificationResult]
    ) -> list[ScoredCandidate]:
        """Take in one turn: a result for each call."""
        turn, problem = len(self.turns) + 1, self.plan.problem
        new = [
            ScoredCandidate(
                call.sample,
                call.tool.submitted(call.argument, result),
                problem.hamiltonian if isinstance(problem, ProblemInstance) else None,
                turn,
                result,
                self._score(result),
            )
            for call, result in zip(calls, results, strict=True)
        ]
        self.candidates += new
        best = self.best()
        self.turns.append(
            TurnSummary(
                turn=turn,
                drawn=len(new),
                valid=sum(found.scored is not None for found in new),
                best_reward=best and best.grade.value,
            )
        )
        return new

    def ranked(self) -> list[ScoredCandidate]:
        """The valid ones, those of the ansatz asked for before others, then best first; among
        equals the earliest.
        """
        valid = [found for found in self.candidates if found.scored is not None]
        asked = self.plan.ansatz
        return sorted(
            valid,
            key=lambda found: (asked is not None and found.ansatz != asked, -found.grade.value),
        )

    def _warnings(self, best: ScoredCandidate | None) -> list[str]:
        asked, warnings = self.plan.ansatz, list(self.plan.warnings)
        if best is not None and asked is not None and best.ansatz != asked:
            warnings.append(
                f"the ansatz asked for is {asked}, no valid candidate has it; the circuit is "
                + (best.ansatz or "of no known family")
            )
        return warnings

    def best(self) -> ScoredCandidate | None:
        return next(iter(self.ranked()), None)

    def answered(self) -> ScoredCandidate | None:
        """The best, in the style asked for."""
        return self.restated_best or self.best()

    def distinct(self) -> list[ScoredCandidate]:
        """The valid ones that may be told, best first, each program once."""
        found: dict[str, ScoredCandidate] = {}
        for candidate in self.ranked():
            found.setdefault(self._told(candidate), candidate)
        return list(found.values())[: 1 + self.plan.alternatives]

    def restate_best(self, result: VerificationResult) -> None:
        """Take in what was found of the best program in the style asked for."""
        best = self.ranked()[0]
        if isinstance(result, Failed):
            self.not_restated = f"{self.plan.style} program not verified: {result.detail}"
        elif (scored := self._score(result)) is None:
            why = result.error.message if result.error else "it is not valid"
            self.not_restated = f"{self.plan.style} program not valid: {why}"
        else:
            told = {stage: why for stage, why in best.report.skipped.items() if stage == SKIPPED}
            skipped = {**told, **result.skipped}
            report = replace(result, optimised=best.report.optimised, skipped=skipped)
            text = self.restated[best.circuit]
            self.restated_best = replace(best, text=text, result=report, scored=scored)

    def _told(self, candidate: ScoredCandidate) -> str:
        return self.restated.get(candidate.circuit, candidate.circuit)

    def _score(self, result: VerificationResult) -> Scored | None:
        if isinstance(result, Failed) or not result.valid:
            return None
        return score(result, self.reward)

    def answer(self, *, stopped: Stopped, compiled: Compiled | None) -> CircuitAnswer:
        """The best circuit and what stands beside it; without a valid one, why."""
        problem, ranked = self.plan.problem, self.ranked()
        best = self.answered()
        report = best.report if best else None
        drawn = len(self.candidates)
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
        if self.not_restated is not None:
            message += f"; as the model wrote it ({self.not_restated})"
        return CircuitAnswer(
            circuit=best and best.circuit,
            valid=best is not None,
            message=message,
            reward=best and best.grade.value,
            reward_parts=dict(best.grade.parts) if best else {},
            success=report and report.task and report.task.success,
            headline=report and report.task and report.task.headline,
            **(best_outcome(problem, report) if report else _no_outcome()),
            turn=best and best.turn,
            sample=best and best.sample,
            compiled=compiled,
            alternatives=self._alternatives(),
            problem=facts(problem),
            candidates=self._counts(len(ranked)),
            findings=findings(self.candidates),
            turns=self.turns,
            stopped=stopped,
            report=report.to_dict() if report else None,
            warnings=self._warnings(best),
            model=self.plan.model.name,
            seed=self.plan.seed,
            seconds={name: round(value, 4) for name, value in self.seconds.items()},
        )

    def _alternatives(self) -> list[Candidate]:
        return [
            found.to_candidate().model_copy(update={"circuit": self._told(found)})
            for found in self.distinct()[1:]
        ]

    def _counts(self, valid: int) -> Candidates:
        failed = sum(isinstance(found.result, Failed) for found in self.candidates)
        drawn = len(self.candidates)
        return Candidates(
            drawn=drawn, valid=valid, invalid=drawn - valid - failed, unverified=failed
        )


def facts(problem: AnyInstance) -> ProblemSummary:
    """The problem in short."""
    return ProblemSummary(
        task=task_of(problem), primitive=problem.primitive, num_qubits=problem.num_qubits
    )


def _no_outcome() -> dict[str, Any]:
    names = ("best_bitstring", "probability", "energy", "answer", "feasible", "optimal")
    return dict.fromkeys(names)


def best_outcome(problem: AnyInstance, report: VerificationReport) -> dict[str, Any]:
    """Fields of the lowest-energy outcome among the most probable ones; ties: more probable."""
    if report.distribution is None or not report.distribution.most_probable:
        return _no_outcome()
    assert isinstance(problem, ProblemInstance)

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


def findings(candidates: Sequence[ScoredCandidate]) -> list[Finding]:
    """Kinds of errors, most frequent first, each with the first message of its kind."""
    reports = [found.result for found in candidates if isinstance(found.result, VerificationReport)]
    errors = [report.error for report in reports if not report.valid and report.error is not None]
    first = {error.kind: error.message for error in reversed(errors)}
    counted = Counter(error.kind for error in errors).most_common()
    return [Finding(kind=kind, message=first[kind], count=count) for kind, count in counted]
