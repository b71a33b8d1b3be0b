"""Training spread over the nodes of `ray.cluster_utils.Cluster`, one of which is killed.

What it learns is what the same run learns on one undisturbed node. `test_nodes.py` has the same
with nodes that have addresses and disks of their own, and for all jobs; it needs root.
"""

import time
from contextlib import suppress

import psutil
import pytest
from ray.cluster_utils import Cluster

from quasar.config import load_config, to_commented_yaml
from quasar.learning.state import StepLog
from tests.learning.test_chaos import PROCESSES, SETTINGS, learned, rollouts, start, start_from

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]

STEPS, KILL_AFTER = 16, 4
LEARNERS, WORKERS = "learners", "workers"  # custom resources that mark the nodes
TIME_LIMIT_S = 600.0


def write_config(directory, *more: str):
    directory.mkdir(exist_ok=True)
    settings = [
        *SETTINGS,
        f"grpo.iterations={STEPS}",
        f"learner.nodes={LEARNERS}",
        f"rollout.nodes={WORKERS}",
        f"verification.nodes={WORKERS}",
        f"run.directory={directory}",
        "run.name=run",
        *more,
    ]
    path = directory / "config.yaml"
    path.write_text(to_commented_yaml(load_config("laptop", settings)))
    return path


@pytest.fixture
def cluster():
    """A head for the learner and two nodes for the others, each of which has room for all."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "resources": {LEARNERS: 1}}
    )
    yield cluster
    with suppress(Exception):  # of nodes that are dead already
        cluster.shutdown()


def actors_on(node) -> int:
    """Rollout workers and verifiers among a node's processes."""
    (raylet,) = node.all_processes["raylet"]
    count = 0
    for process in psutil.Process(raylet.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            title = " ".join(process.cmdline())
            count += title.startswith((PROCESSES["rollout"], PROCESSES["verifier"]))
    return count


def test_a_run_that_loses_a_node_is_the_run_on_one_node(cluster, tmp_path):
    calm, fire = tmp_path / "calm", tmp_path / "fire"
    log = tmp_path / "calm.txt"
    assert start(write_config(calm), log).wait(TIME_LIMIT_S) == 0, log.read_text()[-3000:]

    workers = [cluster.add_node(num_cpus=1, resources={WORKERS: 1}) for _ in range(2)]
    log, steps = tmp_path / "fire.txt", fire / "run" / "grpo" / "steps.jsonl"
    config = write_config(fire, f"cluster.address={cluster.address}")
    start_from(calm, fire)
    (fire / "run" / "config.yaml").unlink()  # it is another place
    job = start(config, log)
    deadline = time.monotonic() + TIME_LIMIT_S
    while len(StepLog.read(steps)) < KILL_AFTER:
        assert job.poll() is None, f"it ended early:\n{log.read_text()[-3000:]}"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    victim = max(workers, key=actors_on)
    print(f"killed a node with {actors_on(victim)} actors after step {len(StepLog.read(steps))}")
    assert actors_on(victim) > 0
    cluster.remove_node(victim, allow_graceful=False)
    assert job.wait(TIME_LIMIT_S) == 0, log.read_text()[-3000:]
    assert [row["step"] for row in learned(fire)][-1] == STEPS
    assert rollouts(fire) == rollouts(calm)
    assert learned(fire) == learned(calm)
