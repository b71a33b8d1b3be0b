import json
import shutil
import uuid

import fsspec
import pytest

from quasar.config import load_config
from quasar.errors import ConfigError, StorageError
from quasar.pipeline.run import Run
from quasar.pipeline.storage import MANIFEST, Mirror
from quasar.system.locks import held, lock_of_directory


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/copies/run"
    return f"memory://{uuid.uuid4().hex}/run"


@pytest.fixture
def run(tmp_path):
    """A run as the main job writes it."""
    directory = tmp_path / "run"
    write(directory / "config.yaml", "run: {}")
    write(directory / "grpo/steps.jsonl", '{"step": 10}\n')
    checkpoint(directory, 10)
    return directory


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def checkpoint(directory, step):
    place = directory / f"grpo/checkpoints/step-{step:06d}"
    write(place / "huggingface/config.json", "{}")
    write(place / "huggingface/model.safetensors", f"weights {step}")
    write(place / "run_state.json", json.dumps({"step": step}))


def contents(directory):
    return {
        p.relative_to(directory).as_posix(): p.read_text()
        for p in directory.rglob("*")
        if p.is_file()
    }


def fetched(url, place):
    """What another machine would go on with."""
    Mirror(place, url).fetch()
    found = contents(place)
    shutil.rmtree(place)
    return found


def test_what_is_pushed_is_fetched_and_sent_once(run, url, tmp_path):
    assert Mirror(run, url).push() == 5
    assert Mirror(run, url).push() == 0
    elsewhere = tmp_path / "elsewhere"
    assert Mirror(elsewhere, url).fetch() == 5
    assert contents(elsewhere) == contents(run)
    assert Mirror(elsewhere, url).push() == 0
    write(elsewhere / "grpo/steps.jsonl", '{"step": 10}\n{"step": 11}\n')
    assert Mirror(elsewhere, url).push() == 1


def test_the_copy_is_a_plain_tree_that_other_tools_read(run, url):
    Mirror(run, url).push()
    storage, root = fsspec.core.url_to_fs(url)
    weights = f"{root}/grpo/checkpoints/step-000010/huggingface/model.safetensors"
    assert storage.cat_file(weights) == b"weights 10"
    assert set(json.loads(storage.cat_file(f"{root}/{MANIFEST}"))) == set(contents(run))


def test_half_written_things_stay_here(run, url, tmp_path):
    write(run / "grpo/checkpoints/step-000020.partial/run_state.json", "{")
    write(run / "model/final.partial/config.json", "{")
    write(run / "mlflow.db-journal", "")
    assert Mirror(run, url).push() == 5


@pytest.mark.parametrize("fails_after", range(5))
def test_an_upload_cut_off_anywhere_leaves_the_last_good_one(
    run, url, tmp_path, monkeypatch, fails_after
):
    Mirror(run, url).push()
    good = contents(run)
    shutil.rmtree(run / "grpo/checkpoints/step-000010")
    checkpoint(run, 20)
    write(run / "grpo/steps.jsonl", '{"step": 10}\n{"step": 20}\n')
    mirror = Mirror(run, url)
    put, count = mirror._storage.put_file, 0

    def breaks(source, target, **options):
        nonlocal count
        if count == fails_after:
            with open(source) as file, mirror._storage.open(target, "w") as torn:
                torn.write(file.read()[:3])
            raise OSError("the line is dead")
        count += 1
        return put(source, target, **options)

    monkeypatch.setattr(mirror._storage, "put_file", breaks)
    with pytest.raises(StorageError, match="the line is dead"):
        mirror.push()
    monkeypatch.undo()

    left = fetched(url, tmp_path / "elsewhere")
    log = "grpo/steps.jsonl"
    assert left.pop(log) in (good[log], (run / log).read_text())  # old or new, never torn
    assert left == {path: text for path, text in good.items() if path != log}
    Mirror(run, url).push()
    assert fetched(url, tmp_path / "elsewhere") == contents(run)
    storage, root = fsspec.core.url_to_fs(url)
    assert not storage.exists(f"{root}/grpo/checkpoints/step-000010/run_state.json")


def test_a_push_in_the_middle_of_a_run_warns_and_goes_on(run, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    mirror = Mirror(run, str(blocked / "below"))
    mirror.try_push()
    assert "cannot be read" in caplog.text
    with pytest.raises(StorageError):
        mirror.push()


def test_a_relative_place_is_refused(run):
    with pytest.raises(ConfigError, match="absolute"):  # a job's directory goes away with it
        Mirror(run, "copies")


def test_storage_without_a_driver_is_named(run):
    with pytest.raises(ConfigError, match="nowhere://bucket"):
        Mirror(run, "nowhere://bucket")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match=r"pip install -e '\.\[s3\]'"):
            Mirror(run, "s3://bucket/run")


def test_nothing_there_is_nothing_fetched(url, tmp_path):
    assert Mirror(tmp_path / "elsewhere", url).fetch() == 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_run_goes_on_where_its_directory_is_gone(tmp_path):
    settings = [f"run.directory={tmp_path}/here", f"run.upload={tmp_path}/copies", "run.name=a"]
    config = load_config("laptop", settings)
    with Run.open(config) as run:
        run.tracked_as_file.write_text("first")
        checkpoint(run.directory, 10)
        run.upload()
    shutil.rmtree(run.directory)
    with Run.open(config) as again:
        assert again.tracked_as == "first"
        again.require_own_copy()
        assert (again.grpo.checkpoints / "step-000010" / "run_state.json").is_file()
    shutil.rmtree(run.directory)
    other = load_config("laptop", [*settings, "grpo.iterations=7"])
    with pytest.raises(ConfigError, match="another configuration"), Run.open(other):
        pass


def test_locks_are_not_copied(run, url):
    with held(lock_of_directory(run), run):
        Mirror(run, url).push()
        assert not [name for name in Mirror(run, url)._manifest() if ".lock" in name]


def test_another_run_at_the_same_place_is_not_overwritten(tmp_path):
    for place, name in (("here", "first"), ("there", "second")):
        (tmp_path / place / "a").mkdir(parents=True)
        settings = [f"run.directory={tmp_path}/{place}", f"run.upload={tmp_path}/copies"]
        with Run.open(load_config("laptop", [*settings, "run.name=a"])) as run:
            run.tracked_as_file.write_text(name)
            if name == "first":
                run.require_own_copy()
                run.upload()
    with pytest.raises(ConfigError, match="holds another run than"):
        run.require_own_copy()
