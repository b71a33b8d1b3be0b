"""A small GRPO run by TRL with this project's reward, its curve as a table.

    python benchmarks/trl_reward.py [--steps 20] [--model DIR]

The shipped model writes circuits for random weighted maximum cuts of 4 to 6 qubits; TRL's trainer
samples, calls `quasar.integrations.trl.circuit_reward` and updates. Needs the extra `benchmarks`.
"""

import argparse
import tempfile
import time

import numpy as np
import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from quasar.integrations.trl import circuit_reward, circuit_row
from quasar.policy.models import load_policy
from quasar.problems import get_problem
from quasar.schema.verify import Problem
from quasar.system.shipped import shipped_run


def rows(count: int, seed: int) -> list[dict[str, object]]:
    """Prompts and problems."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        graph, attributes = get_problem("max_cut").generate(rng, 4 + k % 3)
        problem = Problem(primitive="max_cut", graph=graph, attributes=attributes)
        found.append(circuit_row(problem, style="compact"))
    return found


class Curve(TrainerCallback):
    """Prints what TRL logs of the reward."""

    def __init__(self):
        self.start = time.perf_counter()

    def on_log(self, arguments, state, control, logs=None, **_):
        """A line a step."""
        if logs and "reward" in logs:
            seconds = time.perf_counter() - self.start
            print(
                f"step {state.global_step:3}  reward {float(logs['reward']):7.4f}  "
                f"std {float(logs['reward_std']):.4f}  {seconds:6.1f} s",
                flush=True,
            )


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--samples", type=int, default=4, help="of a prompt")
    parser.add_argument("--prompts", type=int, default=2, help="of a step")
    parser.add_argument("--tokens", type=int, default=700)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--model", default=None, help="a directory; default: the shipped model")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    model, tokenizer = load_policy(given.model or shipped_run() / "model" / "final")
    batch = given.prompts * given.samples
    trainer = GRPOTrainer(
        model=model.train(),
        processing_class=tokenizer,
        reward_funcs=circuit_reward(),
        train_dataset=Dataset.from_list(rows(given.prompts * given.steps, given.seed)),
        callbacks=[Curve()],
        args=GRPOConfig(
            output_dir=tempfile.mkdtemp(prefix="trl-reward-"),
            max_steps=given.steps,
            per_device_train_batch_size=batch,
            num_generations=given.samples,
            max_completion_length=given.tokens,
            learning_rate=given.learning_rate,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            seed=given.seed,
        ),
    )
    trainer.train()


if __name__ == "__main__":
    main()
