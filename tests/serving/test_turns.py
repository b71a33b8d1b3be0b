"""Turns, budget, alternatives and events of `POST /v1/circuits`: real verifier, given texts."""

import asyncio

import pytest
from endpoint import BODY, GOOD, PATH3, WORSE, Endpoint, circuit_text, error_of, events_of, failing

from quasar.rewards import Failed
from quasar.serving.errors import overloaded
from quasar.serving.writer import Draft, Gained, Piece

TWO_TURNS = BODY | {"turns": 2, "samples": 2}


def by_turn(*turns):
    """A writer that writes the texts of each turn; keeps the orders."""
    orders = []

    async def write(order):
        orders.append(order)
        texts = turns[order.turn]
        samples = [d.sample for d, _ in order.again] or range(order.samples)
        yield [Draft(texts[s % len(texts)], True, s, ids=(order.turn, s)) for s in samples]

    return write, orders


def test_a_second_turn_reads_what_the_tool_found_and_the_best_of_all_is_answered():
    write, orders = by_turn(["no program", WORSE], [GOOD])
    answer = Endpoint(write=write).ask(TWO_TURNS).json()
    assert answer["circuit"].strip() == GOOD.strip()
    assert (answer["turn"], answer["stopped"]) == (2, "turns")
    assert [(t["turn"], t["drawn"], t["valid"]) for t in answer["turns"]] == [(1, 2, 1), (2, 2, 2)]
    assert answer["candidates"] == {"drawn": 4, "valid": 3, "invalid": 1, "unverified": 0}
    assert orders[0].again == ()
    (first, told), (second, told_second) = orders[1].again
    assert (first.ids, second.ids) == ((0, 0), (0, 1))
    assert told.startswith("invalid")
    assert "terms that cost" in told_second


def test_a_worse_second_turn_does_not_replace_the_first():
    write, _ = by_turn([GOOD], [WORSE])
    answer = Endpoint(write=write).ask(TWO_TURNS).json()
    assert (answer["turn"], answer["circuit"].strip()) == (1, GOOD.strip())


def test_what_is_good_enough_is_not_written_again():
    write, orders = by_turn([GOOD], [WORSE])
    answer = Endpoint([], "generation.satisfied_at=0.0", write=write).ask(TWO_TURNS).json()
    assert (answer["stopped"], len(orders)) == ("satisfied", 1)


def test_the_budget_ends_the_turns_and_keeps_the_best():
    async def write(order):
        if order.turn:
            await asyncio.sleep(30)
        yield [Draft(GOOD, True, s) for s in range(order.samples)]

    answer = Endpoint(write=write).ask(TWO_TURNS | {"budget_s": 2.0}).json()
    assert (answer["valid"], answer["stopped"]) == (True, "budget")
    assert "the time ran out" in answer["message"]


def test_a_later_turn_that_finds_the_queue_full_keeps_the_best():
    async def write(order):
        if order.turn:
            raise overloaded()
        yield [Draft(GOOD, True, s) for s in range(order.samples)]

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
    assert "sim_5 with 2 layers" in endpoint.orders[0].messages[-1]["content"]
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
    assert start["problem"] == {"primitive": "vertex_cover", "num_qubits": 3}
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

    async def write(order):
        streamed.append(order.stream)
        if order.stream:
            yield Gained((Piece(0, GOOD[:10]), Piece(1, WORSE[:5])))
            yield Gained((Piece(0, GOOD[10:]),))
        yield [Draft(GOOD, True, 0), Draft(WORSE, True, 1)]

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
    assert late[1][1]["error"]["mend"]


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
    assert endpoint.orders[0].messages == endpoint.orders[1].messages
    refused = endpoint.ask({"text": "make me rich"})
    assert (refused.status_code, error_of(refused)["field"]) == (422, "text")
    assert "names no problem" in error_of(refused)["message"]


def test_metrics_count_what_was_answered():
    endpoint = Endpoint(["no program", GOOD])
    endpoint.ask({"problem": {"primitive": "vertex_cover", "graph": PATH3}, "samples": 4})
    text = endpoint.request("GET", "/metrics").text
    assert 'quasar_candidates_total{outcome="valid"} 2.0' in text
    assert 'quasar_requests_total{route="/v1/circuits",status="200"} 1.0' in text
