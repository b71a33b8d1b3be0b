"""What the GRPO Algorithm learns from: flat groups, faults, staleness, and what ends a run."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import ray

from quasar.config import GrpoConfig, RewardConfig, with_overrides
from quasar.datasets.io import read_problems
from quasar.errors import InputError, TrainingError
from quasar.policy.models import load_policy
from quasar.training.algorithm.batch import assign, episode_metrics, num_informative
from quasar.training.curriculum import Position
from quasar.training.rllib.collector import _collect
from quasar.training.rllib.runner import Stale
from quasar.training.rllib.token_store import StoredTokens, fetch
from quasar.verification.reward import Failed, Scored
from tests.training.grpo_runs import build, run

DEFAULTS = dict(settings=GrpoConfig(), reward=RewardConfig(), max_response_tokens=96)
pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def algorithm(grpo_config, supervised_model, train_file, local_ray):
    """An algorithm that no test takes a step with. On two cores no other fits beside it: tests
    that build one of their own come before the first that uses it."""
    built = build(grpo_config, supervised_model, train_file)
    yield built
    built.stop()


def script_rewards(algorithm, informative):
    """Of each further round, by its number in `informative`, so many groups get unequal rewards.

    What an untrained model is rewarded for hangs on the processor's rounding.
    """
    collect, rounds = algorithm.collector.collect, cycle(informative)

    def collect_and_grade(tasks):
        collected = collect(tasks)
        unequal = sorted({e.group for e in collected.episodes})[: next(rounds)]
        for e in collected.episodes:
            assert isinstance(e.outcome, Scored)
            e.outcome = replace(e.outcome, value=0.1 * 2**e.sample if e.group in unequal else 0.5)
        return collected

    algorithm.collector.collect = collect_and_grade


def test_flat_groups_are_replaced_by_further_prompts_up_to_the_bound(
    grpo_config, supervised_model, train_file
):
    # Scripted rewards move the policy far: how far is not what is asked here.
    changed = {"grpo.max_refills": 3, "grpo.staleness": 1, "grpo.max_sampler_kl": 10.0}
    settings = with_overrides(grpo_config, changed)
    algorithm = build(settings, supervised_model, train_file)
    try:
        script_rewards(algorithm, [1, 0, 2, 0, *[3, 1] * 4])
        sampled = algorithm.source.take(0, Position())
        groups = [sorted({e.group for e in c.episodes}) for c in sampled.rounds]
        # as many as were missing, numbered on, none twice; after three refills no more
        assert groups == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]
        assert sampled.following.next_prompt == 11
        limit = settings.generation.max_response_tokens
        found = [
            num_informative(c.episodes, settings.grpo, settings.reward, limit)
            for c in sampled.rounds
        ]
        assert found == [1, 0, 2, 0]
        batch = assign(sampled.episodes, weights_version=0, **DEFAULTS)
        assert len(batch.sequences) == 4 * sum(found)

        for _ in range(3):
            algorithm.train()
            state = algorithm.run_state
            # the first four groups, and one more in the place of the flat one
            assert algorithm.last_metrics["refills"] == 1
            assert algorithm.last_metrics["episodes_received"] == 20
            # from the second step on, written while the update before it ran
            assert algorithm.last_metrics["token_age/max"] == min(1, state.step - 1)
        assert algorithm.last_metrics["sampler_kl"] > 1e-6  # learner and sampler now differ
    finally:
        algorithm.stop()


def test_stale_workers_and_stale_episodes_are_refused(algorithm):
    tasks = algorithm.source.tasks(0, Position(), count=1)[:1]
    worker = algorithm.env_runner_group._worker_manager.actors()[1]
    share, _ = ray.get(worker.apply.remote(_collect, tasks=tasks, version=7))
    assert share == Stale(held=0, wanted=7)
    episodes = algorithm.collector.collect(tasks).episodes
    with pytest.raises(TrainingError, match="weights"):
        assign(episodes, weights_version=7, **DEFAULTS)


def test_a_fault_is_never_a_grade(algorithm, train_file):
    episodes = algorithm.collector.collect(algorithm.source.tasks(0, Position(), count=4)).episodes
    group = [e for e in episodes if e.group == 0]
    for e in group:
        e.outcome = replace(e.outcome, value=0.1 * 2**e.sample)  # none is the mean
    before = assign(episodes, weights_version=0, **DEFAULTS)
    group[0].outcome = Failed("timeout", "killed after 20 s")
    after = assign(episodes, weights_version=0, **DEFAULTS)
    assert after.failed_fraction == 1 / len(episodes)
    assert after.main_failure == "timeout: killed after 20 s"
    assert len(after.sequences) == len(before.sequences) - 1
    graded = [e.outcome.value for e in episodes if isinstance(e.outcome, Scored)]
    assert episode_metrics(episodes)["reward"] == pytest.approx(np.mean(graded))

    for e in episodes:
        e.outcome = Failed("worker", "lost")
    hopeless = assign(episodes, weights_version=0, **DEFAULTS)
    with pytest.raises(TrainingError, match=r"100% of the verifications failed.*worker: lost"):
        algorithm._require_health(hopeless)


def test_steps_without_anything_to_learn_stop_the_run(algorithm, grpo_config):
    episodes = algorithm.collector.collect(algorithm.source.tasks(0, Position(), count=4)).episodes
    for e in episodes:
        e.outcome = Scored(0.5, {"syntax": 1.0}, {"syntax": 0.5})
    flat = assign(episodes, weights_version=0, **DEFAULTS)
    assert flat.flat_fraction == 1.0
    assert not flat.sequences
    for _ in range(grpo_config.grpo.max_empty_steps - 1):
        algorithm._require_health(flat)
    with pytest.raises(TrainingError, match="steps in a row"):
        algorithm._require_health(flat)


def test_a_learner_that_does_not_know_its_samples_stops_the_run(algorithm):
    limit = algorithm.settings.grpo.max_sampler_kl
    algorithm._require_agreement(limit)
    with pytest.raises(TrainingError, match="rollout workers hold other weights"):
        algorithm._require_agreement(2 * limit)


def test_a_preflight_that_kills_a_learner_names_what_to_change(algorithm, monkeypatch):
    def lost(*args, **kwargs):
        raise TrainingError("learner 0 failed in preflight: out of memory")

    monkeypatch.setattr(algorithm.learner_group, "call_all", lost)
    with pytest.raises(TrainingError, match=r"learner.micro_batch_tokens \(now 4096\) or set pol"):
        algorithm.learner_group.preflight(352, algorithm.objective)


def test_the_ids_trained_are_the_ids_sampled_and_stay_in_the_object_store(algorithm):
    tasks = algorithm.source.tasks(0, Position(), count=1)[:3]
    episodes = algorithm.collector.collect(tasks).episodes
    changed = [_with_other_reward(e) if e.sample else e for e in episodes]
    trained = assign(changed, weights_version=0, **DEFAULTS).sequences
    assert trained
    for sequence in trained:
        assert isinstance(sequence.tokens, StoredTokens)
    # Two workers made them; whoever fetches gets each by its own address.
    for e, tokens in zip(episodes, fetch(e.tokens for e in episodes), strict=True):
        assert tokens.counts == e.counts
        assert tokens.mask.all()
        assert len(tokens.log_probs) == len(tokens.response_ids) == e.counts.sampled
        tokenizer = load_policy(algorithm.config.model_directory)[1]
        assert tokenizer.decode(tokens.response_ids, skip_special_tokens=True) == e.texts[0]


def _with_other_reward(episode):
    return replace(episode, sample=1, outcome=Scored(9.0, {}, {}))


def test_problems_are_read_from_the_file(algorithm, train_file):
    assert len(algorithm.records) == len(read_problems(train_file))


def test_a_file_without_problems_is_refused_before_anything_starts(grpo_config, tmp_path):
    nothing = tmp_path / "train.jsonl"
    nothing.touch()
    with pytest.raises(InputError, match=r"train\.jsonl: no rows"):
        run(grpo_config, tmp_path / "no model", nothing, tmp_path)
