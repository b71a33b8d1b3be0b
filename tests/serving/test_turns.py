"""Turns, budget, alternatives and events of `POST /v1/circuits`: real verifier, given texts."""

import asyncio

import pytest
from endpoint import (
    BODY,
    GOOD,
    PATH3,
    WORSE,
    Endpoint,
    circuit_text,
    error_of,
    events_of,
    failing,
    written,
)

from quasar.datasets.canonical_answers import basis_state_answer
from quasar.episodes.turns import TextDelta, TextDeltas
from quasar.serving.errors import overloaded
from quasar.verification.reward import Failed

TWO_TURNS = BODY | {"turns": 2, "samples": 2}


def by_turn(*turns):
    """A writer that writes the texts of each turn; keeps the requests."""
    requests = []

    async def write(request):
        requests.append(request)
        yield written(request, *turns[request.turns[0].turn])

    return write, requests


def test_a_second_turn_reads_what_the_tool_found_and_the_best_of_all_is_answered():
    write, requests = by_turn(["no program", WORSE], [GOOD])
    answer = Endpoint(write=write).ask(TWO_TURNS).json()
    assert answer["circuit"].strip() == GOOD.strip()
    assert (answer["turn"], answer["stopped"]) == (2, "turns")
    assert [(t["turn"], t["drawn"], t["valid"]) for t in answer["turns"]] == [(1, 2, 1), (2, 2, 2)]
    assert answer["candidates"] == {"drawn": 4, "valid": 3, "invalid": 1, "unverified": 0}
    assert [(turn.ids, turn.observation) for turn in requests[0].turns] == [((), None)] * 2
    first, second = requests[1].turns
    assert (first.ids, second.ids) == ((0,), (1,))  # what each sample wrote in its first turn
    assert first.observation.startswith("invalid")
    assert "terms that cost" in second.observation


def test_a_worse_second_turn_does_not_replace_the_first():
    write, _ = by_turn([GOOD], [WORSE])
    answer = Endpoint(write=write).ask(TWO_TURNS).json()
    assert (answer["turn"], answer["circuit"].strip()) == (1, GOOD.strip())


def test_what_is_good_enough_is_not_written_again():
    write, requests = by_turn([GOOD], [WORSE])
    answer = Endpoint([], "generation.satisfied_at=0.0", write=write).ask(TWO_TURNS).json()
    assert (answer["stopped"], len(requests)) == ("satisfied", 1)


def test_the_budget_ends_the_turns_and_keeps_the_best():
    async def write(request):
        if request.turns[0].turn:
            await asyncio.sleep(30)
        yield written(request, GOOD)

    answer = Endpoint(write=write).ask(TWO_TURNS | {"budget_s": 2.0}).json()
    assert (answer["valid"], answer["stopped"]) == (True, "budget")
    assert "the time ran out" in answer["message"]


def test_a_later_turn_that_finds_the_queue_full_keeps_the_best():
    async def write(request):
        if request.turns[0].turn:
            raise overloaded()
        yield written(request, GOOD)

    answer = Endpoint(write=write).ask(TWO_TURNS).json()
    assert (answer["valid"], answer["stopped"]) == (True, "interrupted")


def test_alternatives_are_the_next_best_distinct_circuits():
    third = circuit_text(0.3, -0.2)
    endpoint = Endpoint([WORSE, GOOD, third, GOOD])
    answer = endpoint.ask(BODY | {"samples": 4}).json()
    rewards = [answer["reward"], *(a["reward"] for a in answer["alternatives"])]
    assert rewards == sorted(rewards, reverse=True)
    circuits = [answer["circuit"], *(a["circuit"] for a in answer["alternatives"])]
    assert len(set(circuits)) == len(circuits) == 3
    assert endpoint.ask(BODY | {"alternatives": 0}).json()["alternatives"] == []


def test_the_best_circuit_is_compiled_for_a_device():
    compiled = Endpoint([GOOD]).ask(BODY | {"device": "depolarizing"}).json()["compiled"]
    assert compiled["two_qubit_gates"] >= 4  # two couplings of two CNOTs each
    assert compiled["depth"] > compiled["two_qubit_gates"] / 2
    assert Endpoint([GOOD]).ask().json()["compiled"] is None


def test_the_family_that_is_asked_for_stands_in_the_prompt():
    endpoint = Endpoint([GOOD])
    assert endpoint.ask(BODY | {"ansatz": "sim_5", "layers": 2}).status_code == 200
    assert "sim_5 with 2 layers" in endpoint.requests[0].turns[0].messages[-1]["content"]
    refused = endpoint.ask(BODY | {"ansatz": "qoao"})
    assert (refused.status_code, error_of(refused)["field"]) == (422, "ansatz")
    assert "did you mean 'qaoa'" in error_of(refused)["message"]


