"""An endpoint of several models: which one answers, and what is told of each."""

import json

import pytest
from endpoint import BODY, GOOD, Endpoint, error_of, running
from test_asked_tasks import GHZ5, TRAINED, ghz

from quasar.cli import settings
from quasar.cli.main import build_parser, main
from quasar.client import BadRequest, Client
from quasar.config import load_config, to_commented_yaml
from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.errors import ConfigError, InputError
from quasar.schema.chat import VERIFIED
from quasar.serving.errors import RequestRefused
from quasar.serving.models import (
    Checkpoint,
    ServedModel,
    ServedModels,
    endpoint_config,
    require_distinct,
    sharing_processes,
)
from quasar.system.run_paths import RunPaths
from quasar.system.shipped import MODELS, shipped_run

GRAPHS, STATES = "graphs", "states"
CHAIN = "ground state of a six-site Heisenberg chain"
WORDS = "vertex cover of 0-1 1-2"


async def unused(request):
    raise NotImplementedError
    yield


def model(name, *tasks):
    config = load_config("published", [f"dataset.tasks=[{','.join(tasks)}]"])
    return ServedModel(name, config, unused)


THREE = ServedModels(
    [
        model("a", "stabiliser"),
        model("b", GRAPH_TASK, "stabiliser"),
        model("c", GRAPH_TASK, "ground_state"),
    ]
)


def refusal(models, task, name=None):
    with pytest.raises(RequestRefused) as refused:
        models.pick(task, name=name, field="text")
    assert "\n" not in refused.value.message
    return refused.value


# Which one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "name", "picked"),
    [
        ("stabiliser", None, "a"),
        (GRAPH_TASK, None, "b"),
        ("ground_state", None, "c"),
        (GRAPH_TASK, "c", "c"),
        ("stabiliser", "b", "b"),
    ],
)
def test_the_first_that_was_trained_on_the_task_answers_unless_one_is_named(task, name, picked):
    assert THREE.pick(task, name=name, field="text").name == picked


def test_what_cannot_be_answered_is_refused_with_the_names():
    unknown = refusal(THREE, GRAPH_TASK, "d")
    assert (unknown.status, unknown.field) == (404, "model")
    assert unknown.message == "there is no model 'd' here; there is a, b, c"
    untrained = refusal(THREE, "ground_state", "a")
    assert (untrained.status, untrained.field) == (422, "text")
    assert untrained.message == "this model was not trained on ground_state (it was on stabiliser)"
    assert untrained.hint == "name c as the model"
    none = refusal(THREE, "state_preparation")
    assert none.message == (
        "no model of this endpoint was trained on state_preparation (a on stabiliser; "
        "b on ising, stabiliser; c on ising, ground_state)"
    )
    with pytest.raises(RequestRefused, match="has no model") as verifier:
        ServedModels().named("a")
    assert verifier.value.status == 404


# Over HTTP ---------------------------------------------------------------------------------------


@pytest.fixture
def two():
    """A model of graph problems and one of states; the second knows graph problems, too."""
    states = (f"dataset.tasks=[{GRAPH_TASK},state_preparation]",
              "dataset.instances=[state_preparation/ghz:3-5]",
              "verification.max_qubits=22", "serving.samples=2")  # fmt: skip
    return Endpoint([GOOD], model=GRAPHS, others={STATES: ([ghz(5)], states)})


def test_a_request_is_answered_by_the_model_of_its_task_or_the_one_it_names(two):
    by_task, by_name, states = (
        two.ask(body).json()
        for body in (BODY, {**BODY, "model": STATES}, {"text": GHZ5, "seed": 1})
    )
    assert [answer["model"] for answer in (by_task, by_name, states)] == [GRAPHS, STATES, STATES]
    assert by_task["circuit"].strip() == GOOD.strip()
    assert not by_name["valid"]  # the text of the other model, on five qubits
    assert states["circuit"] == ghz(5)
    assert states["success"]
    assert states["candidates"]["drawn"] == 2  # its own default
    verified = two.ask({"text": GHZ5, "model": f"{STATES}{VERIFIED}"})
    assert verified.json()["model"] == STATES


def test_refusals_name_the_models(two):
    unknown = two.ask({**BODY, "model": "gpt"})
    assert unknown.status_code == 404
    assert (
        error_of(unknown)["message"] == f"there is no model 'gpt' here; there is {GRAPHS}, {STATES}"
    )
    untrained = two.ask({"text": GHZ5, "model": GRAPHS})
    assert untrained.status_code == 422
    assert error_of(untrained)["hint"] == f"name {STATES} as the model"
    none = two.ask({"text": CHAIN})
    assert none.status_code == 422
    assert f"{GRAPHS} on ising; {STATES} on ising, state_preparation" in error_of(none)["message"]
    assert two.requests == []


def test_the_chat_route_has_each_model_twice(two):
    listed = two.request("GET", "/v1/models").json()["data"]
    names = [one["id"] for one in listed]
    assert names == [GRAPHS, GRAPHS + VERIFIED, STATES, STATES + VERIFIED]
    assert [one["trained"]["tasks"] for one in listed[::2]] == [
        [GRAPH_TASK],
        [GRAPH_TASK, "state_preparation"],
    ]
    assert [one["max_qubits"] for one in listed[::2]] == [20, 22]
    ghz_range = {"family": "ghz", "min_qubits": 3, "max_qubits": 5}
    assert listed[2]["trained"]["instances"] == {"state_preparation": [ghz_range]}

    def chat(name, text):
        body = {"model": name, "messages": [{"role": "user", "content": text}]}
        return two.request("POST", "/v1/chat/completions", json=body)

    raw, verified = (chat(name, GHZ5).json() for name in (GRAPHS, STATES + VERIFIED))
    assert raw["choices"][0]["message"]["content"] == GOOD
    assert (verified["model"], verified["quasar"]["model"]) == (STATES + VERIFIED, STATES)
    assert verified["choices"][0]["message"]["content"] == ghz(5)
    assert chat(GRAPHS + VERIFIED, GHZ5).status_code == 422
    unknown = chat("gpt", GHZ5)
    assert unknown.status_code == 404
    assert error_of(unknown)["message"].endswith(f"there is {GRAPHS}, {STATES}")


