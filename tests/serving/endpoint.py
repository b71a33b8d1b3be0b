"""The endpoint without Ray: real verifier, real HTTP layer, a writer that writes given texts."""

import asyncio
from collections.abc import Sequence

import httpx

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.config import load_config
from quasar.problems import build_instance
from quasar.rewards import score
from quasar.serving.api import create_api
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


class Endpoint:
    """The application around given texts; records the orders that reach the writer."""

    def __init__(
        self,
        texts: Sequence[str] = (GOOD,),
        *overrides: str,
        write=None,
        verify=None,
        model: str | None = "run/final",
    ):
        self.config = load_config("laptop", overrides)
        self.orders: list[Order] = []
        self.verifier = Verifier(self.config.verification)

        async def write_given(order):
            self.orders.append(order)
            return [Draft(texts[i % len(texts)], True, i) for i in range(order.samples)]

        async def verify_all(checks):
            return [run_check(self.verifier, check, memory_limit_mb=0) for check in checks]

        service = CircuitService(
            (write or write_given) if model else None,
            verify or verify_all,
            self.config,
            model=model,
        )
        self.api = create_api(service)

    def request(self, method: str, path: str, **arguments) -> httpx.Response:
        async def send():
            transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def ask(self, body=BODY, **arguments) -> httpx.Response:
        return self.request("POST", "/v1/circuits", json=body, **arguments)


def error_of(response: httpx.Response) -> dict:
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "field", "mend"}
    assert body["error"]["mend"]
    assert "Traceback" not in response.text
    return body["error"]
