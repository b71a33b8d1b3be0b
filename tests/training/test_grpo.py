"""The GRPO Algorithm with its real actors: resume, deaths, faults, staleness."""

import json
import os
import signal
import threading
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import ray

from quasar.config import GrpoConfig, RewardConfig, with_overrides
from quasar.datasets.io import read_problems, write_problems
from quasar.datasets.prompts import record_messages
from quasar.episodes.generate import generate_file
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import InputError, TrainingError
from quasar.evaluation.evaluate import evaluate_rows
from quasar.pipeline.evaluate import evaluate_files
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.models import load_policy
from quasar.policy.tool_calls import submitted_circuit
from quasar.training.algorithm.batch import assign, episode_metrics, num_informative
from quasar.training.curriculum import Position
from quasar.training.rllib.collector import _collect
from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.rllib.runner import Stale
from quasar.training.rllib.token_store import StoredTokens, fetch
from quasar.training.sft import train_supervised
from quasar.training.state import read_state
from quasar.training.train import train_grpo
from quasar.training.validation import Validation
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.reward import Failed, Scored
from tests.support.machine import wait_until

DEFAULTS = dict(settings=GrpoConfig(), reward=RewardConfig(), max_response_tokens=96)
pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def config(tiny_config):
    return with_overrides(
        tiny_config,
        {
            "grpo.prompts_per_step": 4,
            "grpo.samples_per_prompt": 4,
            "grpo.iterations": 6,
            "grpo.checkpoint_every": 3,
            "grpo.learning_rate": 1e-3,
            "grpo.kl_coefficient": 0.05,
            "sft.epochs": 120.0,
            "sft.batch_size": 16,
            "sft.learning_rate": 5e-3,
            "learner.torch_threads": 1,
        },
    )


@pytest.fixture(scope="module")
def train_file(tiny_dataset):
    return tiny_dataset / "train.jsonl"


@pytest.fixture(scope="module")
def model(local_ray, config, tiny_policy, train_file, tmp_path_factory):
    """A supervised model that writes valid circuits often enough to have something to reinforce."""
    checkpoint = train_supervised(
        config,
        model_directory=tiny_policy,
        problems_file=train_file,
        checkpoints=tmp_path_factory.mktemp("sft"),
    )
    return checkpoint / "huggingface"


def run(config, model, train_file, directory, *, resume=False):
    """Train; returns the metrics of each step and the last checkpoint."""
    steps = {}
    result = train_grpo(
        config,
        model_directory=model,
        problems_file=train_file,
        run_directory=directory,
        resume=resume,
        on_update=lambda step, metrics, _: steps.__setitem__(step, metrics),
    )
    return steps, result.last


@pytest.fixture(scope="module")
def straight(config, model, train_file, tmp_path_factory):
    """Six steps without interruption."""
    return run(config, model, train_file, tmp_path_factory.mktemp("straight"))


class Interrupted(Exception):
    """What ends a run in the middle."""


def validated(
    config, model, directories, *, resume=False, steps=None, metric=None, interrupt_at=None
):
    """Train with validations by the real evaluation; `metric` replaces what it finds, by step."""
    dataset, directory = directories
    settings = with_overrides(config, {"evaluation.device": "none", "evaluation.random_draws": 0})
    steps = {} if steps is None else steps

    def grade(answers, verifiers):
        summary = evaluate_rows(answers, config=settings, verifiers=verifiers)
        values = {name: summary.get(name).value for name in ("reward", "valid")}
        done = len([s for s in steps.values() if "validation/valid" in s])
        return values if metric is None else values | {"reward": metric[done]}

    def on_update(step, metrics, _):
        steps[step] = metrics
        if step == interrupt_at:
            raise Interrupted

    result = train_grpo(
        config,
        model_directory=model,
        problems_file=dataset / "train.jsonl",
        run_directory=directory,
        resume=resume,
        on_update=on_update,
        validation=Validation(config, dataset / "validation.jsonl", grade),
    )
    return steps, result


def build(config, model, train_file):
    return GRPOConfig().run(config, model_directory=model, problems_file=train_file).build_algo()


@pytest.fixture
def doomed(config, model, train_file, local_ray):
    """An algorithm of its own, for tests that kill parts of it."""
    built = build(config, model, train_file)
    yield built
    built.stop()


