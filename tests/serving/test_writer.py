"""Turns of several requests are decoded together and do not depend on their company."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import GenerationConfig
from quasar.datasets.prompts import build_messages
from quasar.episodes.turns import PromptTooLong, TextDeltas, TurnRequest, WriteRequest
from quasar.episodes.writer import TurnWriter, write_turns
from quasar.policy.engines.protocol import Sampling, stream_seed
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.program_form import ProgramForm
from quasar.problems import build_instance
from quasar.schema.verify import expand_graph
from quasar.serving.writer import WriterLoop

LIMITS = GenerationConfig(max_response_tokens=64)


@pytest.fixture(scope="module")
def generator(checkpoint):
    return CircuitGenerator.load(checkpoint, batch_size=6)


@pytest.fixture(scope="module")
def problem(known_graph):
    return build_instance("vertex_cover", expand_graph(known_graph, is_network=False))


@pytest.fixture(scope="module")
def requests(problem):
    messages, form = tuple(build_messages(problem)), ProgramForm(problem.num_qubits)

    def asked(samples, temperature, seed, form=None, top_p=1.0):
        sampling = Sampling(temperature, top_p, 64)
        return WriteRequest(
            tuple(
                TurnRequest(s, messages, stream_seed(seed, s), sampling, form)
                for s in range(samples)
            )
        )

    return [
        asked(2, 1.0, 7),
        asked(3, 0.5, 8, top_p=0.9),
        asked(1, 1.0, 9, form),
        asked(2, 5.0, 10, form),
    ]


def facts(written):
    """What must not hang on the company: all but the last bits of the log-probabilities."""
    return [(t.sample, t.read_ids, t.text, t.completion.token_ids, t.finished) for t in written]


def finish(writer: TurnWriter) -> dict:
    """The turns of all requests under way."""
    done = {}
    while writer.busy:
        done.update(item for item in writer.step() if not isinstance(item[1], TextDeltas))
    return {key: facts(written) for key, written in done.items()}


def alone(generator, request):
    writer = TurnWriter(generator, LIMITS)
    assert writer.begin(0, request) is None
    return finish(writer)[0]


def test_a_turn_does_not_depend_on_its_company(generator, problem, requests):
    writer = TurnWriter(generator, LIMITS)
    for key, request in enumerate(requests):
        writer.begin(key, request)
    together = finish(writer)
    assert [together[key] for key in range(4)] == [alone(generator, r) for r in requests]
    assert [len(together[key]) for key in range(4)] == [2, 3, 1, 2]
    # at temperature 5 the model writes noise, and the grammar still makes programs of it
    for _, _, text, _, _ in together[2] + together[3]:
        assert read_qasm(text).num_qubits == problem.num_qubits


def test_requests_join_and_leave_between_tokens(generator, requests):
    writer = TurnWriter(generator, LIMITS)
    writer.begin(0, requests[0])
    for _ in range(5):
        writer.step()
    writer.begin(1, requests[1])
    writer.begin(2, requests[3])
    for _ in range(3):
        writer.step()
    writer.leave(1)
    writer.begin(3, requests[2])
    done = finish(writer)
    assert done.keys() == {0, 2, 3}
    expected = {0: requests[0], 2: requests[3], 3: requests[2]}
    assert done == {key: alone(generator, request) for key, request in expected.items()}


def test_the_next_turn_goes_on_from_the_ids_of_the_first(generator, requests):
    first = write_turns(generator, requests[0].turns, LIMITS)
    again = [
        replace(requests[0].turns[s], turn=1, ids=first[s].completion.token_ids, observation=told)
        for s, told in ((1, "invalid"), (0, "valid: 3 qubits"))
    ]
    seen = {}
    session = generator.session()

    class Watched:
        """The real session, and what was asked of it."""

        busy = property(lambda self: session.busy)
        step, text, drop = session.step, session.text, session.drop

        def add(self, key, request):
            seen[key] = list(request.prompt_ids)
            session.add(key, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "session", lambda **options: Watched())
        second = write_turns(generator, again, LIMITS)
    assert [turn.sample for turn in second] == [1, 0]
    for key, (turn, request) in enumerate(zip(second, again, strict=True)):
        assert seen[key] == [*turn.prompt_ids, *request.ids, *turn.read_ids]
        assert "valid" in generator.tokenizer.decode(turn.read_ids)
    assert alone(generator, WriteRequest(tuple(again))) == facts(second)


def test_a_prompt_that_does_not_fit_is_told(generator, requests):
    narrow = TurnWriter(generator, GenerationConfig(max_prompt_tokens=16))
    short = narrow.begin(0, requests[0])
    assert isinstance(short, PromptTooLong)
    assert short.num_tokens > 16
    assert not narrow.busy


@pytest.fixture
def loop(generator, monkeypatch):
    monkeypatch.setattr("quasar.episodes.writer.DELTAS_EVERY_S", 0.0)
    made = WriterLoop(generator, LIMITS)
    yield made
    made.close()


async def told(loop, request):
    async with aclosing(loop.write(request)) as items:
        return [item if isinstance(item, TextDeltas) else facts(item) async for item in items]


def test_the_deltas_of_a_stream_make_up_the_texts(loop, generator, requests):
    async def both():
        streamed = replace(requests[1], stream=True)
        return await asyncio.gather(told(loop, streamed), told(loop, requests[0]))

    streamed, plain = asyncio.run(both())
    assert plain == [alone(generator, requests[0])]
    *gained, written = streamed
    assert len(gained) > 3
    texts = dict.fromkeys(range(3), "")
    for item in gained:
        for delta in item.deltas:
            texts[delta.sample] += delta.text
    assert texts == {sample: text for sample, _, text, _, _ in written}
    assert written == alone(generator, requests[1])


def test_who_stops_to_read_is_dropped_and_the_others_go_on(loop, generator, requests):
    async def run():
        (turn, _) = requests[0].turns
        many = tuple(replace(turn, sample=s, seed=s) for s in range(32))
        streamed = WriteRequest(many, stream=True)
        async with aclosing(loop.write(streamed)) as items:
            assert isinstance(await anext(items), TextDeltas)
            other = asyncio.ensure_future(told(loop, requests[2]))
        answer = await other
        for _ in range(100):
            if not loop.busy:
                break
            await asyncio.sleep(0.01)
        return answer

    assert asyncio.run(run()) == [alone(generator, requests[2])]
    assert not loop.busy


def test_a_step_that_fails_is_told_and_the_loop_goes_on(loop, generator, requests, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(generator.model, "forward", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(told(loop, requests[0]))
    assert asyncio.run(told(loop, requests[0])) == [alone(generator, requests[0])]
    assert loop.alive
