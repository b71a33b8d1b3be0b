"""Chaos: `quasar train` while rollout workers, verifiers, a learner and the driver are killed at
random moments. What comes out must be what an undisturbed run gives: each step once, each sample
once, the same rewards.

The moments come from QUASAR_CHAOS_SEED (default: the clock), printed where the test fails.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from quasar.config import load_config, to_commented_yaml
from quasar.learning.state import StepLog
from tests.conftest import TINY

pytestmark = [pytest.mark.ray, pytest.mark.slow]

STEPS, GROUPS, SAMPLES = 40, 4, 4
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
    "grpo.learning_rate=1e-3",
    "learner.torch_threads=1",
    "verification.num_workers=2",
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
# Every kind at least once; the run ends when all of them have been killed and the steps are done.
KILLS = ["rollout", "verifier", "rollout", "verifier", "learner", "driver"]
MOST_PAUSE_S = 1.0  # a few steps of this size
TIME_LIMIT_S = 900.0


def start(config: Path, log: Path) -> subprocess.Popen:
    """A driver of its own, with a Ray of its own."""
    environment = dict(os.environ, DS_ACCELERATOR="cpu", PYTHONUNBUFFERED="1")
    return subprocess.Popen(
        [sys.executable, "-m", "quasar.cli", "train", "--config", str(config)],
        stdout=log.open("a"),
        stderr=subprocess.STDOUT,
        env=environment,
    )


def start_from(calm: Path, directory: Path) -> None:
    """Another run with the dataset and the supervised model of a finished one."""
    for name in ("config.yaml", "dataset", "model/initial", "sft"):
        source, target = calm / "run" / name, directory / "run" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def write_config(directory: Path) -> Path:
    config = load_config("laptop", [*SETTINGS, f"run.directory={directory}", "run.name=run"])
    path = directory / "config.yaml"
    path.write_text(to_commented_yaml(config))
    return path


def victims(driver: subprocess.Popen, kind: str) -> list[psutil.Process]:
    """Processes of one kind among the driver's own."""
    found = []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(PROCESSES[kind]):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def kill_one(driver: subprocess.Popen, kind: str, chance: random.Random) -> bool:
    """Kill a process of that kind; False where there is none now."""
    if kind == "driver":
        driver.kill()
        return True
    try:
        found = victims(driver, kind)
        if not found:
            return False
        os.kill(chance.choice(found).pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def steps_done(directory: Path) -> int:
    return len(StepLog.read(directory / "run" / "grpo" / "steps.jsonl"))


def run_disturbed(directory: Path, chance: random.Random) -> list[str]:
    """Train to the end under fire; what happened, in order."""
    config, log = write_config(directory), directory / "log.txt"
    kinds, story = list(KILLS), []
    chance.shuffle(kinds)
    moments = sorted(chance.sample(range(1, STEPS - 4), len(kinds)))  # steps done by then
    waiting = list(zip(moments, kinds, strict=True))
    driver = start(config, log)
    deadline = time.monotonic() + TIME_LIMIT_S
    try:
        while time.monotonic() < deadline:
            if (code := driver.poll()) is not None:
                story.append(f"driver ended with {code} after {steps_done(directory)} steps")
                if code == 0:
                    break
                driver = start(config, log)
            elif waiting and steps_done(directory) >= waiting[0][0]:
                time.sleep(chance.uniform(0.0, MOST_PAUSE_S))
                if kill_one(driver, waiting[0][1], chance):
                    story.append(
                        f"killed a {waiting.pop(0)[1]} after {steps_done(directory)} steps"
                    )
            time.sleep(0.05)
        else:
            pytest.fail(f"not done within {TIME_LIMIT_S:.0f} s: {story}\n{log.read_text()[-3000:]}")
    finally:
        driver.kill()
    assert not waiting, f"the run ended before {waiting} could be killed: {story}"
    return story


def rollouts(directory: Path) -> dict[int, list[dict]]:
    """Rows of each step."""
    found = {}
    for path in sorted((directory / "run" / "grpo" / "rollouts").glob("step-*.jsonl")):
        found[int(path.stem.split("-")[1])] = [json.loads(line) for line in path.open()]
    return found


def learned(directory: Path) -> list[dict]:
    """The step log without what the clock and the repairs change."""
    changing = ("seconds", "memory", "tokens_per_s", "episodes_remade", "verifier_restarts")
    rows = StepLog.read(directory / "run" / "grpo" / "steps.jsonl")
    return [{k: v for k, v in row.items() if not k.startswith(changing)} for row in rows]


def test_a_run_under_fire_is_the_run_that_nothing_disturbed(tmp_path):
    calm, fire = tmp_path / "calm", tmp_path / "fire"
    for directory in (calm, fire):
        directory.mkdir()
    seed = int(os.environ.get("QUASAR_CHAOS_SEED", time.time()))
    log = calm / "log.txt"
    assert start(write_config(calm), log).wait(TIME_LIMIT_S) == 0, log.read_text()[-3000:]
    start_from(calm, fire)
    story = run_disturbed(fire, random.Random(seed))
    told = f"seed {seed}: {story}"
    print(told)

    steps = [row["step"] for row in StepLog.read(fire / "run" / "grpo" / "steps.jsonl")]
    assert steps == list(range(STEPS + 1)), told  # 0: the validation before the first
    made = rollouts(fire)
    assert sorted(made) == steps[1:], told
    everyone = [(group, sample) for group in range(GROUPS) for sample in range(SAMPLES)]
    for step, rows in made.items():
        assert [(row["group"], row["sample"]) for row in rows] == everyone, (step, told)
    assert made == rollouts(calm), told
    assert learned(fire) == learned(calm), told
    assert sum("killed" in line for line in story) == len(KILLS), told
