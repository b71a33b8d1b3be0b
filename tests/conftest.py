"""Shared real parts: a tiny policy in Hugging Face layout, a small dataset, a local Ray."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# Time is measured in benchmarks; on a busy machine a deadline fails for no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TINY = [
    "policy.hidden_size=64",
    "policy.num_layers=2",
    "policy.num_attention_heads=2",
    "policy.num_key_value_heads=1",
    "policy.intermediate_size=128",
    "dataset.num_examples=24",
    "dataset.min_qubits=3",
    "dataset.max_qubits=4",
    "dataset.num_workers=1",
    "learner.num_learners=1",
    "generation.max_response_tokens=96",
    "generation.batch_size=16",
]


@pytest.fixture(scope="session")
def tiny_config():
    """The laptop preset, shrunk until a step takes a fraction of a second."""
    from quasar.config import load_config

    return load_config("laptop", TINY)


@pytest.fixture(scope="session")
def tiny_dataset(tiny_config, tmp_path_factory) -> Path:
    """Directory with train, validation and test splits of 3-4 qubit problems."""
    from quasar.datasets.generate import generate_dataset

    directory = tmp_path_factory.mktemp("dataset")
    generate_dataset(tiny_config, directory, progress=False)
    return directory


@pytest.fixture(scope="session")
def tiny_policy(tiny_config, tiny_dataset, tmp_path_factory) -> Path:
    """Directory of an untrained model with its tokenizer."""
    from quasar.datasets.io import read_problems
    from quasar.datasets.prompts import build_messages
    from quasar.policy.models import build_policy

    corpus = []
    for record in read_problems(tiny_dataset / "train.jsonl"):
        corpus += [m["content"] for m in build_messages(record.problem)]
        corpus.append(record.problem.reference_circuit)
    return build_policy(tiny_config, corpus, tmp_path_factory.mktemp("policy") / "initial")


@pytest.fixture(scope="session")
def local_ray(tiny_config):
    """A Ray of this machine, started as every command starts it."""
    import ray

    from quasar.runtime import init_ray

    init_ray(tiny_config)
    yield ray
    ray.shutdown()