@pytest.mark.parametrize(
    ("extra", "field"), [({"turns": 5}, "turns"), ({"budget_s": 121}, "budget_s")]
)
def test_more_than_the_endpoint_gives_is_refused(extra, field):
    assert error_of(Endpoint().ask(BODY | extra))["field"] == field


@pytest.mark.parametrize("asked", ["body", "header"])
def test_events_tell_each_turn(asked):
    write, _ = by_turn(["no program", WORSE], [GOOD])
    stream, headers = {"stream": asked == "body"}, {}
    if asked == "header":
        headers = {"Accept": "text/event-stream"}
    response = Endpoint(write=write).ask(TWO_TURNS | stream, headers=headers)
    events = events_of(response)
    names = [name for name, _ in events]
    assert names == ["start", "written", "verified", "written", "verified", "answer"]
    start, _, first, _, second, answer = (data for _, data in events)
    problem = {"task": "ising", "primitive": "vertex_cover", "num_qubits": 3}
    assert start["problem"] == problem
    assert [c["valid"] for c in first["candidates"]] == [False, True]
    assert first["candidates"][0]["error"]["kind"]
    assert second["improved"]
    assert second["best"]["reward"] == answer["reward"]
    plain = Endpoint(write=by_turn(["no program", WORSE], [GOOD])[0]).ask(TWO_TURNS).json()
    for data in (answer, plain):
        data.pop("seconds")
        data["report"].pop("seconds")
    assert answer == plain


def test_a_stream_shows_the_text_as_it_grows_and_a_plain_request_does_not():
    streamed = []

    async def write(request):
        streamed.append(request.stream)
        if request.stream:
            yield TextDeltas((TextDelta(0, GOOD[:10]), TextDelta(1, WORSE[:5])))
            yield TextDeltas((TextDelta(0, GOOD[10:]),))
        yield written(request, GOOD, WORSE)

    events = events_of(Endpoint(write=write).ask(BODY | {"samples": 2, "stream": True}))
    assert [name for name, _ in events][:4] == ["start", "grown", "grown", "written"]
    assert events[1][1] == {
        "turn": 1,
        "pieces": [{"sample": 0, "text": GOOD[:10]}, {"sample": 1, "text": WORSE[:5]}],
    }
    assert Endpoint(write=write).ask(BODY | {"samples": 2}).json()["valid"]
    assert streamed == [True, False]


def test_a_stream_refuses_before_it_starts_or_ends_with_the_error():
    endpoint = Endpoint()
    early = endpoint.ask(BODY | {"stream": True, "samples": 99})
    assert (early.status_code, error_of(early)["field"]) == (422, "samples")

    late = events_of(Endpoint(write=failing(overloaded())).ask(BODY | {"stream": True}))
    assert [name for name, _ in late] == ["start", "error"]
    assert late[1][1]["status"] == 503
    assert late[1][1]["error"]["hint"]


def test_a_fault_in_a_stream_shows_nothing_internal():
    response = Endpoint(write=failing(RuntimeError("secret path /etc/quasar"))).ask(
        BODY | {"stream": True}
    )
    assert events_of(response)[-1][1]["status"] == 500
    assert "secret" not in response.text


def test_a_turn_that_no_one_verified_is_a_503():
    async def faulty(checks):
        return [Failed("timeout", "gone") for _ in checks]

    assert Endpoint(verify=faulty).ask(TWO_TURNS).status_code == 503


def test_a_problem_in_words_is_solved():
    endpoint = Endpoint([GOOD])
    answer = endpoint.ask({"text": "smallest vertex cover of 0-1 1-2", "samples": 1}).json()
    assert answer["answer"] == [1]
    assert endpoint.ask({"problem": BODY["problem"], "samples": 1}).status_code == 200
    assert endpoint.requests[0].turns[0].messages == endpoint.requests[1].turns[0].messages
    refused = endpoint.ask({"text": "make me rich"})
    assert (refused.status_code, error_of(refused)["field"]) == (422, "text")
    assert "names no problem" in error_of(refused)["message"]


