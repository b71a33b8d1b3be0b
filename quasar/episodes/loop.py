"""The one loop over turns: the policy writes, a tool answers, the policy may write again.

`EpisodeLoop` says what is to be done next and takes what came of it; it writes nothing and calls
nothing, and needs neither a tokenizer nor Ray. `quasar.episodes.runner` does what it says in one
process (training, validation, `quasar generate`), the endpoint over its replicas.

A turn calls the tool that its text names, or else submits its text: a final answer to the grading
tool, in the compact format a program to the last tool that takes programs, so that the optimise
tool is applied once to each turn's program. An episode ends at its turn or token limit, when its
circuit is good enough (`generation.satisfied_at`), at a fault of the tool, or, with the template's
tool calls, at a turn that calls no tool. Grades come from the results through structured fields,
never from text.

The episodes of a loop go turn by turn together, because the calls of a turn are one batch, which
shares the verifiers' budget. Loops do not wait for each other: the turns of any number of them are
decoded together (`quasar.episodes.writer`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from quasar.config import GenerationConfig
from quasar.episodes.episode import Episode, GrowingEpisode
from quasar.episodes.sampling import turn_tokens
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import Tool, ToolCall
from quasar.episodes.turns import TurnRequest, WrittenTurn
from quasar.policy.engines.protocol import Sampling
from quasar.policy.program_form import ProgramForm
from quasar.verification.request import VerificationResult
from quasar.verification.reward import Failed, ScoringResult

_CHARS_PER_TOKEN = 4  # of an observation at most; the writer cuts it to the token


@dataclass(frozen=True, slots=True)
class WriteTurns:
    """To be done: write these turns. Its answer: a `WrittenTurn` each, in any order."""

    requests: tuple[TurnRequest, ...]


@dataclass(frozen=True, slots=True)
class CallTools:
    """To be done: carry out these calls, if any. Its answer: a result each, in order."""

    calls: tuple[ToolCall, ...]


Action = WriteTurns | CallTools


class EpisodeLoop:
    """Episodes that are made together."""

    def __init__(
        self,
        tasks: Sequence[EpisodeTask],
        *,
        generation: GenerationConfig,
        tools: Sequence[Tool],
        grade_last: bool = True,
    ):
        """tools: the first one grades. grade_last: False leaves out the calls of the last possible
        turn that change no answer, for who wants the answers and not their grades.
        """
        self.generation, self.tools = generation, tuple(tools)
        self._taker = [tool for tool in self.tools if tool.takes_programs][-1]
        self.growing = [GrowingEpisode(task) for task in tasks]
        self.turns_written = 0
        self._grade_last = grade_last
        self._actions = self._run()

    def advance(
        self, answer: Sequence[WrittenTurn] | Sequence[VerificationResult] | None = None
    ) -> Action | None:
        """The next `Action`, None at the end. answer: to the last action; None at the start."""
        try:
            return self._actions.send(answer)
        except StopIteration:
            return None

    def episodes(self, *, weights_version: int) -> list[Episode]:
        """The episodes with their grades, in the order of the tasks, once the loop has ended."""
        return [
            episode.ended(self._outcome(episode), weights_version=weights_version)
            for episode in self.growing
        ]

    def answers(self) -> list[str]:
        """What each episode submitted last, in the order of the tasks, once the loop has ended."""
        return [episode.submitted or "" for episode in self.growing]

    def _run(self) -> Generator[Action, Any, None]:
        active = dict(enumerate(self.growing))
        while active:
            turn = self.turns_written
            written: Sequence[WrittenTurn] = yield WriteTurns(
                tuple(self._request(i, episode, turn) for i, episode in active.items())
            )
            for one in written:
                active[one.sample].write(one)
            self.turns_written += 1
            is_last = self.turns_written == self.generation.max_turns
            calls = [self._call(i, episode, is_last) for i, episode in active.items()]
            made = tuple(call for call in calls if call is not None)
            if is_last and not self._grade_last:
                made = tuple(call for call in made if call.tool.rewrites)
                if not made:
                    return
            results: Sequence[VerificationResult] = yield CallTools(made)
            for call, result in zip(made, results, strict=True):
                self._take(active[call.sample], call, result)
            if is_last:
                return
            active = {i: e for i, e in active.items() if self._is_followed(e)}
            for call, result in zip(made, results, strict=True):
                if call.sample in active:
                    active[call.sample].observations.append(self._observation(call, result))

    def _request(self, sample: int, episode: GrowingEpisode, turn: int) -> TurnRequest:
        generation, task = self.generation, episode.task
        left = generation.max_response_tokens - episode.num_sampled
        return TurnRequest(
            sample,
            task.messages,
            task.seed(turn),
            Sampling(
                generation.temperature,
                generation.top_p,
                min(turn_tokens(generation), left),
                generation.stop_at_program_end,
            ),
            self._form(episode, turn),
            turn,
            tuple(episode.ids),
            episode.observations[-1] if episode.observations else None,
            tuple(zip(episode.texts, episode.observations, strict=True)),
        )

    def _form(self, episode: GrowingEpisode, turn: int) -> ProgramForm | None:
        """None where the turn is free."""
        task = episode.task
        form = task.form or ProgramForm(task.problem.num_qubits)
        if not self.generation.constrained or form.style == "free":
            return None
        varied = self.generation.plan_order == "varied" and task.sample > 0
        form = form.in_order_of(task.seed(0)) if varied else form
        report = None if isinstance(episode.result, Failed) else episode.result
        return form.after(report) if turn else form

    def _call(self, sample: int, episode: GrowingEpisode, is_last: bool) -> ToolCall | None:
        """What the turn just written asks for; None for a final answer without a program, which
        leaves the last grade.
        """
        text = episode.texts[-1]
        for tool in self.tools:
            argument = tool.called_with(text)
            if argument is not None:
                break
        else:
            # Under the grammar a turn is a program and cannot be a call: it is read as one.
            episode.answered = (
                self.generation.tool_format == "chat_template" and not self.generation.constrained
            )
            tool, argument = self.tools[0] if episode.answered else self._taker, text
            if episode.answered and episode.turn_rewards and "OPENQASM" not in text:
                return None
        if tool.takes_programs:
            episode.submitted = argument
        # What to change is only worth finding out for a turn that may be followed by another.
        may_follow = not is_last and not episode.answered
        check = tool.check(episode.task, argument, may_follow=may_follow)
        return ToolCall(tool, sample, argument, check)

    def _take(self, episode: GrowingEpisode, call: ToolCall, result: VerificationResult) -> None:
        """Enter a result."""
        grade = call.tool.grade(result)
        if grade is not None:
            episode.turn_rewards.append(grade.value)
        if not isinstance(result, Failed):
            episode.calls.append(call.tool.name)
        if call.tool.takes_programs or isinstance(result, Failed):
            episode.result = result
        if call.tool.takes_programs:
            episode.submitted = call.tool.submitted(call.argument, result)

    def _observation(self, call: ToolCall, result: VerificationResult) -> str:
        limit = _CHARS_PER_TOKEN * self.generation.max_observation_tokens
        task = self.growing[call.sample].task
        return call.tool.observation(task, result, max_chars=limit)

    def _is_followed(self, episode: GrowingEpisode) -> bool:
        """The rule of turns: whether there is room left, and a circuit that is not yet as good as
        it should be.
        """
        if episode.answered or episode.num_sampled >= self.generation.max_response_tokens:
            return False
        report = episode.result
        if isinstance(report, Failed):
            return False
        if report is not None and report.task is not None:
            return not report.task.success
        found = None if report is None else report.distribution
        return found is None or found.enrichment < self.generation.satisfied_at

    def _outcome(self, episode: GrowingEpisode) -> ScoringResult:
        result = episode.result
        if isinstance(result, Failed):
            return result
        scored = None if result is None else self.tools[0].grade(result)
        if scored is None:
            return Failed("error", "the episode ended before it called the tool that grades")
        for tool in self.tools:
            scored = tool.charged(scored, num_calls=episode.calls.count(tool.name))
        return scored
