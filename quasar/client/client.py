"""`Client` and `AsyncClient`: the endpoint's routes as methods.

The two differ only in how they wait; what is sent, how it is read and when it is tried again is in
the neighbours.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, Unpack

import httpx

from quasar import __version__
from quasar.client.answers import ModelFacts, ModelList, Readiness
from quasar.client.errors import LONGER_TIMEOUT, EndpointError, no_connection
from quasar.client.readings import Reading, as_model
from quasar.client.requests import (
    Answer,
    Ask,
    CircuitOptions,
    circuit_body,
    read_key,
    read_url,
    verify_body,
)
from quasar.client.retries import Attempts
from quasar.errors import InputError
from quasar.schema.circuits import CircuitAnswer, Event
from quasar.schema.verify import Problem, VerifyAnswer

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_RETRIES = 3
# A problem, a dict of its fields, a row, or what `quasar.read_problem` takes: words, a path, an
# object of another library.
GivenProblem = Problem | Mapping[str, Any] | str | Path | Any
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)


class _Calls(Generic[Http]):
    """What both clients share: the settings, and the calls to make."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        *,
        timeout: float,
        max_retries: int,
        http: Http,
        owned: bool,
    ):
        self._http = http
        self._owned = owned
        self._url = read_url(url)
        key = read_key(api_key)
        self._headers = {"User-Agent": f"quasar-client/{__version__}"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        if not timeout > 0:
            raise InputError(f"timeout {timeout!r}: give seconds above zero")
        if max_retries < 0:
            raise InputError(f"max_retries {max_retries!r}: give 0 or more")
        self._timeout = float(timeout)
        self._max_retries = max_retries

    @property
    def url(self) -> str:
        """The endpoint's address, without a slash at its end."""
        return self._url

    def __repr__(self) -> str:
        key = "given" if "Authorization" in self._headers else "none"
        return f"{type(self).__name__}({self._url!r}, api_key={key})"

    # The calls, as the public methods make them.

    def _circuit(self, problem: GivenProblem, options: CircuitOptions) -> Ask[CircuitAnswer]:
        body = circuit_body(problem, options, stream=False)
        return Ask("POST", "/v1/circuits", as_model(CircuitAnswer), body)

    def _stream(self, problem: GivenProblem, options: CircuitOptions) -> Ask[Event]:
        body = circuit_body(problem, options, stream=True)
        return Ask("POST", "/v1/circuits", as_model(CircuitAnswer), body, streams=True)

    def _verify(
        self, circuit: Any, problem: GivenProblem, *, diagnose: bool, observation_chars: int
    ) -> Ask[VerifyAnswer]:
        body = verify_body(circuit, problem, diagnose=diagnose, observation_chars=observation_chars)
        return Ask("POST", "/v1/verify", as_model(VerifyAnswer), body)

    def _models(self) -> Ask[ModelList]:
        return Ask("GET", "/v1/models", as_model(ModelList))

    def _ready(self) -> Ask[Readiness]:
        return Ask("GET", "/readyz", as_model(Readiness), good=(200, 503))

    # One call's parts, which the two loops put together.

    def _begin(self, ask: Ask[Answer]) -> Attempts:
        return Attempts(
            url=self._url + ask.path, timeout_s=self._timeout, max_retries=self._max_retries
        )

    def _request(self, ask: Ask[Answer], attempts: Attempts) -> httpx.Request:
        headers = {
            **self._headers,
            "Accept": "text/event-stream" if ask.streams else "application/json",
        }
        if ask.body is not None:
            headers["Content-Type"] = "application/json"
        return self._http.build_request(
            ask.method,
            self._url + ask.path,
            content=ask.body,
            headers=headers,
            timeout=attempts.next_timeouts(streams=ask.streams),
        )

    def _reading(self, ask: Ask[Answer], attempts: Attempts) -> Reading[Answer]:
        return Reading(ask, attempts, url=self._url + ask.path)

    @contextmanager
    def _named_errors(self, ask: Ask[Answer], attempts: Attempts) -> Iterator[None]:
        """httpx's errors as ours. Without the request, which holds the key, as their cause."""
        url = self._url + ask.path
        try:
            yield
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise attempts.silent(streams=ask.streams) from None
        except httpx.TransportError as error:
            raise no_connection(error, url=url) from None
        except httpx.HTTPError as error:
            raise EndpointError(f"{url}: {error}", LONGER_TIMEOUT, url=url) from None


class Client(_Calls[httpx.Client]):
    """Asks an endpoint of Quasar for verified circuits.

        with quasar.Client("http://127.0.0.1:8000") as client:
            answer = client.circuit("vertex cover of 0-1 1-2 2-3", samples=8)
            print(answer.circuit, answer.optimal)

    url: the endpoint's address, with a path where a proxy puts it under one; default QUASAR_URL,
    else http://127.0.0.1:8000. api_key: default QUASAR_API_KEY, else none. timeout: seconds for a
    whole call, with its retries; looked at whenever something arrives. max_retries: attempts after
    the first. http_client: for proxies and certificates; it is not closed with this one.

    All methods raise `quasar.EndpointError`; the classes below it are in `quasar.client`. One
    client may be used by several threads. Raises InputError for an address, a key or a number
    that cannot be.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        max_retries: int = DEFAULT_RETRIES,
        http_client: httpx.Client | None = None,
    ):
        super().__init__(
            url,
            api_key,
            timeout=timeout,
            max_retries=max_retries,
            http=http_client or httpx.Client(),
            owned=http_client is None,
        )

    def circuit(self, problem: GivenProblem, **options: Unpack[CircuitOptions]) -> CircuitAnswer:
        """The best verified circuit for a problem: `Problem`, a dict of its fields, a row of a
        problem file (whose encoding, ansatz and layers are kept), words, or what
        `quasar.read_problem` takes.

        Where no candidate was valid it is an answer too: `valid` false, `findings` says why.
        """
        return self._one(self._circuit(problem, options))

    def stream(
        self, problem: GivenProblem, **options: Unpack[CircuitOptions]
    ) -> Generator[Event, None, None]:
        """The events of the search as they happen; the last one is the `CircuitAnswer`.

        The request is sent when the first event is asked for. An event `error` is raised. Once an
        event was given nothing is tried again. `close()` ends the search early.
        """
        return self._items(self._stream(problem, options))

    def verify(
        self,
        circuit: Any,
        problem: GivenProblem,
        *,
        diagnose: bool = True,
        observation_chars: int = 1000,
    ) -> VerifyAnswer:
        """The report and reward of a circuit: OpenQASM 3 or 2, Qiskit's, PennyLane's, pytket's.

        One that is not valid is an answer, not an error.
        """
        return self._one(
            self._verify(circuit, problem, diagnose=diagnose, observation_chars=observation_chars)
        )

    def models(self) -> list[ModelFacts]:
        """The endpoint's models with its limits; one without an id where it only verifies."""
        return self._one(self._models()).data

    def ready(self) -> bool:
        """Whether all parts of the endpoint run. Raises where nothing answers."""
        return not self._one(self._ready()).waiting

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _one(self, ask: Ask[Answer]) -> Answer:
        (answer,) = self._items(ask)
        return answer

    def _items(self, ask: Ask[Answer]) -> Generator[Answer, None, None]:
        attempts = self._begin(ask)
        while True:
            reading = self._reading(ask, attempts)
            try:
                with self._named_errors(ask, attempts):
                    response = self._http.send(
                        self._request(ask, attempts), stream=True, follow_redirects=False
                    )
                    try:
                        reading.open(response)
                        for piece in response.iter_bytes():
                            yield from reading.feed(piece)
                    finally:
                        response.close()
                yield from reading.end()
                return
            except EndpointError as error:
                wait = attempts.after(error, begun=reading.begun)
            time.sleep(wait)


class AsyncClient(_Calls[httpx.AsyncClient]):
    """`Client` for asyncio: the same methods, awaited; `stream` is an asynchronous iterator.

        async with quasar.AsyncClient() as client:
            async for event in client.stream("vertex cover of 0-1 1-2 2-3"):
                print(type(event).__name__)

    An iteration that is left early is closed by `aclose()` (`contextlib.aclosing`).
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        max_retries: int = DEFAULT_RETRIES,
        http_client: httpx.AsyncClient | None = None,
    ):
        super().__init__(
            url,
            api_key,
            timeout=timeout,
            max_retries=max_retries,
            http=http_client or httpx.AsyncClient(),
            owned=http_client is None,
        )

    async def circuit(
        self, problem: GivenProblem, **options: Unpack[CircuitOptions]
    ) -> CircuitAnswer:
        """As `Client.circuit`."""
        return await self._one(self._circuit(problem, options))

    def stream(
        self, problem: GivenProblem, **options: Unpack[CircuitOptions]
    ) -> AsyncGenerator[Event, None]:
        """As `Client.stream`."""
        return self._items(self._stream(problem, options))

    async def verify(
        self,
        circuit: Any,
        problem: GivenProblem,
        *,
        diagnose: bool = True,
        observation_chars: int = 1000,
    ) -> VerifyAnswer:
        """As `Client.verify`."""
        return await self._one(
            self._verify(circuit, problem, diagnose=diagnose, observation_chars=observation_chars)
        )

    async def models(self) -> list[ModelFacts]:
        """As `Client.models`."""
        return (await self._one(self._models())).data

    async def ready(self) -> bool:
        """As `Client.ready`."""
        return not (await self._one(self._ready())).waiting

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owned:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _one(self, ask: Ask[Answer]) -> Answer:
        (answer,) = [answer async for answer in self._items(ask)]
        return answer

    async def _items(self, ask: Ask[Answer]) -> AsyncGenerator[Answer, None]:
        attempts = self._begin(ask)
        while True:
            reading = self._reading(ask, attempts)
            try:
                with self._named_errors(ask, attempts):
                    response = await self._http.send(
                        self._request(ask, attempts), stream=True, follow_redirects=False
                    )
                    try:
                        reading.open(response)
                        async for piece in response.aiter_bytes():
                            for item in reading.feed(piece):
                                yield item
                    finally:
                        await response.aclose()
                for item in reading.end():
                    yield item
                return
            except EndpointError as error:
                wait = attempts.after(error, begun=reading.begun)
            await asyncio.sleep(wait)
