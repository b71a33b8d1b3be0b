"""A trained model out of a run and back: card, MLflow's registry, the hub over HTTP."""

import json
import shutil

import pytest

from quasar.cli.main import main
from quasar.config import load_config, to_commented_yaml, with_overrides
from quasar.errors import CheckpointError, ConfigError, InputError
from quasar.evaluation.summary import GUESSING, MetricEstimate, Summary
from quasar.pipeline.bundle import pack, register_model, unpack
from quasar.pipeline.registry import fetch_registered
from quasar.pipeline.run import Run
from quasar.pipeline.tracking import Tracker
from quasar.policy.models import load_policy
from quasar.reports.model_card import model_card
from quasar.system.resumable import model_digest
from quasar.system.run_paths import RunPaths
from tests.pipeline.hub_server import running_hub


@pytest.fixture
def run(tiny_config, tiny_policy, tmp_path):
    """A finished run: a real small model, the configuration with places of this machine, a card."""
    places = {
        "run.directory": str(tmp_path / "runs"),
        "run.name": "tiny",
        "tracking.uri": f"sqlite:///{tmp_path}/secret-place.db",
        "serving.audit_log": f"{tmp_path}/audit.jsonl",
        "policy.model": str(tiny_policy),
    }
    made = RunPaths(tmp_path / "runs" / "tiny")
    shutil.copytree(tiny_policy, made.final_model)
    config = with_overrides(tiny_config, places)
    made.config_file.write_text(to_commented_yaml(config))
    made.card.write_text(model_card(config, {}))
    return made


def same_model(directory, run):
    return model_digest(RunPaths(directory).final_model) == model_digest(run.final_model)


def test_a_bundle_is_a_model_for_transformers_and_a_run_again(run, tmp_path):
    pack(run, tmp_path / "bundle")
    assert str(tmp_path) not in (tmp_path / "bundle" / "quasar.yaml").read_text()
    model, _ = load_policy(tmp_path / "bundle")
    assert model.num_parameters() > 0
    made = unpack(tmp_path / "bundle", tmp_path / "again")
    assert same_model(made, run)
    config = load_config(str(RunPaths(made).config_file))
    assert config.generation == load_config(str(run.config_file)).generation
    assert config.tracking.uri is config.serving.audit_log is None
    with pytest.raises(InputError, match="is there already"):
        unpack(tmp_path / "bundle", tmp_path / "again")


def test_a_strangers_configuration_names_no_place_of_this_machine(run, tmp_path):
    pack(run, tmp_path / "bundle")
    config = load_config(str(run.config_file))
    evil = with_overrides(config, {"serving.audit_log": "/etc/profile", "run.upload": "s3://x"})
    (tmp_path / "bundle" / "quasar.yaml").write_text(to_commented_yaml(evil))
    (tmp_path / "bundle" / "pytorch_model.bin").write_bytes(b"code")
    made = RunPaths(unpack(tmp_path / "bundle", tmp_path / "again"))
    assert "/etc/profile" not in made.config_file.read_text()
    assert load_config(str(made.config_file)).run.upload is None
    assert not list(made.directory.rglob("*.bin"))


def test_a_directory_without_a_model_is_no_bundle(tmp_path):
    with pytest.raises(CheckpointError, match="no run with a trained model"):
        pack(RunPaths(tmp_path), tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds no model"):
        unpack(tmp_path / "empty", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_registered_model_is_a_checkpoint_by_its_name(run, tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    changes = {"tracking.uri": uri, "tracking.register_as": "circuits"}
    config = with_overrides(load_config(str(run.config_file)), changes)
    run.config_file.unlink()
    with (
        Run.open(config) as opened,
        Tracker.start(config, run_directory=run.directory) as tracker,
    ):
        register_model(opened, tracker)
        register_model(opened, tracker)
    for name in ("models:/circuits/1", "models:/circuits/2", f"runs:/{tracker.run_id}"):
        assert same_model(fetch_registered(name, uri), run)
    for name in ("models:/circuits/3", "models:/other/1", "runs:/" + "0" * 32):
        with pytest.raises(CheckpointError, match="MLflow has no such model") as caught:
            fetch_registered(name, uri)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI"):
        fetch_registered("models:/circuits/1", None)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "good")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield server


def test_push_and_pull(run, hub, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["push", str(run.directory), "me/circuits", "--private"]) == 0
    assert capsys.readouterr().out.startswith(f"{hub.url}/me/circuits/commit/")
    files = hub.repositories["me/circuits"]
    assert {"README.md", "quasar.yaml", "config.json", "model.safetensors"} <= files.keys()
    assert hub.private == {"me/circuits": True}
    assert str(tmp_path).encode() not in b"".join(files.values())
    files["training.py"] = b"import os"
    assert main(["pull", "me/circuits"]) == 0
    assert "serve --checkpoint circuits" in capsys.readouterr().out
    assert same_model(tmp_path / "circuits", run)
    assert (tmp_path / "circuits" / "README.md").read_text() == run.card.read_text()
    assert not list((tmp_path / "circuits").rglob("*.py"))


@pytest.mark.parametrize(
    ("arguments", "token", "told"),
    [
        (["push", "RUN", "me/x"], "bad", "answered 401"),
        (["push", "RUN", "not a name"], "good", "no name of a repository"),
        (["push", "nowhere", "me/x"], "good", "no run with a trained model"),
        (["pull", "me/absent"], "good", "answered 404"),
        (["pull", "me/absent", "--output", "RUN"], "good", "answered 404"),
    ],
)  # fmt: skip
def test_what_the_hub_refuses_is_one_line_and_exit_code_2(
    arguments, token, told, run, hub, capsys, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", token)
    given = [str(run.directory) if word == "RUN" else word for word in arguments]
    assert main(given) == 2
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_hub_that_does_not_answer(run, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HF_TOKEN", "good")
    assert main(["push", str(run.directory), "me/x"]) == 2
    assert "does not answer" in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_card_has_the_figures_with_the_baselines_beside_them():
    def row(value):
        estimate = MetricEstimate(value, value - 0.01, value + 0.01, 12)
        return Summary(12, 48, {"pass@1": {"corrected": {"approximation_ratio": estimate}}})

    rows = {GUESSING: row(0.6), "after GRPO": row(0.85)}
    config = load_config("laptop")
    card = model_card(config, rows, subject="after GRPO", baselines=[GUESSING])
    table = [line for line in card.splitlines() if line.startswith("|")]
    assert table[2].startswith("| **after GRPO** | 12 |")
    assert "0.850 [0.840, 0.860]" in table[2]
    assert table[3].startswith(f"| {GUESSING} | 12 |")
    assert "On 12 held-out problems, 4 answers each" in card
    assert "quasar serve --checkpoint laptop" in card
    assert "not evaluated" in model_card(config, {})
    assert json.dumps(config.dataset.num_examples) in card.replace(",", "")
