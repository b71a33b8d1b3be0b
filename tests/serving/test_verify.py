"""`POST /v1/verify` without Ray: real verifier, real HTTP layer."""

import json
from dataclasses import asdict

import pytest
from endpoint import GOOD, PATH3, Endpoint, error_of, problem

from quasar.schema.verify import GRAPH_EXAMPLE, ROW_EXAMPLE
from quasar.verification.reward import Failed, score

ASKED = {"problem": {"primitive": "vertex_cover", "graph": PATH3}, "circuit": GOOD}
ROW = {"problem_type": "vertex_cover", "graph": ROW_EXAMPLE["row"]["graph"]}


def verify(body, endpoint=None, **arguments):
    return (endpoint or Endpoint()).request("POST", "/v1/verify", json=body, **arguments)


def test_a_circuit_is_answered_with_report_reward_and_observation():
    endpoint = Endpoint()
    answer = verify(ASKED, endpoint).json()
    report = endpoint.verifier.verify(problem(), GOOD, diagnose=True)
    expected = json.loads(json.dumps(report.to_dict()))
    expected.pop("seconds")
    assert answer["report"].pop("seconds").keys() == report.seconds.keys()
    assert answer["report"] == expected
    assert answer["report"]["diagnosis"]["gradient"]
    assert answer["reward"] == score(report, endpoint.config.reward).to_dict()
    assert answer["observation"].startswith("valid: 3 qubits")
    assert endpoint.requests == []


def test_what_to_fix_can_be_left_out():
    answer = verify({**ASKED, "diagnose": False, "observation_chars": 60}).json()
    assert answer["report"]["diagnosis"] is None
    assert len(answer["observation"]) <= 60


def test_a_circuit_is_drawn_where_that_is_asked_for():
    endpoint = Endpoint()
    answer = verify({**ASKED, "draw": True}, endpoint).json()
    report = endpoint.verifier.verify(problem(), GOOD, draw=True)
    assert answer["report"]["drawing"] == json.loads(json.dumps(asdict(report.drawing)))
    assert verify(ASKED, endpoint).json()["report"]["drawing"] is None
    asked = {"problem": ASKED["problem"], "samples": 1}
    drawn = endpoint.ask({**asked, "draw": True}).json()
    assert drawn["report"]["drawing"] == answer["report"]["drawing"]
    assert endpoint.ask(asked).json()["report"]["drawing"] is None


def test_an_invalid_circuit_is_an_answer():
    response = verify({**ASKED, "circuit": GOOD.replace("q[2]", "q[7]")})
    assert response.status_code == 200
    answer = response.json()
    assert answer["report"]["error"]["kind"] == "index_out_of_range"
    assert answer["reward"]["value"] == -1.0


@pytest.mark.parametrize(
    ("body", "field", "part"),
    [
        ({"circuit": GOOD}, None, "give either 'problem' or 'row'"),
        ({**ASKED, "row": ROW}, None, "give either 'problem' or 'row'"),
        ({"problem": ASKED["problem"]}, "circuit", "is missing"),
        ({**ASKED, "circuit": 3}, "circuit", "must be text"),
        ({**ASKED, "samples": 3}, "samples", "unknown field"),
        ({**ASKED, "observation_chars": 0}, "observation_chars", "at least 20"),
        ({"row": {**ROW, "n_qubits": 3}, "circuit": ""}, "row", "3 qubits for 2 variables"),
        ({"row": {"graph": {}}, "circuit": ""}, "row", "'problem_type' is missing"),
        (
            {"problem": {"primitive": "cut", "graph": PATH3}, "circuit": ""},
            "problem",
            "unknown primitive",
        ),
    ],
)
def test_a_bad_request_is_explained(body, field, part):
    response = verify(body)
    assert response.status_code == 422
    error = error_of(response)
    assert error["field"] == field
    assert part in error["message"]


@pytest.mark.parametrize(
    ("kind", "status", "field"),
    [("timeout", 422, "circuit"), ("memory", 422, "circuit"), ("worker", 503, None)],
)
def test_a_fault_is_never_a_grade(kind, status, field):
    async def faulty(checks):
        return [Failed(kind, "no report") for _ in checks]

    response = verify(ASKED, Endpoint(verify=faulty))
    assert response.status_code == status
    error = error_of(response)
    assert (error["field"], error["message"]) == (field, "the circuit was not verified: no report")


def test_without_a_model_circuits_are_verified_and_none_are_written():
    endpoint = Endpoint(model=None)
    assert verify(ASKED, endpoint).status_code == 200
    refused = endpoint.ask()
    assert refused.status_code == 404
    assert "no model" in error_of(refused)["message"]
    assert endpoint.request("GET", "/v1/models").json()["data"][0]["id"] is None


def test_the_schema_shows_examples_that_work():
    schema = Endpoint().request("GET", "/openapi.json").json()
    examples = schema["components"]["schemas"]["VerifyRequest"]["examples"]
    assert examples == [GRAPH_EXAMPLE, ROW_EXAMPLE]
    for example in examples:
        assert verify(example).json()["report"]["valid"]
    assert "404" not in schema["paths"]["/v1/verify"]["post"]["responses"]
    assert "404" in schema["paths"]["/v1/circuits"]["post"]["responses"]
