"""The OpenAI-compatible side: chat completions of the model itself, and of the verified search.

Two models are listed. NAME samples the messages and verifies nothing; NAME:verified reads the last
user message as a problem in words and answers with the best verified circuit.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from quasar.circuits.ansatz import ansatz_names
from quasar.config import DeviceName
from quasar.problems import problem_names
from quasar.serving.errors import RequestRefused
from quasar.serving.schema import (
    MAX_SEED,
    MAX_TEXT,
    CircuitAnswer,
    CircuitRequest,
    StreamRefused,
)
from quasar.serving.search import Plan
from quasar.serving.service import CircuitService
from quasar.serving.writer import Draft, Gained, Order
from quasar.tool.schema import Part

VERIFIED = ":verified"
_COLDEST = 0.01  # stands for temperature 0: the engines sample
_MAX_MESSAGES = 100
_DEFAULT_TEMPERATURE = 1.0  # OpenAI's
CHAT_EXAMPLE = {
    "model": f"model/final{VERIFIED}",
    "messages": [{"role": "user", "content": "minimum vertex cover of the graph 0-1 1-2 2-3"}],
    "n": 4,
}


class TextPart(Part):
    """One part of a message's content."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class Message(Part):
    """One message of the conversation so far."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[TextPart] = Field(max_length=MAX_TEXT)
    name: str | None = Field(None, max_length=64)

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(Part):
    """Of a stream."""

    include_usage: bool = False


class ChatRequest(Part):
    """A chat completion as OpenAI's clients ask for it; what is not here is not supported."""

    model_config = ConfigDict(json_schema_extra={"examples": [CHAT_EXAMPLE]})

    model: str = Field(max_length=200, description="as GET /v1/models names it")
    messages: list[Message] = Field(min_length=1, max_length=_MAX_MESSAGES)
    n: int | None = Field(
        None, ge=1, description="choices; of NAME:verified, the candidates for one choice"
    )
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, max_length=200, description="read by no one")


class Usage(BaseModel):
    """Tokens of all choices."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessage(BaseModel):
    """What was written."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """One completion."""

    index: int
    message: ChatMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class Completion(BaseModel):
    """Answer of `POST /v1/chat/completions`. `quasar`: of NAME:verified, the whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None
    quasar: CircuitAnswer | None = None


