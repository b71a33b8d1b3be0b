"""Tracking against a real MLflow store (SQLite) in a temporary directory."""

import json
import logging
import math
from pathlib import Path

import pytest

from quasar.config import QuasarConfig, config_from_dict, load_config
from quasar.errors import ConfigError, TrainingError
from quasar.pipeline.trackers.mlflow import tracking_uri
from quasar.pipeline.tracking import (
    Tracker,
    environment_tags,
    git_revision,
    source_digest,
)
from quasar.system.plain_text import strip_credentials


@pytest.fixture(autouse=True)
def _no_server_in_the_environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """One run directory for the module: making the database's tables takes seconds."""
    return tmp_path_factory.mktemp("run")


def _client(store: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")


def _artifacts(store: Path, run_id: str) -> set[str]:
    return {item.path for item in _client(store).list_artifacts(run_id)}


def test_start_logs_config_seed_versions_and_artifact(store):
    config = config_from_dict({"run": {"seed": 7}, "grpo": {"iterations": 3}})
    with Tracker.start(config, run_directory=store, tags={"job": "main"}) as tracker:
        tracker.log_text("hello", "notes/a.txt")
    run = _client(store).get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["grpo.iterations"] == "3"
    assert run.data.params["seed"] == run.data.params["run.seed"] == "7"
    assert run.data.params["dataset.primitives"].startswith('["vertex_cover"')
    assert run.data.tags["job"] == "main"
    assert run.data.tags["version.numpy"]
    assert {"config.yaml", "notes"} <= _artifacts(store, tracker.run_id)
    stored = next((store / "mlflow-artifacts").rglob("config.yaml"))
    assert load_config(stored) == config


def test_an_experiment_opens_on_its_runs(tmp_path):
    """MLflow's page goes by this tag; without it, it opens on traces, of which there are none."""
    config = config_from_dict({"tracking": {"experiment": "first"}})
    Tracker.start(config, run_directory=tmp_path).close()
    client = _client(tmp_path)
    client.create_experiment("made elsewhere")
    client.create_experiment("chosen", tags={"mlflow.experimentKind": "genai_development"})
    for name in ("made elsewhere", "chosen"):
        named = config_from_dict({"tracking": {"experiment": name}})
        Tracker.start(named, run_directory=tmp_path).close()
    kinds = [
        client.get_experiment_by_name(name).tags["mlflow.experimentKind"]
        for name in ("first", "made elsewhere", "chosen")
    ]
    assert kinds == ["custom_model_development"] * 2 + ["genai_development"]


def test_metrics_keep_their_steps_and_drop_what_is_not_finite(store, caplog):
    tracker = Tracker.start(QuasarConfig(), run_directory=store)
    with caplog.at_level(logging.WARNING, logger="quasar.pipeline.tracking"):
        tracker.log_metrics({"reward/mean": 0.25, "loss": math.nan, "kl": math.inf}, 0)
        tracker.log_metrics({"reward/mean": 0.5}, 1)
    history = _client(store).get_metric_history(tracker.run_id, "reward/mean")
    assert [(m.step, m.value) for m in history] == [(0, 0.25), (1, 0.5)]
    assert set(_client(store).get_run(tracker.run_id).data.metrics) == {"reward/mean"}
    assert "kl, loss" in caplog.text


def test_resume_goes_on_in_the_same_run(store):
    first = Tracker.start(QuasarConfig(), run_directory=store)
    first.log_metrics({"reward": 1.0}, 0)  # killed here: never closed
    longer = config_from_dict({"grpo": {"iterations": 99}})
    second = Tracker.start(longer, run_directory=store, resume_run_id=first.run_id)
    assert _client(store).get_run(second.run_id).info.status == "RUNNING"
    second.log_metrics({"reward": 2.0}, 1)
    second.close()
    assert second.run_id == first.run_id
    history = _client(store).get_metric_history(first.run_id, "reward")
    assert [m.value for m in history] == [1.0, 2.0]
    run = _client(store).get_run(first.run_id)
    assert run.data.params["grpo.iterations"] == str(QuasarConfig().grpo.iterations)
    assert run.data.tags["resumed.grpo.iterations"] == "99"
    assert any(name.startswith("config-resumed-") for name in _artifacts(store, first.run_id))


def test_resume_of_an_unknown_run_is_one_line(store):
    with pytest.raises(TrainingError, match="cannot be resumed") as caught:
        Tracker.start(QuasarConfig(), run_directory=store, resume_run_id="0" * 32)
    assert "\n" not in str(caught.value)


def test_tables_append_and_figures_and_files_arrive(store, tmp_path):
    from matplotlib.figure import Figure

    tracker = Tracker.start(QuasarConfig(), run_directory=store)
    tracker.log_table([{"step": 0, "circuit": "a"}], "samples.json")
    tracker.log_table([{"step": 5, "circuit": "b"}], "samples.json")
    figure = Figure()
    figure.add_subplot().plot([0, 1])
    tracker.log_figure(figure, "curve.png")
    (tmp_path / "rollouts.jsonl").write_text("{}\n")
    tracker.log_artifact(tmp_path / "rollouts.jsonl", "rollouts")
    table = Path(_client(store).download_artifacts(tracker.run_id, "samples.json", str(tmp_path)))
    assert json.loads(table.read_text())["data"] == [[0, "a"], [5, "b"]]
    assert {"curve.png", "rollouts", "samples.json"} <= _artifacts(store, tracker.run_id)


def test_a_store_that_fails_later_is_warned_of_once_and_does_not_stop(store, caplog, monkeypatch):
    tracker = Tracker.start(QuasarConfig(), run_directory=store)
    calls = []

    def broken(*args, **kwargs):
        calls.append(args)
        raise OSError("disk full")

    assert tracker.mlflow
    monkeypatch.setattr(tracker.mlflow.client, "log_batch", broken)
    with caplog.at_level(logging.WARNING, logger="quasar.pipeline.tracking"):
        for step in range(5):
            tracker.log_metrics({"loss": 1.0}, step)
    assert caplog.text.count("disk full") == 1
    assert len(calls) == 1  # the store is left alone for a while


def test_a_tracker_that_cannot_start_stops_the_job(tmp_path):
    (tmp_path / "file").write_text("")
    config = config_from_dict({"tracking": {"uri": f"sqlite:///{tmp_path}/file/mlflow.db"}})
    with pytest.raises(ConfigError, match=r"tracking\.uri .* cannot start there") as caught:
        Tracker.start(config, run_directory=tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_order_of_tracking_uris(tmp_path, monkeypatch):
    assert tracking_uri(QuasarConfig(), tmp_path) == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri(QuasarConfig(), tmp_path) == "http://tracker:5000"
    config = config_from_dict({"tracking": {"uri": "http://mine"}})
    assert tracking_uri(config, tmp_path) == "http://mine"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("http://me:pass@host:5000/x", "http://host:5000/x"),
        ("uri: postgresql://u:p%40q@db/mlflow  # note", "uri: postgresql://db/mlflow  # note"),
        ("https://host/?api_token=abc&page=2", "https://host/?api_token=***&page=2"),
        ("sqlite:////runs/a/mlflow.db", "sqlite:////runs/a/mlflow.db"),
    ],
)
def test_credentials_are_stripped(text, clean):
    assert strip_credentials(text) == clean


