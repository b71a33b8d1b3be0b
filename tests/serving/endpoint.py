"""The endpoint without Ray: real verifier, real HTTP layer, a writer that writes given texts."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import httpx
import uvicorn

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.config import load_config
from quasar.problems import build_instance
from quasar.rewards import score
from quasar.serving.api import create_api
from quasar.serving.keys import ApiKeys
from quasar.serving.service import CircuitService
from quasar.serving.writer import Draft, Order
from quasar.tool.schema import expand_graph
from quasar.verification.verifier import Verifier
from quasar.verification.worker import run_check

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
            Verifier(load_config("laptop").verification).verify(problem(), text),
            load_config("laptop").reward,
        ).value
    ),
)


def failing(error: Exception):
    """A writer that gets no further than this."""

    async def write(order):
        raise error
        yield

    return write


class Endpoint:
    """The application around given texts; records the orders that reach the writer."""

    def __init__(
        self,
        texts: Sequence[str] = (GOOD,),
        *overrides: str,
        write=None,
        verify=None,
        model: str | None = "run/final",
        keys: ApiKeys | None = None,
        max_requests: int | None = None,
    ):
        self.config = load_config("laptop", overrides)
        self.orders: list[Order] = []
        self.verifier = Verifier(self.config.verification)

        async def write_given(order):
            self.orders.append(order)
            yield [Draft(texts[i % len(texts)], True, i) for i in range(order.samples)]

        async def verify_all(checks):
            return [run_check(self.verifier, check, memory_limit_mb=0) for check in checks]

        service = CircuitService(
            (write or write_given) if model else None,
            verify or verify_all,
            self.config,
            model=model,
        )
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
            for _ in range(600):
                if server.started:
                    break
                time.sleep(0.05)
            assert server.started
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(30)


def error_of(response: httpx.Response) -> dict:
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "field", "mend"}
    assert body["error"]["mend"]
    assert "Traceback" not in response.text
    return body["error"]
