"""Drafts of several requests are decoded together and do not depend on their company."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import GenerationConfig
from quasar.datasets.prompts import build_messages
from quasar.policy.generation import CircuitGenerator
from quasar.problems import build_instance
from quasar.serving.writer import Drafting, Gained, Order, TooLong, WriterLoop
from quasar.tool.schema import expand_graph

LIMITS = dict(top_p=1.0, generation=GenerationConfig(max_response_tokens=64))


@pytest.fixture(scope="module")
def generator(checkpoint):
    return CircuitGenerator.load(checkpoint, batch_size=6)


@pytest.fixture(scope="module")
def problem(known_graph):
    return build_instance("vertex_cover", expand_graph(known_graph, is_network=False))


@pytest.fixture(scope="module")
def orders(problem):
    messages, size = tuple(build_messages(problem)), problem.num_qubits
    return [
        Order(messages, 2, 1.0, 7),
        Order(messages, 3, 0.5, 8, top_p=0.9),
        Order(messages, 1, 1.0, 9, size),
        Order(messages, 2, 5.0, 10, size),
    ]


def finish(drafting: Drafting) -> dict:
    """The drafts of all orders under way."""
    done = {}
    while drafting.busy:
        done.update(item for item in drafting.step() if not isinstance(item[1], Gained))
    return done


def alone(generator, order):
    drafting = Drafting(generator, **LIMITS)
    assert drafting.begin(0, order) is None
    return finish(drafting)[0]


def test_a_draft_does_not_depend_on_its_company(generator, problem, orders):
    drafting = Drafting(generator, **LIMITS)
    for key, order in enumerate(orders):
        drafting.begin(key, order)
    together = finish(drafting)
    assert [together[key] for key in range(4)] == [alone(generator, order) for order in orders]
    assert [len(together[key]) for key in range(4)] == [2, 3, 1, 2]
    # at temperature 5 the model writes noise, and the grammar still makes programs of it
    for draft in together[2] + together[3]:
        assert read_qasm(draft.text).num_qubits == problem.num_qubits


def test_orders_join_and_leave_between_tokens(generator, orders):
    drafting = Drafting(generator, **LIMITS)
    drafting.begin(0, orders[0])
    for _ in range(5):
        drafting.step()
    drafting.begin(1, orders[1])
    drafting.begin(2, orders[3])
    for _ in range(3):
        drafting.step()
    drafting.leave(1)
    drafting.begin(3, orders[2])
    done = finish(drafting)
    assert done.keys() == {0, 2, 3}
    expected = {0: orders[0], 2: orders[3], 3: orders[2]}
    assert done == {key: alone(generator, order) for key, order in expected.items()}


def test_the_next_turn_goes_on_from_the_ids_of_the_first(generator, orders):
    first = alone(generator, orders[0])
    again = ((first[1], "invalid"), (first[0], "valid: 3 qubits"))
    order = Order(orders[0].messages, 2, 1.0, 7, turn=1, again=again)
    second = alone(generator, order)
    assert [draft.sample for draft in second] == [1, 0]
    for draft, before in zip(second, (first[1], first[0]), strict=True):
        assert draft.ids[: len(before.ids)] == before.ids
        assert "valid" in generator.tokenizer.decode(draft.ids[len(before.ids) :])
        assert len(draft.ids) > len(before.ids) + draft.new_tokens
    assert alone(generator, order) == second


def test_a_prompt_that_does_not_fit_is_told(generator, orders):
    narrow = Drafting(generator, top_p=1.0, generation=GenerationConfig(max_prompt_tokens=16))
    short = narrow.begin(0, orders[0])
    assert isinstance(short, TooLong)
    assert short.num_tokens > 16
    assert not narrow.busy


@pytest.fixture
def loop(generator, monkeypatch):
    monkeypatch.setattr("quasar.serving.writer.GAINED_EVERY_S", 0.0)
    made = WriterLoop(generator, **LIMITS)
    yield made
    made.close()


async def told(loop, order):
    async with aclosing(loop.write(order)) as items:
        return [item async for item in items]


def test_the_pieces_of_a_stream_make_up_the_texts(loop, generator, orders):
    async def both():
        streamed = replace(orders[1], stream=True)
        return await asyncio.gather(told(loop, streamed), told(loop, orders[0]))

    streamed, plain = asyncio.run(both())
    assert plain == [alone(generator, orders[0])]
    *gained, drafts = streamed
    assert len(gained) > 3
    texts = dict.fromkeys((draft.sample for draft in drafts), "")
    for item in gained:
        for piece in item.pieces:
            texts[piece.sample] += piece.text
    assert texts == {draft.sample: draft.text for draft in drafts}
    assert drafts == alone(generator, orders[1])


def test_who_stops_to_read_is_dropped_and_the_others_go_on(loop, generator, orders):
    async def run():
        streamed = replace(orders[0], stream=True, samples=32)
        async with aclosing(loop.write(streamed)) as items:
            assert isinstance(await anext(items), Gained)
            other = asyncio.ensure_future(told(loop, orders[2]))
        answer = await other
        for _ in range(100):
            if not loop.busy:
                break
            await asyncio.sleep(0.01)
        return answer

    assert asyncio.run(run()) == [alone(generator, orders[2])]
    assert not loop.busy


def test_a_step_that_fails_is_told_and_the_loop_goes_on(loop, generator, orders, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(generator.model, "forward", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(told(loop, orders[0]))
    assert asyncio.run(told(loop, orders[0])) == [alone(generator, orders[0])]
    assert loop.alive
