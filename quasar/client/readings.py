"""What comes back, read piece by piece: one whole answer, or server-sent events.

Fed with bytes by either client; raises EndpointError for what is no answer. Fields and events of a
newer endpoint are passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from quasar.client.errors import EndpointError, EndpointUnavailable, not_ours, refusal, told_refusal
from quasar.client.requests import Answer, Ask
from quasar.client.retries import Attempts
from quasar.schema.circuits import EVENT_NAMES, CircuitAnswer, Event, StreamError
from quasar.schema.verify import explain
from quasar.system.backoff import retry_after_s

MAX_ANSWER_BYTES = 64 * 2**20  # of an answer or an event
_EVENTS = {name: model for model, name in EVENT_NAMES.items()}
Model = TypeVar("Model", bound=BaseModel)


def as_model(model: type[Model]) -> Callable[[bytes], Model]:
    """A reader of JSON bodies."""

    def read(body: bytes) -> Model:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise EndpointError(
                f"the answer is no {model.__name__} ({explain(error)})",
                "the endpoint may be of another version: install the client's or update it",
            ) from None

    return read


class Reading(Generic[Answer]):
    """The answer to one attempt of a call; `begun` once a part of it was given on."""

    def __init__(self, ask: Ask[Answer], attempts: Attempts, *, url: str):
        self.begun = False
        self._ask = ask
        self._attempts = attempts
        self._url = url
        self._body = bytearray()
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._events: EventLines | None = None
        self._ended = False

    def open(self, response: httpx.Response) -> None:
        """Take in the head of the answer."""
        self._status, self._headers = response.status_code, response.headers
        kind = self._headers.get("content-type", "")
        if self._ask.streams and self._good and kind.startswith("text/event-stream"):
            self._events = EventLines()

    def feed(self, piece: bytes) -> Iterator[Answer]:
        """Take in a piece of the body; gives the events that it ends."""
        self._attempts.check()
        if self._events is None:
            self._body += piece
            self._require_size(len(self._body))
            return
        for name, data in self._events.feed(piece):
            event = self._event(name, data)
            if event is not None:
                self._ended = isinstance(event, CircuitAnswer)
                self.begun = True
                yield event
        self._require_size(self._events.pending_bytes)

    def end(self) -> Iterator[Answer]:
        """The body is over; gives a whole answer."""
        if self._events is not None:
            if not self._ended:
                raise EndpointUnavailable(
                    f"the stream of {self._url} ended before its answer",
                    "ask again; the endpoint's log may say more",
                    url=self._url,
                )
            return
        if not self._good:
            wait = retry_after_s(self._headers.get("retry-after"))
            raise refusal(
                self._status, bytes(self._body), self._headers, url=self._url, retry_after_s=wait
            )
        kind = self._headers.get("content-type", "")
        if self._ask.streams or not kind.startswith("application/json"):
            raise not_ours(bytes(self._body), self._headers, status=self._status, url=self._url)
        yield self._read(bytes(self._body))

    @property
    def _good(self) -> bool:
        return self._status in self._ask.good

    def _event(self, name: str, data: bytes) -> Any:
        """The event; None for one of a newer endpoint."""
        model = _EVENTS.get(name)
        if model is None:
            return None
        if model is StreamError:
            refused = self._read(data, as_model(StreamError))
            raise told_refusal(refused.status, refused.error.model_dump(), url=self._url)
        return self._read(data, as_model(model))

    def _read(self, body: bytes, read: Callable[[bytes], Any] | None = None) -> Any:
        try:
            return (read or self._ask.read)(body)
        except EndpointError as error:
            error.status, error.url = self._status, self._url
            raise

    def _require_size(self, num_bytes: int) -> None:
        if num_bytes > MAX_ANSWER_BYTES:
            raise EndpointError(
                f"the answer of {self._url} is over {MAX_ANSWER_BYTES >> 20} MiB",
                "ask for fewer samples or alternatives",
                status=self._status,
                url=self._url,
            )


class EventLines:
    """Server-sent events out of pieces of bytes.

    Lines end at a line feed alone: httpx would end them at U+2028 too, which JSON may hold.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of the event that has not ended."""
        return len(self._rest) + self._size

    def feed(self, piece: bytes) -> Iterator[tuple[str, bytes]]:
        """(name, data) of each event that ends in this piece."""
        self._rest += piece
        if b"\n" not in piece:
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            yield from self._line(bytes(line).removesuffix(b"\r"))

    def _line(self, line: bytes) -> Iterator[tuple[str, bytes]]:
        if not line:
            if self._data:
                yield self._name, b"\n".join(self._data)
            self._name, self._data, self._size = "", [], 0
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"data":
            self._data.append(value)
            self._size += len(value) + 1


__all__ = ["MAX_ANSWER_BYTES", "Event", "EventLines", "Reading", "as_model"]
