"""Rollout workers and their collector, without learners: restarts, shares that are lost."""

import os
import time

import numpy as np
import pytest
import ray
from ray.exceptions import RayError

from quasar.config import DatasetConfig, with_overrides
from quasar.datasets.io import read_problems
from quasar.errors import TrainingError
from quasar.training.rllib.runner import NO_WEIGHTS
from quasar.training.rllib.token_store import fetch
from quasar.training.sampler import rollout_tasks
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import score
from tests.support.collecting import VERSION, collecting
from tests.support.machine import scaled

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ATTEMPTS = 2


@pytest.fixture(scope="module")
def config(tiny_config):
    return with_overrides(
        tiny_config,
        {
            "generation.max_response_tokens": 16,
            "rollout.max_attempts": ATTEMPTS,
            "verification.num_workers": 1,
            "verification.cpus_per_worker": 0.25,
        },
    )


@pytest.fixture(scope="module")
def collector(local_ray, config, tiny_policy):
    """Two workers that hold the weights."""
    with collecting(config, tiny_policy) as made:
        yield made


@pytest.fixture(scope="module")
def records(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")


@pytest.fixture(scope="module")
def tasks(records):
    return rollout_tasks(records, [0, 1], step=0, samples=3, seed=0, settings=DatasetConfig())


def restart(worker):
    """Kill it as a node's fault would, and wait until it is back; the weights that it holds."""
    look = lambda runner: (os.getpid(), runner.weights_version)  # noqa: E731, sent by value
    old, _ = ray.get(worker.apply.remote(look))
    ray.kill(worker, no_restart=False)
    deadline = time.monotonic() + scaled(300)
    while time.monotonic() < deadline:
        try:
            process, version = ray.get(worker.apply.remote(look))
        except RayError:
            continue
        finally:
            time.sleep(0.5)
        if process != old:
            return version
    pytest.fail("the worker did not come back")


def test_a_worker_that_restarts_between_publish_and_collect_is_sent_the_weights_again(
    collector, tasks, records
):
    """No one has noticed that it is stale: its share is made again, and the run goes on."""
    before = collector.collect(tasks)
    answers = collector.complete(records[:2], samples=2)
    for again in (
        lambda: collector.collect(tasks),
        lambda: collector.complete(records[:2], samples=2),
    ):
        assert restart(collector.manager.actors()[1]) == NO_WEIGHTS
        assert sorted(collector.manager.healthy_actor_ids()) == [1, 2]
        made = again()
        versions = collector.manager.foreach_actor(lambda runner: runner.weights_version)
        assert [version.get() for version in versions] == [VERSION] * 2
        if isinstance(made, list):
            assert made == answers
            continue
        assert (before.remade, made.remade) == (0, 3)
        assert [e.texts for e in made.episodes] == [e.texts for e in before.episodes]
        assert {e.weights_version for e in made.episodes} == {VERSION}
        tokens = [fetch(e.tokens for e in collected.episodes) for collected in (before, made)]
        for one, other in zip(*tokens, strict=True):
            np.testing.assert_array_equal(one.response_ids, other.response_ids)


def test_a_share_that_is_lost_again_and_again_stops_the_run(collector):
    """What ends every worker that takes it up is not handed on for ever."""
    given = []

    def ask(share, version):
        given.append(share)
        return lambda runner: os._exit(1)

    with pytest.raises(TrainingError, match=r"was lost 2 times \(rollout.max_attempts\).*died"):
        collector._spread([0], ask)
    assert given == [[0]] * ATTEMPTS


def test_rollouts_with_the_optimise_tool_are_graded_after_it_and_pay_for_it(
    local_ray, config, tiny_policy, tasks
):
    settings = {
        "generation.tools": ["verify", "optimise"],
        "generation.constrained": True,  # the tiny policy writes no valid program of its own accord
        "generation.max_response_tokens": 80,
        "reward.optimise_cost": 0.125,
        "rollout.num_workers": 1,
    }
    tools = with_overrides(config, settings)
    with collecting(tools, tiny_policy) as made:
        episodes = made.collect(tasks).episodes
    assert len(episodes) == len(tasks)
    improved = [e for e in episodes if e.report.optimised and e.report.optimised.improved]
    assert improved
    for episode in episodes:
        assert episode.outcome.value == pytest.approx(episode.turn_rewards[-1] - 0.125)
        assert episode.outcome.weighted["optimise_calls"] == -0.125
    verifier = LocalVerifierPool(tools.verification)
    for episode in improved:
        problem = tasks[episode.group * 3 + episode.sample].problem
        (alone,) = verifier.verify([VerificationRequest(problem, episode.report.optimised.program)])
        assert episode.turn_rewards == (score(alone, tools.reward).value,)
        assert episode.texts[-1] != episode.report.optimised.program
