"""Requests for tasks other than graph problems: in words and as rows, with a model that knows the
task and with one that does not.
"""

import pytest
from endpoint import BODY, PATH3, Endpoint, error_of, events_of, running

from quasar.circuits.circuit import Circuit, Gate
from quasar.cli.main import main
from quasar.config import load_config
from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.datasets.task_records import TaskRecord
from quasar.episodes.turns import PromptTooLong
from quasar.serving.trained_range import task_outside_training
from quasar.tasks import get_task

GHZ5 = "prepare a GHZ state on five qubits"
CHAIN = "ground state of a six-site Heisenberg chain"
REPETITION = "encoder of the 3-qubit repetition code"
TRAINED = (
    "dataset.tasks=[state_preparation,stabiliser]",
    "dataset.instances=[state_preparation/ghz:3-5,stabiliser]",
)


def ghz(n: int, *more: Gate) -> str:
    chain = [Gate("cx", (q, q + 1)) for q in range(n - 1)]
    return Circuit(n, (Gate("h", (0,)), *chain, *more)).to_qasm()


def stated(text, name):
    found = get_task(name).from_words(text)
    assert found is not None
    return found


@pytest.mark.parametrize("text", [GHZ5, CHAIN, REPETITION])
def test_a_model_that_was_not_trained_on_the_task_says_so(text):
    endpoint = Endpoint()
    answer = endpoint.ask({"text": text})
    assert answer.status_code == 422
    error = error_of(answer)
    assert "this model was not trained on" in error["message"]
    assert error["message"].endswith("(it was on ising)")
    assert error["field"] == "text"
    assert not endpoint.requests


def test_the_command_ends_with_one_line_and_code_2(capsys):
    with running(Endpoint().api) as (host, port):
        assert main(["ask", GHZ5, "--url", f"http://{host}:{port}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "not trained on state_preparation" in line


def test_a_model_that_knows_the_task_is_asked_and_answered_with_its_parts():
    flipped = ghz(5, Gate("z", (0,)))
    endpoint = Endpoint([flipped, ghz(5), "no program"], *TRAINED)
    answer = endpoint.ask({"text": GHZ5, "samples": 3, "draw": True}).json()
    assert answer["circuit"] == ghz(5)
    assert answer["success"] is True
    assert answer["headline"].startswith("fidelity 1.0000")
    assert answer["reward_parts"]["fidelity"] == answer["reward_parts"]["precision"] == 1.0
    assert answer["reward"] == pytest.approx(1.0)
    assert answer["problem"] == {"task": "state_preparation", "primitive": "ghz", "num_qubits": 5}
    assert [other["success"] for other in answer["alternatives"]] == [False]
    assert answer["report"]["task"]["drawing"]["kind"] == "amplitudes"
    assert answer["candidates"]["invalid"] == 1
    assert answer["best_bitstring"] is None
    assert answer["warnings"] == []
    (request,) = endpoint.requests
    task = get_task("state_preparation")
    asked = task.prompt(stated(GHZ5, "state_preparation").instance)
    assert list(request.turns[0].messages) == asked


def test_a_row_is_the_same_request_and_a_stream_has_its_events():
    row = TaskRecord(0, stated(GHZ5, "state_preparation").instance).to_dict()
    del row["reference_circuit"]
    endpoint = Endpoint([ghz(5)], *TRAINED)
    by_row, by_text = (
        endpoint.ask({**body, "samples": 1, "seed": 3}).json()
        for body in ({"row": row}, {"text": GHZ5})
    )
    for answer in (by_row, by_text):
        del answer["seconds"], answer["report"]["seconds"]
    assert by_row == by_text
    events = events_of(endpoint.ask({"text": GHZ5, "samples": 1, "stream": True}))
    names = [name for name, _ in events]
    assert names == ["start", "written", "verified", "answer"]
    assert events[2][1]["best"]["success"] is True


def test_what_is_outside_the_training_is_said_and_what_was_left_open():
    four = Endpoint([ghz(7)], *TRAINED).ask({"text": GHZ5.replace("five", "seven")}).json()
    assert four["warnings"] == ["the instance has 7 qubits, the model was trained on 3 to 5"]
    bell = Endpoint([ghz(2)], *TRAINED).ask({"text": "prepare a Bell state"}).json()
    assert bell["warnings"][0] == "the Bell state is phi+, for none was named"
    config = load_config("published", TRAINED)
    clifford = stated(REPETITION, "stabiliser").instance
    assert task_outside_training(config, clifford) == []


def test_a_prompt_that_is_too_long_is_refused():
    async def write(request):
        yield PromptTooLong(0, 300, 256)

    answer = Endpoint([], *TRAINED, write=write).ask({"text": GHZ5})
    assert answer.status_code == 422
    assert error_of(answer)["field"] == "row.instance"
    assert error_of(answer)["hint"] == "ask for one on fewer qubits"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"text": "ground state of my cat"}, "text", "of which Hamiltonian is not understood"),
        ({"text": f"{GHZ5} and bananas"}, "text", "not understood: bananas"),
        ({"text": GHZ5, "ansatz": "qaoa"}, "ansatz", "is of graph problems"),
        ({"text": GHZ5, "tools": ["verify", "optimise"]}, "tools", "optimise has no energy"),
        ({"row": {"task": "stabiliser", "family": "state"}}, "row", "field 'instance' is missing"),
        ({"problem": BODY["problem"]}, "problem", "not trained on ising"),
        ({"text": f"max cut of {PATH3['edges']}".replace("[0, 1], [1, 2]", "0-1 1-2")}, "text",
         "not trained on ising"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(body, field, message):
    answer = Endpoint([ghz(5)], *TRAINED).ask(body)
    assert answer.status_code == 422
    assert error_of(answer)["field"] == field
    assert message in error_of(answer)["message"]


def test_tasks_are_told_with_examples_that_work():
    """Every family's example is described, is a row to verify, and its trivial answer scores 0."""
    endpoint = Endpoint(model=None)
    tasks = endpoint.request("GET", "/v1/tasks").json()["tasks"]
    assert [told["task"] for told in tasks] == [n for n in task_names() if n != GRAPH_TASK]
    for told in tasks:
        assert told["forms"].keys() == told["families"].keys()
        for family, form in told["forms"].items():
            question = {"row": form["example"]}
            described = endpoint.request("POST", "/v1/tasks/describe", json=question).json()
            assert described["row"]["family"] == family
            body = {**question, "circuit": described["baseline_circuit"], "draw": True}
            answer = endpoint.request("POST", "/v1/verify", json=body).json()
            found = answer["report"]["task"]
            assert found["baseline"] == described["baseline"]
            assert max(found["parts"].values()) < 1e-6, family
            assert not found["success"]
            drawn = found["drawing"]
            shown = {"amplitudes": "amplitudes", "levels": "terms", "tableau": "rows"}[
                drawn["kind"]
            ]
            assert 0 < len(drawn[shown]) <= 64
            assert len(answer["report"]["drawing"]["gates"]) == answer["report"]["num_gates"]
    refused = endpoint.request(
        "POST", "/v1/tasks/describe", json={"text": "ground state of my cat"}
    )
    assert refused.status_code == 422
    assert error_of(refused)["field"] == "text"
