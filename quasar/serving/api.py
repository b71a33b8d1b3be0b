"""The HTTP side of the endpoint: routes, and errors as readable JSON or HTML.

`create_api(service)` gives a FastAPI application that runs under any ASGI server. Every refusal is
{"error": {"message", "field", "hint"}}, or a small page for a browser; nothing internal goes out.
Keys and limits are in `quasar.serving.gate`.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

import quasar
from quasar.config.findings import finding_line, finding_text
from quasar.schema.catalogue import (
    DescribedProblem,
    DescribedTask,
    ProblemList,
    TaskList,
    TaskQuestion,
    list_problems,
    list_tasks,
)
from quasar.schema.chat import CHAT_EXAMPLE, VERIFIED, ChatCompletion, ChatRequest
from quasar.schema.circuits import (
    EXAMPLE,
    FLOW_EXAMPLE,
    TEXT_EXAMPLE,
    CircuitAnswer,
    CircuitRequest,
    ErrorResponse,
)
from quasar.schema.verify import (
    GRAPH_EXAMPLE,
    ROW_EXAMPLE,
    Question,
    VerifyAnswer,
    VerifyRequest,
)
from quasar.serving.chat import DONE, Chat, listed, show_chunk, show_refusal
from quasar.serving.errors import RequestRefused
from quasar.serving.gate import RequestGate
from quasar.serving.keys import ApiKeys
from quasar.serving.metrics import CONTENT_TYPE, Metrics
from quasar.serving.pages import add_docs, add_playground
from quasar.serving.responses import (
    CallerGone,
    event_stream,
    failed,
    respond,
    stream,
    while_connected,
)
from quasar.serving.service import CircuitService

logger = logging.getLogger(__name__)

ASK_AS_SHOWN = "GET /docs shows requests that work"
EVENT_STREAM = "text/event-stream"
# Names of the parts of the endpoint that do not run yet.
Ready = Callable[[], Awaitable[list[str]]]


async def _all_run() -> list[str]:
    return []


def create_api(
    service: CircuitService,
    *,
    keys: ApiKeys | None = None,
    ready: Ready = _all_run,
    max_requests: int | None = None,
) -> FastAPI:
    """The application; all its state is the service, the keys' rates, the requests under way and
    the metrics. max_requests: most at work or waiting at a time, the next is answered 503.
    """
    serving, metrics = service.config.serving, Metrics()
    service.observe = metrics.event
    api = FastAPI(
        title="Quasar",
        version=quasar.__version__,
        description="Verified OpenQASM 3 circuits for graph problems and other tasks.",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    api.add_middleware(
        RequestGate,
        serving=serving,
        keys=keys or ApiKeys({}),
        metrics=metrics,
        max_requests=max_requests,
    )
    if serving.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=list(serving.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    _add_error_handlers(api)
    _add_work(api, service)
    _add_facts(api, service, metrics, ready)
    add_playground(api)
    add_docs(api)
    if keys:
        _declare_keys(api)
    return api


def _add_work(api: FastAPI, service: CircuitService) -> None:
    names = [f"{name}{VERIFIED}" for name in service.models.names]
    chat_examples = _examples(verified={**CHAT_EXAMPLE, **({"model": names[0]} if names else {})})

    @api.post(
        "/v1/circuits", responses=_REFUSALS | _NO_MODEL | _EVENTS, response_model=CircuitAnswer
    )
    async def circuits(
        request: Request, body: Annotated[CircuitRequest, Body(openapi_examples=_CIRCUITS)]
    ) -> Any:
        """Draw candidates for the problem, verify each, answer the best valid circuit.

        The model is the one that `model` names, else the first that was trained on the task.
        Where no candidate is valid the answer still is 200, with `circuit` null and the findings.
        With `stream` or `Accept: text/event-stream` the events `start`, `grown`, `written`,
        `verified` (of each turn) and `answer`, or `error`, come as they happen.
        """
        streamed = body.stream or EVENT_STREAM in request.headers.get("accept", "")
        plan = service.plan(body, stream=streamed)
        request.state.model = plan.model.name
        if streamed:
            return event_stream(request, service.events(plan))
        return await while_connected(request, service.answer(plan))

    @api.post("/v1/verify", responses=_REFUSALS)
    async def verify(
        request: Request, body: Annotated[VerifyRequest, Body(openapi_examples=_VERIFY)]
    ) -> VerifyAnswer:
        """Verify one circuit for one problem: report, reward, and an observation for a model.

        A circuit that is not valid is answered with 200; its report says why and where.
        """
        return await while_connected(request, service.verify(body))

    @api.post("/v1/describe", responses=_REFUSALS)
    def describe(body: Question) -> DescribedProblem:
        """A problem as a circuit sees it: the variable of each qubit, the cost Hamiltonian."""
        return service.describe(body)

    @api.post("/v1/tasks/describe", responses=_REFUSALS)
    def describe_task(body: TaskQuestion) -> DescribedTask:
        """An instance of another task than graph problems, from a row or words: the row to verify,
        what is asked, the best answer without skill.
        """
        return service.describe_task(body)

    @api.post(
        "/v1/chat/completions",
        responses=_REFUSALS | _NO_MODEL | _EVENTS,
        response_model=ChatCompletion,
    )
    async def chat_completions(
        request: Request, body: Annotated[ChatRequest, Body(openapi_examples=chat_examples)]
    ) -> Any:
        """As OpenAI's API: NAME samples the model, NAME:verified gives a verified circuit."""
        chat = Chat(service, body)
        request.state.model = chat.model.name
        if body.stream:
            return stream(request, chat.chunks(), show_chunk, show_refusal, end=DONE)
        return await while_connected(request, chat.complete())


