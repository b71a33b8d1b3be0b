"""Rollouts that run ahead of the learners (`grpo.staleness`), with real actors."""

import itertools
import signal
import time

import numpy as np
import pytest
import ray

from quasar.config import DatasetConfig, GrpoConfig, with_overrides
from quasar.datasets.io import read_problems
from quasar.episodes.log import read_rollouts
from quasar.errors import TrainingError
from quasar.policy.models import load_policy
from quasar.training.algorithm.batch import assign
from quasar.training.curriculum import Position, PromptSampler
from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.rllib.token_store import fetch
from quasar.training.rllib.weights_board import WeightsBoard
from quasar.training.sampler import rollout_tasks
from quasar.training.state import CheckpointStore, StepLog, read_state
from tests.support.collecting import VERSION, collecting
from tests.support.machine import scaled
from tests.support.training_runs import rollouts, start, steps_done, write_config

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def config(tiny_config):
    return with_overrides(
        tiny_config,
        {
            # Programs of an untrained policy, whose rewards differ.
            "generation.constrained": True,
            "rollout.num_workers": 2,
            "rollout.cpus_per_worker": 0.25,
            "verification.num_workers": 1,
            "verification.cpus_per_worker": 0.25,
            "verification.time_limit_s": 200,
            "learner.torch_threads": 1,
            "grpo.prompts_per_step": 2,
            "grpo.samples_per_prompt": 4,
            "grpo.learning_rate": 1e-4,
        },
    )


def test_a_worker_at_work_goes_on_with_what_is_on_the_board(
    local_ray, config, tiny_policy, train_file, tmp_path
):
    records = read_problems(train_file)
    tasks = rollout_tasks(records, [0, 1], step=0, samples=3, seed=0, settings=DatasetConfig())
    board = WeightsBoard.remote()
    model, _ = load_policy(tiny_policy)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    newer = VERSION + 1
    with collecting(config, tiny_policy, board=board) as collector:
        # On the board alone: workers are asked to begin with what they hold.
        ray.get(board.post.remote([ray.put(weights)], newer))
        made = collector.collect(tasks).episodes
        assert {v for e in made for v in e.weights_versions} == {VERSION, newer}
        for episode, tokens in zip(made, fetch(e.tokens for e in made), strict=True):
            versions = tokens.versions[tokens.mask.astype(bool)]
            assert (np.diff(versions) >= 0).all()
            assert episode.weights_version == versions[-1] == newer
        held = collector.manager.foreach_actor(lambda runner: runner.weights_version)
        assert [version.get() for version in held] == [newer] * 2

        # What was published while they were at work, and not seen, is sent before the next share.
        latest, rest = newer + 1, tmp_path / "rest"

        def at_work(runner):
            while not rest.exists():
                time.sleep(0.02)

        busy = [w.apply.remote(at_work) for w in collector.manager.actors().values()]
        with collector._at_work:  # as while rollouts are made: whoever publishes does not wait
            collector.publish([ray.put(weights)], latest)
            assert len(collector.rss_bytes()) == 2
        assert ray.wait(busy, timeout=0)[0] == []
        rest.touch()
        after = collector.collect(tasks).episodes
        assert {e.weights_versions for e in after} == {(latest,)}
        # the weights were the same, and so is what was written
        assert [e.texts for e in after] == [e.texts for e in made]


def test_a_token_too_old_is_refused(config, tiny_policy, train_file, local_ray):
    records = read_problems(train_file)
    tasks = rollout_tasks(records, [0], step=0, samples=2, seed=0, settings=DatasetConfig())
    with collecting(with_overrides(config, {"rollout.num_workers": 1}), tiny_policy) as collector:
        episodes = collector.collect(tasks).episodes
    for staleness in range(3):
        settings = GrpoConfig(staleness=staleness)
        given = dict(settings=settings, reward=config.reward, max_response_tokens=96)
        batch = assign(episodes, weights_version=VERSION + staleness, **given)
        ages = {"token_age/mean": float(staleness), "token_age/max": float(staleness)}
        assert batch.token_ages == (ages if staleness else {})
        with pytest.raises(TrainingError, match=rf"tokens of weights \[{VERSION}\]"):
            assign(episodes, weights_version=VERSION + staleness + 1, **given)


