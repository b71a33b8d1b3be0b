"""GRPO from one run's fine-tuned weights under other settings: validation, update by update.

    python benchmarks/variants.py RUN [--updates 60] [--every 10] --variant ""
        --variant grpo.kl_coefficient=0.02 --variant "grpo.learning_rate=3e-4 run.seed=1"

RUN is a run of `quasar train` or `quasar sft`. Each variant is the run's configuration with these
settings (several with blanks between; "" is the run's own), trained from the same weights and
validated on the same problems with the same draws; the last column is the lowest validation less
the first. Lies under RUN/variants and goes on where it was.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from quasar.config import QuasarConfig, load_config
from quasar.pipeline.phases import grading
from quasar.runtime import init_ray
from quasar.system.run_paths import WEIGHTS, RunPaths
from quasar.training.state import CheckpointStore, StepLog
from quasar.training.train import train_grpo
from quasar.training.validation import Validation

Row = dict[str, float]


def validated(config: QuasarConfig, paths: RunPaths, model: Path, place: Path) -> list[Row]:
    """The rows of the updates after which there was a validation, update 0 among them."""
    log = place / "updates.jsonl"
    rows = StepLog.read(log)
    if not rows or rows[-1]["step"] != config.grpo.iterations:
        written = StepLog(log, resume_at=-1)

        def on_update(step: int, metrics: dict[str, float], _: Any) -> None:
            written.append(step, metrics)

        train_grpo(
            config,
            model_directory=model,
            problems_file=paths.split_file("train", config.dataset.format),
            run_directory=place,
            on_update=on_update,
            validation=Validation(
                config,
                paths.split_file("validation", config.dataset.format),
                grading(config, config.grpo.validation.metric),
            ),
        )
        rows = StepLog.read(log)
    metric = f"validation/{config.grpo.validation.metric}"
    return [row for row in rows if metric in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--variant", action="append", required=True, metavar="KEY=VALUE …")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    paths = RunPaths(arguments.run)
    fine_tuned = CheckpointStore(paths.sft.checkpoints).latest()
    if fine_tuned is None:
        raise SystemExit(f"{arguments.run}: not fine-tuned; give a run of quasar train")
    shared = [f"grpo.iterations={arguments.updates}", f"grpo.validation.every={arguments.every}"]
    found: dict[str, list[Row]] = {}
    for variant in arguments.variant:
        config = load_config(str(paths.config_file), [*shared, *variant.split()])
        init_ray(config)
        name = re.sub(r"[^\w.=-]", "_", variant) or "own"
        place = arguments.run / "variants" / f"{name}-{arguments.updates}"
        found[variant or "the run's own"] = validated(config, paths, fine_tuned / WEIGHTS, place)
    metric = f"validation/{config.grpo.validation.metric}"
    table = Table(title=f"{metric}, after so many updates")
    table.add_column("settings")
    steps = [int(row["step"]) for row in next(iter(found.values()))]
    for step in steps:
        table.add_column(str(step), justify="right")
    table.add_column("least less start", justify="right")
    for variant, rows in found.items():
        values = [row[metric] for row in rows]
        table.add_row(
            variant, *(f"{value:.3f}" for value in values), f"{min(values) - values[0]:+.3f}"
        )
    Console(width=40 + 8 * (len(steps) + 2)).print(table)


if __name__ == "__main__":
    main()
