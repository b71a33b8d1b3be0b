"""A small training by GRPO, and a model that it can improve."""

import pytest

from quasar.config import with_overrides
from quasar.training.sft import train_supervised


@pytest.fixture(scope="session")
def grpo_config(tiny_config):
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


@pytest.fixture(scope="session")
def train_file(tiny_dataset):
    return tiny_dataset / "train.jsonl"


@pytest.fixture(scope="session")
def supervised_model(local_ray, grpo_config, tiny_policy, train_file, tmp_path_factory):
    """A supervised model that writes valid circuits often enough to have something to reinforce."""
    checkpoint = train_supervised(
        grpo_config,
        model_directory=tiny_policy,
        problems_file=train_file,
        checkpoints=tmp_path_factory.mktemp("sft"),
    )
    return checkpoint / "huggingface"
