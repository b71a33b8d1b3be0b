"""The endpoint's work: problem → candidates → verification → the best circuit; circuit → report.

Pure of Ray and HTTP: it is given asynchronous functions, one that writes candidates (None where
the endpoint only verifies), one that verifies them and one that compiles, and raises
`RequestRefused` where there is no answer to give. A request is planned first, which finds all that
is wrong with it; then its events follow, the last of them the answer.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from quasar.circuits.ansatz import get_ansatz
from quasar.config import DeviceName, QuasarConfig
from quasar.datasets.prompts import build_messages
from quasar.errors import InputError, ProblemError, VerificationError
from quasar.policy.tool_calls import submitted_circuit
from quasar.problems import ProblemInstance
from quasar.rewards import Failed
from quasar.serving.errors import (
    RequestRefused,
    bad_problem,
    no_model,
    out_of_time,
    over_limit,
    over_limits,
    unavailable,
)
from quasar.serving.hardware import compile_circuit
from quasar.serving.schema import (
    MAX_SEED,
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
from quasar.serving.search import Plan, Search, facts
from quasar.serving.text import read_problem
from quasar.serving.writer import Draft, Gained, Order, TooLong, Written
from quasar.tool.description import DescribedProblem, describe_problem
from quasar.tool.schema import (
    Question,
    VerifyAnswer,
    VerifyRequest,
    to_answer,
    to_check,
    to_instance,
)
from quasar.verification.worker import Check, Result

# What the drafts of an order gain, where it is streamed; then the drafts, or that it is too long.
Write = Callable[[Order], AsyncGenerator[Gained | Written, None]]
Verify = Callable[[Sequence[Check]], Awaitable[list[Result]]]
Compile = Callable[[DeviceName, str], Awaitable[Compiled]]
Item = TypeVar("Item")


async def compile_here(device: DeviceName, circuit: str) -> Compiled:
    """The `Compile` of this process, in a thread."""
    return await asyncio.to_thread(compile_circuit, device, circuit)


class CircuitService:
    """Answers requests; holds no state between them. `observe` is shown every event."""

    def __init__(
        self,
        write: Write | None,
        verify: Verify,
        config: QuasarConfig,
        *,
        model: str | None,
        compile: Compile = compile_here,
    ):
        self._write = write
        self._verify = verify
        self._compile = compile
        self.config = config
        self.model = model
        self.observe: Callable[[Event], None] = lambda event: None
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
            raise out_of_time(limit, mend="send a smaller circuit") from None

    def describe(self, question: Question) -> DescribedProblem:
        """A problem as a circuit sees it. Raises RequestRefused: 422 bad problem."""
        try:
            return describe_problem(question, max_qubits=self.config.verification.max_qubits)
        except (ProblemError, InputError) as error:
            raise bad_problem(str(error), field=_field(question)) from error

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

    async def write(self, order: Order) -> AsyncGenerator[Gained | list[Draft], None]:
        """What the model writes, not verified: where the order is streamed what its drafts gain,
        then the drafts. Raises RequestRefused: 404, 422, 503, 504.
        """
        if self._write is None:
            raise no_model()
        limit = self.config.serving.request_timeout_s
        deadline = asyncio.get_running_loop().time() + limit
        try:
            async with aclosing(_until(deadline, self._write(order))) as items:
                async for item in items:
                    yield item if isinstance(item, Gained) else _that_fit(item, field="messages")
        except TimeoutError:
            raise out_of_time(limit, mend="ask for less") from None

    def plan(self, request: CircuitRequest, *, stream: bool = False) -> Plan:
        """All that is to be done. stream: with events for the text as it grows.

        Raises RequestRefused: 404 no model, 422 not possible.
        """
        if self._write is None:
            raise no_model()
        serving, dataset = self.config.serving, self.config.dataset
        default = min(serving.samples, serving.max_samples)
        samples = default if request.samples is None else request.samples
        if samples > serving.max_samples:
            raise over_limit("samples", samples, serving.max_samples)
        if request.turns > serving.max_turns:
            raise over_limit("turns", request.turns, serving.max_turns)
        if request.budget_s is not None and request.budget_s > serving.request_timeout_s:
            raise over_limit("budget_s", request.budget_s, serving.request_timeout_s)
        ansatz = request.ansatz or dataset.ansatze[0]
        if request.ansatz is not None:
            try:
                get_ansatz(request.ansatz)
            except InputError as error:
                raise RequestRefused(
                    422, str(error), field="ansatz", mend="name one of these"
                ) from error
        problem = self._problem(request)
        constrained = request.constrained
        if constrained is None:
            constrained = self.config.generation.constrained
        messages = build_messages(
            problem,
            ansatz=ansatz,
            layers=request.layers or dataset.layers[0],
            style=dataset.prompts,
        )
        return Plan(
            problem=problem,
            messages=tuple(messages),
            samples=samples,
            turns=request.turns,
            temperature=request.temperature or self.config.evaluation.temperature,
            seed=secrets.randbelow(MAX_SEED) if request.seed is None else request.seed,
            limit_s=request.budget_s or serving.request_timeout_s,
            num_qubits=problem.num_qubits if constrained else None,
            device=request.device,
            alternatives=request.alternatives,
            draw=request.draw,
            stream=stream,
        )

    def _problem(self, request: CircuitRequest) -> ProblemInstance:
        field = "problem" if request.text is None else "text"
        try:
            stated = read_problem(request.text) if request.problem is None else request.problem
            return to_instance(stated, max_qubits=self.config.verification.max_qubits)
        except ProblemError as error:
            raise bad_problem(str(error), field=field) from error

    async def answer(self, plan: Plan) -> CircuitAnswer:
        """The last of the events. Raises as they do."""
        async for event in self.events(plan):
            last = event
        assert isinstance(last, CircuitAnswer)
        return last

    async def events(self, plan: Plan) -> AsyncIterator[Event]:
        """`Started`; for each turn `TurnGrown` (where the plan is streamed), `TurnWritten` and
        `TurnVerified`; then the answer.

        Raises RequestRefused: 422 the problem does not fit the prompt, 503 nothing was verified,
        504 out of time before anything was.
        """
        async for event in self._search(plan):
            self.observe(event)
            yield event

    async def _search(self, plan: Plan) -> AsyncIterator[Event]:
        search = Search(plan, self._reward, self.config.generation)
        yield Started(
            model=self.model,
            seed=plan.seed,
            samples=plan.samples,
            turns=plan.turns,
            problem=facts(plan.problem),
        )
        deadline = asyncio.get_running_loop().time() + plan.limit_s
        again: tuple[tuple[Draft, str], ...] = ()
        stopped: Stopped = "turns"
        for turn in range(plan.turns):
            started = time.perf_counter()
            try:
                async with aclosing(_until(deadline, self._draft(plan, turn, again))) as items:
                    async for item in items:
                        if isinstance(item, Gained):
                            yield _grown(turn + 1, item)
                        else:
                            drafts = _that_fit(item, field="problem.graph")
                search.seconds["generation"] += time.perf_counter() - started
                yield _written(turn + 1, drafts, time.perf_counter() - started)
                started = time.perf_counter()
                async with asyncio.timeout_at(deadline):
                    results = await self._check(plan, drafts, diagnose=turn + 1 < plan.turns)
                search.seconds["verification"] += time.perf_counter() - started
            except TimeoutError:
                if not search.judged:
                    mend = "ask for fewer samples or a longer budget_s"
                    raise out_of_time(plan.limit_s, mend=mend) from None
                stopped = "budget"
                break
            except RequestRefused:
                if not search.judged:
                    raise
                stopped = "interrupted"
                break
            judged = search.judge(drafts, results)
            best = search.best()
            yield TurnVerified(
                turn=turn + 1,
                candidates=[found.to_candidate() for found in judged],
                best=best and best.to_candidate(),
                improved=best is not None and best.turn == turn + 1,
                seconds=time.perf_counter() - started,
            )
            again = search.to_write_again(judged)
            if not again and turn + 1 < plan.turns:
                stopped = "satisfied"
                break
        compiled = await self._compiled(search, deadline)
        yield search.answer(model=self.model, stopped=stopped, compiled=compiled)

    def _draft(
        self, plan: Plan, turn: int, again: tuple[tuple[Draft, str], ...]
    ) -> AsyncGenerator[Gained | Written, None]:
        order = Order(
            plan.messages,
            plan.samples,
            plan.temperature,
            plan.seed,
            plan.num_qubits,
            turn=turn,
            again=again,
            stream=plan.stream,
        )
        return self._write(order)

    async def _check(self, plan: Plan, drafts: Sequence[Draft], *, diagnose: bool) -> list[Result]:
        checks = [
            Check(plan.problem, submitted_circuit(draft.text), diagnose=diagnose, draw=plan.draw)
            for draft in drafts
        ]
        results = await self._verify(checks)
        failed = [result for result in results if isinstance(result, Failed)]
        if len(failed) == len(results):
            raise unavailable(f"no candidate could be verified: {failed[0].detail}")
        return results

    async def _compiled(self, search: Search, deadline: float) -> Compiled | None:
        best, device = search.best(), search.plan.device
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


def _grown(turn: int, gained: Gained) -> TurnGrown:
    pieces = [GrownPiece(sample=piece.sample, text=piece.text) for piece in gained.pieces]
    return TurnGrown(turn=turn, pieces=pieces)


def _field(question: Question) -> str:
    return "problem" if question.row is None else "row"


def _written(turn: int, drafts: Sequence[Draft], seconds: float) -> TurnWritten:
    texts: list[Any] = [
        WrittenCandidate(turn=turn, sample=draft.sample, circuit=submitted_circuit(draft.text))
        for draft in drafts
    ]
    return TurnWritten(turn=turn, candidates=texts, seconds=seconds)


def _that_fit(written: Written, *, field: str) -> list[Draft]:
    if not isinstance(written, TooLong):
        return written
    raise RequestRefused(
        422,
        f"the problem takes {written.num_tokens} tokens to state, "
        f"the model reads at most {written.limit}",
        field=field,
        mend="give a smaller graph" if field == "problem.graph" else "send shorter messages",
    )
