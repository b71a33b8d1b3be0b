"""What Tune reserves for a trial."""

from quasar.config import load_config
from quasar.learning.grpo import GRPO, GRPOConfig


def test_a_trial_of_the_laptop_preset_can_start_on_two_cores():
    config = load_config("laptop")
    algorithm = GRPOConfig().run(config, model_directory="x", problems_file="y")
    cpus = [b["CPU"] for b in GRPO.default_resource_request(algorithm).bundles]
    # One bundle a process. Tune drops an empty first one and then puts the algorithm's process into
    # a learner's place, for which that learner waits for ever.
    learners, runners = config.learner.num_learners, config.rollout.num_workers
    assert len(cpus) == 1 + learners + runners + config.verification.num_workers
    assert sum(cpus) <= 2.0
