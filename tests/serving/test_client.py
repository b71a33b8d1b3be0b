"""The client against a real endpoint over HTTP: real verifier, uvicorn on loopback."""

import subprocess
import sys

import httpx
import networkx
import numpy
import pytest
from client_calls import PROBLEM, TEXTS, WORDS, fails, told
from endpoint import BODY, GOOD, PATH3, Endpoint, running
from scripted import Answered, under

import quasar
from quasar.client import BadRequest
from quasar.errors import InputError, QuasarError
from quasar.schema.circuits import CircuitAnswer, Started, TurnVerified, TurnWritten

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture(scope="module")
def url():
    with running(Endpoint(TEXTS).api) as (host, port):
        yield f"http://{host}:{port}"


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