def test_metrics_and_the_audit_log_name_the_model(tmp_path):
    log = tmp_path / "audit.jsonl"
    endpoint = Endpoint(
        [GOOD], f"serving.audit_log={log}", model=GRAPHS, others={STATES: ([ghz(5)], TRAINED)}
    )
    endpoint.ask()
    endpoint.ask({"text": GHZ5, "stream": True, "samples": 3})
    endpoint.ask({"text": CHAIN})
    text = endpoint.request("GET", "/metrics").text
    assert f'quasar_candidates_total{{model="{STATES}",outcome="valid"}} 3.0' in text
    assert f'quasar_answers_total{{model="{GRAPHS}",valid="true"}} 1.0' in text
    assert f'quasar_turn_seconds_count{{model="{STATES}",phase="generation"}} 1.0' in text
    models = [json.loads(line)["model"] for line in log.read_text().splitlines()]
    assert models == [GRAPHS, STATES, None, None]


def test_the_client_and_the_command_name_a_model(two, capsys):
    with running(two.api) as (host, port):
        url = f"http://{host}:{port}"
        with Client(url) as client:
            assert client.circuit(WORDS, samples=1).model == GRAPHS
            assert client.circuit(WORDS, samples=1, model=STATES).model == STATES
            assert client.models()[2].trained.tasks == [GRAPH_TASK, "state_preparation"]
            with pytest.raises(BadRequest, match=f"there is {GRAPHS}, {STATES}"):
                client.circuit(WORDS, model="gpt")
        command = ["ask", "--url", url, "--json"]
        for named, code, answered in (([], 0, GRAPHS), (["--model", STATES], 1, STATES)):
            assert main([*command, WORDS, *named]) == code
            assert json.loads(capsys.readouterr().out)["model"] == answered
        assert main([*command, GHZ5]) == 0
        assert json.loads(capsys.readouterr().out)["model"] == STATES


def test_a_model_is_named_of_an_endpoint_alone(capsys):
    assert main(["ask", WORDS, "--model", STATES, "--checkpoint", "tasks-2m"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert f"--model {STATES}: goes with an endpoint" in line


# What is served ----------------------------------------------------------------------------------


def served(*words):
    arguments = build_parser().parse_args(["serve", *words])
    arguments.prepare = settings.unchanged
    return settings.checkpoints_to_serve(arguments)


def test_without_a_checkpoint_all_models_of_the_package_are_served_with_what_they_bring():
    found = served("--set", "serving.port=8123")
    assert [one.name for one in found] == [*MODELS]
    for one in found:
        assert one.directory == (shipped_run(one.name) / "model/final").resolve()
        assert one.config.dataset.tasks == MODELS[one.name]
        assert one.config.serving.port == 8123
    known = {task for one in found for task in one.config.dataset.tasks}
    assert known == {*task_names()}
    common = endpoint_config([one.config for one in found])
    assert common.verification.max_qubits == max(
        one.config.verification.max_qubits for one in found
    )
    assert common.reward == found[0].config.reward


def test_checkpoints_are_served_in_the_order_given(tmp_path, monkeypatch):
    run = RunPaths(tmp_path / "mine")
    run.final_model.mkdir(parents=True)
    (run.final_model / "config.json").write_text("{}")
    run.config_file.write_text(to_commented_yaml(load_config("published", ["serving.samples=7"])))
    named = ("--checkpoint", "tasks-2m", "--checkpoint", str(run.directory))
    tasks, mine = served(*named)
    assert (tasks.name, mine.name) == ("tasks-2m", "mine")
    assert (mine.directory, mine.config.serving.samples) == (run.final_model, 7)
    with pytest.raises(ConfigError, match=r"--checkpoint tasks-2m and --set policy\.model"):
        served(*named, "--set", "policy.model=x")
    (alone,) = served("--set", f"policy.model={run.directory}")
    assert alone.name == "mine"
    with pytest.raises(InputError, match="two models to serve are called 'mine'"):
        require_distinct([mine, tasks, mine])
    monkeypatch.chdir(tmp_path)  # a directory of one's own goes before the package's
    (tmp_path / "tasks-2m").mkdir()
    assert served("--checkpoint", "tasks-2m")[0].directory == tmp_path / "tasks-2m"


def test_models_without_gpus_share_a_process(tmp_path):
    def checkpoint(name, *overrides):
        return Checkpoint(name, tmp_path / name, load_config("published", overrides))

    gpu = "serving.gpus_per_replica=1"
    small = [checkpoint("a"), checkpoint("b")]
    assert sharing_processes(small) == [small]
    mixed = [checkpoint("a", gpu), checkpoint("b"), checkpoint("c", gpu), checkpoint("d")]
    names = [[one.name for one in group] for group in sharing_processes(mixed)]
    assert names == [["a"], ["b", "d"], ["c"]]
    vllm = [checkpoint("a", "generation.engine=vllm"), checkpoint("b", "generation.engine=vllm")]
    assert len(sharing_processes(vllm)) == 2
    assert sharing_processes([]) == []
