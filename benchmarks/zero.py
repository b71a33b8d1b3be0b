"""Two learners against one, for each ZeRO stage: the losses must agree, and memory is printed.

    python benchmarks/zero.py --checkpoint runs/published/model/initial \
        --problems runs/published/dataset/train.jsonl [--steps 20] [--set policy.lora_rank=8]

Supervised steps on the same sequences in the same order, each prompt twice in a step; one learner
at ZeRO 1 is what the others are measured against. Memory: resident bytes of a learner's process
(with its libraries, some 500 MiB) after the last step.
Ends with exit code 1 where a loss differs by more than 1e-4.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from quasar.config import load_config
from quasar.datasets.io import read_problems
from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy
from quasar.runtime import init_ray
from quasar.training.examples import supervised_sequence
from quasar.training.learner.deepspeed import Objective
from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.sampler import EpochSampler

TOLERANCE = 1e-4


def run(arguments, sequences, *, num_learners: int, stage: int):
    """(losses of all steps, seconds a step, MiB of each learner)."""
    config = load_config(
        "published",
        [
            f"learner.num_learners={num_learners}",
            f"learner.zero_stage={stage}",
            "learner.torch_threads=1",
            *arguments.set,
        ],
    )
    group = (
        GRPOConfig()
        .supervised(config, model_directory=Path(arguments.checkpoint))
        .build_learner_group()
    )
    sampler = EpochSampler(len(sequences), per_step=arguments.batch // 2, seed=0)
    losses = []
    try:
        started = time.perf_counter()
        for step in range(arguments.steps):
            metrics = group.update_policy(
                [sequences[i] for i in sampler.indices(step) for _ in range(2)],
                objective=Objective("supervised"),
                learning_rate=arguments.learning_rate,
            )
            losses.append(metrics["loss"])
        seconds = (time.perf_counter() - started) / arguments.steps
        return losses, seconds, [size / 2**20 for size in group.rss_bytes()]
    finally:
        group.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    arguments = parser.parse_args()
    chat = ChatFormat(load_policy(arguments.checkpoint)[1])
    records = read_problems(arguments.problems)[: arguments.steps * arguments.batch]
    sequences = [supervised_sequence(record, chat) for record in records]
    init_ray(load_config("published"))

    table = Table(title=f"{arguments.steps} steps of {arguments.batch} sequences")
    for column in ("learners", "ZeRO", "last loss", "largest difference", "s/step", "MiB each"):
        table.add_column(column, justify="right")
    baseline, worst = None, 0.0
    for num_learners, stage in ((1, 1), (2, 1), (2, 2), (2, 3)):
        losses, seconds, sizes = run(arguments, sequences, num_learners=num_learners, stage=stage)
        baseline = baseline or losses
        difference = max(abs(a - b) for a, b in zip(losses, baseline, strict=True))
        worst = max(worst, difference)
        table.add_row(
            str(num_learners),
            str(stage),
            f"{losses[-1]:.5f}",
            f"{difference:.1e}",
            f"{seconds:.2f}",
            " ".join(f"{size:.0f}" for size in sizes),
        )
    Console().print(table)
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
