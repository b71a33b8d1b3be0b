"""The endpoint without Ray: real verifier, real HTTP layer, a writer that writes given texts."""

import asyncio
import json
from functools import partial

import httpx
import pytest
from endpoint import (
    BODY,
    BROWSER,
    GOOD,
    PATH3,
    WORSE,
    Endpoint,
    error_of,
    failing,
    problem,
    written,
)

from quasar.circuits.canonical import normalised_terms
from quasar.config import load_config
from quasar.episodes.turns import PromptTooLong
from quasar.policy.engines.protocol import stream_seed
from quasar.policy.program_form import ProgramForm
from quasar.problems import get_problem, problem_names
from quasar.schema.circuits import EXAMPLE, FLOW_EXAMPLE, TEXT_EXAMPLE
from quasar.schema.verify import expand_graph
from quasar.serving.errors import overloaded
from quasar.verification.reward import Failed, score
from quasar.verification.verifier import Verifier


def test_the_best_circuit_is_answered_with_its_report():
    response = Endpoint([WORSE, "no program", GOOD]).ask()
    assert response.status_code == 200
    answer = response.json()
    assert answer["valid"]
    assert answer["circuit"].strip() == GOOD.strip()
    assert answer["candidates"] == {"drawn": 3, "valid": 2, "invalid": 1, "unverified": 0}
    assert sum(finding["count"] for finding in answer["findings"]) == 1
    verifier = Verifier(load_config("published").verification)
    report = verifier.verify(problem(), GOOD)
    assert answer["reward"] == pytest.approx(score(report, load_config("published").reward).value)
    assert answer["report"]["expectation"]["energy"] == pytest.approx(report.expectation.energy)
    assert (answer["model"], answer["seed"]) == ("run/final", 5)


def test_the_bitstring_is_the_lowest_of_the_most_probable_ones():
    answer = Endpoint([GOOD]).ask().json()
    energies = problem().hamiltonian.energies
    # character i is binary variable i, which is 1 where qubit i is measured 0
    state = sum(1 << q for q, c in enumerate(answer["best_bitstring"]) if c == "0")
    assert answer["energy"] == pytest.approx(energies[state])
    assert answer["energy"] == pytest.approx(energies.min())
    assert answer["optimal"]
    assert answer["feasible"]
    assert answer["answer"] == [1]  # the middle node covers both edges
    assert 0 < answer["probability"] <= 1


def test_no_valid_circuit_is_an_honest_answer():
    response = Endpoint(["prose", "OPENQASM 3.0;\nqubit[1] q;\nx q[0];\n"]).ask()
    assert response.status_code == 200
    answer = response.json()
    assert answer["circuit"] is None
    assert not answer["valid"]
    assert answer["reward"] is None
    assert answer["candidates"]["invalid"] == 3
    assert sum(finding["count"] for finding in answer["findings"]) == 3
    assert "none of the 3 candidates" in answer["message"]


def test_a_fault_of_the_verification_is_not_a_grade():
    async def faulty(checks):
        return [Failed("timeout", "no result within 20 s") for _ in checks]

    response = Endpoint(verify=faulty).ask()
    assert response.status_code == 503
    assert "no result within 20 s" in error_of(response)["message"]
    assert int(response.headers["retry-after"]) > 0


def test_some_unverified_candidates_are_counted():
    verifier = Verifier(load_config("published").verification)

    async def half(checks):
        rest = [verifier.verify(check.problem, check.text) for check in checks[1:]]
        return [Failed("worker", "gone"), *rest]

    answer = Endpoint([GOOD], verify=half).ask().json()
    assert answer["valid"]
    assert answer["candidates"] == {"drawn": 3, "valid": 2, "invalid": 0, "unverified": 1}


