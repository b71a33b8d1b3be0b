"""TensorBoard and Weights & Biases beside MLflow: the real libraries, files read back."""

import json
import logging
import struct
import sys
import time

import pytest

from quasar.config import load_config
from quasar.errors import ConfigError
from quasar.pipeline.tracking import Tracker
from tests.support.machine import wait_until


@pytest.fixture(autouse=True)
def _of_this_machine(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)


def configured(*backends):
    return load_config("laptop", [f"tracking.backends={list(backends)}", "run.name=first"])


def events(directory):
    """The events of TensorBoard's files: records of length, check, data, check."""
    from tensorboardX.proto import event_pb2

    for path in sorted(directory.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            yield event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
            at += length + 16


def scalars(directory):
    return [
        (event.step, value.tag, round(value.simple_value, 6))
        for event in events(directory)
        for value in event.summary.value
        if value.WhichOneof("value") == "simple_value"
    ]


def wandb_records(data):
    """The records of an offline file: pieces of check, length and kind, in blocks of 32 KiB."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield whole
            whole = b""


def test_tensorboard_has_curves_settings_and_figures_of_both_starts(tmp_path):
    from matplotlib.figure import Figure

    for step in (1, 2):
        with Tracker.start(configured("tensorboard"), run_directory=tmp_path) as tracker:
            assert tracker.run_id == ""
            tracker.log_metrics({"grpo/reward": step / 4, "grpo/kl": float("nan")}, step)
            tracker.log_table([{"circuit": "h q[0];"}], "samples/grpo-1.json")
            figure = Figure()
            figure.add_subplot().plot([0, 1])
            tracker.log_figure(figure, "curve.png")
    folder = tmp_path / "tensorboard"
    assert sorted(scalars(folder)) == [(1, "grpo/reward", 0.25), (2, "grpo/reward", 0.5)]
    tags = {value.tag for event in events(folder) for value in event.summary.value}
    assert {"settings/text_summary", "samples/grpo-1.json/text_summary", "curve.png"} <= tags
    assert not (tmp_path / "mlflow.db").exists()


def test_two_trackers_get_the_same_and_one_that_fails_stops_neither(tmp_path, caplog, monkeypatch):
    with Tracker.start(configured("mlflow", "tensorboard"), run_directory=tmp_path) as tracker:
        assert tracker.mlflow
        client = tracker.mlflow.client
        tracker.log_metrics({"grpo/reward": 0.5}, 1)
        monkeypatch.setattr(client, "log_batch", lambda *args, **kwargs: 1 / 0)
        with caplog.at_level(logging.WARNING, logger="quasar.pipeline.tracking"):
            tracker.log_metrics({"grpo/reward": 0.75}, 2)
    history = client.get_metric_history(tracker.run_id, "grpo/reward")
    assert [point.value for point in history] == [0.5]
    assert [value for _, _, value in scalars(tmp_path / "tensorboard")] == [0.5, 0.75]
    assert "MLflow at sqlite:" in caplog.text


def test_weights_and_biases_offline_keeps_a_run_that_goes_on(tmp_path):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed: make setup")
    for step in (1, 2):
        with Tracker.start(configured("wandb"), run_directory=tmp_path) as tracker:
            tracker.log_metrics({"grpo/reward": step / 4}, step)
            tracker.log_table([{"circuit": "h q[0];"}], "samples.json")
        began = int(time.time())  # the library's folders are named by the second
        assert wait_until(lambda now=began: int(time.time()) > now, 5)
    from wandb.proto import wandb_internal_pb2

    runs, values = set(), []
    for path in sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb")):
        for data in wandb_records(path.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(data)
            if record.run.run_id:
                runs.add((record.run.run_id, record.run.project, record.run.display_name))
            for item in record.history.item:
                if (item.key or "/".join(item.nested_key)) == "grpo/reward":
                    values.append(json.loads(item.value_json))
    assert wandb.run is None
    assert len(runs) == 1
    assert runs.pop()[1:] == ("quasar", "first")
    assert sorted(values) == [0.25, 0.5]


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match=r"tensorboard needs tensorboardX.*quasar-rl\[trackers\]"):
        Tracker.start(configured("tensorboard"), run_directory=tmp_path)


@pytest.mark.parametrize("given", ["[]", "[mlflow, mlflow]", "[comet]"])
def test_other_lists_of_trackers_are_refused(given):
    with pytest.raises(ConfigError, match=r"tracking\.backends"):
        load_config("laptop", [f"tracking.backends={given}"])
