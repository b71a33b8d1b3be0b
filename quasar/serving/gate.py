"""ASGI middleware that every request passes: key, rate, body; then counted and written down.

Refuses without reading the body where the key is missing (401) or over its rate (429); reads the
body within its size (413) and time (408); refuses at once, before any work goes into it, what is
more than the parts behind can do and keep waiting (503). The audit log gets one JSON line a
request: no secrets, no bodies.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request

from quasar.config import ServingConfig
from quasar.serving.errors import RequestRefused, bad_key, overloaded, too_many
from quasar.serving.keys import ApiKeys, RateLimit
from quasar.serving.metrics import Metrics
from quasar.serving.pages import DOCS_PATHS, PLAYGROUND_PATHS
from quasar.serving.responses import respond

logger = logging.getLogger(__name__)

# What a caller without a key may read: nothing here costs work or tells of others.
OPEN = PLAYGROUND_PATHS | DOCS_PATHS | {"/healthz", "/readyz", "/v1/problems", "/v1/tasks"}
_COSTLY = "POST"  # the method of requests that count against a key's rate and take a place
_NO_KEY = "-"
_GONE = 499  # status in the log where the caller went away before it was answered


class RequestGate:
    """The middleware; outside of the routes, so that refusals of all kinds are counted."""

    def __init__(
        self,
        app: Any,
        *,
        serving: ServingConfig,
        keys: ApiKeys,
        metrics: Metrics,
        max_requests: int | None = None,
    ):
        """max_requests: most costly ones at work or waiting at a time; None: no limit."""
        self.app = app
        self._max_requests = max_requests
        self._inside = 0  # costly requests whose bodies are here: a slow body takes no one's place
        self._serving = serving
        self._keys = keys
        self._metrics = metrics
        self._limit = RateLimit(serving.rate_limit_per_minute, serving.rate_limit_burst)
        self._audit = AuditLog(serving.audit_log)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request, status, key_id = Request(scope), _GONE, _NO_KEY

        async def noted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            key_id = self._admit(request)
            replay = await read_body(
                request,
                receive,
                max_bytes=self._serving.max_body_bytes,
                limit_s=self._serving.body_timeout_s,
            )
            if replay is not None:
                with self._place(request):
                    await self.app(scope, replay, noted)
        except RequestRefused as refusal:
            await respond(request, refusal)(scope, receive, noted)
        except Exception:
            status = 500  # as the handler outside of this answers
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(route, status, seconds)
            model = scope.get("state", {}).get("model")  # set by the route that has picked it
            self._audit.write(key_id, request.method, route, model, status, seconds)

    def _admit(self, request: Request) -> str:
        """The id of the request's key. Raises RequestRefused: 401, 429."""
        key_id: str | None = _NO_KEY
        if self._keys and request.scope["path"] not in OPEN and not is_preflight(request):
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            given = scheme.lower() == "bearer" and key.strip()
            key_id = self._keys.id_of(key.strip()) if given else None
            if key_id is None:
                raise bad_key(known=bool(given))
        if request.method == _COSTLY and (wait := self._limit.take(key_id)):
            raise too_many(wait)
        return key_id

    @contextmanager
    def _place(self, request: Request) -> Iterator[None]:
        """One of the places, while the request is at work. Raises RequestRefused: 503."""
        costly = request.method == _COSTLY
        if costly and self._max_requests is not None and self._inside >= self._max_requests:
            raise overloaded()
        self._inside += costly
        try:
            yield
        finally:
            self._inside -= costly


def is_preflight(request: Request) -> bool:
    """Whether a browser asks if it may ask; it sends no key with that."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


async def read_body(
    request: Request, receive: Any, *, max_bytes: int, limit_s: float
) -> Any | None:
    """A `receive` that gives the body again; None where the caller went away.

    Raises RequestRefused: 413 without reading a longer body whole, 408 for one that is too slow.
    """
    declared = request.headers.get("content-length", "0")
    chunks: deque[Any] = deque()
    more, received, size = True, 0, int(declared) if declared.isdecimal() else 0
    try:
        async with asyncio.timeout(limit_s):
            while more and size <= max_bytes:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunks.append(message)
                more = message.get("more_body", False)
                received += len(message.get("body", b""))
                size = max(size, received)
    except TimeoutError:
        raise RequestRefused(
            408,
            f"the body did not come within {limit_s:g} seconds",
            hint="send the whole body at once, or raise serving.body_timeout_s",
        ) from None
    if size > max_bytes:
        raise RequestRefused(
            413,
            f"the body is longer than {max_bytes} bytes",
            hint="send a smaller problem, or raise serving.max_body_bytes",
        )

    async def replay() -> Any:
        return chunks.popleft() if chunks else await receive()

    return replay


class AuditLog:
    """One JSON line a request; nothing where `path` is None."""

    def __init__(self, path: str | None):
        self._file = None
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def write(
        self,
        key_id: str,
        method: str,
        route: str,
        model: str | None,
        status: int,
        seconds: float,
    ) -> None:
        """A disk that is full does not stop the endpoint. model: that answered, None where none."""
        if self._file is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "key": key_id,
            "method": method,
            "route": route,
            "model": model,
            "status": status,
            "seconds": round(seconds, 4),
        }
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as error:
            logger.error("serving.audit_log: %s", error.strerror)