class Delta(BaseModel):
    """A piece of a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """A piece of one choice."""

    index: int
    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None


class Chunk(BaseModel):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    quasar: CircuitAnswer | None = None


class Chat:
    """One chat completion, checked; `complete` does it."""

    def __init__(self, service: CircuitService, request: ChatRequest):
        """Raises RequestRefused: 404 an unknown model, 422 what cannot be read."""
        self._service = service
        self._request = request
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._plan: Plan | None = None
        name = request.model
        if service.model is None or name not in (service.model, service.model + VERIFIED):
            raise RequestRefused(
                404,
                f"there is no model {name!r}",
                field="model",
                mend="name a model of GET /v1/models",
            )
        if name.endswith(VERIFIED):
            self._plan = self._verified_plan()
        elif (request.n or 1) > service.config.serving.max_samples:
            limit = service.config.serving.max_samples
            raise RequestRefused(
                422, f"n is over the limit of {limit}", field="n", mend=f"ask for at most {limit}"
            )

    def _verified_plan(self) -> Plan:
        request = self._request
        texts = [message.text for message in request.messages if message.role == "user"]
        for field in ("top_p", "max_tokens", "max_completion_tokens"):
            if getattr(request, field) is not None:
                raise RequestRefused(
                    422,
                    f"{field} is not supported by {request.model}",
                    field=field,
                    mend=f"remove it, or ask {request.model.removesuffix(VERIFIED)}",
                )
        if not texts or not texts[-1].strip():
            raise RequestRefused(
                422, "there is no user message", field="messages", mend="state the problem in one"
            )
        temperature = request.temperature
        asked = CircuitRequest(
            text=texts[-1][:MAX_TEXT],
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

    async def complete(self) -> Completion:
        """The completion. Raises RequestRefused as the service does."""
        if self._plan is not None:
            answer = await self._service.answer(self._plan)
            choice = Choice(
                index=0, message=ChatMessage(content=_told(answer)), finish_reason="stop"
            )
            return self._completion([choice], usage=None, answer=answer)
        async with aclosing(self._service.write(self._order(stream=False))) as items:
            drafts = await anext(items)
        choices = [
            Choice(
                index=i,
                message=ChatMessage(content=draft.text),
                finish_reason=_why_ended(draft),
            )
            for i, draft in enumerate(drafts)
        ]
        return self._completion(choices, usage=_usage(drafts), answer=None)

    def _order(self, *, stream: bool) -> Order:
        request = self._request
        temperature = request.temperature
        return Order(
            tuple({"role": m.role, "content": m.text} for m in request.messages),
            request.n or 1,
            max(_DEFAULT_TEMPERATURE if temperature is None else temperature, _COLDEST),
            secrets.randbelow(MAX_SEED) if request.seed is None else request.seed,
            top_p=request.top_p or 1.0,
            max_tokens=request.max_completion_tokens or request.max_tokens,
            stream=stream,
        )

    def _completion(
        self, choices: list[Choice], *, usage: Usage | None, answer: CircuitAnswer | None
    ) -> Completion:
        return Completion(
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
            async with aclosing(self._service.write(self._order(stream=True))) as items:
                async for item in items:
                    if isinstance(item, Gained):
                        for piece in item.pieces:
                            delta = Delta(content=piece.text)
                            yield self._chunk(ChunkChoice(index=piece.sample, delta=delta))
                        continue
                    usage = _usage(item)
                    for i, draft in enumerate(item):
                        yield self._last_chunk(i, _why_ended(draft))
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


def show_chunk(chunk: Chunk) -> str:
    """As OpenAI's clients read it: no event names."""
    unset = {name for name in ("usage", "quasar") if getattr(chunk, name) is None}
    return f"data: {chunk.model_dump_json(exclude=unset)}\n\n"


def show_refusal(refusal: RequestRefused) -> str:
    """An error in the middle of a stream, which OpenAI's clients raise."""
    event = StreamRefused(status=refusal.status, **refusal.to_dict())
    return f"data: {event.model_dump_json()}\n\n"


DONE = "data: [DONE]\n\n"


def _told(answer: CircuitAnswer) -> str:
    return answer.circuit if answer.circuit is not None else answer.message


def _usage(drafts: list[Draft]) -> Usage:
    prompt = drafts[0].prompt_tokens if drafts else 0
    new = sum(draft.new_tokens for draft in drafts)
    return Usage(prompt_tokens=prompt, completion_tokens=new, total_tokens=prompt + new)


def _why_ended(draft: Draft) -> Literal["stop", "length"]:
    return "stop" if draft.finished else "length"


def listed(service: CircuitService) -> list[dict[str, Any]]:
    """The entries of GET /v1/models; without a model one with a null id, which has the limits."""
    config = service.config
    limits = {
        "object": "model",
        "created": 0,
        "owned_by": "quasar",
        "primitives": list(problem_names()),
        "max_qubits": config.verification.max_qubits,
        "samples": min(config.serving.samples, config.serving.max_samples),
        "max_samples": config.serving.max_samples,
        "max_turns": config.serving.max_turns,
        "temperature": config.evaluation.temperature,
        "constrained": config.generation.constrained,
        "ansatze": list(ansatz_names()),
        "devices": list(get_args(DeviceName)),
        "max_prompt_tokens": config.generation.max_prompt_tokens,
        "max_body_bytes": config.serving.max_body_bytes,
        "request_timeout_s": config.serving.request_timeout_s,
    }
    if service.model is None:
        return [{"id": None, **limits}]
    return [{"id": name, **limits} for name in (service.model, service.model + VERIFIED)]
