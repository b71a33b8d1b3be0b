"""The HTTP side of the endpoint: routes, limits, and errors as readable JSON or HTML.

`create_api(service)` gives a FastAPI application that runs under any ASGI server. Every refusal is
{"error": {"message", "field", "mend"}}, or a small page for a browser; nothing internal goes out.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

import quasar
from quasar.problems import problem_names
from quasar.serving.errors import RETRY_AFTER_S, RequestRefused
from quasar.serving.pages import error_page, index_page
from quasar.serving.schema import CircuitAnswer, CircuitRequest
from quasar.serving.service import CircuitService
from quasar.tool.schema import VerifyAnswer, VerifyRequest

logger = logging.getLogger(__name__)

ASK_AS_SHOWN = "GET / shows a request that works"


def create_api(service: CircuitService) -> FastAPI:
    """The application; all its state is the service."""
    api = FastAPI(
        title="Quasar",
        version=quasar.__version__,
        description="Verified OpenQASM 3 circuits for graph problems.",
    )
    api.add_middleware(BodyLimit, max_bytes=service.config.serving.max_body_bytes)
    _add_error_handlers(api)

    @api.post("/v1/circuits", responses=_REFUSALS | _NO_MODEL)
    async def circuits(request: CircuitRequest) -> CircuitAnswer:
        """Draw candidates for the problem, verify each, answer the best valid circuit.

        Where no candidate is valid the answer still is 200, with `circuit` null and the findings.
        """
        return await service.answer(request)

    @api.post("/v1/verify", responses=_REFUSALS)
    async def verify(request: VerifyRequest) -> VerifyAnswer:
        """Verify one circuit for one problem: report, reward, and an observation for a model.

        A circuit that is not valid is answered with 200; its report says why and where.
        """
        return await service.verify(request)

    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The model that answers (null where the endpoint only verifies), and the limits."""
        return {"object": "list", "data": [facts(service)]}

    @api.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the endpoint answers."""
        return {"status": "ok"}

    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index(request: Request) -> str:
        return index_page(str(request.base_url), facts(service))

    return api


def facts(service: CircuitService) -> dict[str, Any]:
    """What a caller may want to know before it asks."""
    config = service.config
    return {
        "id": service.model,
        "object": "model",
        "primitives": list(problem_names()),
        "max_qubits": config.verification.max_qubits,
        "samples": min(config.serving.samples, config.serving.max_samples),
        "max_samples": config.serving.max_samples,
        "temperature": config.evaluation.temperature,
        "max_prompt_tokens": config.generation.max_prompt_tokens,
        "max_body_bytes": config.serving.max_body_bytes,
    }


def _refusal(description: str) -> dict[str, Any]:
    example = {"error": {"message": "…", "field": "…", "mend": "…"}}
    return {"description": description, "content": {"application/json": {"example": example}}}


_NO_MODEL: dict[int | str, dict[str, Any]] = {404: _refusal("The endpoint has no model")}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: _refusal(description)
    for status, description in (
        (400, "The body is not JSON"),
        (413, "The body is too large"),
        (422, "The request or its problem is not valid, or its circuit is over the limits"),
        (503, "Too many requests, or a part is being restarted"),
        (504, "No answer in time"),
    )
}


def _add_error_handlers(api: FastAPI) -> None:
    @api.exception_handler(RequestRefused)
    async def refused(request: Request, error: RequestRefused) -> Response:
        return respond(request, error)

    @api.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return respond(request, explain(error.errors()))

    @api.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        refusal = RequestRefused(error.status_code, message, mend=ASK_AS_SHOWN)
        return respond(request, refusal, headers=dict(error.headers or {}))

    @api.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        logger.error("request failed", exc_info=error)
        message = "the endpoint failed on this request"
        return respond(request, RequestRefused(500, message, mend="see the log of the endpoint"))


def explain(errors: Any) -> RequestRefused:
    """The first finding of the request's validation as a refusal."""
    error = errors[0]
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        message = f"the body is not JSON: {reason} at character {error['loc'][-1]}"
        return RequestRefused(400, message, mend=ASK_AS_SHOWN)
    field = ".".join(str(part) for part in error["loc"] if part != "body")
    if not field:
        mend = f"send a JSON object with Content-Type: application/json; {ASK_AS_SHOWN}"
        return RequestRefused(422, f"the body: {error['msg']}", mend=mend)
    if error["type"] == "extra_forbidden":
        return RequestRefused(
            422, f"unknown field '{field}'", field=field, mend="remove it, or see GET /docs"
        )
    return RequestRefused(422, f"'{field}': {error['msg']}", field=field, mend="see GET /docs")


def respond(
    request: Request, refusal: RequestRefused, *, headers: dict[str, str] | None = None
) -> Response:
    """The refusal as JSON, or as a page for a caller that prefers HTML."""
    headers = dict(headers or {})
    if refusal.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    body = refusal.to_dict()
    accept = request.headers.get("accept", "")
    if "text/html" in accept and "application/json" not in accept:
        page = error_page(refusal.status, body["error"], home=str(request.base_url))
        return HTMLResponse(page, refusal.status, headers)
    return JSONResponse(body, refusal.status, headers)


class BodyLimit:
    """ASGI middleware: refuses (413) a body longer than `max_bytes` without reading it whole."""

    def __init__(self, app: Any, *, max_bytes: int):
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        declared = request.headers.get("content-length", "0")
        chunks, more, size = [], True, int(declared) if declared.isdecimal() else 0
        while more and size <= self.max_bytes:
            message = await receive()
            chunks.append(message)
            more = message["type"] == "http.request" and message.get("more_body", False)
            size = max(size, sum(len(chunk.get("body", b"")) for chunk in chunks))
        if size > self.max_bytes:
            refusal = RequestRefused(
                413,
                f"the body is longer than {self.max_bytes} bytes",
                mend="send a smaller problem, or raise serving.max_body_bytes",
            )
            await respond(request, refusal)(scope, receive, send)
            return

        async def replay() -> Any:
            return chunks.pop(0) if chunks else await receive()

        await self.app(scope, replay, send)
