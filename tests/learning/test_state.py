import json

import pytest

from quasar.errors import CheckpointError
from quasar.learning.sampler import EpochSampler
from quasar.learning.state import CheckpointStore, RunState, StepLog, read_state


def fill(directory):
    (directory / "huggingface").mkdir()
    (directory / "huggingface" / "config.json").write_text("{}")


def write(store, step):
    with store.writing(RunState("grpo", step=step, weights_version=step)) as directory:
        fill(directory)


def break_off_writing(store):
    with store.writing(RunState("grpo", step=10)) as directory:
        fill(directory)
        raise OSError("disk full")


def test_newest_are_kept_and_state_is_read_back(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (5, 10, 15):
        write(store, step)
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-000010", "step-000015"]
    assert read_state(store.latest()) == RunState("grpo", step=15, weights_version=15)


def test_an_interrupted_write_leaves_the_last_good_one(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    write(store, 5)
    with pytest.raises(OSError, match="disk"):
        break_off_writing(store)
    assert store.latest().name == "step-000005"
    write(store, 10)  # and the next attempt is not hindered by what was left
    assert store.latest().name == "step-000010"
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_without_a_model_is_not_one(tmp_path):
    store = CheckpointStore(tmp_path)
    with pytest.raises(CheckpointError, match="no model"), store.writing(RunState("grpo", step=1)):
        pass
    assert store.latest() is None


def test_reading_what_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        read_state(tmp_path)


def test_step_log_drops_steps_past_the_checkpoint_and_a_torn_line(tmp_path):
    path = tmp_path / "steps.jsonl"
    log = StepLog(path)
    for step in (1, 2, 3):
        log.append(step, {"reward": step / 10})
    with open(path, "a") as file:
        file.write('{"step": 4, "rew')
    StepLog(path, resume_at=2)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [{"step": 1, "reward": 0.1}, {"step": 2, "reward": 0.2}]


def test_an_epoch_shows_each_prompt_once_and_position_is_the_step():
    sampler = EpochSampler(10, per_step=4, seed=3)
    shown = [i for step in range(5) for i in sampler.indices(step)]
    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))
    assert shown[:10] != shown[10:]
    assert EpochSampler(10, per_step=4, seed=3).indices(3) == sampler.indices(3)
