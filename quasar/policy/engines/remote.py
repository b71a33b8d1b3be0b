"""A model behind any OpenAI-compatible server, beside the engines that hold a model themselves.

Takes messages, gives text (`ChatEngine`). A request that fails is made again with a growing wait;
each attempt is bounded in seconds and bytes, whatever the server sends or does not send. Tool calls
of the server's answer become the text that a chat template's calls are, so that the one loop of
turns reads them; going back they are the server's own again.
"""

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from quasar.config import RemoteConfig
from quasar.errors import ConfigError, EngineError
from quasar.policy.engines.protocol import ChatEngine, Completion, Sampling
from quasar.policy.tool_calls import CALL, CALL_END, DECLARATIONS
from quasar.system.backoff import MAX_RETRY_AFTER_S, backoff_s, retry_after_s
from quasar.system.plain_text import one_line

logger = logging.getLogger(__name__)

_AGAIN = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
_CONNECT_S = 10.0
_TELL_EVERY_S = 10.0  # between two log lines on requests that are made again
_SEEDS = 2**31  # some servers take no larger ones
_SAID = 200  # characters of a server's own words in a message
_CALL_ID = "call_{}"  # of the call that a turn made


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens read and written, as the server counts them; requests made, retries included."""

    read: int = 0
    written: int = 0
    requests: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.read + other.read, self.written + other.written, self.requests + other.requests
        )

    def cost(self, settings: RemoteConfig) -> float | None:
        """In the currency of the prices; None where a price is not given."""
        if settings.input_price is None or settings.output_price is None:
            return None
        return (self.read * settings.input_price + self.written * settings.output_price) / 1e6


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, Any] = ""


class _ToolCall(BaseModel):
    function: _Function


class _Part(BaseModel):
    text: str = ""


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(BaseModel):
    """What is read of a chat completion; all else is left alone."""

    choices: list[_Choice]
    usage: _Usage | None = None


class _Fault(Exception):
    """An attempt that gave nothing. again: whether another one may; wait_s: asked for."""

    def __init__(self, told: str, *, again: bool, wait_s: float | None = None):
        super().__init__(told)
        self.again, self.wait_s = again, wait_s


class RemoteEngine(ChatEngine):
    """See the module. Use as a context, or `close` it; closing ends what is under way."""

    def __init__(
        self,
        settings: RemoteConfig,
        *,
        tool_format: str = "compact",
        tools: Sequence[str] = ("verify",),
    ):
        """tool_format, tools: of `generation`. Raises ConfigError without address, model or a key
        that can be sent.
        """
        if settings.url is None or not settings.model:
            raise ConfigError("name server and model: --endpoint URL --model NAME")
        self._settings = settings
        self._url = _completions_url(settings.url)
        self._tools = [DECLARATIONS[name] for name in tools]
        self._calls = tool_format == "chat_template"
        self._key = _key(settings.api_key_env)
        self._usage = threading.local()
        self._lock, self._closed = threading.Lock(), False
        self._told_next = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        limits = httpx.Limits(
            max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
        )
        self._http = httpx.AsyncClient(limits=limits, follow_redirects=False)

    @property
    def name(self) -> str:
        """The model, with the address that it is asked at."""
        return f"{self._settings.model} at {self._settings.url}"

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        earlier: Sequence[tuple[str, str]],
        seed: int,
        sampling: Sampling,
    ) -> Completion:
        """See `ChatEngine`. What it took is added to `take_usage` of this thread."""
        body = self._body(messages, earlier, seed, sampling)
        with self._lock:
            if self._closed:
                raise EngineError(f"{self.name}: closed")
            asked = asyncio.run_coroutine_threadsafe(self._ask(body), self._loop)
        answer, attempts = asked.result()
        choice, usage = answer.choices[0], answer.usage or _Usage()
        self._count(TokenUsage(usage.prompt_tokens, usage.completion_tokens, attempts))
        return Completion(
            _text(choice.message),
            (),
            (),
            choice.finish_reason != "length",
            counted_tokens=max(0, usage.completion_tokens),
        )

    def take_usage(self) -> TokenUsage:
        """What the calling thread's completions took since it asked last."""
        taken = getattr(self._usage, "sum", TokenUsage())
        self._usage.sum = TokenUsage()
        return taken

    def close(self) -> None:
        """End all requests; whoever waits for one gets an EngineError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> "RemoteEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    def _count(self, used: TokenUsage) -> None:
        self._usage.sum = getattr(self._usage, "sum", TokenUsage()) + used

    def _body(
        self,
        messages: Sequence[Mapping[str, str]],
        earlier: Sequence[tuple[str, str]],
        seed: int,
        sampling: Sampling,
    ) -> dict[str, Any]:
        settings = self._settings
        drawn: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed % _SEEDS,
            "max_tokens": sampling.max_tokens,
        }
        body = {name: value for name, value in drawn.items() if name not in settings.omit}
        if "max_tokens" in body:
            body[settings.max_tokens_field] = body.pop("max_tokens")
        asked = [dict(message) for message in messages]
        for turn, (text, observation) in enumerate(earlier):
            asked += _turn(turn, text, observation) if self._calls else _plain(text, observation)
        body |= {"model": settings.model, "messages": asked}
        return body | {"tools": self._tools} if self._calls else body

    async def _ask(self, body: Mapping[str, Any]) -> tuple[_Answer, int]:
        """The answer and the attempts that it took, which are bounded. Raises EngineError."""
        settings, attempt = self._settings, 0
        while True:
            try:
                async with asyncio.timeout(settings.timeout_s):
                    return await self._attempt(body), attempt + 1
            except _Fault as found:
                fault = found
            except TimeoutError:
                fault = _Fault(f"no answer in {settings.timeout_s:g} seconds", again=True)
            except asyncio.CancelledError:
                raise EngineError(f"{self.name}: the request was ended") from None
            attempt += 1
            if not fault.again or attempt > settings.max_retries:
                times = "" if attempt == 1 else f" (asked {attempt} times)"
                raise EngineError(f"{self.name}: {fault}{times}")
            wait = backoff_s(attempt - 1)
            if fault.wait_s is not None:
                wait += fault.wait_s
            now = time.monotonic()
            level = logging.INFO if now >= self._told_next else logging.DEBUG
            if level == logging.INFO:  # all that are under way meet the same fault
                self._told_next = now + _TELL_EVERY_S
            logger.log(level, "%s: %s; asked again in %.1f s", self.name, fault, wait)
            await asyncio.sleep(wait)

    async def _attempt(self, body: Mapping[str, Any]) -> _Answer:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeouts = httpx.Timeout(self._settings.timeout_s, connect=_CONNECT_S)
        try:
            async with self._http.stream(
                "POST", self._url, json=body, headers=headers, timeout=timeouts
            ) as response:
                content = await self._content(response)
        except httpx.HTTPError as error:
            told = self._said(str(error) or type(error).__name__)
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            what = "nothing answers there" if refused else "the connection broke"
            raise _Fault(f"{what} ({told})", again=True) from None
        if response.status_code != 200:
            raise self._refusal(response, content)
        try:
            answer = _Answer.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise _Fault(
                f"no chat completion came ({where}: {first['msg']}): {self._shown(content)}",
                again=True,
            ) from None
        if not answer.choices:
            raise _Fault("the answer has no choices", again=True)
        return answer

    async def _content(self, response: httpx.Response) -> bytes:
        """The body, as far as it may go."""
        most, parts, size = self._settings.max_answer_bytes, [], 0
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > most:
                raise _Fault(
                    f"the answer is longer than remote.max_answer_bytes = {most}", again=False
                )
        content = b"".join(parts)
        # What goes into files and messages: a server may repeat what it was sent.
        return content.replace(self._key.encode(), b"[key]") if self._key else content

    def _refusal(self, response: httpx.Response, content: bytes) -> _Fault:
        status = response.status_code
        told = f"answered {status}: {self._shown(content)}"
        if status in (401, 403):
            has = "the key in" if self._key else "there is no key in"
            told += f"; {has} the environment variable {self._settings.api_key_env}"
        elif status == 404:
            told += "; check the address (it mostly ends with /v1) and --model"
        elif status in (400, 422):
            told += "; a field that the server does not take is left out by remote.omit"
        wait = retry_after_s(response.headers.get("retry-after"))
        again = status in _AGAIN and (wait is None or wait <= MAX_RETRY_AFTER_S)
        return _Fault(told, again=again, wait_s=wait)

    def _shown(self, content: bytes) -> str:
        try:
            error = json.loads(content)["error"]
            text = error if isinstance(error, str) else error["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            text = content[: 8 * _SAID].decode(errors="replace")
        return self._said(str(text)) or "nothing in it"

    def _said(self, text: str) -> str:
        return one_line(text, max_chars=_SAID)


def _completions_url(url: str) -> str:
    """The address of chat completions; a bare host has them under /v1."""
    base = httpx.URL(url)
    path = base.path.rstrip("/") or "/v1"
    return str(base.copy_with(path=f"{path}/chat/completions"))


def _key(variable: str) -> str:
    """The key, or "" where there is none. Raises ConfigError for one that no header can hold."""
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"environment variable {variable}: holds no key; it is not plain ASCII")
    return key


def _text(message: _Message) -> str:
    """What was written, the call of a tool behind it as a template writes it."""
    content = message.content or ""
    text = content if isinstance(content, str) else "".join(part.text for part in content)
    for call in message.tool_calls or ():
        arguments = call.function.arguments
        written = json.dumps({"name": call.function.name, "arguments": arguments})
        text += f"{CALL}\n{written}\n{CALL_END}"
    return text


def _plain(text: str, observation: str) -> list[dict[str, Any]]:
    """A turn of a program and what was found of it, as messages that every server takes."""
    return [{"role": "assistant", "content": text}, {"role": "user", "content": observation}]


def _turn(number: int, text: str, observation: str) -> list[dict[str, Any]]:
    """A turn that called a tool, with its result. Of several calls the last one was carried out."""
    before, found, after = text.rpartition(CALL)
    try:
        call, _ = json.JSONDecoder(strict=False).raw_decode(after.lstrip())
        name, arguments = call["name"], call["arguments"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _plain(text, observation)
    if not found or not isinstance(name, str):
        return _plain(text, observation)
    content = before.split(CALL)[0].strip()
    given = arguments if isinstance(arguments, str) else json.dumps(arguments)
    identity = _CALL_ID.format(number)
    made = {"id": identity, "type": "function", "function": {"name": name, "arguments": given}}
    return [
        {"role": "assistant", "content": content or None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": identity, "content": observation},
    ]
