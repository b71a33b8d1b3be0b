"""The endpoint's work: problem → candidates → verification → the best circuit; circuit → report.

Pure of Ray and HTTP: it is given the models, each with an asynchronous function that writes
candidates (none where the endpoint only verifies), a function that verifies them and one that
compiles, and raises `RequestRefused` where there is no answer to give. A request is planned first,
which finds all that is wrong with it; then its events follow, the last of them the answer.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from quasar.circuits.convert import restate
from quasar.config import DeviceName, QuasarConfig
from quasar.episodes.loop import CallTools, WriteTurns
from quasar.episodes.turns import (
    PromptTooLong,
    TextDeltas,
    WriteRequest,
    Written,
    WrittenTurn,
)
from quasar.errors import InputError, ProblemError, VerificationError
from quasar.policy.tool_calls import submitted_circuit
from quasar.problems import ProblemInstance
from quasar.schema.catalogue import (
    DescribedProblem,
    DescribedTask,
    TaskQuestion,
    describe_problem,
    describe_task,
)
from quasar.schema.circuits import (
    CircuitAnswer,
    CircuitRequest,
    Compiled,
    Event,
    GrownPiece,
    Started,
    Stopped,
    TurnGrown,
    TurnVerified,
    TurnWritten,
    WrittenCandidate,
)
from quasar.schema.verify import (
    Question,
    VerifyAnswer,
    VerifyRequest,
    to_answer,
    to_check,
)
from quasar.serving.errors import (
    RequestRefused,
    bad_problem,
    out_of_time,
    over_limits,
    unavailable,
)
from quasar.serving.hardware import compile_circuit
from quasar.serving.models import ServedModel, ServedModels
from quasar.serving.planning import plan_search
from quasar.serving.search import Search, SearchPlan, facts
from quasar.verification.limits import program_limits
from quasar.verification.request import (
    ReportRequest,
    VerificationRequest,
    VerificationResult,
)
from quasar.verification.reward import Failed

Verify = Callable[[Sequence[ReportRequest]], Awaitable[list[VerificationResult]]]
Compile = Callable[[DeviceName, str], Awaitable[Compiled]]
Item = TypeVar("Item")
_SHORTER = {  # what a prompt is made of -> what to do where it is too long
    "problem.graph": "give a smaller graph",
    "row.instance": "ask for one on fewer qubits",
    "messages": "send shorter messages",
}


async def compile_here(device: DeviceName, circuit: str) -> Compiled:
    """The `Compile` of this process, in a thread."""
    return await asyncio.to_thread(compile_circuit, device, circuit)


class CircuitService:
    """Answers requests; holds no state between them. `observe` is shown every event, with the name
    of the model.

    config: of the endpoint, one for all models: verifier, reward, limits on requests.
    """

    def __init__(
        self,
        models: ServedModels,
        verify: Verify,
        config: QuasarConfig,
        *,
        compile: Compile = compile_here,
    ):
        self.models = models
        self._verify = verify
        self._compile = compile
        self.config = config
        self.observe: Callable[[str, Event], None] = lambda model, event: None
        # The published formula needs a reference circuit, which a caller does not have.
        self._reward = config.reward.model_copy(update={"formula": "hierarchical"})

    async def verify(self, request: VerifyRequest) -> VerifyAnswer:
        """The report on one given circuit.

        Raises RequestRefused: 422 bad problem, or a circuit over the limits; 503 no verifier
        answered, 504 out of time.
        """
        limit = self.config.serving.request_timeout_s
        try:
            async with asyncio.timeout(limit):
                return await self._verify_one(request)
        except TimeoutError:
            raise out_of_time(limit, hint="send a smaller circuit") from None

    def describe(self, question: Question) -> DescribedProblem:
        """A problem as a circuit sees it. Raises RequestRefused: 422 bad problem."""
        try:
            return describe_problem(question, max_qubits=self.config.verification.max_qubits)
        except (ProblemError, InputError) as error:
            raise bad_problem(str(error), field=_field(question)) from error

    def describe_task(self, question: TaskQuestion) -> DescribedTask:
        """An instance of another task. Raises RequestRefused: 422 bad row, or not understood."""
        try:
            return describe_task(question)
        except (ProblemError, InputError) as error:
            field = "text" if question.row is None else "row"
            raise bad_problem(str(error), field=field) from error

    async def _verify_one(self, request: VerifyRequest) -> VerifyAnswer:
        try:
            check = to_check(request, max_qubits=self.config.verification.max_qubits)
        except (ProblemError, InputError) as error:
            raise bad_problem(str(error), field=_field(request)) from error
        (result,) = await self._verify([check])
        try:
            return to_answer(result, request, self._reward)
        except VerificationError as error:
            if error.kind in ("timeout", "memory"):
                raise over_limits(str(error)) from error
            raise unavailable(str(error)) from error

    async def write(
        self, model: ServedModel, request: WriteRequest
    ) -> AsyncGenerator[TextDeltas | list[WrittenTurn], None]:
        """What the model writes, not verified: where the request is streamed what its turns gain,
        then the turns. Raises RequestRefused: 422, 503, 504.
        """
        limit = self.config.serving.request_timeout_s
        deadline = asyncio.get_running_loop().time() + limit
        try:
            async with aclosing(_until(deadline, model.write(request))) as items:
                async for item in items:
                    if not isinstance(item, TextDeltas):
                        item = _that_fit(item, field="messages")
                    yield item
        except TimeoutError:
            raise out_of_time(limit, hint="ask for less") from None

    def plan(self, request: CircuitRequest, *, stream: bool = False) -> SearchPlan:
        """All that is to be done. stream: with events for the text as it grows.

        Raises RequestRefused: 404 no such model, or none at all, 422 not possible.
        """
        return plan_search(request, self.models, stream=stream)

    async def answer(self, plan: SearchPlan) -> CircuitAnswer:
        """The last of the events. Raises as they do."""
        async for event in self.events(plan):
            last = event
        assert isinstance(last, CircuitAnswer)
        return last

    async def events(self, plan: SearchPlan) -> AsyncIterator[Event]:
        """`Started`; for each turn `TurnGrown` (where the plan is streamed), `TurnWritten` and
        `TurnVerified`; then the answer.

        Raises RequestRefused: 422 the problem does not fit the prompt, 503 nothing was verified,
        504 out of time before anything was.
        """
        async for event in self._search(plan):
            self.observe(plan.model.name, event)
            yield event

    async def _search(self, plan: SearchPlan) -> AsyncIterator[Event]:
        search, episodes = Search(plan, self._reward), plan.episodes(self._reward)
        of_graph = isinstance(plan.problem, ProblemInstance)
        stated = "problem.graph" if of_graph else "row.instance"
        yield Started(
            model=plan.model.name,
            seed=plan.seed,
            samples=plan.samples,
            turns=plan.turns,
            problem=facts(plan.problem),
            warnings=list(plan.warnings),
        )
        deadline = asyncio.get_running_loop().time() + plan.limit_s
        stopped: Stopped = "turns"
        answer: list[WrittenTurn] | list[VerificationResult] | None = None
        while (action := episodes.advance(answer)) is not None:
            turn, started = len(search.turns) + 1, time.perf_counter()
            try:
                if isinstance(action, WriteTurns):
                    request = WriteRequest(action.requests, plan.stream)
                    written: list[WrittenTurn] = []
                    async with aclosing(_until(deadline, plan.model.write(request))) as items:
                        async for item in items:
                            if isinstance(item, TextDeltas):
                                yield _grown(turn, item)
                            else:
                                answer = written = _that_fit(item, field=stated)
                    event: Event = _written(turn, written, time.perf_counter() - started)
                    search.seconds["generation"] += event.seconds
                else:
                    async with asyncio.timeout_at(deadline):
                        answer = results = await self._check(action)
                    event = _verified(search, action, results, time.perf_counter() - started)
                    search.seconds["verification"] += event.seconds
            except TimeoutError:
                if not search.candidates:
                    hint = "ask for fewer samples or a longer budget_s"
                    raise out_of_time(plan.limit_s, hint=hint) from None
                stopped = "budget"
                break
            except RequestRefused:
                if not search.candidates:
                    raise
                stopped = "interrupted"
                break
            yield event
        else:
            if len(search.turns) < plan.turns:
                stopped = "satisfied"
        await self._restate(search, deadline)
        compiled = await self._compiled(search, deadline)
        yield search.answer(stopped=stopped, compiled=compiled)

    async def _check(self, action: CallTools) -> list[VerificationResult]:
        results = await self._verify([call.check for call in action.calls])
        failed = [result for result in results if isinstance(result, Failed)]
        if failed and len(failed) == len(results):
            raise unavailable(f"no candidate could be verified: {failed[0].detail}")
        return results

    async def _restate(self, search: Search, deadline: float) -> None:
        """The programs to answer in the style asked for, and the best of them verified anew.

        Where that cannot be, the best stays as the model wrote it, and the answer says why.
        """
        plan, best, started = search.plan, search.best(), time.perf_counter()
        problem = plan.problem
        if best is None or plan.style is None or not isinstance(problem, ProblemInstance):
            return
        try:
            async with asyncio.timeout_at(deadline):
                search.restated = await asyncio.to_thread(
                    restate,
                    [candidate.circuit for candidate in search.distinct()],
                    plan.style,
                    hamiltonian=problem.hamiltonian,
                    limits=program_limits(self.config.verification),
                )
                if best.circuit in search.restated:
                    check = VerificationRequest(
                        problem,
                        search.restated[best.circuit],
                        diagnose=best.report.diagnosis is not None,
                        draw=plan.draw,
                    )
                    (result,) = await self._verify([check])
                    search.restate_best(result)
        except TimeoutError:
            search.not_restated = "the time ran out"
        except RequestRefused as error:
            search.not_restated = error.message
        search.seconds["verification"] += time.perf_counter() - started

    async def _compiled(self, search: Search, deadline: float) -> Compiled | None:
        best, device = search.answered(), search.plan.device
        if best is None or device == "none":
            return None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._compile(device, best.circuit)
        except TimeoutError:
            return Compiled(device=device, message="not compiled: the time ran out")
        except RequestRefused as error:
            return Compiled(device=device, message=f"not compiled: {error.message}")


async def _until(deadline: float, items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """The items that come before the event loop's clock says so. Raises TimeoutError."""
    try:
        while True:
            # Not around the loop: what the reader does with an item is not to be cut off.
            async with asyncio.timeout_at(deadline):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item
    finally:
        await items.aclose()


