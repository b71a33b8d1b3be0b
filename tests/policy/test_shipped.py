"""The model that comes with the package: it is there, loads offline, and answers a stranger."""

import json

import pytest

from quasar.cli.main import main
from quasar.config import load_config
from quasar.system.run_paths import RunPaths
from quasar.system.shipped import shipped_run

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


def test_it_is_small_and_says_what_it_is():
    run = RunPaths(shipped_run())
    size = sum(path.stat().st_size for path in run.directory.rglob("*") if path.is_file())
    assert size < 25e6
    config = load_config(str(run.config_file))
    assert (config.dataset.prompts, config.dataset.style) == ("compact", "canonical")
    assert config.generation.constrained
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


def test_rows_of_tasks_that_it_was_not_trained_on_are_refused_by_name(tmp_path, capsys):
    rows = tmp_path / "states.jsonl"
    state = {"sample_index": 0, "task": "state_preparation", "family": "ghz", "n_qubits": 3}
    rows.write_text(json.dumps({**state, "instance": {"sign": 1}}) + "\n")
    output = tmp_path / "answers.jsonl"
    command = ["generate", "--problems", str(rows), "--samples", "1", "--output", str(output)]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "graph-3m was not trained on state_preparation (it was on ising)" in told
    assert not output.exists()
