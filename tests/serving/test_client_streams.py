"""Streams of the client: broken, newer, too long, or left by who asked."""

import asyncio
import json

import pytest
from client_calls import TEXTS, WORDS, told
from endpoint import Endpoint
from scripted import EVENTS, HTML, Answered, events

import quasar
from quasar import client as quasar_client
from quasar.client import EndpointError, EndpointUnavailable
from quasar.schema.circuits import CircuitAnswer, Started, TurnWritten
from tests.support.machine import wait_until

pytestmark = pytest.mark.usefixtures("no_settings")
START = {"model": "m", "seed": 1, "samples": 1, "turns": 1,
         "problem": {"primitive": "min_cut", "num_qubits": 2}}  # fmt: skip


def consumed(url, **settings):
    """(events, error) of a stream."""
    found = []
    with quasar.Client(url, **settings) as client, pytest.raises(EndpointError) as caught:
        found.extend(client.stream(WORDS))
    return found, caught.value


def test_a_stream_that_has_begun_is_not_asked_again(scripted):
    url, script = scripted(events(("start", START)))
    found, error = consumed(url)
    assert [type(event) for event in found] == [Started]
    assert type(error) is EndpointUnavailable
    assert "ended before its answer" in error.message
    refused_later = {"status": 503, "error": {"message": "busy", "field": None, "hint": "wait"}}
    url, script = scripted(events(("start", START), ("error", refused_later)))
    found, error = consumed(url)
    assert (type(error), error.status, str(error)) == (EndpointUnavailable, 503, "busy; wait")
    assert (len(found), len(script.asked)) == (1, 1)


def test_a_stream_that_has_not_begun_is_asked_again(scripted, quick):
    early = Answered(200, b": waiting\n\n", kind=EVENTS)
    url, script = scripted(early, then=Endpoint(TEXTS).api)
    with quasar.Client(url) as client:
        assert isinstance(list(client.stream(WORDS))[-1], CircuitAnswer)
    assert len(script.asked) == 2


def test_a_newer_endpoint_is_understood(call, scripted):
    answer = told(CircuitAnswer.model_validate(Endpoint(TEXTS).ask().json()))
    answer |= {"seconds": {}, "drawing": {"new": True}, "message": "one\u2028line"}
    answer["report"] |= {"seconds": {}, "new": 1}
    script = [("start", {**START, "new": 1}), ("newest", {"x": 1}), ("answer", answer)]
    stream = events(*script)
    stream.pieces = tuple(p.replace(b"\\u2028", "\u2028".encode()) for p in stream.pieces)
    url, _ = scripted(stream, Answered(200, json.dumps(answer).encode()))
    start, last = call(url, "stream", WORDS)
    assert isinstance(start, Started)
    assert last.message == "one\u2028line"
    assert call(url, "circuit", WORDS) == last


def test_an_event_that_cannot_be_read(scripted):
    url, _ = scripted(events(("start", {"model": 1})))
    found, error = consumed(url)
    assert found == []
    assert "the answer is no Started ('model'" in error.message
    assert error.url == f"{url}/v1/circuits"


def test_an_answer_without_measure_is_cut_off(monkeypatch, scripted):
    monkeypatch.setattr(quasar_client.readings, "MAX_ANSWER_BYTES", 1 << 20)
    for kind in (EVENTS, HTML):
        url, _ = scripted(Answered(200, b"data: " + b"x" * 65536, endless=True, kind=kind))
        _, error = consumed(url)
        assert "is over 1 MiB" in error.message


@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_is_left_ends_the_search(scripted, is_async):
    begun = asyncio.Event()
    ended: list[str] = []

    async def verify(checks):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    url, _ = scripted(then=Endpoint(TEXTS, verify=verify).api)
    if is_async:

        async def leave():
            async with quasar.AsyncClient(url) as client:
                found = client.stream(WORDS)
                assert isinstance(await anext(found), Started)
                assert isinstance(await anext(found), TurnWritten)
                await found.aclose()

        asyncio.run(leave())
    else:
        with quasar.Client(url) as client:
            found = client.stream(WORDS)
            assert isinstance(next(found), Started)
            assert isinstance(next(found), TurnWritten)
            found.close()
    assert wait_until(lambda: ended, 5)
    assert ended == ["cancelled"]
