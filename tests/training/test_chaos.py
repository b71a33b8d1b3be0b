"""Chaos: `quasar train` while rollout workers, verifiers, a learner and the driver are killed at
random moments. What comes out must be what an undisturbed run gives: each step once, each sample
once, the same rewards.

The moments come from a seed, which is printed: QUASAR_CHAOS_SEED=N, else the clock.
"""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from quasar.training.state import StepLog
from tests.support.machine import scaled
from tests.support.training_runs import (
    GROUPS,
    PROCESSES,
    SAMPLES,
    STEPS,
    assert_same,
    rollouts,
    start,
    start_from,
    steps_done,
    write_config,
)

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# Every kind at least once; the run ends when all of them have been killed and the steps are done.
KILLS = ["rollout", "verifier", "rollout", "verifier", "learner", "driver"]
MOST_PAUSE_S = 1.0  # a few steps of this size
STALL_S = 180.0  # without another step, on the reference machine; a driver takes half a minute


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


def run_disturbed(directory: Path, chance: random.Random) -> list[str]:
    """Train to the end under fire; what happened, in order."""
    config, log = write_config(directory), directory / "log.txt"
    kinds, story = list(KILLS), []
    chance.shuffle(kinds)
    moments = sorted(chance.sample(range(1, STEPS - 4), len(kinds)))  # steps done by then
    waiting = list(zip(moments, kinds, strict=True))
    driver = start(config, log)
    seen, moved = 0, time.monotonic()
    struck = -1  # steps done at the last kill: a check at whose work two verifiers end is a fault
    try:
        while time.monotonic() < moved + scaled(STALL_S):
            if (done := steps_done(directory)) != seen:
                seen, moved = done, time.monotonic()
            if (code := driver.poll()) is not None:
                story.append(f"driver ended with {code} after {done} steps")
                if code == 0:
                    break
                driver = start(config, log)
            elif waiting and done >= waiting[0][0] and done != struck:
                time.sleep(chance.uniform(0.0, MOST_PAUSE_S))
                if kill_one(driver, waiting[0][1], chance):
                    struck = steps_done(directory)
                    story.append(f"killed a {waiting.pop(0)[1]} after {struck} steps")
            time.sleep(0.05)
        else:
            pytest.fail(f"no step in {scaled(STALL_S):.0f} s: {story}\n{log.read_text()[-3000:]}")
    finally:
        driver.kill()
    assert not waiting, f"the run ended before {waiting} could be killed: {story}"
    return story


@pytest.mark.timeout(1800)  # with the calm run; each of them ends itself where nothing moves
def test_a_run_under_fire_is_the_run_that_nothing_disturbed(calm_run, tmp_path):
    seed = int(os.environ.get("QUASAR_CHAOS_SEED") or time.time())
    print(f"\nQUASAR_CHAOS_SEED={seed}", flush=True)
    fire = tmp_path / "fire"
    start_from(calm_run, fire)
    story = run_disturbed(fire, random.Random(seed))
    told = f"QUASAR_CHAOS_SEED={seed}: {story}"
    print(told)

    steps = [row["step"] for row in StepLog.read(fire / "run" / "grpo" / "steps.jsonl")]
    assert steps == list(range(STEPS + 1)), told  # 0: the validation before the first
    made = rollouts(fire)
    assert sorted(made) == steps[1:], told
    everyone = [(group, sample) for group in range(GROUPS) for sample in range(SAMPLES)]
    for step, rows in made.items():
        assert [(row["group"], row["sample"]) for row in rows] == everyone, (step, told)
    assert_same(fire, calm_run, told)
    assert sum("killed" in line for line in story) == len(KILLS), told
