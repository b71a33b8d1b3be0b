"""The model that comes with the package: it is there, loads offline, and answers a stranger."""

import json

import pytest

from quasar.cli.main import main
from quasar.config import load_config
from quasar.system.run_paths import RunPaths
from quasar.system.shipped import MODELS, shipped_for, shipped_run

# Question → the answer, with the seed and a temperature at which rounding decides nothing.
STORED = {
    "max cut of 0-1 1-2 2-3 3-0 0-2:3": [0],
    "minimum vertex cover of 0-1 0-2 0-3": [0],
    "maximum independent set of A-B B-C": ["A", "C"],
}


@pytest.fixture(autouse=True)
def _no_endpoint_and_no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("QUASAR_URL", raising=False)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_small_and_says_what_it_is(name):
    run = RunPaths(shipped_run(name))
    size = sum(path.stat().st_size for path in run.directory.rglob("*") if path.is_file())
    assert size < 25e6
    config = load_config(str(run.config_file))
    assert (config.dataset.prompts, config.dataset.style) == ("compact", "canonical")
    assert config.generation.constrained
    assert set(config.dataset.tasks) == set(MODELS[name])
    card = (run.directory / "README.md").read_text("utf-8")
    for part in ("## Training", "## Figures", "## Limits", "Apache-2.0"):
        assert part in card


@pytest.mark.parametrize("question", STORED, ids=lambda text: text[:12])
def test_it_answers_as_stored(question, capsys):
    options = ["--samples", "8", "--seed", "0", "--temperature", "0.3", "--json"]
    code = main(["ask", question, "--checkpoint", str(shipped_run()), *options])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert answer["optimal"]
    assert answer["answer"] == STORED[question]
    assert answer["candidates"]["valid"] == 8
    assert answer["model"] == shipped_run().name
    assert answer["warnings"] == []
    assert "// q" in answer["circuit"]  # with its plan


def test_without_an_endpoint_and_a_checkpoint_it_is_the_one_that_answers(capsys, monkeypatch):
    import quasar.client.requests as requests

    monkeypatch.setattr(requests, "DEFAULT_URL", "http://127.0.0.1:9")
    assert main(["ask", "vertex cover of 0-1 1-2", "--seed", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == shipped_run().name


@pytest.mark.parametrize(
    "question",
    [
        "prepare a GHZ state on four qubits",
        "prepare a W state on three qubits",
        "stabiliser state of +XZI +ZXZ +IZX",
        "ground state of a four-site transverse-field Ising chain",
    ],
)
def test_a_stranger_asks_for_more_than_graphs(question, capsys):
    options = ["--samples", "8", "--seed", "0", "--temperature", "0.3", "--json"]
    code = main(["ask", question, *options])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert answer["success"]
    assert answer["model"] == "tasks-2m"


def test_a_model_is_taken_for_its_tasks_and_found_by_its_name(tmp_path):
    assert shipped_for(["ising"]) == shipped_for([]) == shipped_run("graph-3m")
    assert shipped_for(["stabiliser"]) == shipped_run("tasks-2m")
    assert shipped_for(["ising", "ground_state"]) == shipped_run("tasks-2m")
    assert shipped_for(["none"]) == shipped_run("graph-3m")
    rows = tmp_path / "states.jsonl"
    state = {"sample_index": 0, "task": "state_preparation", "family": "ghz", "n_qubits": 3}
    rows.write_text(json.dumps({**state, "instance": {"sign": 1}}) + "\n")
    output = tmp_path / "answers.jsonl"
    command = ["generate", "--problems", str(rows), "--samples", "2", "--output", str(output)]
    assert main(command) == 0
    assert "cx q[1], q[2];" in output.read_text()


def test_rows_of_tasks_that_it_was_not_trained_on_are_refused_by_name(tmp_path, capsys):
    rows = tmp_path / "states.jsonl"
    state = {"sample_index": 0, "task": "state_preparation", "family": "ghz", "n_qubits": 3}
    rows.write_text(json.dumps({**state, "instance": {"sign": 1}}) + "\n")
    output = tmp_path / "answers.jsonl"
    command = ["generate", "--problems", str(rows), "--samples", "1", "--output", str(output)]
    assert main([*command, "--checkpoint", "graph-3m"]) == 2
    told = capsys.readouterr().err
    assert "graph-3m was not trained on state_preparation (it was on ising)" in told
    assert not output.exists()
