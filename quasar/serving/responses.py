"""Refusals as JSON or HTML, searches as server-sent events, and work that ends with its caller."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel

from quasar.schema.circuits import EVENT_NAMES, Event, StreamError
from quasar.serving.errors import RequestRefused
from quasar.serving.pages import error_page

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 15.0  # silence after which a comment is sent, so that no proxy hangs up
_KEEP_ALIVE = format_sse_event(comment="waiting")
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
Answer = TypeVar("Answer")


class CallerGone(Exception):
    """The caller went away; there is no one to answer."""


def respond(
    request: Request, refusal: RequestRefused, *, headers: dict[str, str] | None = None
) -> Response:
    """The refusal as JSON, or as a page for a caller that prefers HTML."""
    headers = dict(headers or {})
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="quasar"'
    body = refusal.to_dict()
    accept = request.headers.get("accept", "")
    if "text/html" in accept and "application/json" not in accept:
        page = error_page(refusal.status, body["error"], home=str(request.base_url))
        return HTMLResponse(page, refusal.status, headers)
    return JSONResponse(body, refusal.status, headers)


async def while_connected(request: Request, work: Awaitable[Answer]) -> Answer:
    """The work's result; the work is cancelled where the caller goes away (CallerGone)."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGone
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event_stream(request: Request, events: AsyncIterator[Event]) -> EventSourceResponse:
    """Server-sent events: each with its name and its data as JSON in one line."""

    def show(event: Event) -> bytes:
        return sse(event, name=EVENT_NAMES[type(event)])

    return stream(request, events, show, _error_event)


def stream(
    request: Request,
    items: AsyncIterator[Any],
    show: Callable[[Any], bytes],
    show_error: Callable[[RequestRefused], bytes],
    *,
    end: bytes = b"",
) -> EventSourceResponse:
    """Each item shown as it comes; a refusal in the middle is the last thing sent.

    FastAPI keeps streams alive only on routes that always stream; ours decide by the request.
    """

    async def shown() -> AsyncIterator[bytes]:
        try:
            async for item in _kept_alive(request, items):
                yield _KEEP_ALIVE if item is None else show(item)
        except RequestRefused as refusal:
            yield show_error(refusal)
        except Exception as error:  # the boundary: nothing internal goes out
            logger.error("a stream failed", exc_info=error)
            yield show_error(failed())
        if end:
            yield end

    return EventSourceResponse(shown(), headers=_STREAM_HEADERS)


def failed() -> RequestRefused:
    """500, without a reason: that is in the log."""
    message = "the endpoint failed on this request"
    return RequestRefused(500, message, hint="see the log of the endpoint")


def sse(data: BaseModel, *, name: str | None = None) -> bytes:
    """One server-sent event."""
    return format_sse_event(data_str=data.model_dump_json(), event=name)


def _error_event(refusal: RequestRefused) -> bytes:
    event = StreamError(status=refusal.status, **refusal.to_dict())
    return sse(event, name=EVENT_NAMES[StreamError])


async def _kept_alive(request: Request, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The items, and None after each silence, until they end or the caller goes away.

    What is under way is cancelled then.
    """
    gone = asyncio.ensure_future(_gone(request))
    following = asyncio.ensure_future(anext(items))
    try:
        while not gone.done():
            await asyncio.wait(
                (following, gone), timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if following.done():
                try:
                    item = following.result()
                except StopAsyncIteration:
                    return
                yield item
                following = asyncio.ensure_future(anext(items))
            elif not gone.done():
                yield None
    finally:
        gone.cancel()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await following
