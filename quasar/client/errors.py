"""What the client raises. One sentence each: what is wrong, and a hint.

Text of the endpoint goes into these sentences without terminal codes and cut to a length.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from quasar.errors import QuasarError
from quasar.system.plain_text import one_line

MAX_MESSAGE = 1000  # characters of the endpoint's own words
_MAX_EXCERPT = 120
CHECK_URL = "check the url; a proxy may stand where the endpoint should"
LONGER_TIMEOUT = "give a longer timeout, or ask for fewer samples or turns or for a budget_s"


class EndpointError(QuasarError):
    """A call got no answer, or one that is not Quasar's. Base of all errors of the client.

    message, hint: what is wrong and what to do; together they are the text of the error.
    status: of the answer, None where there was none; field: dotted path into the request, None
    where none is at fault; url: what was asked, None where nothing was sent; retry_after_s: seconds
    that the endpoint asks to wait, None where it does not; attempts: times that it was asked.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        *,
        status: int | None = None,
        field: str | None = None,
        url: str | None = None,
        retry_after_s: float | None = None,
    ):
        super().__init__(message, hint)
        self.message = message
        self.hint = hint
        self.status = status
        self.field = field
        self.url = url
        self.retry_after_s = retry_after_s
        self.attempts = 0

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}"


class BadRequest(EndpointError):
    """The request cannot be answered as it is (400, 404, 422, …); status None: it was not sent."""


class AuthenticationError(EndpointError):
    """The key is missing or not known (401, 403)."""


class RateLimited(EndpointError):
    """Too many requests with this key (429), also after the retries."""


class EndpointUnavailable(EndpointError):
    """Nothing answers, or not now (502, 503), also after the retries; or a stream broke off."""


class EndpointTimeout(EndpointError):
    """No answer in time: the client's (status None) or the endpoint's own (504)."""


_CLASSES: dict[int, type[EndpointError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    408: EndpointTimeout,
    429: RateLimited,
    502: EndpointUnavailable,
    503: EndpointUnavailable,
    504: EndpointTimeout,
}


def _class_of(status: int) -> type[EndpointError]:
    return _CLASSES.get(status, BadRequest if 400 <= status < 500 else EndpointError)


def refusal(
    status: int, body: bytes, headers: Mapping[str, str], *, url: str, retry_after_s: float | None
) -> EndpointError:
    """The error of an answer that is no success."""
    found = _told(body)
    if found is not None:
        error = told_refusal(status, found, url=url)
        error.retry_after_s = retry_after_s
        return error
    if 300 <= status < 400:
        return EndpointError(
            f"{url} answered {status}: ask {_short(headers.get('location', ''))}",
            "give that address as the url if you trust it; a key is sent to no other one",
            status=status,
            url=url,
        )
    return _class_of(status)(
        f"{url} answered {status}, not as an endpoint of Quasar does: {_excerpt(body, headers)}",
        CHECK_URL,
        status=status,
        url=url,
        retry_after_s=retry_after_s,
    )


def told_refusal(status: int, error: Mapping[str, Any], *, url: str) -> EndpointError:
    """The error of a refusal {message, field, hint}."""
    field = error.get("field")
    hint = "give its key: api_key, QUASAR_API_KEY or --api-key-file"
    if status != 401:  # how a header is written is the client's work
        hint = one_line(str(error.get("hint") or "see the endpoint's log"), max_chars=MAX_MESSAGE)
    return _class_of(status)(
        one_line(str(error["message"]), max_chars=MAX_MESSAGE),
        hint,
        status=status,
        field=None if field is None else _short(str(field)),
        url=url,
    )


def not_ours(body: bytes, headers: Mapping[str, str], *, status: int, url: str) -> EndpointError:
    """A success whose body is no answer of an endpoint."""
    return EndpointError(
        f"{url} did not answer as an endpoint of Quasar does: {_excerpt(body, headers)}",
        CHECK_URL,
        status=status,
        url=url,
    )


def no_connection(error: httpx.TransportError, *, url: str) -> EndpointUnavailable:
    """Nothing answers there, or the connection broke."""
    origin = str(httpx.URL(url).copy_with(raw_path=b"/")).rstrip("/")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return EndpointUnavailable(
            f"nothing answers at {origin} ({_short(str(error) or type(error).__name__)})",
            "start it with quasar serve --checkpoint runs/laptop, or give the endpoint's address: "
            "url, QUASAR_URL or --url",
            url=url,
        )
    return EndpointUnavailable(
        f"the connection to {origin} broke ({_short(str(error) or type(error).__name__)})",
        "ask again; the endpoint's log may say more",
        url=url,
    )


def out_of_time(timeout_s: float, *, url: str) -> EndpointTimeout:
    """The client's own time is over."""
    return EndpointTimeout(
        f"{url} gave no answer in {timeout_s:g} seconds", LONGER_TIMEOUT, url=url
    )


def _told(body: bytes) -> Mapping[str, Any] | None:
    """The refusal in a body; None where it has none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) and "message" in error else None


def _excerpt(body: bytes, headers: Mapping[str, str]) -> str:
    kind = _short(headers.get("content-type", "no content type"))
    text = one_line(body[: 4 * _MAX_EXCERPT].decode(errors="replace"), max_chars=_MAX_EXCERPT)
    return f"{kind}, {text!r}" if text else f"{kind}, nothing in it"


def _short(text: str) -> str:
    return one_line(text, max_chars=_MAX_EXCERPT)