def _grown(turn: int, gained: TextDeltas) -> TurnGrown:
    pieces = [GrownPiece(sample=delta.sample, text=delta.text) for delta in gained.deltas]
    return TurnGrown(turn=turn, pieces=pieces)


def _field(question: Question) -> str:
    return "problem" if question.row is None else "row"


def _written(turn: int, written: Sequence[WrittenTurn], seconds: float) -> TurnWritten:
    texts: list[Any] = [
        WrittenCandidate(turn=turn, sample=one.sample, circuit=submitted_circuit(one.text))
        for one in written
    ]
    return TurnWritten(turn=turn, candidates=texts, seconds=seconds)


def _verified(
    search: Search, action: CallTools, results: Sequence[VerificationResult], seconds: float
) -> TurnVerified:
    """Takes the results into the search."""
    found = search.take(action.calls, results)
    turn, best = len(search.turns), search.best()
    return TurnVerified(
        turn=turn,
        candidates=[one.to_candidate() for one in found],
        best=best and best.to_candidate(),
        improved=best is not None and best.turn == turn,
        seconds=seconds,
    )


def _that_fit(written: Written, *, field: str) -> list[WrittenTurn]:
    if not isinstance(written, PromptTooLong):
        return written
    raise RequestRefused(
        422,
        f"the problem takes {written.num_tokens} tokens to state, "
        f"the model reads at most {written.limit}",
        field=field,
        hint=_SHORTER[field],
    )
