"""Refusals that the caller of the endpoint sees: status, message, the field at fault, the mend."""

from typing import Any

RETRY_AFTER_S = 5


class RequestRefused(Exception):
    """A request that gets no answer. `field` is a dotted path into the body, None where none is."""

    def __init__(self, status: int, message: str, *, mend: str, field: str | None = None):
        super().__init__(message)
        self.status = status
        self.message = message
        self.mend = mend
        self.field = field

    def to_dict(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"message": self.message, "field": self.field, "mend": self.mend}}


def overloaded() -> RequestRefused:
    """503: more requests wait than the endpoint takes."""
    return RequestRefused(
        503,
        "the endpoint has more requests than it can take",
        mend=f"send the request again in {RETRY_AFTER_S} seconds or later",
    )


def unavailable(what: str) -> RequestRefused:
    """503: a part of the endpoint is being restarted."""
    return RequestRefused(
        503, what, mend=f"send the request again in {RETRY_AFTER_S} seconds or later"
    )
