"""Requests, answers and stream chunks of `POST /v1/chat/completions`, in OpenAI's format.

`quasar` in an answer is our own: of the model NAME:verified, the whole `CircuitAnswer`.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from quasar.schema.circuits import MAX_SEED, MAX_TEXT, CircuitAnswer
from quasar.schema.verify import Part

VERIFIED = ":verified"
_MAX_MESSAGES = 100
CHAT_EXAMPLE = {
    "model": f"laptop{VERIFIED}",
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
    name: str | None = Field(default=None, max_length=64)

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
        default=None, ge=1, description="choices; of NAME:verified, the candidates for one choice"
    )
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, max_length=200, description="read by no one")


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


class ChatCompletion(BaseModel):
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
