"""Refusals that the caller of the endpoint sees: status, message, the field at fault, the hint."""

from collections.abc import Mapping, Sequence
from typing import Any

RETRY_AFTER_S = 5


class RequestRefused(Exception):
    """A request that gets no answer. `field` is a dotted path into the body, None where none is."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str,
        field: str | None = None,
        retry_after_s: int | None = None,
    ):
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.field = field
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"message": self.message, "field": self.field, "hint": self.hint}}


def bad_problem(message: str, *, field: str) -> RequestRefused:
    """422: the problem is not well posed."""
    return RequestRefused(
        422,
        message,
        field=field,
        hint="correct the problem; GET /v1/models lists the primitives and the qubit limit",
    )


def no_model() -> RequestRefused:
    """404: the endpoint was started to verify only."""
    return RequestRefused(
        404,
        "this endpoint has no model: it verifies circuits and writes none",
        hint="send a circuit to POST /v1/verify, or start the endpoint with --checkpoint",
    )


def unknown_model(name: str, names: Sequence[str]) -> RequestRefused:
    """404: the endpoint has models, none of that name."""
    return RequestRefused(
        404,
        f"there is no model {name!r} here; there is {', '.join(names)}",
        field="model",
        hint="name a model of GET /v1/models",
    )


def not_trained(
    task: str, trained: Mapping[str, Sequence[str]], *, others: Sequence[str], field: str
) -> RequestRefused:
    """422: none of the models that may answer was trained on the task.

    trained: their tasks by name; others: names of models that were.
    """
    if len(trained) == 1:
        (known,) = trained.values()
        message = f"this model was not trained on {task} (it was on {', '.join(known)})"
    else:
        told = "; ".join(f"{name} on {', '.join(known)}" for name, known in trained.items())
        message = f"no model of this endpoint was trained on {task} ({told})"
    hint = "use a model that was: quasar serve --checkpoint tasks-2m"
    if others:
        hint = f"name {' or '.join(others)} as the model"
    return RequestRefused(422, message, field=field, hint=hint)


def over_limits(message: str) -> RequestRefused:
    """422: the circuit takes more time or memory than a verification may."""
    return RequestRefused(
        422,
        message,
        field="circuit",
        hint="send a circuit with fewer gates, or raise verification.time_limit_s or "
        "verification.memory_limit_mb",
    )


def overloaded() -> RequestRefused:
    """503: more requests wait than the endpoint takes."""
    return RequestRefused(
        503,
        "the endpoint has more requests than it can take",
        hint=f"send the request again in {RETRY_AFTER_S} seconds or later",
        retry_after_s=RETRY_AFTER_S,
    )


def unavailable(what: str) -> RequestRefused:
    """503: a part of the endpoint is being restarted."""
    return RequestRefused(
        503,
        what,
        hint=f"send the request again in {RETRY_AFTER_S} seconds or later",
        retry_after_s=RETRY_AFTER_S,
    )


def over_limit(field: str, value: float, limit: float) -> RequestRefused:
    """422: a number of the request is above what the endpoint gives."""
    return RequestRefused(
        422,
        f"{field}: {value:g} is over the limit of {limit:g}",
        field=field,
        hint=f"ask for at most {limit:g}",
    )


def out_of_time(limit_s: float, *, hint: str) -> RequestRefused:
    """504: nothing to answer with after that many seconds."""
    return RequestRefused(
        504,
        f"no answer within {limit_s:g} seconds",
        hint=f"{hint}, or raise serving.request_timeout_s",
    )


def bad_key(known: bool) -> RequestRefused:
    """401: no key, or one that is not known."""
    what = "the API key is not known" if known else "the request has no API key"
    return RequestRefused(401, what, hint="send the header Authorization: Bearer KEY")


def too_many(retry_after_s: int) -> RequestRefused:
    """429: this key is over its rate."""
    return RequestRefused(
        429,
        "too many requests with this key",
        hint=f"send the request again in {retry_after_s} seconds or later",
        retry_after_s=retry_after_s,
    )
