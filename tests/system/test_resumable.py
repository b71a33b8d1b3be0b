"""Outputs under way: known by their fingerprint, written by one process."""

import json
import multiprocessing

import pytest

from quasar.config import load_config
from quasar.errors import InputError
from quasar.system.locks import held, lock_of_directory, lock_of_file
from quasar.system.resumable import RowLog, model_digest, settings


def test_rows_are_taken_over_by_the_same_call_alone(tmp_path):
    path, mine = tmp_path / "o.partial", {"model": "a", "reward": {"x": 1}}
    with RowLog(path, mine) as log:
        log.add({"i": 0})
    with path.open("a") as file:
        file.write('{"i": 1')  # killed while it wrote
    with RowLog(path, mine) as log:
        assert list(log.done()) == [{"i": 0}]
        log.add({"i": 2})
        assert list(log.rows()) == [{"i": 0}, {"i": 2}]
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"left by another call \(model differ\); delete it"):
        RowLog(path, mine | {"model": "b"}).__enter__()
    with pytest.raises(InputError, match=r"left by another call \(x differ\)"):
        RowLog(path, mine | {"reward": {"x": 2}}).__enter__()
    assert path.read_bytes() == before


def test_rows_without_a_fingerprint_are_of_another_call(tmp_path):
    """As an earlier version left them."""
    path = tmp_path / "o.partial"
    path.write_text(json.dumps({"sample_index": 0, "completions": ["x"]}) + "\n")
    with pytest.raises(InputError, match="left by another call; delete it"):
        RowLog(path, {"model": "a"}).__enter__()


def test_a_model_is_known_by_its_contents(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_text("two" if name == "c" else "one")
    a, b, c = (model_digest(tmp_path / name) for name in "abc")
    assert a == b != c
    assert model_digest("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


def test_where_a_command_runs_is_not_in_its_fingerprint():
    plain = load_config("laptop")
    moved = load_config("laptop", ["verification.num_workers=7", "serving.port=1", "run.name=x"])
    names = ("run.", "verification.", "serving.", "generation.temperature")
    assert settings(plain, *names) == settings(moved, *names)
    other = load_config("laptop", ["verification.shots=7"])
    assert settings(plain, *names) != settings(other, *names)
    assert "generation.temperature" in settings(plain, *names)  # by its own name


def _hold(lock, ready, end):
    with held(lock, "here"):
        ready.set()
        end.wait()


@pytest.mark.parametrize("lock_of", [lock_of_file, lock_of_directory])
def test_a_second_writer_is_refused_until_the_first_has_gone(tmp_path, lock_of):
    lock = lock_of(tmp_path / "deep" / "out")
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(lock, ready, end))
    first.start()
    try:
        assert ready.wait(60)
        with pytest.raises(InputError, match=f"here: is being written by process {first.pid} on"):
            held(lock, "here").__enter__()
        first.kill()
        first.join()
        with held(lock, "here"):
            pass
        with held(lock, "here"):
            pass
    finally:
        first.kill()
