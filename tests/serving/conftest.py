"""A real small model that has learnt one circuit by heart; pages in a real browser; the clients."""

import asyncio
import contextlib

import pytest
import torch
from browser import ARGUMENTS, CHROMIUM, CIRCUITS, Visit
from endpoint import Endpoint, running
from scripted import Scripted

import quasar
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.config import load_config
from quasar.datasets.prompts import build_messages
from quasar.policy.chat import ChatFormat
from quasar.policy.models import build_policy, load_policy
from quasar.problems import build_instance
from quasar.schema.verify import expand_graph
from quasar.system import backoff as backoff_module

KNOWN_GRAPH = {"nodes": [0, 1, 2], "edges": [[0, 1], [1, 2]]}
SMALL = (
    "policy.hidden_size=64",
    "policy.num_layers=2",
    "policy.num_attention_heads=4",
    "policy.num_key_value_heads=2",
    "policy.intermediate_size=128",
)


def memorise(directory, prompt: list[int], answer: list[int]) -> None:
    """Train the model of a directory on one example until it knows it."""
    model, _ = load_policy(directory)
    model.train()
    ids = torch.tensor([prompt + answer])
    labels = ids.clone()
    labels[0, : len(prompt)] = -100
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.01:
            break
    assert loss.item() < 0.05
    model.save_pretrained(directory)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    problem = build_instance("vertex_cover", expand_graph(KNOWN_GRAPH, is_network=False))
    messages = build_messages(problem)
    text = qaoa_circuit(problem.hamiltonian, [0.75], [-0.4], decimals=2, canonical=True).to_qasm(
        decimals=2
    )
    directory = tmp_path_factory.mktemp("run") / "model"
    build_policy(
        load_config("published", SMALL), [m["content"] for m in messages] + [text], directory
    )
    chat = ChatFormat(load_policy(directory)[1])
    memorise(directory, chat.prompt_ids(messages), chat.answer_ids(text))
    return directory


@pytest.fixture(scope="session")
def known_graph():
    """The graph whose vertex-cover circuit the checkpoint knows."""
    return KNOWN_GRAPH


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield made
        made.close()


@pytest.fixture
def visit(chromium):
    visits = []

    def make(endpoint=None, **options):
        visits.append(Visit(chromium, (endpoint or Endpoint(CIRCUITS)).api, **options))
        return visits[-1]

    yield make
    for one in visits:
        one.close()


@pytest.fixture
def no_settings(monkeypatch):
    """Neither an address nor a key in the environment."""
    monkeypatch.delenv("QUASAR_URL", raising=False)
    monkeypatch.delenv("QUASAR_API_KEY", raising=False)


@pytest.fixture
def quick(monkeypatch):
    """Retries without a wait worth the name."""
    monkeypatch.setattr(backoff_module, "FIRST_BACKOFF_S", 0.01)


@pytest.fixture(params=["Client", "AsyncClient"])
def call(request):
    """call(url, method, …, settings={}): one call of either client; a stream as a list."""

    def sync(url, method, *arguments, settings=None, **options):
        with quasar.Client(url, **(settings or {})) as client:
            found = getattr(client, method)(*arguments, **options)
            return list(found) if method == "stream" else found

    def awaited(url, method, *arguments, settings=None, **options):
        async def run():
            async with quasar.AsyncClient(url, **(settings or {})) as client:
                found = getattr(client, method)(*arguments, **options)
                return [item async for item in found] if method == "stream" else await found

        return asyncio.run(run())

    return sync if request.param == "Client" else awaited


@pytest.fixture
def scripted():
    """scripted(*answers, then=None) runs a script; gives (url, script)."""
    with contextlib.ExitStack() as stack:

        def start(*answers, then=None):
            script = Scripted(*answers, then=then)
            host, port = stack.enter_context(running(script))
            return f"http://{host}:{port}", script

        yield start
