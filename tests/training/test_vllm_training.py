"""GRPO whose rollouts vLLM writes: real actors, `make vllm-test`."""

import numpy as np
import pytest

from quasar.config import DatasetConfig, with_overrides
from quasar.datasets.io import read_problems
from quasar.training.rllib.token_store import fetch
from quasar.training.sampler import rollout_tasks
from quasar.training.train import train_grpo
from tests.support.collecting import VERSION, collecting

pytest.importorskip("vllm", reason="vLLM is not installed here; `make vllm-test` runs these")
pytestmark = [pytest.mark.ray, pytest.mark.slow]

UPDATES = 10
LARGEST_KL = 1e-6  # nats a token; both compute in float32


@pytest.fixture(scope="module")
def config(tiny_config):
    return with_overrides(
        tiny_config,
        {
            "generation.engine": "vllm",
            "generation.constrained": True,  # the tiny policy writes no program of its own accord
            "generation.max_response_tokens": 64,
            "rollout.num_workers": 1,
            "rollout.cpus_per_worker": 0.25,
            "verification.num_workers": 1,
            "verification.cpus_per_worker": 0.25,
            "learner.torch_threads": 1,
            "grpo.iterations": UPDATES,
            "grpo.prompts_per_step": 2,
            "grpo.samples_per_prompt": 4,
            "grpo.learning_rate": 1e-3,
            "grpo.checkpoint_every": UPDATES,
        },
    )


@pytest.fixture(scope="module")
def tasks(tiny_dataset):
    records = read_problems(tiny_dataset / "train.jsonl")
    return rollout_tasks(records, [0, 1], step=0, samples=3, seed=0, settings=DatasetConfig())


def test_ten_updates_have_the_sampler_in_the_learner(
    local_ray, config, tiny_policy, tiny_dataset, tmp_path
):
    steps = {}
    train_grpo(
        config,
        model_directory=tiny_policy,
        problems_file=tiny_dataset / "train.jsonl",
        run_directory=tmp_path,
        resume=False,
        on_update=lambda step, metrics, _: steps.__setitem__(step, metrics),
    )
    assert len(steps) == UPDATES
    kl = [metrics["sampler_kl"] for metrics in steps.values()]
    assert max(kl) < LARGEST_KL < config.grpo.max_sampler_kl
    assert max(metrics["gradient_norm"] for metrics in steps.values()) > 0
    assert {metrics["valid_fraction"] for metrics in steps.values()} == {1.0}


def test_a_worker_whose_engine_is_gone_is_replaced_and_its_share_made_again(
    local_ray, config, tiny_policy, tasks, caplog
):
    end = lambda runner: runner.engine.core.engine_core.shutdown()  # noqa: E731, sent by value
    with collecting(config, tiny_policy) as collector:
        before = collector.collect(tasks)
        collector.manager.foreach_actor(end)
        made = collector.collect(tasks)
        assert (before.remade, made.remade) == (0, len(tasks))
        assert [e.texts for e in made.episodes] == [e.texts for e in before.episodes]
        assert {e.weights_version for e in made.episodes} == {VERSION}
        tokens = [fetch(e.tokens for e in collected.episodes) for collected in (before, made)]
        for one, other in zip(*tokens, strict=True):
            np.testing.assert_array_equal(one.response_ids, other.response_ids)
    (said,) = [r.getMessage() for r in caplog.records if "died" in r.getMessage()]
    assert said.startswith("rollout worker 1 died")
