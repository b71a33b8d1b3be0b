"""GRPO steps per second against TRL's GRPOTrainer: same model, prompts, group size, response
limit, loss and reward calls, on the cores that this process may use.

    python benchmarks/grpo_vs_trl.py --checkpoint runs/published/sft/.../huggingface \
        --problems runs/published/dataset/train.jsonl [--steps 16] [--rounds 2]

Each side runs in a process of its own, in turns. A step is everything: generation, verification,
update, and (ours) weights to the rollout workers. Tokens are sampled tokens; medians are over the
steps after the first two. Memory is the largest sum of proportional set sizes over the side's
process tree. Needs the extra `benchmarks`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

SKIPPED = 2  # first steps: compilation, caches
SAMPLE_EVERY_S = 0.5


def settings(arguments: argparse.Namespace) -> Any:
    """The configuration of our side; TRL's is set to the same values."""
    from quasar.config import load_config

    return load_config(
        "published",
        [
            f"grpo.iterations={arguments.steps}",
            f"grpo.prompts_per_step={arguments.prompts}",
            f"grpo.samples_per_prompt={arguments.samples}",
            f"generation.max_response_tokens={arguments.tokens}",
            f"grpo.learning_rate={arguments.learning_rate}",
            f"run.seed={arguments.seed}",
            "grpo.warmup_steps=0",
            "grpo.final_learning_rate=1.0",
            *arguments.set,
        ],
    )


