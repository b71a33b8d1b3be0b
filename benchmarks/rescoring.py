"""What rescoring says of other coefficients of the reward, and what training with them gives.

    python benchmarks/rescoring.py RUN [--values 0 0.25 4] [--updates 40]
        [--key reward.weights.optimum_most_probable]

RUN is a finished run of `quasar train` (preset laptop). The rollouts of its first updates are
graded anew under each value (`quasar rollouts rescore`); then GRPO starts once for each value, and
once for the run's own, from the run's fine-tuned weights with its seed, for as many updates.
Predicted: how far the advantages differ from the run's, and where they push each part of the
reward, the covariance of advantage and part over the saved rollouts. Measured: the part's mean over
held-out problems, beside that of the run's own value. Lies under RUN/rescoring and goes on where it
was.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.io import read_records
from quasar.episodes.answers import answer_tasks, answering, unshared
from quasar.episodes.log import Rollout, RolloutLog
from quasar.episodes.replay import from_parts, saved_outcome
from quasar.pipeline.rescore import rescore
from quasar.policy.engines.loading import load_engine
from quasar.runtime import init_ray
from quasar.system.run_paths import WEIGHTS, RunPaths
from quasar.training.algorithm.step_rewards import StepRewards
from quasar.training.state import CheckpointStore
from quasar.training.train import train_grpo
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.reward import Scored, ScoringResult

PARTS = ("expectation", "distribution", "optimum_most_probable")
SAMPLES = 4  # answers a held-out problem
Parts = dict[str, np.ndarray]  # of each held-out problem, the mean over its answers


def pushes(rows: list[Rollout], before: QuasarConfig, after: QuasarConfig) -> dict[str, float]:
    """Covariance of the advantages under `after` with each part, over the rollouts of one update,
    in units of the advantages' root mean square.
    """
    outcomes: list[ScoringResult] = [
        saved_outcome(row) if after is before else from_parts(row, before, after) for row in rows
    ]
    step = StepRewards.of(
        outcomes,
        groups=[row.group for row in rows],
        tasks=[row.task for row in rows],
        sampled=[row.tokens for row in rows],
        settings=after.grpo,
        reward=after.reward,
        max_response_tokens=after.generation.max_response_tokens,
    )
    advantages = step.advantages(after.grpo)
    size = float(np.sqrt(np.mean(advantages**2))) or 1.0
    parts = {name: np.array([row.parts.get(name, 0.0) for row in rows]) for name in PARTS}
    return {name: float(np.mean(advantages * part)) / size for name, part in parts.items()}


def trained(config: QuasarConfig, model: Path, problems: Path, place: Path) -> Path:
    """The weights after GRPO; nothing is done twice."""
    result = train_grpo(
        config, model_directory=model, problems_file=problems, run_directory=place, resume=True
    )
    return result.last / WEIGHTS


def held_out(config: QuasarConfig, model: Path, problems: Path, file: Path) -> Parts:
    """The parts that a model reaches, measured as the run's own reward does."""
    if not file.is_file():
        records = read_records(problems)[: config.evaluation.num_problems]
        engine = load_engine(model, config, device="cpu")
        tool = LocalVerifierPool(unshared(config.verification), config.reward.formula)
        tasks = answer_tasks(records, samples=SAMPLES, config=config)
        episodes = answering(engine, tool.verify, config).run(tasks, weights_version=0)
        found: dict[str, list[list[float]]] = {name: [[] for _ in records] for name in PARTS}
        for place, episode in enumerate(episodes):
            assert isinstance(episode.outcome, Scored), episode.outcome
            for name in PARTS:
                found[name][place // SAMPLES].append(episode.outcome.parts.get(name, 0.0))
        file.write_text(
            json.dumps({name: np.mean(v, axis=1).tolist() for name, v in found.items()})
        )
    return {name: np.array(values) for name, values in json.loads(file.read_text()).items()}


def difference(after: np.ndarray, before: np.ndarray) -> str:
    """Mean over the problems and its standard error, problem by problem."""
    each = after - before
    return f"{each.mean():+.3f} ± {each.std(ddof=1) / len(each) ** 0.5:.3f}"


def report(
    predicted: Mapping[str, tuple[object, ...]],
    pushed: Mapping[str, dict[str, float]],
    measured: Mapping[str, Parts],
    own: str,
) -> None:
    """Two tables, and how often prediction and training agree."""
    console = Console(width=140)
    table = Table(title="graded anew, without sampling")
    for heading in ("value", "rollouts", "seconds", "advantages, correlation", "winner flips",
                    "rank correlation within groups"):  # fmt: skip
        table.add_column(heading, justify="right")
    for value, row in predicted.items():
        table.add_row(value, *map(str, row))
    console.print(table)
    table = Table(title=f"against the run's own value {own}: predicted push and trained change")
    table.add_column("value", justify="right")
    for name in PARTS:
        table.add_column(f"{name}, push", justify="right")
        table.add_column("trained", justify="right")
    agree = told = 0
    for value in predicted:
        cells = []
        for name in PARTS:
            push = pushed[value][name] - pushed[own][name]
            after, before = measured[value][name], measured[own][name]
            cells += [f"{push:+.3f}", difference(after, before)]
            each = after - before
            if abs(each.mean()) > 2 * each.std(ddof=1) / len(each) ** 0.5:
                told += 1
                agree += push * each.mean() > 0
        table.add_row(value, *cells)
    console.print(table)
    console.print(
        f"Of {told} trained changes of more than two standard errors {agree} have the sign of "
        "their push."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--key", default="reward.weights.optimum_most_probable")
    parser.add_argument("--values", type=float, nargs="+", default=[0.0, 0.25, 4.0])
    parser.add_argument("--updates", type=int, default=40)
    arguments = parser.parse_args()
    paths = RunPaths(arguments.run)
    config = load_config(str(paths.config_file))
    log = RolloutLog(arguments.run)
    steps = [step for step in log.steps if step <= arguments.updates]
    rows = {step: log.read(step) for step in steps}
    own = "own"
    settings = {own: config}
    for value in arguments.values:
        settings[f"{value:g}"] = with_overrides(config, {arguments.key: value})
    predicted, pushed = {}, {}
    for value, after in settings.items():
        each = [pushes(rows[step], config, after) for step in steps]
        pushed[value] = {name: float(np.mean([e[name] for e in each])) for name in PARTS}
        if value == own:
            continue
        started = time.perf_counter()
        change = rescore(log, config, after, steps=steps, workers=2).change
        seconds = time.perf_counter() - started
        predicted[value] = (
            change.rollouts,
            f"{seconds:.1f}",
            f"{change.advantage_correlation or 0.0:.3f}",
            f"{change.winner_flips / change.groups:.0%}",
            f"{change.within_groups or 0.0:.3f}",
        )
    place = arguments.run / "rescoring"
    fine_tuned = CheckpointStore(paths.sft.checkpoints).latest()
    if fine_tuned is None:
        raise SystemExit(f"{arguments.run}: not fine-tuned; give a run of quasar train")
    model = fine_tuned / WEIGHTS
    init_ray(config)
    train, test = (paths.split_file(name, config.dataset.format) for name in ("train", "test"))
    measured: dict[str, Parts] = {}
    for value, after in settings.items():
        short = with_overrides(
            after, {"grpo.iterations": arguments.updates, "grpo.validation.every": 10_000}
        )
        weights = trained(short, model, train, place / value)
        measured[value] = held_out(config, weights, test, place / value / "held_out.json")
    report(predicted, pushed, measured, own)


if __name__ == "__main__":
    main()