@pytest.fixture(scope="module")
def algorithm(config, model, train_file, local_ray):
    """An algorithm that no test takes a step with. On two cores no other fits beside it: tests
    that build one of their own come before the first that uses it."""
    built = build(config, model, train_file)
    yield built
    built.stop()


def timeless(metrics):
    changing = ("seconds", "memory", "tokens_per_s")
    return {k: v for k, v in metrics.items() if not k.startswith(changing)}


def weights(checkpoint):
    from safetensors.numpy import load_file

    return load_file(checkpoint / "huggingface" / "model.safetensors")


def test_six_steps_equal_three_a_resume_and_three(straight, config, model, train_file, tmp_path):
    steps, checkpoint = straight
    half = with_overrides(config, {"grpo.iterations": 3})
    first, _ = run(half, model, train_file, tmp_path)
    second, resumed = run(config, model, train_file, tmp_path, resume=True)
    assert sorted(first) == [1, 2, 3]
    assert sorted(second) == [4, 5, 6]
    for step, metrics in (first | second).items():
        assert timeless(metrics) == timeless(steps[step]), step
    expected, got = weights(checkpoint), weights(resumed)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.fixture(scope="module")
def watched(config):
    """Validations every second update, a curriculum, and a checkpoint every third update."""
    return with_overrides(
        config,
        {
            "grpo.validation": {"every": 2, "num_problems": 2, "samples": 3},
            "grpo.curriculum": {"balance": ["primitive"], "start_qubits": 3, "widen_over": 0.8},
        },
    )


def test_a_watched_run_that_was_interrupted_ends_as_the_whole_one(
    watched, model, tiny_dataset, tmp_path
):
    steps, result = validated(watched, model, (tiny_dataset, tmp_path / "whole"))
    assert [k for k, v in steps.items() if "validation/reward" in v] == [0, 2, 4, 6]
    sizes = [steps[k]["curriculum_qubits"] for k in range(1, 7)]
    assert (sizes[0], sizes[-1]) == (3, 4)
    assert sizes == sorted(sizes)
    for line in (tmp_path / "whole" / "rollouts" / "step-000001.jsonl").read_text().splitlines():
        assert json.loads(line)["num_qubits"] <= 3

    place, again = (tiny_dataset, tmp_path / "parts"), {}
    with pytest.raises(Interrupted):  # after update 5 was reported, the last checkpoint is older
        validated(watched, model, place, steps=again, interrupt_at=5)
    _, resumed = validated(watched, model, place, steps=again, resume=True)
    assert again.keys() == steps.keys()
    for step, metrics in steps.items():
        assert timeless(again[step]) == timeless(metrics), step
    for a, b in ((result.last, resumed.last), (result.chosen, resumed.chosen)):
        assert (a.name, read_state(a)) == (b.name, read_state(b))
        expected, got = weights(a), weights(b)
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("turns", [1, 2])
def test_a_validation_is_the_evaluation_of_what_the_checkpoint_would_generate(
    watched, model, tiny_dataset, tmp_path, turns
):
    """With as many turns as are trained."""
    settings = with_overrides(
        watched,
        {
            "grpo.iterations": 1,
            "generation.max_turns": turns,
            "generation.turn_tokens": 96,
            "generation.max_response_tokens": 96 * turns,
            "generation.satisfied_at": 1.0,
        },
    )
    steps, result = validated(settings, model, (tiny_dataset, tmp_path))
    problems = tmp_path / "problems.jsonl"
    records = read_problems(tiny_dataset / "validation.jsonl")[:2]
    write_problems(problems, records)
    for source, metrics in ((model, steps[0]), (result.last / "huggingface", steps[1])):
        generations = tmp_path / f"{metrics is steps[0]}.jsonl"
        generate_file(source, problems, samples=3, output=generations, config=settings)
        summary = evaluate_files(
            problems,
            generations,
            tmp_path / generations.stem,
            config=settings,
            baselines=(),
            progress=False,
        )
        for name in ("reward", "valid"):
            assert metrics[f"validation/{name}"] == pytest.approx(summary.get(name).value)
        texts = [t for line in generations.open() for t in json.loads(line)["completions"]]
        assert texts == _last_submissions(source, records, settings)


