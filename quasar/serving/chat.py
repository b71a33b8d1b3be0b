"""The OpenAI-compatible side: chat completions of the model itself, and of the verified search.

Each model is listed twice. NAME samples the messages and verifies nothing; NAME:verified reads the
last user message as a problem in words and answers with the best verified circuit.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Literal, get_args

from fastapi.sse import format_sse_event

from quasar.circuits.ansatz import ansatz_names
from quasar.config import DeviceName, QuasarConfig
from quasar.episodes.sampling import turn_tokens
from quasar.episodes.turns import TextDeltas, TurnRequest, WriteRequest, WrittenTurn
from quasar.policy.engines.protocol import Sampling, stream_seed
from quasar.problems import problem_names
from quasar.schema.chat import (
    VERIFIED,
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    Choice,
    Chunk,
    ChunkChoice,
    Delta,
    Usage,
)
from quasar.schema.circuits import (
    MAX_SEED,
    MAX_TEXT,
    CircuitAnswer,
    CircuitRequest,
    StreamError,
)
from quasar.serving.errors import RequestRefused
from quasar.serving.responses import sse
from quasar.serving.search import SearchPlan
from quasar.serving.service import CircuitService
from quasar.serving.trained_range import trained_range

_COLDEST = 0.01  # stands for temperature 0: the engines sample
_DEFAULT_TEMPERATURE = 1.0  # OpenAI's


class Chat:
    """One chat completion, checked; `complete` does it."""

    def __init__(self, service: CircuitService, request: ChatRequest):
        """Raises RequestRefused: 404 an unknown model, 422 what cannot be read."""
        name = request.model
        self.model = service.models.named(name.removesuffix(VERIFIED))
        self._service = service
        self._request = request
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._plan: SearchPlan | None = None
        limit = self.model.config.serving.max_samples
        if name.endswith(VERIFIED):
            self._plan = self._verified_plan()
        elif (request.n or 1) > limit:
            raise RequestRefused(
                422, f"n is over the limit of {limit}", field="n", hint=f"ask for at most {limit}"
            )

    def _verified_plan(self) -> SearchPlan:
        request = self._request
        texts = [message.text for message in request.messages if message.role == "user"]
        for field in ("top_p", "max_tokens", "max_completion_tokens"):
            if getattr(request, field) is not None:
                raise RequestRefused(
                    422,
                    f"{field} is not supported by {request.model}",
                    field=field,
                    hint=f"remove it, or ask {request.model.removesuffix(VERIFIED)}",
                )
        if not texts or not texts[-1].strip():
            raise RequestRefused(
                422, "there is no user message", field="messages", hint="state the problem in one"
            )
        temperature = request.temperature
        asked = CircuitRequest(
            text=texts[-1][:MAX_TEXT],
            model=self.model.name,
            samples=request.n,
            temperature=None if temperature is None else max(temperature, _COLDEST),
            seed=request.seed,
        )
        try:
            return self._service.plan(asked)
        except RequestRefused as refusal:
            if refusal.field in ("text", "samples"):
                refusal.field = "messages" if refusal.field == "text" else "n"
            raise

    async def complete(self) -> ChatCompletion:
        """The completion. Raises RequestRefused as the service does."""
        if self._plan is not None:
            answer = await self._service.answer(self._plan)
            choice = Choice(
                index=0, message=ChatMessage(content=_told(answer)), finish_reason="stop"
            )
            return self._completion([choice], usage=None, answer=answer)
        request = self._write_request(stream=False)
        async with aclosing(self._service.write(self.model, request)) as items:
            written = await anext(items)
        assert not isinstance(written, TextDeltas)  # not streamed
        choices = [
            Choice(
                index=i,
                message=ChatMessage(content=turn.text),
                finish_reason=_why_ended(turn),
            )
            for i, turn in enumerate(written)
        ]
        return self._completion(choices, usage=_usage(written), answer=None)

    def _write_request(self, *, stream: bool) -> WriteRequest:
        """A single turn of each choice."""
        request, generation = self._request, self.model.config.generation
        temperature, longest = request.temperature, turn_tokens(generation)
        asked_tokens = request.max_completion_tokens or request.max_tokens or longest
        sampling = Sampling(
            max(_DEFAULT_TEMPERATURE if temperature is None else temperature, _COLDEST),
            1.0 if request.top_p is None else request.top_p,
            min(longest, asked_tokens),
            generation.stop_at_program_end,
        )
        messages = tuple({"role": m.role, "content": m.text} for m in request.messages)
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        turns = tuple(
            TurnRequest(sample, messages, stream_seed(seed, sample), sampling)
            for sample in range(1 if request.n is None else request.n)
        )
        return WriteRequest(turns, stream)

    def _completion(
        self, choices: list[Choice], *, usage: Usage | None, answer: CircuitAnswer | None
    ) -> ChatCompletion:
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._request.model,
            choices=choices,
            usage=usage,
            quasar=answer,
        )

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The completion in pieces: the role at once, the model's text as it grows; a circuit when
        it is verified."""
        request = self._request
        usage = None
        count = 1 if self._plan is not None else request.n or 1
        for i in range(count):
            yield self._chunk(ChunkChoice(index=i, delta=Delta(role="assistant", content="")))
        if self._plan is not None:
            done = await self.complete()
            (choice,) = done.choices
            yield self._chunk(ChunkChoice(index=0, delta=Delta(content=choice.message.content)))
            yield self._last_chunk(0, choice.finish_reason, answer=done.quasar)
        else:
            asked = self._write_request(stream=True)
            async with aclosing(self._service.write(self.model, asked)) as items:
                async for item in items:
                    if isinstance(item, TextDeltas):
                        for gained in item.deltas:
                            delta = Delta(content=gained.text)
                            yield self._chunk(ChunkChoice(index=gained.sample, delta=delta))
                        continue
                    usage = _usage(item)
                    for i, turn in enumerate(item):
                        yield self._last_chunk(i, _why_ended(turn))
        if request.stream_options is not None and request.stream_options.include_usage:
            yield self._chunk(None, usage=usage)

    def _last_chunk(
        self,
        index: int,
        finish_reason: Literal["stop", "length"],
        *,
        answer: CircuitAnswer | None = None,
    ) -> Chunk:
        choice = ChunkChoice(index=index, delta=Delta(), finish_reason=finish_reason)
        return self._chunk(choice, answer=answer)

    def _chunk(
        self,
        choice: ChunkChoice | None,
        *,
        usage: Usage | None = None,
        answer: CircuitAnswer | None = None,
    ) -> Chunk:
        return Chunk(
            id=self._id,
            created=self._created,
            model=self._request.model,
            choices=[choice] if choice else [],
            usage=usage,
            quasar=answer,
        )


