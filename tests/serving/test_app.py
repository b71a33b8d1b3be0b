"""The endpoint on Ray Serve with a real small model that has learnt one circuit by heart."""

import json
import socket
import threading
import urllib.error
import urllib.request

import pytest

from quasar.cli import settings
from quasar.cli.main import build_parser
from quasar.config import load_config
from quasar.errors import CheckpointError, InputError
from quasar.schema.verify import GRAPH_EXAMPLE
from quasar.serving.models import Checkpoint, model_name
from tests.support.machine import scaled
from tests.support.ports import free_port

pytestmark = [pytest.mark.ray, pytest.mark.slow]

GRAPH = {"nodes": [0, 1, 2], "edges": [[0, 1], [1, 2]]}
BODY = {"problem": {"primitive": "vertex_cover", "graph": GRAPH}, "samples": 4, "seed": 1}
OPTIONS = (
    "cluster.accelerator=cpu",
    "generation.max_response_tokens=128",
    "serving.max_body_bytes=4000",
    "serving.max_samples=8",
    "serving.temperature=0.2",
)


@pytest.fixture(scope="module")
def url(checkpoint, local_ray):
    from ray import serve

    from quasar.serving.app import serve_checkpoints

    config = load_config("published", [*OPTIONS, f"serving.port={free_port()}"])
    yield serve_checkpoints([Checkpoint.of(checkpoint, config)], blocking=False)
    serve.shutdown()


def ask(
    url: str, body: bytes | dict = BODY, *, path: str = "v1/circuits", **headers: str
) -> tuple[int, str]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"{url}{path}", data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=scaled(60)) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("first/model/final", "first"),
        ("first/model/initial", "first/model/initial"),
        ("first/grpo/checkpoints/step-000010/huggingface",
         "first/grpo/checkpoints/step-000010/huggingface"),
        ("elsewhere/Qwen3-0.6B", "elsewhere/Qwen3-0.6B"),
    ],
)  # fmt: skip
def test_a_model_is_named_by_its_run(tmp_path, place, name):
    (tmp_path / "first").mkdir()
    (tmp_path / "first/config.yaml").write_text("")
    assert model_name(tmp_path / place) == name


def test_a_problem_is_answered_with_a_verified_circuit(url):
    status, text = ask(url)
    answer = json.loads(text)
    assert status == 200
    assert answer["valid"], answer
    assert answer["circuit"].startswith("OPENQASM 3.0;")
    assert answer["candidates"]["drawn"] == 4
    assert answer["report"]["valid"]
    assert answer["reward"] > 0
    assert answer["answer"] == [1]
    assert answer["model"].endswith("/model")


def test_turns_come_as_events_through_serve(url):
    status, text = ask(url, BODY | {"turns": 2, "stream": True, "device": "depolarizing"})
    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert status == 200
    assert (names[0], names[-1]) == ("start", "answer")
    assert [name for name in names if name != "grown"][1:3] == ["written", "verified"]
    assert "grown" in names
    answer = json.loads(text.rstrip().rsplit("data: ", 1)[1])
    assert answer["valid"]
    assert answer["compiled"]["two_qubit_gates"] > 0


def test_a_part_without_a_replica_is_not_ready(url):
    from quasar.serving.app import parts_not_running

    with urllib.request.urlopen(f"{url}readyz", timeout=scaled(30)) as response:
        assert json.loads(response.read()) == {"status": "ready", "waiting": []}
    assert parts_not_running(["writer", "other"]) == ["other"]


def test_a_dead_replica_is_replaced_and_its_request_is_asked_again(url):
    import ray

    bodies = [BODY | {"seed": seed, "samples": 8, "temperature": 1.0} for seed in range(3)]
    before = [json.loads(ask(url, body)[1])["circuit"] for body in bodies]
    names = [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]
    (verifier,) = (name for name in names if "#verifier#" in name)
    ray.kill(ray.get_actor(verifier, namespace="serve"), no_restart=True)
    answers = [ask(url, body) for body in bodies]
    assert [status for status, _ in answers] == [200] * 3, answers
    assert [json.loads(text)["circuit"] for _, text in answers] == before


def test_a_given_circuit_is_verified(url):
    written = json.loads(ask(url)[1])
    body = {"problem": BODY["problem"], "circuit": written["circuit"]}
    status, text = ask(url, body, path="v1/verify")
    answer = json.loads(text)
    assert status == 200
    assert answer["reward"]["value"] == written["reward"]
    assert answer["report"]["expectation"] == written["report"]["expectation"]
    assert answer["report"]["diagnosis"]["gradient"]


def test_requests_at_once_are_answered_as_one_by_one(url):
    bodies = [{**BODY, "seed": seed, "temperature": 1.0} for seed in range(6)]
    alone = [json.loads(ask(url, body)[1]) for body in bodies]
    together: list = [None] * len(bodies)

    def send(i: int) -> None:
        together[i] = json.loads(ask(url, bodies[i])[1])

    threads = [threading.Thread(target=send, args=(i,)) for i in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a["circuit"] for a in together] == [a["circuit"] for a in alone]
    assert [a["candidates"] for a in together] == [a["candidates"] for a in alone]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b"{", 400, "not JSON"),
        ({"problem": {"primitive": "cut", "graph": GRAPH}}, 422, "unknown primitive"),
        ({**BODY, "samples": 9}, 422, "limit of 8"),
        (b" " * 5000, 413, "4000 bytes"),
    ],
)
def test_bad_requests_are_refused(url, body, status, part):
    answered, text = ask(url, body)
    assert answered == status
    assert part in json.loads(text)["error"]["message"]


