"""GRPO whose rollouts run k updates ahead, for several k: tokens/s and reward, at equal updates and
at equal seconds.

    python benchmarks/staleness.py [--k 0 1 2 4] [--seeds 0] [--rate 1e-3] [--set run.name=other]

One supervised model of the laptop preset, shrunk, is trained once for each k and seed, in turns,
by real actors. Seconds are those of the updates: neither start nor validations count. Rewards are
means over the rollouts of the last updates, with the standard error over these updates, and over
held-out problems before and after. A run that ends early, as `grpo.max_sampler_kl` has it for
samples too far from the policy, is told with its last update. Lies under runs/staleness and goes on
where it was.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.errors import TrainingError
from quasar.pipeline.main_job import fine_tuned_run
from quasar.pipeline.phases import grading
from quasar.pipeline.run import Run
from quasar.training.state import StepLog
from quasar.training.train import train_grpo
from quasar.training.validation import Validation

PREPARED = [
    "run.name=staleness", "dataset.num_examples=400", "dataset.max_qubits=6", "grpo.iterations=24",
    "sft.stream.examples=4000", "grpo.prompts_per_step=8", "grpo.samples_per_prompt=8",
    "grpo.warmup_steps=5", "grpo.validation={every: 1000, num_problems: 40, samples: 2}",
]  # fmt: skip
LAST = 8  # updates over which a reward is a mean
SKIPPED = 1  # first updates of a run, which compile kernels and fill caches
Row = dict[str, Any]


def trained(run: Run, config: QuasarConfig, model: Path, place: Path) -> list[Row]:
    """Each update's metrics, with `clock`, the seconds of all updates so far."""
    log = place / "updates.jsonl"
    rows = [row for row in StepLog.read(log) if row["step"] <= config.grpo.iterations]
    if rows and rows[-1]["step"] == config.grpo.iterations:
        return rows
    written = StepLog(log, resume_at=-1)
    clock, last = 0.0, time.perf_counter()

    def on_update(step: int, metrics: dict[str, float], _: Any) -> None:
        nonlocal clock, last
        now = time.perf_counter()
        if step:
            clock += now - last - metrics.get("seconds/validation", 0.0)
        written.append(step, metrics | {"clock": clock})
        last = time.perf_counter()

    validation = Validation(
        config, run.split("validation"), grading(config, config.grpo.validation.metric)
    )
    try:
        train_grpo(
            config,
            model_directory=model,
            problems_file=run.split("train"),
            run_directory=place,
            on_update=on_update,
            validation=validation,
        )
    except TrainingError as error:
        Console(stderr=True).print(f"k = {config.grpo.staleness}: {error}")
    return StepLog.read(log)


def sampled(row: Row) -> float:
    """Tokens sampled for an update."""
    return row["response_tokens"] * row["episodes_received"]


def mean_reward(rows: list[Row]) -> str:
    """Over the last updates."""
    values = [row["reward"] for row in rows[-LAST:]]
    return f"{np.mean(values):.3f} ± {np.std(values) / np.sqrt(len(values)):.3f}"


def report(found: dict[int, list[list[Row]]], console: Console) -> None:
    """The tables: equal updates, then as many seconds as the fastest run took."""
    whole = max(len(rows) for runs in found.values() for rows in runs)
    seconds = min(r[-1]["clock"] for runs in found.values() for r in runs if len(r) == whole)
    first = Table(title="at equal updates")
    headings = ("k", "seed", "updates", "tokens/s", "s/update", "waiting s", "age mean", "age max",
                "truncated", "sampler KL", "reward, last", "held out, before → after")  # fmt: skip
    second = Table(title=f"after {seconds:.1f} s of updates")
    for heading in headings:
        first.add_column(heading, justify="right")
    for heading in ("k", "seed", "updates", "reward, last"):
        second.add_column(heading, justify="right")
    for k, runs in found.items():
        for seed, rows in enumerate(runs):
            steps = [row for row in rows if row["step"]]
            steady = steps[SKIPPED:]
            spent = steady[-1]["clock"] - steps[SKIPPED - 1]["clock"]
            held_out = [row["validation/reward"] for row in rows if "validation/reward" in row]
            column = {
                name: statistics.fmean(row.get(name, 0.0) for row in steady)
                for name in ("seconds/rollout", "token_age/mean", "truncated", "sampler_kl")
            }
            first.add_row(
                str(k),
                str(seed),
                str(len(steps)),
                f"{sum(map(sampled, steady)) / spent:.0f}",
                f"{spent / len(steady):.2f}",
                f"{column['seconds/rollout']:.2f}",
                f"{column['token_age/mean']:.2f}",
                f"{max(row.get('token_age/max', 0.0) for row in steady):.0f}",
                f"{column['truncated']:.1%}",
                f"{column['sampler_kl']:.2g}",
                mean_reward(steps),
                f"{held_out[0]:.3f} → {held_out[-1]:.3f}" if len(held_out) > 1 else "stopped",
            )
            within = [row for row in steps if row["clock"] <= seconds + 1e-9]
            second.add_row(str(k), str(seed), str(len(within)), mean_reward(within))
    console.print(first)
    console.print(second)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--k", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rate", type=float, default=1e-3, help="grpo.learning_rate")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    arguments = parser.parse_args()
    config = load_config("laptop", [*PREPARED, *arguments.set])
    found: dict[int, list[list[Row]]] = {k: [] for k in arguments.k}
    with fine_tuned_run(config) as (run, model, _):
        for seed in arguments.seeds:
            for k in arguments.k:
                changed = {"grpo.staleness": k, "grpo.learning_rate": arguments.rate}
                settings = with_overrides(config, changed | {"run.seed": seed})
                place = run.directory / f"k{k}-seed{seed}-rate{arguments.rate:g}"
                found[k].append(trained(run, settings, model, place))
    report(found, Console(width=140))


if __name__ == "__main__":
    main()
