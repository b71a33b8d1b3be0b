"""A run's directory: one process at a time, one configuration, places that mean the same anywhere;
and every setting that a message of a failed run advises to change may be changed.
"""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quasar.cli.main import main
from quasar.config import (
    QuasarConfig,
    absolute_place,
    computed,
    flatten,
    load_config,
    marked,
    with_absolute_places,
)
from quasar.errors import ConfigError, InputError
from quasar.pipeline.run import Run
from quasar.system.run_paths import RunPaths

PACKAGE = Path(__file__).parents[2] / "quasar"
HOLDER = """
import sys
from quasar.config import load_config
from quasar.pipeline.run import Run
with Run.open(load_config("laptop", sys.argv[1:])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path):
    return [f"run.directory={tmp_path}", "run.name=here"]


@pytest.fixture
def load(place):
    return lambda *overrides: load_config("laptop", [*place, *overrides])


def opened(config: QuasarConfig) -> Run:
    with Run.open(config) as run:
        return run


def trained(run: Run) -> Run:
    run.dataset.mkdir()
    run.dataset_summary.write_text("{}")
    run.sft.checkpoints.mkdir(parents=True)
    run.grpo.checkpoints.mkdir(parents=True)
    return run


def test_a_run_may_go_on_elsewhere_and_keeps_where(load):
    run = trained(opened(load()))
    moved = load("learner.num_learners=4", "rollout.num_workers=7", "dataset.num_workers=1")
    assert opened(moved).config == moved
    assert load_config(run.config_file) == moved


def test_a_run_does_not_go_on_as_another_and_the_difference_is_named(load):
    run = trained(opened(load()))
    before = run.config_file.read_text()
    with pytest.raises(ConfigError, match=r"\(grpo.iterations is 100, not 60\).*run.name=NAME"):
        opened(load("grpo.iterations=60", "learner.num_learners=4"))
    with pytest.raises(ConfigError, match=r"run.seed is 0, not 1"):
        opened(load("run.seed=1"))
    assert run.config_file.read_text() == before


def test_after_fine_tuning_the_settings_of_grpo_are_still_open(load):
    run = trained(opened(load()))
    run.grpo.checkpoints.rmdir()
    assert opened(load("grpo.iterations=60", "grpo.fresh=0.5")).config.grpo.iterations == 60
    with pytest.raises(ConfigError, match=r"sft.batch_size is 32, not 16"):
        opened(load("sft.batch_size=16", "grpo.iterations=60", "grpo.fresh=0.5"))
    run.grpo.checkpoints.mkdir()
    with pytest.raises(ConfigError, match=r"grpo.iterations is 60, not 61"):
        opened(load("grpo.iterations=61", "grpo.fresh=0.5"))


def test_what_nothing_depends_on_yet_may_still_be_corrected(load):
    """A first start that fails at once, e.g. on a setting, does not lock its name."""
    opened(load("dataset.min_improvement=1", "generation.max_observation_tokens=20"))
    run = opened(load())
    run.dataset.mkdir()
    run.dataset_summary.write_text("{}")
    opened(load("generation.max_observation_tokens=30"))
    with pytest.raises(ConfigError, match=r"dataset.min_improvement is 0.05, not 1.0"):
        opened(load("dataset.min_improvement=1", "generation.max_observation_tokens=30"))


def test_one_process_at_a_time_and_a_killed_one_holds_nothing(load, place, capsys):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *place], stdin=-1, stdout=-1, stderr=-1, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        who = f"is being written by process {holder.pid} on {socket.gethostname()}"
        with pytest.raises(InputError, match=who):
            opened(load())
        settings = [word for setting in place for word in ("--set", setting)]
        for command in ("train", "sft"):
            assert main([command, *settings]) == 2
            captured = capsys.readouterr()
            assert captured.out == ""
            assert captured.err.count("\n") == 1
            assert who in captured.err
        opened(load("run.name=beside"))  # another run is free
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        opened(load())
    finally:
        holder.kill()
        holder.communicate()


def test_a_relative_model_is_found_again_from_another_directory(tmp_path, monkeypatch, load):
    (tmp_path / "models" / "M").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    run = trained(opened(load("policy.model=../models/M", "tracking.uri=sqlite:///t.db")))
    assert run.config.policy.model == str(tmp_path / "models" / "M")
    monkeypatch.chdir("/")
    again = opened(load_config(run.config_file))  # as --resume takes it
    assert again.config == run.config
    # One that an older version kept as it was given is the same from the same directory.
    monkeypatch.chdir(tmp_path / "work")
    text = run.config_file.read_text().replace(str(tmp_path / "models" / "M"), "../models/M")
    run.config_file.write_text(text)
    assert opened(load_config(run.config_file)).config == run.config


def test_places_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "build").mkdir()  # as many projects have one
    for setting, value, expected in (
        ("policy.model", "build", "build"),
        ("policy.model", "./build", f"{tmp_path}/build"),
        ("policy.model", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("policy.model", "here", f"{tmp_path}/here"),
        ("policy.model", "./not-there", f"{tmp_path}/not-there"),
        ("tracking.uri", "sqlite:///m.db", f"sqlite:///{tmp_path}/m.db"),
        ("tracking.uri", "sqlite:////abs/m.db", "sqlite:////abs/m.db"),
        ("tracking.uri", "http://mlflow:5000", "http://mlflow:5000"),
        ("tracking.uri", "databricks", "databricks"),
        ("tracking.uri", "mlruns", f"{tmp_path}/mlruns"),
        ("run.directory", "runs", f"{tmp_path}/runs"),
        ("serving.keys_file", "../k", f"{tmp_path.parent}/k"),
    ):
        assert absolute_place(value, setting) == expected
    # Every setting whose description names a file or directory is marked as a place.
    words = re.compile(r"\b(file of|file for|directory or|where runs|tracking URI)\b")
    named = {path for path, _, said in flatten(QuasarConfig()) if words.search(said)}
    assert named == set(marked(QuasarConfig(), "place"))
    assert with_absolute_places(QuasarConfig()).run_directory == QuasarConfig().run_directory


@pytest.mark.parametrize(
    "inside", ["", "model/final", "model/initial", "sft/checkpoints/s/huggingface"]
)
def test_the_run_of_a_model_is_found(inside, load):
    run = opened(load())
    (run.directory / inside).mkdir(parents=True, exist_ok=True)
    found = RunPaths.enclosing(run.directory / inside)
    assert found is not None
    assert found.directory == run.directory
    (run.directory / "mine").mkdir()
    assert RunPaths.enclosing(run.directory / "mine") is None
    assert RunPaths.enclosing(run.directory.parent) is None


# Modules whose messages end or hold up a run under way. Of a message that names a setting the
# setting may be changed on resume, or it says that it takes a new run.
RUNNING = ("training", "verification", "episodes", "policy", "runtime.py", "pipeline")
# Of other commands, and of what a run is begun with.
BEFORE_A_RUN = {
    "training/capacity/plan.py",
    "training/sweep.py",
    "pipeline/improve.py",
    "pipeline/rescore.py",
    "episodes/replay.py",
}


def advice() -> set[tuple[str, str]]:
    """(module and line, setting) of each setting that a text of ours names."""
    names = {path for path, _, _ in flatten(QuasarConfig())}
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        where = str(path.relative_to(PACKAGE))
        if not where.startswith(RUNNING) or where in BEFORE_A_RUN:
            continue
        tree = ast.parse(path.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(v.value for v in node.values if isinstance(v, ast.Constant))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if id(node) in docs or " " not in text:
                continue
            said = [name for name in re.findall(r"[a-z_]+(?:\.[a-z_]+)+", text) if name in names]
            # Behind these words a setting is of another run.
            kept = text.split("in a new run")[0]
            found |= {(f"{where}:{node.lineno}", name) for name in said if name in kept}
    return found


def test_what_a_failed_run_advises_may_be_changed_on_resume(load):
    advised = advice()
    settings = {name for _, name in advised}
    assert {"learner.offload", "tracking.uri", "policy.gradient_checkpointing"} <= settings
    assert {"learner.nodes", "verification.nodes", "grpo.max_sampler_kl"} <= settings
    fixed = computed(QuasarConfig()).keys()
    assert not [(where, name) for where, name in sorted(advised) if name in settings & fixed]
    base = "learner.share_prompts=false"  # what gradient checkpointing wants
    trained(opened(load(base)))
    changed = (
        "tracking.uri=sqlite:////tmp/other.db",
        "learner.offload=cpu",
        "policy.gradient_checkpointing=true",
        base,
        "learner.nodes=big",
        "verification.nodes=cheap",
        "grpo.max_sampler_kl=0.5",
        "learner.zero_stage=3",
    )
    run = opened(load(*changed))
    assert run.config.learner.offload == "cpu"
    assert run.moved_store
