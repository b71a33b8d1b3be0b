"""The tools that a turn may call.

A `Tool` says what a turn's text asks of it, what the model is told of the result, and what the
result is worth. Who carries a call out stands apart (`BoundTool`, or the endpoint's verifiers): a
tool of the loop is pure. The first tool of a list is the one that grades: a final answer is
submitted to it. A program of the compact format, which calls no tool, goes to the last tool of the
list that takes programs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quasar.config import GenerationConfig, OptimiseMethod, RewardConfig
from quasar.datasets.published_rule import PublishedRuleRequest
from quasar.datasets.revision import revision_text
from quasar.episodes.task import EpisodeTask
from quasar.errors import InputError
from quasar.policy.tool_calls import OPTIMISE_NAME, TOOL_NAME, called_circuit
from quasar.tasks.base import TaskInstance
from quasar.verification.observation import observation_text
from quasar.verification.optimiser import OptimisationRequest
from quasar.verification.request import ReportRequest, VerificationResult, request_of
from quasar.verification.reward import (
    Failed,
    Scored,
    score,
    with_call_cost,
    with_optimise_cost,
)
from quasar.verification.task_optimiser import TaskOptimisationRequest


class Tool(Protocol):
    """See the module. All methods are pure."""

    @property
    def name(self) -> str:
        """As the model calls it."""
        ...

    @property
    def takes_programs(self) -> bool:
        """Whether its argument is submitted as the answer, and its result is the grade of it."""
        ...

    @property
    def rewrites(self) -> bool:
        """Whether what stands as the answer may be another program than its argument."""
        ...

    def called_with(self, text: str) -> str | None:
        """The argument of the turn's call of this tool; None where it calls it not."""
        ...

    def check(self, task: EpisodeTask, argument: str, *, may_follow: bool) -> ReportRequest:
        """What is to be carried out. may_follow: another turn may read of it."""
        ...

    def submitted(self, argument: str, result: VerificationResult) -> str:
        """What stands as the answer after the call, of a tool that takes programs."""
        ...

    def observation(self, task: EpisodeTask, result: VerificationResult, *, max_chars: int) -> str:
        """What the model is told of its answer to this task."""
        ...

    def grade(self, result: VerificationResult) -> Scored | None:
        """What the result is worth by itself; None where it is no grade."""
        ...

    def charged(self, scored: Scored, *, num_calls: int) -> Scored:
        """An episode's grade less what its calls of this tool cost."""
        ...


@dataclass(frozen=True, slots=True)
class VerifyTool:
    """Simulates a circuit: the grade, and what to change. Its first call costs nothing, for without
    one there is no grade; each further one costs `reward.call_cost`.
    """

    reward: RewardConfig
    draw: bool = False  # with the circuit's drawing in the report
    name: str = TOOL_NAME
    takes_programs: bool = True
    rewrites: bool = False

    def called_with(self, text: str) -> str | None:
        return called_circuit(text, self.name)

    def check(self, task: EpisodeTask, argument: str, *, may_follow: bool) -> ReportRequest:
        return request_of(task.problem, argument, diagnose=may_follow, draw=self.draw)

    def submitted(self, argument: str, result: VerificationResult) -> str:
        return argument

    def observation(self, task: EpisodeTask, result: VerificationResult, *, max_chars: int) -> str:
        return _told(task, result, max_chars)

    def grade(self, result: VerificationResult) -> Scored | None:
        return None if isinstance(result, Failed) else score(result, self.reward)

    def charged(self, scored: Scored, *, num_calls: int) -> Scored:
        return with_call_cost(scored, num_calls=num_calls, cost=self.reward.call_cost)


@dataclass(frozen=True, slots=True)
class OptimiseTool:
    """Makes a program's angles better by a bounded number of gradient evaluations (or applies the
    published rule to its family, as `generation.optimise_method` says), and verifies the
    result: the optimised program is the answer, and its grade counts. Each call costs
    `reward.optimise_cost`, also one of a program that is not valid.
    """

    reward: RewardConfig
    evaluations: int
    method: OptimiseMethod = "gradient"
    draw: bool = False
    name: str = OPTIMISE_NAME
    takes_programs: bool = True
    rewrites: bool = True

    def called_with(self, text: str) -> str | None:
        return called_circuit(text, self.name)

    def check(self, task: EpisodeTask, argument: str, *, may_follow: bool) -> ReportRequest:
        if isinstance(task.problem, TaskInstance):
            if self.method == "published":
                raise InputError(
                    f"the published rule has no circuits of task '{task.problem.task}'; in a new "
                    "run take generation.optimise_method=gradient, or graph problems alone"
                )
            return TaskOptimisationRequest(
                task.problem,
                argument,
                diagnose=may_follow,
                draw=self.draw,
                evaluations=self.evaluations,
            )
        request = PublishedRuleRequest if self.method == "published" else OptimisationRequest
        return request(
            task.problem,
            argument,
            diagnose=may_follow,
            draw=self.draw,
            evaluations=self.evaluations,
        )

    def submitted(self, argument: str, result: VerificationResult) -> str:
        found = None if isinstance(result, Failed) else result.optimised
        return argument if found is None or not found.improved else found.program

    def observation(self, task: EpisodeTask, result: VerificationResult, *, max_chars: int) -> str:
        return _told(task, result, max_chars)

    def grade(self, result: VerificationResult) -> Scored | None:
        return None if isinstance(result, Failed) else score(result, self.reward)

    def charged(self, scored: Scored, *, num_calls: int) -> Scored:
        return with_optimise_cost(scored, num_calls=num_calls, cost=self.reward.optimise_cost)


def _told(task: EpisodeTask, result: VerificationResult, max_chars: int) -> str:
    """In the words of compact prompts where the answers to such are revised."""
    form, compact = task.form, None
    if form is not None and form.is_revised and not isinstance(result, Failed):
        compact = revision_text(form.terms, form.ansatz, result)
    return observation_text(result, max_chars=max_chars) if compact is None else compact


def make_tools(
    reward: RewardConfig, generation: GenerationConfig, *, draw: bool = False
) -> list[Tool]:
    """The tools of `generation.tools`, the one that grades first."""
    tools: list[Tool] = [VerifyTool(reward, draw=draw)]
    if "optimise" in generation.tools:
        evaluations, method = generation.optimise_evaluations, generation.optimise_method
        tools.append(OptimiseTool(reward, evaluations, method, draw=draw))
    return tools


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a turn made."""

    tool: Tool
    sample: int  # of the episode, as in its `TurnRequest`
    argument: str
    check: ReportRequest


# Gives a report or a fault for each check, in order.
Execute = Callable[[Sequence[ReportRequest]], Sequence[VerificationResult]]


@dataclass(frozen=True, slots=True)
class BoundTool:
    """A tool with what carries its calls out."""

    tool: Tool
    execute: Execute


def execute(calls: Sequence[ToolCall], tools: Sequence[BoundTool]) -> list[VerificationResult]:
    """The result of each call, in order; the calls of one tool are one batch."""
    results: dict[int, VerificationResult] = {}
    for bound in tools:
        places = [i for i, call in enumerate(calls) if call.tool.name == bound.tool.name]
        if places:
            found = bound.execute([calls[i].check for i in places])
            results.update(zip(places, found, strict=True))
    return [results[i] for i in range(len(calls))]