def test_a_problem_that_the_model_cannot_read_is_refused(url):
    names = [f"a-node-with-a-very-long-name-that-fills-the-prompt-{i}" for i in range(12)]
    edges = [[names[i], names[i + 1]] for i in range(11)]
    graph = {"nodes": names, "edges": edges}
    status, text = ask(url, {"problem": {"primitive": "vertex_cover", "graph": graph}})
    assert status == 422
    assert json.loads(text)["error"]["field"] == "problem.graph"


def test_a_browser_gets_pages(url):
    status, text = ask(url, b"{", Accept="text/html")
    assert status == 400
    assert text.startswith("<!doctype html>")
    with urllib.request.urlopen(url, timeout=scaled(30)) as response:
        assert "playground/app.js" in response.read().decode()
    with urllib.request.urlopen(f"{url}playground/app.js", timeout=scaled(30)) as response:
        assert response.headers["Content-Type"].startswith("text/javascript")


def test_the_models_of_the_package_answer_from_one_endpoint(local_ray):
    """What `quasar serve` serves without a checkpoint: each request by the model of its task."""
    from ray import serve

    from quasar.serving.app import serve_checkpoints

    serve.shutdown()  # Serve keeps the port of an endpoint that was before
    arguments = build_parser().parse_args(["serve", "--set", f"serving.port={free_port()}"])
    arguments.prepare = settings.unchanged
    url = serve_checkpoints(settings.checkpoints_to_serve(arguments), blocking=False)
    try:
        asked = {"samples": 8, "seed": 0, "temperature": 0.3}
        cover = json.loads(ask(url, {"text": "vertex cover of 0-1 1-2 2-3", **asked})[1])
        assert (cover["model"], cover["optimal"], cover["warnings"]) == ("graph-3m", True, [])
        ghz = {"text": "prepare a GHZ state on four qubits", **asked}
        status, text = ask(url, {**ghz, "stream": True})
        state = json.loads(text.rstrip().rsplit("data: ", 1)[1])
        assert (status, state["model"], state["success"]) == (200, "tasks-2m", True)
        assert ask(url, {**ghz, "model": "graph-3m"})[0] == 422
        six = {"text": "max cut of 0-1 1-2 2-0", "model": "tasks-2m", **asked}
        assert json.loads(ask(url, six)[1])["model"] == "tasks-2m"
        with urllib.request.urlopen(f"{url}v1/models", timeout=scaled(30)) as response:
            listed = [model["id"] for model in json.loads(response.read())["data"]]
        assert listed[::2] == ["graph-3m", "tasks-2m"]
        with urllib.request.urlopen(f"{url}readyz", timeout=scaled(30)) as response:
            assert json.loads(response.read())["waiting"] == []
    finally:
        serve.shutdown()


def test_a_taken_port_is_refused_in_one_line(checkpoint, local_ray):
    from ray import serve

    from quasar.serving.app import serve_checkpoints

    serve.shutdown()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        config = load_config("published", [*OPTIONS, f"serving.port={holder.getsockname()[1]}"])
        with pytest.raises(InputError, match=r"serving\.port"):
            serve_checkpoints([Checkpoint.of(checkpoint, config)], blocking=False)


def test_a_model_that_does_not_load_is_refused_in_one_line(checkpoint, local_ray, tmp_path):
    from quasar.serving.app import serve_checkpoints

    (tmp_path / "config.json").write_text((checkpoint / "config.json").read_text())
    config = load_config("published", [*OPTIONS, f"serving.port={free_port()}"])
    with pytest.raises(CheckpointError, match=r"model\.safetensors") as caught:
        serve_checkpoints([Checkpoint.of(tmp_path, config)], blocking=False)
    assert "\n" not in str(caught.value)


def test_a_directory_without_a_model_is_refused_before_ray_starts(tmp_path):
    from quasar.serving.app import serve_checkpoints

    missing = Checkpoint.of(tmp_path, load_config("published"))
    with pytest.raises(CheckpointError, match="not a model directory"):
        serve_checkpoints([missing], blocking=False)


def test_without_a_model_circuits_are_verified_within_limits(local_ray):
    from ray import serve

    from quasar.serving.app import serve_verifier

    config = load_config(
        "published", [f"serving.port={free_port()}", "verification.time_limit_s=0.4"]
    )
    serve.shutdown()  # Serve keeps the port of an endpoint that was before
    url = serve_verifier(config, blocking=False)
    try:
        assert ask(url)[0] == 404
        status, text = ask(url, GRAPH_EXAMPLE, path="v1/verify")
        assert (status, json.loads(text)["report"]["valid"]) == (200, True)
        status, text = ask(url, slow_request(), path="v1/verify")
        assert status == 422
        assert "ended at its time limit" in json.loads(text)["error"]["message"]
        assert ask(url, GRAPH_EXAMPLE, path="v1/verify")[0] == 200
    finally:
        serve.shutdown()


def slow_request() -> dict:
    """Within the limits on text and gates, but seconds of work: 19 200 gates on 16 qubits."""
    gate = "gate many a { " + "u3(0.1, 0.2, 0.3) a; " * 300 + "}\n"
    header = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[16] c;\nqubit[16] q;\n'
    edges = [[i, i + 1] for i in range(15)]
    return {
        "problem": {
            "primitive": "vertex_cover",
            "graph": {"nodes": list(range(16)), "edges": edges},
        },
        "circuit": f"{header}{gate}{'many q; ' * 4}c = measure q;",
    }