def test_git_revision_is_a_commit_or_absent():
    revision = git_revision()
    assert revision is None or len(revision.removesuffix("-dirty")) == 40


def test_a_job_without_a_checkout_records_the_revision_it_was_given(monkeypatch):
    monkeypatch.setattr("quasar.pipeline.tracking.git_revision", lambda: None)
    monkeypatch.setenv("QUASAR_GIT_REVISION", "abc123")
    assert environment_tags()["git.revision"] == "abc123"
    monkeypatch.delenv("QUASAR_GIT_REVISION")
    assert "git.revision" not in environment_tags()


def test_the_source_digest_follows_the_sources(monkeypatch, tmp_path):
    (tmp_path / "tracking.py").write_text("x = 1\n")
    monkeypatch.setattr("quasar.pipeline.tracking.__file__", str(tmp_path / "tracking.py"))
    first = source_digest()
    assert source_digest() == first
    (tmp_path / "tracking.py").write_text("x = 2\n")
    assert source_digest() != first


def test_a_run_goes_on_in_another_store_where_one_is_named(tmp_path):
    """As the message of a store that cannot be used advises; what it was called stands in a tag."""
    import mlflow

    from quasar.pipeline.run import Run
    from quasar.pipeline.tracked_run import tracked_run

    settings = [f"run.directory={tmp_path}", "run.name=r"]
    names, stores = [], [f"sqlite:///{tmp_path}/{name}.db" for name in ("first", "second")]
    for store in stores:
        with Run.open(load_config("laptop", [*settings, f"tracking.uri={store}"])) as run:
            with tracked_run(run) as tracker:
                names.append(tracker.run_id)
            assert run.tracked_as == tracker.run_id
    assert names[0] != names[1]
    tags = mlflow.MlflowClient(stores[1]).get_run(names[1]).data.tags
    assert tags["continues"] == names[0]
    # Without another store a run that is not known stays an error.
    with Run.open(load_config("laptop", [*settings, f"tracking.uri={stores[1]}"])) as run:
        run.tracked_as_file.write_text("nothing")
        with pytest.raises(TrainingError, match="cannot be resumed"), tracked_run(run):
            pass
