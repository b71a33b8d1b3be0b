"""Whole training runs in processes of their own, for tests that disturb them and compare."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from quasar.config import load_config, to_commented_yaml
from quasar.training.state import StepLog
from tests.support.tiny import TINY

STEPS, GROUPS, SAMPLES = 24, 4, 4
SETTINGS = [
    *TINY,
    "sft.epochs=120.0",
    "sft.batch_size=16",
    "sft.learning_rate=5e-3",
    f"grpo.iterations={STEPS}",
    f"grpo.prompts_per_step={GROUPS}",
    f"grpo.samples_per_prompt={SAMPLES}",
    "grpo.checkpoint_every=4",
    "grpo.validation={every: 10, num_problems: 2}",
    "grpo.learning_rate=1e-4",  # ten times that unlearns in a few steps to write circuits
    "learner.torch_threads=1",
    "verification.num_workers=2",
    "verification.time_limit_s=200",  # of the wall clock: a starved machine is no fault
    "verification.cpus_per_worker=0.25",
    "rollout.num_workers=2",
    "rollout.cpus_per_worker=0.25",
    "evaluation.num_problems=2",
    "evaluation.samples=1",
    "evaluation.device=none",
    "evaluation.random_draws=0",
]
PROCESSES = {
    "rollout": "ray::RolloutRunner",
    "verifier": "ray::_VerifierActor",
    "learner": "ray::_WrappedExecutable",  # as RLlib names its learner actors
}


def write_config(directory: Path, *more: str) -> Path:
    """The configuration of a run in `directory`/run, in a file."""
    directory.mkdir(exist_ok=True)
    overrides = [*SETTINGS, f"run.directory={directory}", "run.name=run", *more]
    path = directory / "config.yaml"
    path.write_text(to_commented_yaml(load_config("published", overrides)))
    return path


def start(config: Path, log: Path) -> subprocess.Popen:
    """`quasar train` with a Ray of its own, or that of its configuration."""
    environment = {k: v for k, v in os.environ.items() if k != "DS_ACCELERATOR"}
    environment["PYTHONUNBUFFERED"] = "1"
    with log.open("a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "quasar", "train", "--config", str(config)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def start_from(calm: Path, directory: Path) -> None:
    """Another run with the dataset and the supervised model of a finished one."""
    for name in ("dataset", "model/initial", "sft"):
        shutil.copytree(calm / "run" / name, directory / "run" / name)


def steps_done(directory: Path) -> int:
    """How many steps the run in `directory` has logged."""
    return len(StepLog.read(directory / "run" / "grpo" / "steps.jsonl"))


def rollouts(directory: Path) -> dict[int, list[dict]]:
    """Rows of each step."""
    found = {}
    for path in sorted((directory / "run" / "grpo" / "rollouts").glob("step-*.jsonl")):
        found[int(path.stem.split("-")[1])] = [json.loads(line) for line in path.open()]
    return found


def assert_same(found: Path, expected: Path, told: str = "") -> None:
    """The runs in two directories made the same rollouts and the same steps; where they did not,
    the first difference is told, which is the one that has a cause."""
    log, log_of_expected = learned(found), learned(expected)
    made, made_of_expected = rollouts(found), rollouts(expected)
    for step, (row, other) in enumerate(zip(log, log_of_expected, strict=False)):
        pairs = list(zip(made.get(step, []), made_of_expected.get(step, []), strict=True))
        different = [
            f"rollout {i}, {key}: {a.get(key)!r} for {b.get(key)!r}"
            for i, (a, b) in enumerate(pairs)
            for key in a.keys() | b.keys()
            if a.get(key) != b.get(key)
        ] + [
            f"{key}: {row.get(key)!r} for {other.get(key)!r}"
            for key in row.keys() | other.keys()
            if row.get(key) != other.get(key)
        ]
        if different:
            raise AssertionError("\n".join([f"first at step {step}: {told}", *different[:20]]))
    assert len(log) == len(log_of_expected), told
    assert made.keys() == made_of_expected.keys(), told


def learned(directory: Path) -> list[dict]:
    """The step log without what the clock and the repairs change."""
    changing = ("seconds", "memory", "tokens_per_s", "episodes_remade", "verifier_restarts")
    rows = StepLog.read(directory / "run" / "grpo" / "steps.jsonl")
    return [{k: v for k, v in row.items() if not k.startswith(changing)} for row in rows]
