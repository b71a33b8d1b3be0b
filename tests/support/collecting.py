"""Rollout workers that hold weights, with verifiers, for tests of what they make."""

from contextlib import contextmanager

import ray
from ray.rllib.env.env_runner_group import EnvRunnerGroup

from quasar.policy.models import load_policy
from quasar.training.rllib.collector import RolloutCollector
from quasar.training.rllib.grpo import GRPOConfig
from quasar.verification.execution.pool import VerifierPool

VERSION = 3  # of the weights


@contextmanager
def collecting(config, tiny_policy, *, board=None):
    """A collector whose workers hold the weights. board: a WeightsBoard."""
    settings = GRPOConfig().supervised(config, model_directory=tiny_policy)
    group = EnvRunnerGroup(config=settings, local_env_runner=False)
    verifiers = VerifierPool(config.verification)
    made = RolloutCollector(
        group,
        verifiers=verifiers.handles(),
        timeout_s=config.rollout.timeout_s,
        max_attempts=config.rollout.max_attempts,
        board=board,
    )
    model, _ = load_policy(tiny_policy)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    made.publish([ray.put(weights)], VERSION)
    try:
        yield made
    finally:
        group.stop()
        verifiers.close()
