"""The endpoint without Ray: real verifier, real HTTP layer, writers that write given texts."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence

import httpx
import uvicorn

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.config import load_config
from quasar.episodes.turns import WriteRequest, WrittenTurn
from quasar.policy.engines.protocol import Completion
from quasar.problems import build_instance
from quasar.schema.verify import expand_graph
from quasar.serving.api import create_api
from quasar.serving.keys import ApiKeys
from quasar.serving.models import ServedModel, ServedModels, endpoint_config
from quasar.serving.service import CircuitService
from quasar.verification.request import answer_request
from quasar.verification.reward import score
from quasar.verification.verifier import Verifier
from tests.support.machine import scaled, wait_until

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PATH3 = {"nodes": [0, 1, 2], "edges": [[0, 1], [1, 2]]}
BODY = {"problem": {"primitive": "vertex_cover", "graph": PATH3}, "samples": 3, "seed": 5}


def problem():
    graph = expand_graph(PATH3, is_network=False)
    return build_instance("vertex_cover", graph)


def circuit_text(gamma: float, beta: float) -> str:
    return qaoa_circuit(problem().hamiltonian, [gamma], [beta]).to_qasm()


GOOD, WORSE = sorted(
    (circuit_text(0.75, -0.4), circuit_text(0.0, 0.0)),
    key=lambda text: (
        -score(
            Verifier(load_config("published").verification).verify(problem(), text),
            load_config("published").reward,
        ).value
    ),
)


def written(request: WriteRequest, *texts: str) -> list[WrittenTurn]:
    """The turns of a request: sample i writes text i, going round; one token that says which."""
    return [
        WrittenTurn(
            turn.sample,
            Completion(texts[turn.sample % len(texts)], (10 * turn.turn + turn.sample,), (), True),
        )
        for turn in request.turns
    ]


def failing(error: Exception):
    """A writer that gets no further than this."""

    async def write(request):
        raise error
        yield

    return write


class Endpoint:
    """The application around given texts; records the requests that reach a writer.

    others: further models by name, each with its texts and its settings.
    """

    def __init__(
        self,
        texts: Sequence[str] = (GOOD,),
        *overrides: str,
        write=None,
        verify=None,
        model: str | None = "run/final",
        others: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {},
        keys: ApiKeys | None = None,
        max_requests: int | None = None,
    ):
        self.requests: list[WriteRequest] = []

        def writing(texts):
            async def write_given(request):
                self.requests.append(request)
                yield written(request, *texts)

            return write_given

        config = load_config("published", overrides)
        served = [ServedModel(model, config, write or writing(texts))] if model else []
        served += [
            ServedModel(name, load_config("published", settings), writing(texts))
            for name, (texts, settings) in others.items()
        ]
        self.config = endpoint_config([one.config for one in served] or [config])
        self.verifier = Verifier(self.config.verification)

        async def verify_all(checks):
            return [answer_request(self.verifier, check, memory_limit_mb=0) for check in checks]

        service = CircuitService(ServedModels(served), verify or verify_all, self.config)
        self.api = create_api(service, keys=keys, max_requests=max_requests)

    def request(self, method: str, path: str, **arguments) -> httpx.Response:
        async def send():
            transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def ask(self, body=BODY, **arguments) -> httpx.Response:
        return self.request("POST", "/v1/circuits", json=body, **arguments)


def events_of(response: httpx.Response) -> list[tuple[str, dict]]:
    """(name, data) of each server-sent event."""
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in response.text.strip().split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in blocks
    ]


@contextlib.contextmanager
def running(api) -> Iterator[tuple[str, int]]:
    """The application under uvicorn on a port of loopback: (host, port)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(api, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: server.started, 30)
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(scaled(30))


def error_of(response: httpx.Response) -> dict:
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "field", "hint"}
    assert body["error"]["hint"]
    assert "Traceback" not in response.text
    return body["error"]