def _last_submissions(model, records, config):
    """What whole episodes, verified to their ends, submit last under the evaluation's sampling."""
    pool = LocalVerifierPool(config.verification, config.reward.formula)
    generation = config.generation.model_copy(
        update={"temperature": config.evaluation.temperature, "top_p": config.evaluation.top_p}
    )
    runner = EpisodeRunner(
        CircuitGenerator.load(model, device="cpu", batch_size=generation.batch_size),
        verifying(pool.verify, config.reward, generation),
        generation=generation,
    )
    tasks = [
        EpisodeTask(r.problem, record_messages(r), g, s, (config.run.seed, r.sample_index, s))
        for g, r in enumerate(records)
        for s in range(3)
    ]
    episodes = runner.run(tasks, weights_version=0)
    assert {len(e.texts) for e in episodes} == {generation.max_turns}
    return [submitted_circuit(e.texts[-1]) for e in episodes]


def test_early_stopping_ends_training_and_a_resumed_run_does_not_train_on(
    watched, model, tiny_dataset, tmp_path
):
    settings = with_overrides(watched, {"grpo.validation.patience": 1, "grpo.keep_checkpoints": 1})
    place = (tiny_dataset, tmp_path)
    steps, result = validated(settings, model, place, metric=[0.1, 0.5, 0.4])
    assert max(steps) == 4
    assert result.stopped.startswith("validation/reward did not rise in 1 validations")
    assert (result.last.name, result.chosen.name) == ("step-000004", "step-000002")
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"step-000002", "step-000004"}
    assert read_state(result.last).best_step == 2

    more, again = validated(settings, model, place, resume=True)
    assert more == {}
    assert again == result
    last = with_overrides(settings, {"grpo.validation.result": "last"})
    assert validated(last, model, place, resume=True)[1].chosen == result.last


def test_a_run_goes_on_with_another_number_of_learners(
    straight, config, model, train_file, tmp_path
):
    half = with_overrides(config, {"grpo.iterations": 3})
    run(half, model, train_file, tmp_path)
    wider = with_overrides(config, {"learner.num_learners": 2, "learner.cpus_per_learner": 0.25})
    second, resumed = run(wider, model, train_file, tmp_path, resume=True)
    assert sorted(second) == [4, 5, 6]
    assert read_state(resumed).weights_version == 6
    # the same rollouts by the same weights, and a step on the same moments
    assert second[4]["reward"] == straight[0][4]["reward"]
    for name in ("loss", "gradient_norm"):
        assert second[4][name] == pytest.approx(straight[0][4][name], rel=2e-3, abs=1e-5)


def test_metrics_say_what_was_optimised(straight, config):
    for metrics in straight[0].values():
        weighted = [v for k, v in metrics.items() if k.startswith("reward_weighted/")]
        assert metrics["reward"] == pytest.approx(sum(weighted), abs=1e-9)
        for name in ("distribution", "expectation", "optimisation"):
            weight = getattr(config.reward.weights, name)
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


def test_flat_groups_are_replaced_by_further_prompts_up_to_the_bound(config, model, train_file):
    # Scripted rewards move the policy far: how far is not what is asked here.
    changed = {"grpo.max_refills": 3, "grpo.staleness": 1, "grpo.max_sampler_kl": 10.0}
    settings = with_overrides(config, changed)
    algorithm = build(settings, model, train_file)
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


def test_steps_without_anything_to_learn_stop_the_run(algorithm, config):
    episodes = algorithm.collector.collect(algorithm.source.tasks(0, Position(), count=4)).episodes
    for e in episodes:
        e.outcome = Scored(0.5, {"syntax": 1.0}, {"syntax": 0.5})
    flat = assign(episodes, weights_version=0, **DEFAULTS)
    assert flat.flat_fraction == 1.0
    assert not flat.sequences
    for _ in range(config.grpo.max_empty_steps - 1):
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


def test_a_file_without_problems_is_refused_before_anything_starts(config, tmp_path):
    nothing = tmp_path / "train.jsonl"
    nothing.touch()
    with pytest.raises(InputError, match=r"train\.jsonl: no rows"):
        run(config, tmp_path / "no model", nothing, tmp_path)
