import errno
import shutil
from collections import namedtuple

import pytest

from quasar.cli.main import main
from quasar.errors import StorageError
from quasar.system import disk
from quasar.training.state import CheckpointStore, RunState, StepLog

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def soon(monkeypatch):
    """Waits are short."""
    monkeypatch.setattr(disk, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(disk, "ROOM_TIMEOUT_S", 0.1)


@pytest.fixture
def free(monkeypatch):
    """Free bytes that the disk shows at each look, the last of them from then on."""
    left = [0]

    def usage(place):
        return Usage(0, 0, left.pop(0) if len(left) > 1 else left[0])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return left


def test_a_checkpoint_waits_for_room_and_goes_on(tmp_path, soon, free, caplog):
    free[:] = [10, 10, 10, 2000]
    with CheckpointStore(tmp_path / "c").writing(RunState("sft", step=1), num_bytes=1000) as place:
        (place / "huggingface").mkdir()
        (place / "huggingface" / "config.json").write_text("{}")
    (line,) = [r.getMessage() for r in caplog.records if "is full" in r.getMessage()]
    assert f"the disk of {tmp_path} is full" in line
    assert CheckpointStore(tmp_path / "c").latest() is not None


def test_without_room_the_run_ends_in_one_line_before_a_learner_writes(tmp_path, soon, free):
    with (
        pytest.raises(StorageError, match=f"the disk of {tmp_path} is full .* goes on"),
        CheckpointStore(tmp_path / "c").writing(RunState("sft", step=1), num_bytes=1000),
    ):
        raise AssertionError("nobody writes")


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_of_the_step_log_is_whole_or_not_there(tmp_path, soon, monkeypatch):
    log = StepLog(tmp_path / "steps.jsonl")
    log.append(1, {"loss": 1.0})
    before = log.path.read_bytes()
    attempts = []

    def torn(line):
        attempts.append(line)
        if len(attempts) < 3:
            full()
        type(log)._add(log, line)

    monkeypatch.setattr(log, "_add", torn)
    log.append(2, {"loss": 0.5})
    assert len(attempts) == 3
    assert log.path.read_bytes().startswith(before)
    assert [row["step"] for row in log.read(log.path)] == [1, 2]


def test_other_errors_are_not_waited_for(tmp_path, soon):
    def refused():
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        disk.when_there_is_room(refused, tmp_path)


def test_a_full_disk_is_one_line_of_any_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("quasar.cli.commands.jobs.config_show", full)
    assert main(["config", "show"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is full" in line
