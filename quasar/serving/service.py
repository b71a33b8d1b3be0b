"""The endpoint's work: problem → candidates → verification → the best circuit; circuit → report.

Pure of Ray and HTTP: it is given two asynchronous functions, one that writes candidates (None where
the endpoint only verifies) and one that verifies them, and raises `RequestRefused` where there is
no answer to give.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from math import prod
from typing import Any, TypeVar

from quasar.circuits.extraction import extract_program
from quasar.config import QuasarConfig
from quasar.datasets.prompts import build_messages
from quasar.errors import InputError, ProblemError, VerificationError
from quasar.problems import ProblemInstance
from quasar.rewards import Failed, Scored, score
from quasar.serving.errors import (
    RequestRefused,
    bad_problem,
    no_model,
    over_limits,
    unavailable,
)
from quasar.serving.schema import (
    MAX_SEED,
    Candidates,
    CircuitAnswer,
    CircuitRequest,
    Finding,
)
from quasar.serving.writer import Draft, Order, TooLong, Written
from quasar.tool.schema import VerifyAnswer, VerifyRequest, to_answer, to_check, to_instance
from quasar.verification.report import Outcome, VerificationReport
from quasar.verification.worker import Check, Result

Write = Callable[[Order], Awaitable[Written]]
Verify = Callable[[Sequence[Check]], Awaitable[list[Result]]]
Answer = TypeVar("Answer")


class CircuitService:
    """Answers requests; holds no state between them."""

    def __init__(
        self, write: Write | None, verify: Verify, config: QuasarConfig, *, model: str | None
    ):
        self._write = write
        self._verify = verify
        self.config = config
        self.model = model
        # The published formula needs a reference circuit, which a caller does not have.
        self._reward = config.reward.model_copy(update={"formula": "hierarchical"})

    async def answer(self, request: CircuitRequest) -> CircuitAnswer:
        """Raises RequestRefused: 404 no model, 422 bad problem, 503 no candidate verified, 504 out
        of time.
        """
        if self._write is None:
            raise no_model()
        return await self._in_time(self._answer(request), mend="ask for fewer samples")

    async def verify(self, request: VerifyRequest) -> VerifyAnswer:
        """The report on one given circuit.

        Raises RequestRefused: 422 bad problem, or a circuit over the limits; 503 no verifier
        answered, 504 out of time.
        """
        return await self._in_time(self._verify_one(request), mend="send a smaller circuit")

    async def _in_time(self, work: Coroutine[Any, Any, Answer], *, mend: str) -> Answer:
        limit = self.config.serving.request_timeout_s
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError:
            raise RequestRefused(
                504,
                f"no answer within {limit:g} seconds",
                mend=f"{mend}, or raise serving.request_timeout_s",
            ) from None

    async def _verify_one(self, request: VerifyRequest) -> VerifyAnswer:
        try:
            check = to_check(request, max_qubits=self.config.verification.max_qubits)
        except (ProblemError, InputError) as error:
            field = "problem" if request.row is None else "row"
            raise bad_problem(str(error), field=field) from error
        (result,) = await self._verify([check])
        try:
            return to_answer(result, request, self._reward)
        except VerificationError as error:
            if error.kind in ("timeout", "memory"):
                raise over_limits(str(error)) from error
            raise unavailable(str(error)) from error

    async def _answer(self, request: CircuitRequest) -> CircuitAnswer:
        samples = self._samples(request)
        limit = self.config.verification.max_qubits
        try:
            problem = to_instance(request.problem, max_qubits=limit)
        except ProblemError as error:
            raise bad_problem(str(error), field="problem") from error
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        started = time.perf_counter()
        drafts = await self._drafts(problem, request, samples=samples, seed=seed)
        written = time.perf_counter()
        texts = [draft.text for draft in drafts]
        results = await self._verify([Check(problem, text) for text in texts])
        seconds = {
            "generation": round(written - started, 4),
            "verification": round(time.perf_counter() - written, 4),
        }
        return self._judge(problem, texts, results, seed=seed, seconds=seconds)

    def _samples(self, request: CircuitRequest) -> int:
        serving = self.config.serving
        samples = min(serving.samples, serving.max_samples)
        if request.samples is not None:
            samples = request.samples
        if samples > serving.max_samples:
            raise RequestRefused(
                422,
                f"{samples} samples are more than the limit of {serving.max_samples}",
                field="samples",
                mend=f"ask for at most {serving.max_samples}",
            )
        return samples

    async def _drafts(
        self, problem: ProblemInstance, request: CircuitRequest, *, samples: int, seed: int
    ) -> list[Draft]:
        temperature = request.temperature or self.config.evaluation.temperature
        messages = build_messages(
            problem,
            ansatz=self.config.dataset.ansatze[0],
            layers=self.config.dataset.layers[0],
            style=self.config.dataset.prompts,
        )
        constrained = request.constrained
        if constrained is None:
            constrained = self.config.generation.constrained
        size = problem.num_qubits if constrained else None
        written = await self._write(Order(tuple(messages), samples, temperature, seed, size))
        if isinstance(written, TooLong):
            raise RequestRefused(
                422,
                f"the problem takes {written.num_tokens} tokens to state, "
                f"the model reads at most {written.limit}",
                field="problem.graph",
                mend="give a smaller graph",
            )
        return written

    def _judge(
        self,
        problem: ProblemInstance,
        texts: Sequence[str],
        results: Sequence[Result],
        *,
        seed: int,
        seconds: dict[str, float],
    ) -> CircuitAnswer:
        reports = [(i, r) for i, r in enumerate(results) if isinstance(r, VerificationReport)]
        failed = [r for r in results if isinstance(r, Failed)]
        if failed and not reports:
            raise unavailable(f"no candidate could be verified: {failed[0].detail}")
        valid = [(i, report, self._score(report)) for i, report in reports if report.valid]
        common = {
            "candidates": Candidates(
                drawn=len(texts),
                valid=len(valid),
                invalid=len(reports) - len(valid),
                unverified=len(failed),
            ),
            "findings": findings([report for _, report in reports if not report.valid]),
            "model": self.model,
            "seed": seed,
            "seconds": seconds,
        }
        if not valid:
            return _nothing(common)
        i, report, scored = max(valid, key=lambda item: item[2].value)
        return CircuitAnswer(
            circuit=extract_program(texts[i]),
            valid=True,
            message=f"best of {len(valid)} valid circuits from {len(texts)} candidates",
            reward=scored.value,
            reward_parts=dict(scored.parts),
            report=report.to_dict(),
            **best_outcome(problem, report),
            **common,
        )

    def _score(self, report: VerificationReport) -> Scored:
        return score(report, self._reward)


def _nothing(common: dict[str, Any]) -> CircuitAnswer:
    drawn = common["candidates"].drawn
    return CircuitAnswer(
        circuit=None,
        valid=False,
        message=f"none of the {drawn} candidates is a valid circuit; ask for more samples, "
        "another seed or a smaller problem",
        reward=None,
        reward_parts={},
        report=None,
        **_no_outcome(),
        **common,
    )


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


def findings(invalid: Sequence[VerificationReport]) -> list[Finding]:
    """Kinds of errors, most frequent first, each with the first message of its kind."""
    errors = [report.error for report in invalid if report.error is not None]
    first = {error.kind: error.message for error in reversed(errors)}
    counted = Counter(error.kind for error in errors).most_common()
    return [Finding(kind=kind, message=first[kind], count=count) for kind, count in counted]
