"""The client against a real endpoint over HTTP: real verifier, uvicorn on loopback."""

import asyncio
import contextlib
import json
import logging
import pickle
import subprocess
import sys
import time
import traceback

import httpx
import networkx
import numpy
import pytest
from endpoint import BODY, GOOD, PATH3, WORSE, Endpoint, running
from scripted import EVENTS, HTML, Answered, Scripted, events, hanging_up, refused, under

import quasar
from quasar import client as quasar_client
from quasar.client import (
    AuthenticationError,
    BadRequest,
    EndpointError,
    EndpointTimeout,
    EndpointUnavailable,
    RateLimited,
)
from quasar.errors import InputError, QuasarError
from quasar.schema.circuits import CircuitAnswer, Started, TurnVerified, TurnWritten
from quasar.serving.keys import ApiKeys, new_key, read_keys
from quasar.system import backoff as backoff_module
from tests.support.machine import scaled, wait_until

TEXTS = (GOOD, WORSE, "nonsense")
PROBLEM = BODY["problem"]
WORDS = "vertex cover of 0-1 1-2"
READY = b'{"status": "ready", "waiting": []}'
START = {"model": "m", "seed": 1, "samples": 1, "turns": 1,
         "problem": {"primitive": "min_cut", "num_qubits": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def url():
    with running(Endpoint(TEXTS).api) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
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


def told(answer: CircuitAnswer) -> dict:
    shown = answer.model_dump(mode="json")
    shown.pop("seconds")
    shown["report"].pop("seconds")
    return shown


def fails(call, *arguments, **options) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        call(*arguments, **options)
    return caught.value


# Answers -----------------------------------------------------------------------------------------


def test_a_circuit_is_what_the_endpoint_answers(url, call):
    answer = call(url, "circuit", PROBLEM, samples=3, seed=5, turns=2, device="depolarizing")
    body = {**BODY, "turns": 2, "device": "depolarizing"}
    plain = httpx.post(f"{url}/v1/circuits", json=body).json()
    assert told(answer) == told(CircuitAnswer.model_validate(plain))
    assert answer.model_dump(mode="json").keys() == plain.keys()
    assert (answer.circuit, answer.optimal, answer.answer) == (GOOD.strip(), True, [1])
    assert answer.compiled.two_qubit_gates > 0


def test_a_problem_may_be_told_in_several_ways(url, call):
    graph = networkx.Graph([(numpy.int64(0), numpy.int64(1)), (1, 2)])
    ways = [
        PROBLEM,
        quasar.Problem(primitive="vertex_cover", graph=PATH3),
        quasar.Problem.from_networkx("vertex_cover", graph),
        WORDS,
    ]
    answers = [told(call(url, "circuit", way, samples=3, seed=5)) for way in ways]
    assert answers == answers[:1] * len(ways)


def test_a_network_is_a_directed_networkx_graph_with_attributes(url):
    network = networkx.DiGraph()
    network.add_weighted_edges_from([(0, 1, 2), (1, 2, 1), (0, 2, 1)], weight="capacity")
    problem = quasar.Problem.from_networkx("min_cut", network, source=0, sink=2)
    with quasar.Client(url) as client:
        report = client.verify(GOOD, problem).report
    assert report.valid
    assert report.num_qubits_expected == 3


def test_a_stream_gives_each_turn_and_ends_with_the_answer(url, call):
    found = call(url, "stream", PROBLEM, samples=3, seed=5, turns=2)
    turn = [TurnWritten, TurnVerified]
    assert [type(event) for event in found] == [Started, *turn, *turn, CircuitAnswer]
    assert [c.valid for c in found[2].candidates] == [True, True, False]
    assert told(found[-1]) == told(call(url, "circuit", PROBLEM, samples=3, seed=5, turns=2))


def test_a_verification_is_what_the_endpoint_answers(url, call):
    answer = call(url, "verify", GOOD, PROBLEM, diagnose=False, observation_chars=200)
    body = {"problem": PROBLEM, "circuit": GOOD, "diagnose": False, "observation_chars": 200}
    plain = httpx.post(f"{url}/v1/verify", json=body).json()
    shown = answer.model_dump(mode="json")
    for one in (shown, plain):
        one["report"].pop("seconds")
    assert shown == plain
    wrong = call(url, "verify", GOOD.replace("q[2]", "q[7]"), PROBLEM)
    assert not wrong.report.valid
    assert wrong.report.error.kind == "index_out_of_range"


def test_no_valid_circuit_is_an_answer(call, scripted):
    url, _ = scripted(then=Endpoint(("nonsense",)).api)
    answer = call(url, "circuit", WORDS, samples=2)
    assert (answer.valid, answer.circuit, answer.findings[0].count) == (False, None, 2)


def test_the_facts(url, call, scripted):
    model, verified = call(url, "models")
    assert (model.id, verified.id) == ("run/final", "run/final:verified")
    assert "min_cut" in model.primitives
    assert model.max_samples == 32
    assert call(url, "ready") is True
    waiting = Answered(503, b'{"status": "waiting", "waiting": ["model"]}')
    slow, script = scripted(waiting)
    assert call(slow, "ready") is False
    assert len(script.asked) == 1  # an answer, nothing to try again


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_path_before_the_routes(call, scripted, slash):
    url, _ = scripted(then=under("/q/x", Endpoint(TEXTS).api))
    assert call(f"{url}/q/x{slash}", "circuit", WORDS, samples=1).valid


def test_url_and_key_of_the_environment(url, monkeypatch):
    monkeypatch.setenv("QUASAR_URL", f"{url}/")
    with quasar.Client() as client:
        assert client.url == url
        assert client.ready()
    monkeypatch.delenv("QUASAR_URL")
    assert quasar.Client().url == "http://127.0.0.1:8000"


def test_a_given_http_client_is_used_and_left_open(url):
    with httpx.Client(headers={"X-Own": "1"}, follow_redirects=True) as http:
        with quasar.Client(url, http_client=http) as client:
            assert client.ready()
        assert not http.is_closed


# Refusals ----------------------------------------------------------------------------------------


def test_a_refusal_names_the_field_and_the_mend(url, call):
    error = fails(call, url, "circuit", {"primitive": "cut", "graph": PATH3})
    assert type(error) is BadRequest
    assert (error.status, error.field, error.attempts) == (422, "problem", 1)
    assert error.url == f"{url}/v1/circuits"
    assert "unknown primitive" in error.message
    assert str(error) == f"{error.message}; {error.hint}"
    assert isinstance(error, QuasarError)
    assert fails(call, url, "circuit", WORDS, samples=33).field == "samples"
    # a stream is refused before it begins
    assert fails(call, url, "stream", "nothing").field == "text"


@pytest.mark.parametrize(
    ("problem", "options", "field"),
    [
        (WORDS, {"samples": 0}, "samples"),
        (WORDS, {"temperature": float("nan")}, "temperature"),
        ("", {}, "text"),
        ({"graph": PATH3}, {}, "problem.primitive"),
        (networkx.Graph(), {}, "problem"),
        ({**PROBLEM, "attributes": {"k": float("inf")}}, {}, "problem"),
        ({**PROBLEM, "attributes": {"k": object()}}, {}, "problem"),
    ],
)
def test_what_cannot_be_is_not_sent(scripted, problem, options, field):
    url, script = scripted()
    with quasar.Client(url) as client, pytest.raises(BadRequest) as caught:
        client.circuit(problem, **options)
    assert (caught.value.status, caught.value.field) == (None, field)
    assert script.asked == []


def test_an_unknown_option_is_a_type_error(url):
    with quasar.Client(url) as client:
        for option in ("sample", "stream"):
            with pytest.raises(TypeError, match=f"'{option}'; there are: samples, turns"):
                client.circuit(WORDS, **{option: 1})


def test_a_body_that_is_too_large(call, scripted):
    url, _ = scripted(then=Endpoint(TEXTS, "serving.max_body_bytes=1000").api)
    error = fails(call, url, "verify", GOOD * 2000, PROBLEM)
    assert (type(error), error.status) == (BadRequest, 413)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("localhost:8000", "url 'localhost:8000'"),
        ("ftp://host", "http://127.0.0.1:8000 or https://"),
        ("http://", "no address"),
        ("http://host/?a=1", "no address"),
        ("http://host:port", "no address"),
        (7, "no address"),
    ],
)
def test_an_address_that_cannot_be(url, part):
    with pytest.raises(InputError, match=part):
        quasar.Client(url)


