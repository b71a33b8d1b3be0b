"""The laptop's main job in small: both phases learn what the grammar leaves open."""

import math
import re
from dataclasses import replace

import pytest

from quasar.config import load_config, with_overrides
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_problems
from quasar.errors import ConfigError, TrainingError
from quasar.policy.models import build_policy, load_chat
from quasar.tasks.writing import angle_texts
from quasar.training.examples import supervised_sequences
from quasar.training.sft import train_supervised
from quasar.training.train import train_grpo
from tests.support.tiny import TINY

SETTINGS = [
    *TINY,
    "generation.max_response_tokens=256",
    "sft.stream.examples=96",
    "sft.batch_size=16",
    "sft.learning_rate=5e-3",
    "grpo.iterations=2",
    "grpo.prompts_per_step=2",
    "grpo.samples_per_prompt=4",
    "learner.torch_threads=1",
]


@pytest.fixture(scope="module")
def config():
    return load_config("laptop", SETTINGS)


@pytest.fixture(scope="module")
def dataset(config, tmp_path_factory):
    directory = tmp_path_factory.mktemp("choices") / "dataset"
    generate_dataset(config, directory, progress=False)
    return directory


@pytest.fixture(scope="module")
def model(config, dataset, tmp_path_factory):
    texts = [r.problem.reference_circuit for r in read_problems(dataset / "train.jsonl")]
    return build_policy(config, texts, tmp_path_factory.mktemp("model") / "initial")


@pytest.mark.ray
@pytest.mark.slow
def test_both_phases_learn_from_choices_alone(config, dataset, model, local_ray, tmp_path):
    told, problems = [], dataset / "train.jsonl"
    checkpoint = train_supervised(
        config,
        model_directory=model,
        problems_file=problems,
        checkpoints=tmp_path / "sft",
        on_step=lambda step, metrics: told.append(metrics),
    )
    assert told[0]["loss"] == pytest.approx(math.log(len(angle_texts(2))), abs=0.3)
    assert told[-1]["loss"] < told[0]["loss"] - 0.5
    assert all(32 <= metrics["trained_tokens"] <= 64 for metrics in told)  # two a layer
    steps = []
    train_grpo(
        config,
        model_directory=checkpoint / "huggingface",
        problems_file=problems,
        run_directory=tmp_path / "grpo",
        on_update=lambda step, metrics, episodes: steps.append((metrics, episodes)),
    )
    for metrics, episodes in steps:
        assert metrics["valid_fraction"] == 1.0
        assert metrics["sampler_kl"] < 1e-6
        chosen = sum(e.counts.trained for e in episodes)
        assert (
            0 < metrics["trained_tokens"] <= chosen < 0.1 * sum(e.counts.sampled for e in episodes)
        )


def test_an_example_that_the_grammar_cannot_write_is_left_out_and_told(
    config, dataset, model, caplog
):
    records, chat = read_problems(dataset / "train.jsonl"), load_chat(model)
    every = supervised_sequences(records, chat, config)
    assert {s.counts.trained for s in every} <= {2, 4}
    whole = supervised_sequences(records, chat, with_overrides(config, {"sft.loss": "all"}))
    assert all(s.counts.trained == s.counts.response for s in whole)
    program = records[0].problem.reference_circuit
    beyond = re.sub(r"g1 = [-0-9.]+", "g1 = 3.77", program)  # no piece of the tokenizer
    problem = replace(records[0].problem, reference_circuit=beyond)
    mixed = [replace(records[0], problem=problem), *records[1:]]
    kept = supervised_sequences(mixed, chat, config)
    assert [s.counts for s in kept] == [s.counts for s in every][1:]
    assert f"1 of {len(records)} examples are left out" in caplog.text
    with pytest.raises(TrainingError, match=r"set sft\.loss=all"):
        supervised_sequences(mixed[:1], chat, config)


def test_choices_need_a_grammar():
    with pytest.raises(ConfigError, match=r"generation\.constrained=true"):
        load_config("laptop", ["generation.constrained=false"])
