"""What tests of GRPO share: a run, its algorithm, and what of both can be compared."""

from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.train import train_grpo


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


def build(config, model, train_file):
    return GRPOConfig().run(config, model_directory=model, problems_file=train_file).build_algo()


def timeless(metrics):
    changing = ("seconds", "memory", "tokens_per_s")
    return {k: v for k, v in metrics.items() if not k.startswith(changing)}


def weights(checkpoint):
    from safetensors.numpy import load_file

    return load_file(checkpoint / "huggingface" / "model.safetensors")
