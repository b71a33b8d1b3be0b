"""The style of the answered program: as the model wrote it, canonical or published."""

import numpy as np
import pytest
from endpoint import BODY, GOOD, WORSE, Endpoint, circuit_text, error_of, problem

from quasar.circuits.canonical import normalised_terms, qaoa_program
from quasar.circuits.convert import style_of
from quasar.circuits.qasm import read_qasm
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.request import answer_request
from quasar.verification.reward import Failed

PLANNED = qaoa_program(
    3, normalised_terms(problem().hamiltonian), [0.9], [-0.4], comments=["q0: 1"]
)


def chances(program: str) -> np.ndarray:
    return probabilities(encode(read_qasm(program)))


@pytest.mark.parametrize(
    ("written", "style"),
    [((GOOD, WORSE), "canonical"), ((PLANNED, WORSE), "published"), ((GOOD, PLANNED), "published")],
)
def test_programs_are_answered_in_the_style_asked_for_and_verified_in_it(written, style):
    plain = Endpoint(written).ask().json()
    answer = Endpoint(written).ask(BODY | {"style": style, "draw": True}).json()
    told = [answer["circuit"], *(found["circuit"] for found in answer["alternatives"])]
    assert len(told) == 2
    assert {style_of(program) for program in told} == {style}
    before = [plain["circuit"], *(found["circuit"] for found in plain["alternatives"])]
    for one, other in zip(told, before, strict=True):
        np.testing.assert_allclose(chances(one), chances(other), atol=1e-5)
    ratios = [a["report"]["expectation"]["approximation_ratio"] for a in (answer, plain)]
    assert ratios[0] == pytest.approx(ratios[1], abs=1e-5)
    assert answer["report"]["drawing"] is not None
    # judged alone, the answered program has the report that was told
    body = {"problem": BODY["problem"], "circuit": answer["circuit"]}
    alone = Endpoint().request("POST", "/v1/verify", json=body).json()
    assert alone["report"]["expectation"] == answer["report"]["expectation"]
    assert alone["reward"]["value"] == answer["reward"]


def test_a_program_in_that_style_is_left_as_it_is():
    answer = Endpoint([PLANNED]).ask(BODY | {"style": "canonical"}).json()
    plain = Endpoint([PLANNED]).ask().json()
    assert answer["circuit"] == plain["circuit"] == PLANNED
    assert answer["message"] == plain["message"]


def test_programs_that_differ_in_their_comments_alone_are_one_alternative():
    other = PLANNED.replace("q0: 1", "q0: 0")
    body = BODY | {"samples": 2}
    assert len(Endpoint([PLANNED, other]).ask(body).json()["alternatives"]) == 1
    answer = Endpoint([PLANNED, other]).ask(body | {"style": "published"}).json()
    assert answer["alternatives"] == []


def test_what_the_optimise_tool_did_is_still_told():
    body = BODY | {"style": "canonical", "tools": ["verify", "optimise"], "samples": 1}
    answer = Endpoint([circuit_text(0.4, -0.2)]).ask(body).json()
    assert style_of(answer["circuit"]) == "canonical"
    assert answer["report"]["optimised"]["improved"]


def test_the_model_s_own_program_is_answered_where_the_other_is_not_verified():
    endpoint = Endpoint()

    async def verify(checks):
        return [
            Failed("timeout", "too slow")
            if style_of(check.text) == "canonical"
            else answer_request(endpoint.verifier, check, memory_limit_mb=0)
            for check in checks
        ]

    answer = Endpoint([GOOD], verify=verify).ask(BODY | {"style": "canonical"}).json()
    assert answer["circuit"] == GOOD
    assert answer["report"]["valid"]
    assert "as the model wrote it (canonical program not verified: too slow)" in answer["message"]


def test_without_a_valid_program_the_style_changes_nothing():
    answer = Endpoint(["no program"]).ask(BODY | {"style": "canonical"}).json()
    assert (answer["valid"], answer["circuit"]) == (False, None)


def test_another_style_is_refused():
    refused = Endpoint().ask(BODY | {"style": "short"})
    assert refused.status_code == 422
    assert error_of(refused)["field"] == "style"
