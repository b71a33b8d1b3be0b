"""Retries of the client: what is asked again, how long it is waited for, and how it ends."""

import pickle
import time

import pytest
from client_calls import TEXTS, WORDS, fails
from endpoint import Endpoint
from scripted import EVENTS, HTML, Answered, hanging_up, refused

import quasar
from quasar.client import (
    BadRequest,
    EndpointError,
    EndpointTimeout,
    EndpointUnavailable,
    RateLimited,
)
from tests.support.machine import scaled

pytestmark = pytest.mark.usefixtures("no_settings")
READY = b'{"status": "ready", "waiting": []}'


@pytest.mark.parametrize("method", ["circuit", "stream"])
def test_a_busy_endpoint_is_asked_again(call, scripted, quick, method):
    busy = [refused(429, retry_after="0"), refused(502), refused(503)]
    url, script = scripted(*busy, then=Endpoint(TEXTS).api)
    assert call(url, method, WORDS, samples=1)
    assert len(script.asked) == 4


def test_retry_after_is_waited_for(scripted):
    url, script = scripted(refused(503, retry_after="1"), Answered(200, b'{"data": []}'))
    started = time.monotonic()
    with quasar.Client(url) as client:
        assert client.models() == []
    assert time.monotonic() - started >= 1.0
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "attempts"),
    [
        (refused(503, "\x1b[2Jbusy\n"), EndpointUnavailable, 3),
        (refused(429, retry_after="0"), RateLimited, 3),
        (refused(429, retry_after="3600"), RateLimited, 1),  # longer than is waited for
        (refused(503, retry_after="30"), EndpointUnavailable, 1),  # longer than the timeout
        (refused(504), EndpointTimeout, 1),
        (refused(500), EndpointError, 1),
        (refused(404), BadRequest, 1),
        (Answered(502, b"<h1>\x1b[31mBad\n gateway</h1>", kind=HTML), EndpointUnavailable, 3),
        (Answered(200, b"<h1>Sign in</h1>", kind=HTML), EndpointError, 1),
        (Answered(200, b'{"data": 3}'), EndpointError, 1),
        (Answered(200, b"{"), EndpointError, 1),
        (Answered(422, b'{"detail": [[]]}'), BadRequest, 1),
        (Answered(503), EndpointUnavailable, 3),
    ],
)
def test_what_is_tried_again_and_how_it_ends(call, scripted, quick, answer, kind, attempts):
    url, script = scripted(*[answer] * 4)
    error = fails(call, url, "models", settings={"timeout": 10, "max_retries": 2})
    assert type(error) is kind
    assert (error.status, error.attempts, len(script.asked)) == (answer.status, attempts, attempts)
    assert str(error).isprintable()
    assert error.hint
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_proxys_page_is_told_in_one_line(scripted):
    url, _ = scripted(Answered(502, b"<h1>\x1b[31mBad\n gateway</h1>", kind=HTML))
    with quasar.Client(url, max_retries=0) as client, pytest.raises(EndpointError) as caught:
        client.circuit(WORDS)
    assert str(caught.value) == (
        f"{url}/v1/circuits answered 502, not as an endpoint of Quasar does: "
        "text/html, '<h1>\ufffd[31mBad gateway</h1>'; "
        "check the url; a proxy may stand where the endpoint should"
    )


def test_a_connection_that_breaks_is_made_again(call, quick):
    with hanging_up(2, READY) as (url, taken):
        assert call(url, "ready")
        assert len(taken) == 3
    with hanging_up(9, READY) as (url, taken):
        error = fails(call, url, "ready", settings={"max_retries": 1})
        assert (type(error), error.attempts, len(taken)) == (EndpointUnavailable, 2, 2)
        assert "broke" in error.message


def test_nothing_answers(call, quick):
    error = fails(call, "http://127.0.0.1:9/q", "ready")
    assert (type(error), error.status, error.attempts) == (EndpointUnavailable, None, 4)
    assert str(error).startswith("nothing answers at http://127.0.0.1:9 (")
    assert "start it with quasar serve --checkpoint" in error.hint


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("circuit", Answered(200, b"{", pause_s=30)),
        ("circuit", Answered(200, b"{", b" ", pause_s=0.05, endless=True)),
        ("stream", Answered(200, b": waiting\n\n", pause_s=0.05, endless=True, kind=EVENTS)),
    ],
    ids=["silent", "without end", "kept alive"],
)
def test_a_call_ends_at_its_timeout(call, scripted, method, answer):
    url, script = scripted(answer)
    started = time.monotonic()
    error = fails(call, url, method, WORDS, settings={"timeout": 0.4})
    assert time.monotonic() - started < scaled(3.0)
    assert (type(error), len(script.asked)) == (EndpointTimeout, 1)
    assert "gave no answer in 0.4 seconds" in error.message


def test_a_timeout_bounds_the_retries(call, scripted):
    url, script = scripted(*[refused(503)] * 200)
    started = time.monotonic()
    error = fails(call, url, "models", settings={"timeout": 1.0, "max_retries": 200})
    assert time.monotonic() - started < scaled(3.0)
    assert type(error) is EndpointUnavailable  # what was wrong, not that the time is over
    assert 1 <= len(script.asked) < 100