def _add_facts(api: FastAPI, service: CircuitService, metrics: Metrics, ready: Ready) -> None:
    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The models (a null id where the endpoint only verifies), their training, the limits."""
        return {"object": "list", "data": listed(service)}

    @api.get("/v1/problems")
    def problems() -> ProblemList:
        """The problems: question, attributes, what an answer is made of, a small example."""
        return list_problems()

    @api.get("/v1/tasks")
    def tasks() -> TaskList:
        """The other tasks: families, how instances are stated with an example each, and parts of
        the reward.
        """
        return list_tasks()

    @api.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the endpoint answers."""
        return {"status": "ok"}

    @api.get("/readyz", responses={503: {"description": "A part does not run yet"}})
    async def readyz() -> JSONResponse:
        """Whether it can do its work: 503 names the parts that do not run yet."""
        waiting = await ready()
        status = "waiting" if waiting else "ready"
        return JSONResponse({"status": status, "waiting": waiting}, 503 if waiting else 200)

    @api.get("/metrics", response_class=Response)
    async def prometheus() -> Response:
        """Counters and times in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _declare_keys(api: FastAPI) -> None:
    """Let the OpenAPI page ask for the key; the gate is what checks it."""
    scheme = HTTPBearer(auto_error=False)
    plain = api.openapi

    def with_keys() -> dict[str, Any]:
        document = plain()
        document["components"]["securitySchemes"] = {
            "key": scheme.model.model_dump(mode="json", exclude_none=True, by_alias=True)
        }
        document["security"] = [{"key": []}]
        return document

    api.openapi = with_keys  # type: ignore[method-assign]


def _refusal(description: str) -> dict[str, Any]:
    return {"description": description, "model": ErrorResponse}


def _examples(**values: dict[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


_CIRCUITS = _examples(graph=EXAMPLE, network=FLOW_EXAMPLE, text=TEXT_EXAMPLE)
_VERIFY = _examples(graph=GRAPH_EXAMPLE, row=ROW_EXAMPLE)
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
}
_NO_MODEL: dict[int | str, dict[str, Any]] = {404: _refusal("There is no such model")}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: _refusal(description)
    for status, description in (
        (400, "The body is not JSON"),
        (401, "The key is missing or not known"),
        (408, "The body came too slowly"),
        (413, "The body is too large"),
        (422, "The request or its problem is not valid, or its circuit is over the limits"),
        (429, "Too many requests with this key"),
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
        refusal = RequestRefused(error.status_code, message, hint=ASK_AS_SHOWN)
        return respond(request, refusal, headers=dict(error.headers or {}))

    @api.exception_handler(CallerGone)
    async def gone(request: Request, error: CallerGone) -> Response:
        return Response(status_code=499)  # read by the log alone

    @api.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        logger.error("request failed", exc_info=error)
        return respond(request, failed())


def explain(errors: Any) -> RequestRefused:
    """The first finding of the request's validation as a refusal."""
    error = errors[0]
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        message = f"the body is not JSON: {reason} at character {error['loc'][-1]}"
        return RequestRefused(400, message, hint=ASK_AS_SHOWN)
    field = ".".join(str(part) for part in error["loc"] if part != "body")
    if not field:
        hint = f"send a JSON object with Content-Type: application/json; {ASK_AS_SHOWN}"
        if error["type"] in ("value_error", "assertion_error"):
            return RequestRefused(422, finding_text(error), hint=ASK_AS_SHOWN)
        return RequestRefused(422, f"the body {finding_text(error)}", hint=hint)
    if error["type"] == "extra_forbidden":
        return RequestRefused(
            422, f"unknown field '{field}'", field=field, hint="remove it, or see GET /docs"
        )
    return RequestRefused(422, finding_line(field, error), field=field, hint="see GET /docs")