@pytest.mark.parametrize("staleness", [1, 3])
def test_rollouts_run_so_many_steps_ahead_and_no_token_is_older(
    staleness, local_ray, config, tiny_policy, train_file
):
    settings = with_overrides(config, {"grpo.staleness": staleness, "grpo.iterations": 6})
    algorithm = (
        GRPOConfig().run(settings, model_directory=tiny_policy, problems_file=train_file)
    ).build_algo()
    prompts, ages = [], []
    try:
        for step in range(6):
            algorithm.train()
            assert algorithm.run_state.step == step + 1
            assert algorithm.source.steps_ahead == min(staleness, 5 - step)
            metrics, trained = algorithm.last_metrics, algorithm.trained_version
            oldest = [e.token_ages(trained) for e in algorithm.episodes]
            assert metrics["token_age/max"] == max(age.max for age in oldest) <= staleness
            assert 0 <= metrics["token_age/mean"] <= metrics["token_age/max"]
            assert metrics["episodes_received"] == metrics["episodes_expected"] == 8
            prompts += [e.problem_key for e in algorithm.episodes if e.sample == 0]
            ages.append(metrics["token_age/max"])
        # validation: by the current weights, whatever is under way
        answers = algorithm.complete(algorithm.records[:2], samples=2)
        assert [len(texts) for texts in answers] == [2, 2]
        held = algorithm.collector.manager.foreach_actor(lambda runner: runner.weights_version)
        assert [v.get() for v in held] == [algorithm.run_state.weights_version] * 2
    finally:
        algorithm.stop()
    assert ages[0] == 0
    assert max(ages) > 0
    assert prompts == expected_prompts(settings, train_file, 6)


def expected_prompts(config, train_file, steps):
    """Problems of so many steps, in order, none left out and none twice within an epoch."""
    records = read_problems(train_file)
    sampler = PromptSampler(records, config.grpo.curriculum, seed=config.run.seed)
    position, found = Position(), []
    for step in range(steps):
        count = config.grpo.prompts_per_step
        found += [records[i].problem.key for i in sampler.take(position, count)]
        position = sampler.following(
            position, drawn=count, step=step + 1, iterations=config.grpo.iterations
        )
    return found


STEPS, EVERY, STALENESS = 6, 2, 2


def last_state(store):
    latest = store.latest()
    assert latest is not None
    return read_state(latest)


def test_a_run_killed_two_steps_ahead_ends_with_each_update_and_sample_once(tmp_path):
    config = write_config(
        tmp_path,
        "sft.epochs=0",
        "generation.constrained=true",  # programs of an untrained policy
        f"grpo.iterations={STEPS}",
        f"grpo.checkpoint_every={EVERY}",
        f"grpo.staleness={STALENESS}",
        "grpo.validation.every=4",
    )
    grpo, said = tmp_path / "run" / "grpo", tmp_path / "log.txt"
    driver = start(config, said)
    limit = time.monotonic() + scaled(400)
    while steps_done(tmp_path) < EVERY + 2 and driver.poll() is None:  # a line before the first
        assert time.monotonic() < limit, said.read_text()[-3000:]
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    killed_at = steps_done(tmp_path)
    store = CheckpointStore(grpo / "checkpoints")
    assert 0 < last_state(store).step < STEPS, killed_at
    driver = start(config, said)
    assert driver.wait(scaled(400)) == 0, said.read_text()[-3000:]

    log = StepLog.read(grpo / "steps.jsonl")
    assert [row["step"] for row in log] == list(range(STEPS + 1)), killed_at
    made = rollouts(tmp_path)
    assert sorted(made) == list(range(1, STEPS + 1))
    groups, samples = 4, 4
    for step, rows in made.items():
        places = [(row["group"], row["sample"]) for row in rows]
        assert places == list(itertools.product(range(groups), range(samples))), step
    state = last_state(store)
    assert (state.step, state.next_prompt) == (STEPS, STEPS * groups)
    # an update for each step that had something to learn
    assert state.weights_version == sum("loss" in row for row in log)
    # ages: none over the bound, in the log of steps and of rollouts; some tokens were stale
    oldest = [row["token_age/max"] for row in log[1:]]
    assert 0 < max(oldest) <= STALENESS
    for step, expected in enumerate(oldest, start=1):
        found = read_rollouts(grpo / "rollouts" / f"step-{step:06d}.jsonl")
        assert max(row.token_age_max for row in found) == expected
        assert all(0 <= row.token_age_mean <= row.token_age_max for row in found)
