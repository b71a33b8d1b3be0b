"""Multi-turn against single-turn GRPO at equal sampled tokens, on held-out problems.

    python benchmarks/turns.py [--seeds 0 1 2] [--set grpo.iterations=120]
    python benchmarks/turns.py --style canonical [--problems 300]

One supervised model, which has also seen corrected mistakes, is trained in two ways: rollouts of
one turn, `grpo.samples_per_prompt` a prompt; rollouts of two turns with the tool's observation
between them, half as many. Then each writes on the test split with as many turns in all: two
independent answers, or an answer and its revision. "best of two" is what a user gets who lets the
verifier choose. Lies under runs/turns and goes on where it was. Style canonical: see
`canonical_turns.py`.
"""

import argparse
import json
import statistics
from pathlib import Path

import canonical_turns
import numpy as np
from rich.console import Console
from rich.table import Table

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.pipeline.main_job import fine_tuned_run
from quasar.policy.engines.loading import load_engine
from quasar.system.run_paths import WEIGHTS
from quasar.training.sampler import rollout_tasks
from quasar.training.train import train_grpo
from quasar.verification.execution.pool import LocalVerifierPool

PREPARED = ["run.name=turns", "sft.traces_per_example=1.0", "generation.max_response_tokens=512",
            "generation.turn_tokens=256"]  # fmt: skip
TURNS = 2
ANSWERS = 4  # a problem, over independent answers and turns
MEASURES = ("first turn", "last turn", "best of two", "valid", "tokens a problem")


def arms(config: QuasarConfig) -> dict[str, QuasarConfig]:
    """Each way's configuration; both sample as many turns for a prompt."""
    samples = config.grpo.samples_per_prompt
    if samples % TURNS:
        raise SystemExit(f"grpo.samples_per_prompt {samples}: give a multiple of {TURNS}")
    several = {"generation.max_turns": TURNS, "grpo.samples_per_prompt": samples // TURNS}
    return {
        "one turn": with_overrides(config, {"generation.max_turns": 1}),
        "two turns": with_overrides(config, several),
    }


def trained(config: QuasarConfig, model: Path, problems: Path, place: Path) -> Path:
    """The model after GRPO; nothing is done twice."""
    result = train_grpo(
        config, model_directory=model, problems_file=problems, run_directory=place, resume=True
    )
    return result.chosen / WEIGHTS


def answers(
    config: QuasarConfig, model: Path, records: list[ProblemRecord], turns: int
) -> dict[str, float]:
    """Means over the problems, of rewards without the cost of calls."""
    engine = load_engine(model, config, device="cpu")
    tool = LocalVerifierPool(config.verification, config.reward.formula)
    settings = config.generation.model_copy(update={"max_turns": turns})
    runner = EpisodeRunner(
        engine, verifying(tool.verify, config.reward, settings), generation=settings
    )
    rollouts = ANSWERS // turns
    tasks = rollout_tasks(
        records,
        range(len(records)),
        step=0,
        samples=rollouts,
        seed=config.run.seed,
        settings=config.dataset,
    )
    episodes = runner.run(tasks, weights_version=0)
    if turns == 1:  # two answers of the same problem stand where the other has two turns
        rewards = np.array([e.turn_rewards[0] for e in episodes]).reshape(-1, TURNS)
    else:
        rewards = np.array([(e.turn_rewards[0], e.turn_rewards[-1]) for e in episodes])
    best = [max(e.turn_rewards) for e in episodes] if turns > 1 else rewards.max(axis=1)
    tokens = sum(e.counts.sampled for e in episodes)
    values = (
        rewards[:, 0].mean() if turns > 1 else rewards.mean(),
        rewards[:, 1].mean() if turns > 1 else rewards.mean(),
        np.mean(best),
        np.mean([e.report is not None and e.report.valid for e in episodes]),
        tokens / len(records),
    )
    return dict(zip(MEASURES, map(float, values), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", type=int, default=120, help="held-out problems")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--style", choices=("published", "canonical"), default="published")
    arguments = parser.parse_args()
    if arguments.style == "canonical":
        canonical_turns.run(arguments.set, arguments.problems)
        return
    config = load_config("published", [*PREPARED, *arguments.set])
    found: dict[str, list[dict[str, float]]] = {}
    with fine_tuned_run(config) as (run, model, _):
        records = read_problems(run.split("test"))[: arguments.problems]
        starts = {"one turn, before GRPO": 1, "two turns, before GRPO": TURNS}
        for name, turns in starts.items():
            found[name] = [answers(config, model, records, turns)]
        for seed in arguments.seeds:
            for name, settings in arms(with_overrides(config, {"run.seed": seed})).items():
                place = run.directory / f"{name.replace(' ', '-')}-{seed}"
                after = trained(settings, model, run.split("train"), place)
                row = answers(settings, after, records, settings.generation.max_turns)
                found.setdefault(name, []).append(row)
                Console().print(f"{name}, seed {seed}: {json.dumps(row)}")
    table = Table(title=f"{len(records)} held-out problems, {ANSWERS} turns each")
    for heading in ("GRPO with", *MEASURES):
        table.add_column(heading, justify="right")
    for name, rows in found.items():
        table.add_row(name, *(spread([row[m] for row in rows]) for m in MEASURES))
    Console(width=120).print(table)


def spread(values: list[float]) -> str:
    """Mean over the seeds and, with several, its standard error."""
    mean = f"{statistics.mean(values):.3f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.3f}"


if __name__ == "__main__":
    main()