ROW = {
    "problem_type": "vertex_cover",
    "graph": {"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]},
}


def test_defaults_come_from_the_configuration():
    endpoint = Endpoint([GOOD], "serving.samples=2", "serving.temperature=0.3")
    endpoint.ask({"problem": BODY["problem"]})
    endpoint.ask({"problem": BODY["problem"], "temperature": 1.5, "samples": 5, "seed": 9})
    first, second = (request.turns for request in endpoint.requests)
    assert [turn.sampling.temperature for turn in first] == [0.3] * 2
    assert [turn.sampling.temperature for turn in second] == [1.5] * 5
    assert [turn.seed for turn in second] == [stream_seed(9, sample) for sample in range(5)]


def test_what_is_not_said_comes_of_the_serving_settings_alone():
    """Not of those of the dataset or of the evaluation, which act elsewhere."""
    elsewhere = ("evaluation.temperature=0.1", "dataset.ansatze=[adaptive]", "dataset.layers=[3]")
    endpoint = Endpoint([GOOD], "serving.ansatz=sim_5", "serving.layers=2", *elsewhere)
    endpoint.ask({"problem": BODY["problem"]})
    endpoint.ask({"row": ROW})
    for turn in (request.turns[0] for request in endpoint.requests):
        assert turn.sampling.temperature == 0.7
        assert turn.messages[-1]["content"].endswith("Ansatz: sim_5 with 2 layers.")
    bad = endpoint.ask({"row": {**ROW, "encoding": "other"}})
    assert (bad.status_code, error_of(bad)["field"]) == (422, "row")


@pytest.mark.parametrize("configured", [False, True])
def test_a_request_may_ask_for_the_grammar_or_do_without(configured):
    endpoint = Endpoint([GOOD], f"generation.constrained={configured}")
    for asked in (None, True, False):
        endpoint.ask(BODY | {"constrained": asked})
    form = ProgramForm(len(BODY["problem"]["graph"]["nodes"]))
    forms = [request.turns[0].form for request in endpoint.requests]
    assert forms == [form if configured else None, form, None]


def test_canonical_programs_are_held_to_the_problem_and_the_family_asked_for():
    endpoint = Endpoint([GOOD], "dataset.style=canonical", "dataset.prompts=compact")
    endpoint.ask(BODY | {"constrained": True, "ansatz": "sim_5", "layers": 2})
    endpoint.ask({"row": ROW | {"ansatz": "qaoa", "n_layers": 3}, "constrained": True})
    first, second = (request.turns[0].form for request in endpoint.requests)
    assert (first.style, first.ansatz, first.layers, first.num_qubits) == (
        "canonical", "sim_5", 2, 3,
    )  # fmt: skip
    assert first.terms == tuple(normalised_terms(problem().hamiltonian))
    assert (second.ansatz, second.layers) == ("qaoa", 3)


@pytest.mark.parametrize("example", [EXAMPLE, FLOW_EXAMPLE, TEXT_EXAMPLE])
def test_the_examples_that_the_page_shows_are_accepted(example):
    response = Endpoint(["nothing"]).ask(example)
    assert response.status_code == 200


NODE_LINK = {
    "directed": False,
    "multigraph": False,
    "graph": {},
    "nodes": [{"id": 0}, {"id": 1}, {"id": 2}],
    "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}],
}


def test_short_and_long_form_are_the_same_problem():
    assert expand_graph(PATH3, is_network=False) == NODE_LINK
    assert expand_graph(NODE_LINK, is_network=False) == NODE_LINK
    flow = expand_graph({"nodes": [0, 1], "edges": [[0, 1, 3]]}, is_network=True)
    assert flow["directed"] is True
    assert flow["edges"] == [{"capacity": 3, "source": 0, "target": 1}]


def with_problem(**changes):
    return {**BODY, "problem": {**BODY["problem"], **changes}}


@pytest.mark.parametrize(
    ("body", "status", "field", "part"),
    [
        ({}, 422, None, "give exactly one of 'problem', 'row' and 'text'; given: none"),
        ([], 422, None, "the body"),
        (BODY | {"row": {}}, 422, None, "give exactly one of 'problem', 'row' and 'text'"),
        ({"row": {"graph": {}}}, 422, "row", "'problem_type' is missing"),
        (BODY | {"sample": 3}, 422, "sample", "unknown field 'sample'"),
        (BODY | {"samples": 0}, 422, "samples", "at least 1"),
        (BODY | {"samples": 33}, 422, "samples", "limit of 32"),
        (BODY | {"samples": "many"}, 422, "samples", "whole number"),
        (BODY | {"temperature": 0}, 422, "temperature", "above 0"),
        (BODY | {"temperature": "nan"}, 422, "temperature", "number"),
        (BODY | {"seed": -1}, 422, "seed", "at least 0"),
        (BODY | {"seed": 10**30}, 422, "seed", "at most"),
        (with_problem(primitive="vertexcover"), 422, "problem", "did you mean 'vertex_cover'"),
        (with_problem(primitive=3), 422, "problem.primitive", "must be text"),
        (with_problem(graph=[]), 422, "problem.graph", "must be an object"),
        (with_problem(graph={}), 422, "problem", '"nodes" is missing, a list'),
        (with_problem(graph={"nodes": [0, 1], "edges": [[0, 5]]}), 422, "problem", "names 5"),
        (with_problem(graph={"nodes": [0, 1], "edges": [0]}), 422, "problem", "edge 0"),
        (with_problem(graph={"nodes": [0, 1], "edges": 7}), 422, "problem", '"edges"'),
        (with_problem(primitive="min_cut"), 422, "problem", "'source' is missing"),
        (
            with_problem(graph={"nodes": list(range(25)), "edges": [[0, 1]]}),
            422,
            "problem",
            "25 qubits, the limit is 20",
        ),
    ],
)
def test_a_bad_request_is_explained(body, status, field, part):
    endpoint = Endpoint()
    response = endpoint.ask(body)
    assert response.status_code == status
    error = error_of(response)
    assert error["field"] == field
    assert part in error["message"]
    assert endpoint.requests == []


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[" * 5000])
def test_a_body_that_is_no_json_is_a_bad_request(content):
    headers = {"Content-Type": "application/json"}
    response = Endpoint().request("POST", "/v1/circuits", content=content, headers=headers)
    assert response.status_code in (400, 422)
    assert error_of(response)


def test_a_form_is_told_the_content_type():
    response = Endpoint().request("POST", "/v1/circuits", data={"problem": "x"})
    assert response.status_code == 422
    assert "Content-Type: application/json" in error_of(response)["hint"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused_unread(declared):
    sent = []

    async def chunks():
        for _ in range(100):
            sent.append(1)
            yield b" " * 1000

    endpoint = Endpoint([GOOD], "serving.max_body_bytes=5000")
    content = b" " * 100_000 if declared else chunks()
    response = endpoint.request("POST", "/v1/circuits", content=content)
    assert response.status_code == 413
    assert "5000 bytes" in error_of(response)["message"]
    assert len(sent) < 10


def test_a_body_at_the_limit_is_read():
    content = json.dumps(BODY).encode().ljust(2000)
    endpoint = Endpoint([GOOD], "serving.max_body_bytes=2000")
    headers = {"Content-Type": "application/json"}
    response = endpoint.request("POST", "/v1/circuits", content=content, headers=headers)
    assert response.status_code == 200


def test_a_prompt_that_does_not_fit_is_refused():
    async def too_long(request):
        yield PromptTooLong(0, 300, 256)

    error = error_of(Endpoint(write=too_long).ask())
    assert error["field"] == "problem.graph"
    assert "300 tokens" in error["message"]


def test_an_answer_that_takes_too_long_is_a_504():
    async def slow(request):
        await asyncio.sleep(30)
        yield []

    response = Endpoint([GOOD], "serving.request_timeout_s=0.05", write=slow).ask()
    assert response.status_code == 504
    assert "0.05 seconds" in error_of(response)["message"]


def test_overload_says_when_to_come_back():
    response = Endpoint(write=failing(overloaded())).ask()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert error_of(response)


def test_what_is_too_much_is_refused_before_any_work():
    begun, go_on = [], asyncio.Event()

    async def write(request):
        begun.append(request)
        await go_on.wait()
        yield written(request, GOOD)

    api = Endpoint(write=write, max_requests=2).api

    async def burst():
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            ask = partial(client.post, "/v1/circuits", json=BODY)
            working = [asyncio.create_task(ask()) for _ in range(2)]
            while len(begun) < 2:
                await asyncio.sleep(0)
            refused = [await ask() for _ in range(3)]
            others = await client.get("/healthz")
            go_on.set()
            return await asyncio.gather(*working), refused, others, await ask()

    answered, refused, others, afterwards = asyncio.run(burst())
    assert [response.status_code for response in answered] == [200, 200]
    assert [response.status_code for response in refused] == [503] * 3
    assert all(int(response.headers["retry-after"]) > 0 for response in refused)
    assert (others.status_code, afterwards.status_code) == (200, 200)
    assert len(begun) == 3


def test_an_unexpected_error_shows_nothing_internal():
    response = Endpoint(write=failing(RuntimeError("secret path /etc/quasar"))).ask()
    assert response.status_code == 500
    assert "secret" not in response.text
    assert error_of(response)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/circuits", 405), ("GET", "/x", 404)]
)
def test_wrong_paths_and_methods(method, path, status):
    response = Endpoint().request(method, path)
    assert response.status_code == status
    assert path in error_of(response)["message"]


def test_a_browser_gets_a_readable_error_page():
    response = Endpoint().ask(with_problem(primitive="<b>cut</b>"), headers=BROWSER)
    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/html")
    assert "<h1>422: unknown primitive" in response.text
    assert "&lt;b&gt;cut" in response.text
    assert "<b>cut</b>" not in response.text
    assert "Hint:" in response.text
    assert Endpoint().request("GET", "/x", headers=BROWSER).text.startswith("<!doctype html>")


def test_the_problems_are_told_with_examples_that_work():
    endpoint = Endpoint()
    problems = endpoint.request("GET", "/v1/problems").json()["problems"]
    assert [told["primitive"] for told in problems] == list(problem_names())
    for told in problems:
        assert told["answer_form"] != "other"
        optional = get_problem(told["primitive"]).optional_attributes
        assert told["attributes"].keys() == told["example"]["attributes"].keys() - {*optional}
        described = endpoint.request("POST", "/v1/describe", json={"problem": told["example"]})
        assert described.json()["num_qubits"] == len(described.json()["variables"])
    sink = {"kind": "node", "choices": []}
    assert problems[list(problem_names()).index("max_flow")]["attributes"]["sink"] == sink
    refused = endpoint.request(
        "POST", "/v1/describe", json={"problem": BODY["problem"] | {"primitive": "cut"}}
    )
    assert refused.status_code == 422
    assert error_of(refused)["field"] == "problem"


def test_health_and_models():
    endpoint = Endpoint()
    assert endpoint.request("GET", "/healthz").json() == {"status": "ok"}
    model = endpoint.request("GET", "/v1/models").json()["data"][0]
    assert model["id"] == "run/final"
    assert model["primitives"] == list(problem_names())
    assert (model["max_samples"], model["max_qubits"]) == (32, 20)
    assert model["trained"]["max_qubits"] >= model["trained"]["min_qubits"] > 0


def test_the_schema_shows_examples_and_refusals():
    schema = Endpoint().request("GET", "/openapi.json").json()
    operation = schema["paths"]["/v1/circuits"]["post"]
    assert {"200", "400", "413", "422", "503", "504"} <= operation["responses"].keys()
    assert schema["components"]["schemas"]["CircuitRequest"]["examples"] == [
        EXAMPLE,
        FLOW_EXAMPLE,
        TEXT_EXAMPLE,
    ]