def show_chunk(chunk: Chunk) -> bytes:
    """As OpenAI's clients read it: no event names."""
    unset = {name for name in ("usage", "quasar") if getattr(chunk, name) is None}
    return format_sse_event(data_str=chunk.model_dump_json(exclude=unset))


def show_refusal(refusal: RequestRefused) -> bytes:
    """An error in the middle of a stream, which OpenAI's clients raise."""
    return sse(StreamError(status=refusal.status, **refusal.to_dict()))


DONE = format_sse_event(data_str="[DONE]")


def _told(answer: CircuitAnswer) -> str:
    return answer.circuit if answer.circuit is not None else answer.message


def _usage(written: list[WrittenTurn]) -> Usage:
    prompt = len(written[0].prompt_ids) if written else 0
    new = sum(len(turn.completion.token_ids) for turn in written)
    return Usage(prompt_tokens=prompt, completion_tokens=new, total_tokens=prompt + new)


def _why_ended(turn: WrittenTurn) -> Literal["stop", "length"]:
    return "stop" if turn.finished else "length"


def listed(service: CircuitService) -> list[dict[str, Any]]:
    """The entries of GET /v1/models, in the order in which models are picked; without any one with
    a null id, which has the limits.
    """
    shared = {"max_body_bytes": service.config.serving.max_body_bytes}
    if not service.models:
        return [{"id": None, **_limits(service.config), **shared}]
    return [
        {"id": name, **_limits(model.config), **shared, "trained": trained_range(model.config)}
        for model in service.models
        for name in (model.name, model.name + VERIFIED)
    ]


def _limits(config: QuasarConfig) -> dict[str, Any]:
    """What one request may ask for, and what it gets where it does not say."""
    return {
        "object": "model",
        "created": 0,
        "owned_by": "quasar",
        "primitives": list(problem_names()),
        "max_qubits": config.verification.max_qubits,
        "samples": min(config.serving.samples, config.serving.max_samples),
        "max_samples": config.serving.max_samples,
        "max_turns": config.serving.max_turns,
        "temperature": config.serving.temperature,
        "constrained": config.generation.constrained,
        "ansatze": list(ansatz_names()),
        "devices": list(get_args(DeviceName)),
        "max_prompt_tokens": config.generation.max_prompt_tokens,
        "request_timeout_s": config.serving.request_timeout_s,
    }