def ours(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Steps of this project's GRPO with its real actors."""
    from quasar.runtime import init_ray
    from quasar.training.rllib.grpo import GRPOConfig

    config = settings(arguments)
    init_ray(config)
    algorithm = (
        GRPOConfig()
        .run(config, model_directory=arguments.checkpoint, problems_file=arguments.problems)
        .build_algo()
    )
    rows = []
    for _ in range(arguments.steps):
        started = time.perf_counter()
        algorithm.train()
        seconds = time.perf_counter() - started
        tokens = sum(e.counts.sampled for e in algorithm.episodes)
        phases = {k: v for k, v in algorithm.last_metrics.items() if k.startswith("seconds/")}
        reward = algorithm.last_metrics["reward"]
        rows.append({"seconds": seconds, "tokens": tokens, "reward": reward, **phases})
    algorithm.stop()
    return rows


def trl(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Steps of TRL's GRPOTrainer with the same reward function."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from quasar.datasets.io import read_problems
    from quasar.datasets.prompts import record_messages
    from quasar.policy.models import load_policy
    from quasar.training.sampler import EpochSampler
    from quasar.verification.execution.pool import LocalVerifierPool
    from quasar.verification.request import VerificationRequest
    from quasar.verification.reward import Failed, score

    config = settings(arguments)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, tokenizer = load_policy(arguments.checkpoint)
    records = read_problems(arguments.problems, max_qubits=config.verification.max_qubits)
    sampler = EpochSampler(len(records), per_step=arguments.prompts, seed=config.run.seed)
    order = [i for step in range(arguments.steps) for i in sampler.indices(step)]
    prompts = [
        tokenizer.apply_chat_template(
            record_messages(records[i], style=config.dataset.prompts),
            add_generation_prompt=True,
            tokenize=False,
        )
        for i in order
    ]
    verifiers = LocalVerifierPool(config.verification, config.reward.formula)
    rows: list[dict[str, float]] = []
    sampled: list[dict[str, float]] = []

    def reward(completions, completion_ids, index, **_):
        checks = [
            VerificationRequest(records[i].problem, t)
            for i, t in zip(index, completions, strict=True)
        ]
        results = verifiers.verify(checks)
        if any(isinstance(result, Failed) for result in results):
            raise RuntimeError("a verification failed")
        values = [score(result, config.reward).value for result in results]
        tokens = sum(len(ids) for ids in completion_ids)
        sampled.append({"tokens": tokens, "reward": float(np.mean(values))})
        return values

    class Clock(TrainerCallback):
        def on_step_begin(self, *args, **kwargs):
            self.started = time.perf_counter()

        def on_step_end(self, *args, **kwargs):
            rows.append({"seconds": time.perf_counter() - self.started, **sampled.pop()})

    batch = arguments.prompts * arguments.samples
    trainer = GRPOTrainer(
        model=model.train(),
        processing_class=tokenizer,
        reward_funcs=reward,
        train_dataset=Dataset.from_dict({"prompt": prompts, "index": order}),
        callbacks=[Clock()],
        args=GRPOConfig(
            output_dir=tempfile.mkdtemp(prefix="grpo-vs-trl-"),
            max_steps=arguments.steps,
            per_device_train_batch_size=batch,
            num_generations=arguments.samples,
            max_completion_length=arguments.tokens,
            temperature=config.generation.temperature,
            top_p=config.generation.top_p,
            top_k=0,
            loss_type="dapo",  # token-level
            scale_rewards="group",
            epsilon=config.grpo.clip_low,
            epsilon_high=config.grpo.clip_high,
            beta=config.grpo.kl_coefficient,
            learning_rate=config.grpo.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=config.learner.weight_decay,
            adam_beta2=config.learner.adam_beta2,
            max_grad_norm=config.learner.max_gradient_norm,
            gradient_checkpointing=False,
            shuffle_dataset=False,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            seed=config.run.seed,
        ),
    )
    trainer.train()
    return rows


def measure(side: str, arguments: argparse.Namespace) -> tuple[list[dict[str, float]], float]:
    """Run a side in a process of its own: its steps, and its peak memory in GiB."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "rows.json"
        command = [sys.executable, *sys.argv, "--side", side, "--output", str(output)]
        # Waiting threads sleep, as in our actors: spinning ones suffer most where cores are shared.
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        peak = [0.0]
        watch = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watch.start()
        if process.wait() != 0:
            raise SystemExit(f"{side} ended with exit code {process.returncode}")
        watch.join()
        return json.loads(output.read_text()), peak[0]


def _watch(pid: int, peak: list[float]) -> None:
    while psutil.pid_exists(pid):
        total = 0
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total / 2**30)
        if root.status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(SAMPLE_EVERY_S)


def rate(rows: list[dict[str, float]]) -> float:
    """Median over the steps of sampled tokens per second."""
    return statistics.median(row["tokens"] / row["seconds"] for row in rows[SKIPPED:])


def report(results: dict[str, list[tuple[list[dict[str, float]], float]]]) -> None:
    """The table and the reward curves."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"GRPO steps on {len(os.sched_getaffinity(0))} cores")
    columns = ("", "tokens/s", "of each round", "s/step", "tokens/step", "peak GiB", "reward")
    for column in columns:
        table.add_column(column, justify="right")
    rates = {}
    for side, rounds in results.items():
        each = [rate(rows) for rows, _ in rounds]
        rates[side] = statistics.median(each)
        steady = [row for rows, _ in rounds for row in rows[SKIPPED:]]
        late = [row["reward"] for rows, _ in rounds for row in rows[len(rows) // 2 :]]
        error = np.std(late) / np.sqrt(len(late))
        table.add_row(
            side,
            f"{rates[side]:.0f}",
            " ".join(f"{value:.0f}" for value in each),
            f"{statistics.median(row['seconds'] for row in steady):.2f}",
            f"{statistics.median(row['tokens'] for row in steady):.0f}",
            f"{max(peak for _, peak in rounds):.2f}",
            f"{np.mean(late):.3f} ± {error:.3f}",
        )
    console.print(table)
    best = {side: max(rate(rows) for rows, _ in rounds) for side, rounds in results.items()}
    console.print(
        f"ours / TRL: {rates['ours'] / rates['trl']:.2f} of medians, "
        f"{best['ours'] / best['trl']:.2f} of best rounds (reward: second half, s.e.)"
    )
    for side, rounds in results.items():
        curve = np.mean([[row["reward"] for row in rows] for rows, _ in rounds], axis=0)
        console.print(f"reward, {side}: " + " ".join(f"{value:.2f}" for value in curve))
        phases = [k for k in rounds[0][0][0] if k.startswith("seconds/")]
        medians = {
            k.removeprefix("seconds/"): statistics.median(
                row[k] for rows, _ in rounds for row in rows[SKIPPED:]
            )
            for k in phases
        }
        if medians:
            shown = "  ".join(f"{k} {v:.2f}" for k, v in medians.items())
            console.print(f"seconds a step by phase, {side}: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="our side: section.key=value")
    parser.add_argument("--side", choices=("ours", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        rows = {"ours": ours, "trl": trl}[arguments.side](arguments)
        Path(arguments.output).write_text(json.dumps(rows))
        return
    results: dict[str, list[tuple[list[dict[str, float]], float]]] = {"ours": [], "trl": []}
    for _ in range(arguments.rounds):
        for side in results:
            results[side].append(measure(side, arguments))
    report(results)


if __name__ == "__main__":
    main()