def test_metrics_count_what_was_answered():
    endpoint = Endpoint(["no program", GOOD])
    endpoint.ask({"problem": {"primitive": "vertex_cover", "graph": PATH3}, "samples": 4})
    text = endpoint.request("GET", "/metrics").text
    assert 'quasar_candidates_total{model="run/final",outcome="valid"} 2.0' in text
    assert 'quasar_requests_total{route="/v1/circuits",status="200"} 1.0' in text


ROUGH = circuit_text(0.4, -0.2)
OPTIMISED = BODY | {"tools": ["verify", "optimise"], "samples": 2}


def test_candidates_are_optimised_before_they_are_judged_where_the_tool_is_asked_for():
    plain = Endpoint([ROUGH]).ask(BODY | {"tools": ["verify"]}).json()
    assert plain["report"]["optimised"] is None
    answer = Endpoint([ROUGH, "no program"]).ask(OPTIMISED).json()
    found = answer["report"]["optimised"]
    assert answer["circuit"] == found["program"] != plain["circuit"]
    assert answer["reward"] > plain["reward"]
    assert found["approximation_ratio_before"] == pytest.approx(
        plain["report"]["expectation"]["approximation_ratio"]
    )
    assert answer["candidates"] == {"drawn": 2, "valid": 1, "invalid": 1, "unverified": 0}
    # judged alone, the answered program has the report and the grade that were told
    body = {"problem": BODY["problem"], "circuit": answer["circuit"]}
    alone = Endpoint().request("POST", "/v1/verify", json=body).json()
    assert alone["report"]["expectation"] == answer["report"]["expectation"]
    assert alone["reward"]["value"] == answer["reward"]
    configured = Endpoint([ROUGH], "generation.tools=[verify,optimise]").ask(BODY).json()
    assert configured["circuit"] == answer["circuit"]


def test_a_second_turn_reads_what_the_optimise_tool_found():
    write, requests = by_turn([ROUGH], [ROUGH])
    answer = Endpoint([], "generation.satisfied_at=1.0", write=write).ask(OPTIMISED | {"turns": 2})
    assert answer.json()["valid"]
    told = requests[1].turns[0].observation.splitlines()
    assert told[0].startswith("optimised: energy ")
    assert told[1].startswith("now g1=")


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (["verify", "polish"], "must be 'verify' or 'optimise', not 'polish'"),
        (["optimise"], "verify must be among the tools"),
        (["verify", "verify"], "each tool once"),
        ([], "verify must be among the tools"),
    ],
)
def test_an_unknown_tool_is_refused_by_name(tools, said):
    refused = Endpoint().ask(BODY | {"tools": tools})
    assert refused.status_code == 422
    assert error_of(refused)["field"].startswith("tools")
    assert said in error_of(refused)["message"]


def test_a_tool_that_cannot_be_used_here_is_refused_before_anything_is_written():
    edges = [[q, q + 1] for q in range(20)]
    graph = {"nodes": list(range(21)), "edges": edges}
    body = {"problem": {"primitive": "vertex_cover", "graph": graph}, "samples": 1}
    endpoint = Endpoint([ROUGH], "verification.max_qubits=24")
    refused = endpoint.ask(body | {"tools": ["verify", "optimise"]})
    assert (refused.status_code, error_of(refused)["field"]) == (422, "tools")
    assert "optimise takes up to 20 qubits, the problem has 21" in error_of(refused)["message"]
    taught = Endpoint([ROUGH], "generation.tool_format=chat_template")
    refused = taught.ask(OPTIMISED)
    assert (refused.status_code, error_of(refused)["field"]) == (422, "tools")
    assert "was told of verify" in error_of(refused)["message"]
    assert endpoint.requests == taught.requests == []


def test_the_ansatz_asked_for_comes_before_a_better_one_and_another_is_said():
    """GOOD and WORSE are QAOA circuits; the third prepares a basis state with template 1."""
    template = basis_state_answer("sim_1", (1, 0, 1), layers=1, decimals=2)
    write, _ = by_turn([GOOD, template])
    best = Endpoint(write=write).ask(BODY | {"samples": 2}).json()
    asked = Endpoint(write=write).ask(BODY | {"samples": 2, "ansatz": "qaoa"}).json()
    assert best["circuit"] == template
    assert asked["circuit"].strip() == GOOD.strip()
    assert asked["warnings"] == []
    other = Endpoint(write=write).ask(BODY | {"samples": 2, "ansatz": "sim_7"}).json()
    assert other["circuit"] == template
    assert other["warnings"] == [
        "the ansatz is sim_7, the model was trained on qaoa",
        "the ansatz asked for is sim_7, no valid candidate has it; the circuit is sim_1",
    ]
