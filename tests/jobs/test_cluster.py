"""Training spread over the nodes of `ray.cluster_utils.Cluster`, one of which is killed.

What it learns is what the same run learns on one undisturbed node. `test_nodes.py` has the same
with nodes that have addresses and disks of their own, and for all jobs; it needs root.
"""

import time
from contextlib import suppress

import psutil
import pytest
from ray.cluster_utils import Cluster

from tests.support.machine import scaled
from tests.support.training_runs import (
    PROCESSES,
    STEPS,
    assert_same,
    learned,
    start,
    start_from,
    steps_done,
    write_config,
)

pytestmark = [pytest.mark.ray, pytest.mark.slow]

KILL_AFTER = 4
LEARNERS, WORKERS = "learners", "workers"  # custom resources that mark the nodes
STALL_S = 180.0  # without another step, on the reference machine


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


def steps_until(end, directory, log) -> None:
    """Wait until `end()` is true; fails where no step is made for a while."""
    seen, moved = 0, time.monotonic()
    while not end():
        if (done := steps_done(directory)) != seen:
            seen, moved = done, time.monotonic()
        waited = time.monotonic() - moved
        assert waited < scaled(STALL_S), f"no step in {waited:.0f} s\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


@pytest.mark.timeout(1800)  # with the calm run; each of them ends itself where nothing moves
def test_a_run_that_loses_a_node_is_the_run_on_one_node(calm_run, cluster, tmp_path):
    workers = [cluster.add_node(num_cpus=1, resources={WORKERS: 1}) for _ in range(2)]
    fire, log = tmp_path / "fire", tmp_path / "fire.txt"
    config = write_config(
        fire,
        f"cluster.address={cluster.address}",
        f"learner.nodes={LEARNERS}",
        f"rollout.nodes={WORKERS}",
        f"verification.nodes={WORKERS}",
    )
    start_from(calm_run, fire)
    job = start(config, log)
    try:
        steps_until(lambda: steps_done(fire) >= KILL_AFTER or job.poll() is not None, fire, log)
        assert job.poll() is None, f"it ended early:\n{log.read_text()[-3000:]}"
        victim = max(workers, key=actors_on)
        print(f"killed a node with {actors_on(victim)} actors after step {steps_done(fire) - 1}")
        assert actors_on(victim) > 0
        cluster.remove_node(victim, allow_graceful=False)
        steps_until(lambda: job.poll() is not None, fire, log)
    finally:
        job.kill()
    assert job.returncode == 0, log.read_text()[-3000:]
    assert [row["step"] for row in learned(fire)][-1] == STEPS
    assert_same(fire, calm_run)
