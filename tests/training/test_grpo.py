"""The GRPO Algorithm with its real actors: resume, deaths, and what its metrics say."""

import os
import signal
import threading

import numpy as np
import pytest
import ray

from quasar.config import with_overrides
from quasar.training.state import read_state
from tests.support.machine import wait_until
from tests.training.grpo_runs import build, run, timeless, weights

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def straight(grpo_config, supervised_model, train_file, tmp_path_factory):
    """Six steps without interruption."""
    return run(grpo_config, supervised_model, train_file, tmp_path_factory.mktemp("straight"))


@pytest.fixture
def doomed(grpo_config, supervised_model, train_file, local_ray):
    """An algorithm of its own, for tests that kill parts of it."""
    built = build(grpo_config, supervised_model, train_file)
    yield built
    built.stop()


def test_six_steps_equal_three_a_resume_and_three(
    straight, grpo_config, supervised_model, train_file, tmp_path
):
    steps, checkpoint = straight
    half = with_overrides(grpo_config, {"grpo.iterations": 3})
    first, _ = run(half, supervised_model, train_file, tmp_path)
    second, resumed = run(grpo_config, supervised_model, train_file, tmp_path, resume=True)
    assert sorted(first) == [1, 2, 3]
    assert sorted(second) == [4, 5, 6]
    for step, metrics in (first | second).items():
        assert timeless(metrics) == timeless(steps[step]), step
    expected, got = weights(checkpoint), weights(resumed)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


def test_a_run_goes_on_with_another_number_of_learners(
    straight, grpo_config, supervised_model, train_file, tmp_path
):
    half = with_overrides(grpo_config, {"grpo.iterations": 3})
    run(half, supervised_model, train_file, tmp_path)
    wider = with_overrides(
        grpo_config, {"learner.num_learners": 2, "learner.cpus_per_learner": 0.25}
    )
    second, resumed = run(wider, supervised_model, train_file, tmp_path, resume=True)
    assert sorted(second) == [4, 5, 6]
    assert read_state(resumed).weights_version == 6
    # the same rollouts by the same weights, and a step on the same moments
    assert second[4]["reward"] == straight[0][4]["reward"]
    for name in ("loss", "gradient_norm"):
        assert second[4][name] == pytest.approx(straight[0][4][name], rel=2e-3, abs=1e-5)


def test_metrics_say_what_was_optimised(straight, grpo_config):
    for metrics in straight[0].values():
        weighted = [v for k, v in metrics.items() if k.startswith("reward_weighted/")]
        assert metrics["reward"] == pytest.approx(sum(weighted), abs=1e-9)
        for name in ("distribution", "expectation", "optimisation"):
            weight = getattr(grpo_config.reward.weights, name)
            assert metrics[f"reward_weighted/{name}"] == pytest.approx(
                weight * metrics[f"reward_part/{name}"], abs=1e-9
            )
        assert metrics["episodes_expected"] == metrics["episodes_received"] == 16
        assert abs(metrics["sampler_kl"]) < 1e-6  # sampler and learner agree on policy
        memory = {k: v for k, v in metrics.items() if k.startswith("memory_mib/")}
        assert len(memory) == 4
        assert all(100 < v < 10_000 for k, v in memory.items() if "store" not in k)
        assert metrics["memory_mib/object_store"] > 0.1  # the published weights at least
    assert straight[0][6]["reference_kl"] > 0


def test_a_rollout_worker_killed_in_flight_costs_no_episode(straight, doomed):
    worker = doomed.env_runner_group._worker_manager.actors()[1]
    pid = ray.get(worker.apply.remote(lambda _: os.getpid()))
    threading.Timer(0.1, os.kill, (pid, signal.SIGKILL)).start()
    doomed.train()
    metrics = doomed.last_metrics
    assert metrics["episodes_received"] == metrics["episodes_expected"] == 16
    # made again from the same seeds, the batch is the one that would have been
    assert metrics["reward"] == straight[0][1]["reward"]
    assert wait_until(doomed.collector.revive, 90, every_s=0.5)
    versions = doomed.collector.manager.foreach_actor(lambda runner: runner.weights_version)
    assert [v.get() for v in versions] == [doomed.run_state.weights_version] * 2
    doomed.train()
    assert doomed.run_state.step == 2
    assert timeless(doomed.last_metrics)["reward"] == straight[0][2]["reward"]


def test_tokens_outlive_the_worker_that_made_them(straight, doomed):
    collect = doomed.collector.collect

    def collect_and_lose(tasks):
        made = collect(tasks)
        for handle in doomed.collector.manager.actors().values():
            ray.kill(handle, no_restart=False)
        return made

    doomed.collector.collect = collect_and_lose
    doomed.train()
    assert doomed.last_metrics["loss"] == straight[0][1]["loss"]


def test_a_killed_verifier_is_replaced_and_the_step_is_whole(straight, doomed):
    doomed.train()
    for handle in doomed.verifiers.handles():
        ray.kill(handle, no_restart=False)
    doomed.train()
    assert doomed.run_state.step == 2
    assert doomed.last_metrics["failed_fraction"] == 0.0
    assert doomed.last_metrics["reward"] == straight[0][2]["reward"]