def test_settings_that_cannot_be():
    for settings in ({"timeout": 0}, {"timeout": float("nan")}, {"max_retries": -1}):
        with pytest.raises(InputError, match=next(iter(settings))):
            quasar.Client(**settings)


# Keys --------------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path, scripted):
    """(url of an endpoint with keys, its key)"""
    key = new_key("alice", tmp_path / "keys.txt")
    keys = read_keys((tmp_path / "keys.txt").read_text(), source="keys.txt")
    assert isinstance(keys, ApiKeys)
    url, _ = scripted(then=Endpoint(TEXTS, keys=keys).api)
    return url, key


def test_the_key_is_sent_and_a_wrong_one_refused(locked, call, monkeypatch):
    url, key = locked
    assert call(url, "circuit", WORDS, samples=1, settings={"api_key": key}).valid
    monkeypatch.setenv("QUASAR_API_KEY", f" {key}\n")
    assert call(url, "circuit", WORDS, samples=1).valid
    error = fails(call, url, "circuit", WORDS, settings={"api_key": "qk_wrong"})
    assert (type(error), error.status, error.attempts) == (AuthenticationError, 401, 1)
    assert str(error) == (
        "the API key is not known; give its key: api_key, QUASAR_API_KEY or --api-key-file"
    )


def test_the_key_is_never_shown(locked, call, caplog, quick, scripted):
    caplog.set_level(logging.DEBUG)
    secret = "qk_5ecret"
    shown = [repr(quasar.Client(api_key=secret)), repr(quasar.AsyncClient(api_key=secret))]
    assert shown[0] == "Client('http://127.0.0.1:8000', api_key=given)"
    busy, _ = scripted(*[refused(503)] * 2)
    for url in (locked[0], busy, "http://127.0.0.1:9"):
        settings = {"api_key": secret, "max_retries": 1}
        error = fails(call, url, "circuit", WORDS, settings=settings)
        shown += [repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    for bad in (f"{secret}\nX: 1", f"ключ{secret}"):
        with pytest.raises(InputError, match="api_key is no key") as caught:
            quasar.Client(api_key=bad)
        shown += traceback.format_exception(caught.value)
    with pytest.raises(InputError, match="a user or a password") as caught:
        quasar.Client(f"http://me:{secret}@127.0.0.1")
    shown += traceback.format_exception(caught.value)
    shown.append(caplog.text)
    assert "asked again" in caplog.text
    assert not [text for text in shown if "5ecret" in text]


def test_a_redirect_is_not_followed(call, scripted):
    other, elsewhere = scripted()
    url, _ = scripted(Answered(307, location=f"{other}/v1/circuits"))
    error = fails(call, url, "circuit", WORDS, settings={"api_key": "qk_x"})
    assert elsewhere.asked == []
    assert error.status == 307
    assert f"answered 307: ask {other}/v1/circuits" in error.message


# Retries -----------------------------------------------------------------------------------------


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


# Streams -----------------------------------------------------------------------------------------


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


# Imports -----------------------------------------------------------------------------------------


def run_python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_light_and_so_is_the_client():
    # Names that are bound to a module that is loaded at its first use are no loaded modules.
    loaded = "print(sorted(m for m in {%r} if type(sys.modules.get(m)) is type(sys)))"
    heavy = ("ray", "torch", "qiskit", "numba", "scipy", "networkx", "fastapi", "httpx")
    names = "', '".join(heavy)
    show = loaded.replace("%r", f"'{names}'")
    program = f"import sys, quasar; {show}; quasar.Client; quasar.Problem; {show}"
    assert run_python(program).split("\n")[:2] == ["[]", "['httpx']"]
    assert run_python("import quasar; print(dir(quasar))").count("'AsyncClient'") == 1
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        quasar.Clint  # noqa: B018
