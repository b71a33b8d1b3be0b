import json
import signal
import subprocess
import sys

import pytest

from quasar.errors import CheckpointError
from quasar.training.sampler import EpochSampler
from quasar.training.state import CheckpointStore, RunState, StepLog, read_state


def fill(directory):
    (directory / "huggingface").mkdir()
    (directory / "huggingface" / "config.json").write_text("{}")


def write(store, step, **more):
    state = RunState("grpo", step=step, weights_version=step, **more)
    with store.writing(state) as directory:
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
    with pytest.raises(CheckpointError, match=r"disk full\); free space.*good.*step-000005"):
        break_off_writing(store)
    assert store.latest().name == "step-000005"
    assert not list(tmp_path.glob("*.partial"))  # its share of the disk is free again
    write(store, 10)  # and the next attempt is not hindered by what was left
    assert store.latest().name == "step-000010"
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_without_a_model_is_not_one(tmp_path):
    store = CheckpointStore(tmp_path)
    with pytest.raises(CheckpointError, match="no model"), store.writing(RunState("grpo", step=1)):
        pass
    assert store.latest() is None


def test_the_best_is_kept_beside_the_newest_as_long_as_it_is_the_best(tmp_path):
    store = CheckpointStore(tmp_path, keep=1)

    def names():
        return sorted(p.name for p in tmp_path.iterdir())

    write(store, 5, best_step=5)
    write(store, 10, best_step=5)
    write(store, 15, best_step=5)
    assert names() == ["step-000005", "step-000015"]
    assert store.best().name == "step-000005"
    write(store, 20, best_step=20)
    assert names() == ["step-000020"]
    assert store.best() == store.latest()


def test_without_validations_there_is_no_best(tmp_path):
    store = CheckpointStore(tmp_path)
    assert store.best() is None
    write(store, 5)
    assert store.best() is None


def test_a_step_written_again_replaces_the_first(tmp_path):
    store = CheckpointStore(tmp_path)
    write(store, 5, empty_steps=1)
    write(store, 5, empty_steps=2)
    assert read_state(store.latest()).empty_steps == 2
    assert [p.name for p in tmp_path.iterdir()] == ["step-000005"]


KILLED = """
import os, signal, sys
from pathlib import Path
from quasar.training.state import CheckpointStore, RunState
store = CheckpointStore(Path(sys.argv[1]), keep=1)
if sys.argv[2] == "while removing":
    import shutil
    removing = shutil.rmtree
    def rmtree(path, **kwargs):
        if Path(path).exists():
            (Path(path) / "huggingface" / "config.json").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        removing(path, **kwargs)
    shutil.rmtree = rmtree
with store.writing(RunState("grpo", step=10)) as directory:
    (directory / "huggingface").mkdir()
    (directory / "huggingface" / "config.json").write_text("{}")
    if sys.argv[2] == "while writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("when", "left"), [("while writing", "step-000005"), ("while removing", "step-000010")]
)
def test_a_killed_process_leaves_only_whole_checkpoints(tmp_path, when, left):
    write(CheckpointStore(tmp_path, keep=1), 5)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when])
    assert killed.returncode == -signal.SIGKILL
    store = CheckpointStore(tmp_path, keep=1)
    assert store.latest().name == left
    whole = [p for p in tmp_path.iterdir() if p.suffix != ".partial"]
    assert [p.name for p in whole] == [left]
    assert (whole[0] / "huggingface" / "config.json").is_file()
    write(store, 15)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000015"]


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
