"""At how many nodes the driver of GRPO saturates: its own code, on a simulated cluster.

    python benchmarks/scale.py [--nodes 8 16 …] [--slower 1 100] [--strong 2048] [--staleness 1]

The driver is the product's: source of rollouts, collector, learner group, metrics, step log and
rollout log, RLlib's manager of actors. Its processor seconds are measured, and move a simulated
clock; nodes (`simulated_nodes.py`) answer after the seconds of a recorded run (`scale.json`;
`--record RUN` reads another), Ray (`simulated_ray.py`) takes what a real one was measured to take.
A node is a rollout worker, a verifier and a learner. Each cluster runs twice: without faults, and
with failing rollout nodes and stragglers.

--rollouts-per-node N: the batch grows with the nodes (default 32); --strong N: N rollouts an
update, however many nodes. --slower F: nodes take F times as long as recorded, as with a larger
model; the driver takes as long as it does.

Not in it: RLlib's bookkeeping around a step, tracking, validations, checkpoints; growth of the
learners' collectives with their number; time of bytes on the network.
"""

import argparse
import cProfile
import gc
import logging
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scale_recording import Recording, load, read_run
from simulated_clock import Processor
from simulated_nodes import Answers, SimulatedGRPO, Trouble, make_records
from simulated_ray import Cluster, RayCosts

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.task_records import Record
from quasar.errors import QuasarError
from quasar.system.run_paths import PhasePaths
from quasar.training.state import StepLog
from quasar.training.train import log_rollouts

NODES = (8, 16, 32, 64, 128, 256, 512)
SATURATED = 0.5  # busy share of a step from which it is more driver than workers
FULL = 0.9


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the steps of one cluster, means a step."""

    nodes: int
    rollouts: float
    step_s: float  # simulated
    driver_s: float  # of these, the driver's processor
    lost: int  # nodes that failed, in all steps
    remade: int  # rollouts made again, in all steps
    metrics: dict[str, float] = field(compare=False)  # of the last step, as it was logged

    @property
    def busy(self) -> float:
        """Share of a step."""
        return self.driver_s / self.step_s

    @property
    def rate(self) -> float:
        """Rollouts a second."""
        return self.rollouts / self.step_s


class Scale:
    """Runs clusters of any size over the same problems."""

    def __init__(
        self,
        recording: Recording,
        costs: RayCosts,
        directory: Path,
        *,
        staleness: int = 0,
        seed: int = 0,
        timer: Callable[[], float] = time.thread_time,
    ):
        """directory: for logs and problems. timer: seconds of the driver's processor."""
        self.recording, self.costs, self.timer = recording, costs, timer
        self.directory = directory
        self.config = with_overrides(
            load_config("laptop"),
            {"run.seed": seed, "grpo.staleness": staleness, "grpo.iterations": 1000},
        )
        self.records: Sequence[Record] = make_records(self.config, directory)
        self.answers = Answers(self.records, self.config, recording)

    def settings(self, nodes: int, rollouts: int) -> QuasarConfig:
        """Of a cluster of that size."""
        samples = self.config.grpo.samples_per_prompt
        sizes = dict.fromkeys(
            ("rollout.num_workers", "learner.num_learners", "verification.num_workers"), nodes
        )
        return with_overrides(
            self.config, sizes | {"grpo.prompts_per_step": max(1, rollouts // samples)}
        )

    def run(
        self,
        nodes: int,
        rollouts: int,
        *,
        steps: int,
        trouble: Trouble | None = None,
        slower: float = 1.0,
    ) -> Measured:
        """So many steps; where rollouts run ahead, after the first ones, which are not counted."""
        processor = Processor(self.timer)
        cluster = Cluster(processor, self.costs)
        settings = self.settings(nodes, rollouts)
        with (
            tempfile.TemporaryDirectory(dir=self.directory) as directory,
            cluster.in_place_of_ray(),
        ):
            driver = SimulatedGRPO(
                cluster,
                settings,
                self.records,
                self.answers,
                self.recording,
                trouble=trouble or Trouble(),
                slower=slower,
            )
            phase, made, remade = PhasePaths(Path(directory)), 0.0, 0
            log, first = StepLog(phase.steps), settings.grpo.staleness
            began, busy, failures = 0.0, 0.0, 0
            for step in range(first + steps):
                if step == first:
                    processor.settle()
                    began, busy, failures = processor.now, processor.busy, cluster.failures
                    made, remade = 0.0, 0
                driver.training_step()
                log_rollouts(driver, phase)
                log.append(driver.run_state.step, driver.last_metrics)
                _check(driver, settings)
                made += driver.last_metrics["episodes_received"]
                remade += int(driver.last_metrics["episodes_remade"])
            processor.settle()
            processor.end()
        gc.unfreeze()  # as the product does where a run ends
        return Measured(
            nodes,
            made / steps,
            (processor.now - began) / steps,
            (processor.busy - busy) / steps,
            cluster.failures - failures,
            remade,
            driver.last_metrics,
        )


def _check(driver: SimulatedGRPO, settings: QuasarConfig) -> None:
    """Each rollout of the step is there once."""
    prompts, samples = settings.grpo.prompts_per_step, settings.grpo.samples_per_prompt
    found = [(e.group, e.sample) for e in driver.episodes]
    if found != [(g, s) for g in range(prompts) for s in range(samples)]:
        raise RuntimeError("rollouts were lost or doubled")


def table(title: str, rows: list[tuple[Measured, Measured]]) -> Table:
    """Calm and troubled clusters side by side; efficiency against the first calm row."""
    made = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    columns = ("nodes", "rollouts", "driver s", "busy", "step s", "rollouts/s", "efficiency",
               "| faults: step s", "rollouts/s", "efficiency", "lost", "made again")  # fmt: skip
    for column in columns:
        made.add_column(column, justify="right")
    for calm, troubled in rows:
        made.add_row(
            str(calm.nodes),
            f"{calm.rollouts:.0f}",
            f"{calm.driver_s:.3f}",
            f"{calm.busy:.0%}",
            f"{calm.step_s:.3f}",
            f"{calm.rate:.0f}",
            f"{efficiency(calm, rows[0][0]):.0%}",
            f"{troubled.step_s:.3f}",
            f"{troubled.rate:.0f}",
            f"{efficiency(troubled, rows[0][0]):.0%}",
            str(troubled.lost),
            str(troubled.remade),
        )
    return made


def efficiency(row: Measured, first: Measured) -> float:
    """Rollouts a second and node, against the first row's."""
    return row.rate / row.nodes / (first.rate / first.nodes)


def saturation(rows: Sequence[Measured]) -> str:
    """Where the driver is what a step waits for."""

    def first(busy: float) -> int | None:
        return next((row.nodes for row in rows if row.busy >= busy), None)

    half, full = first(SATURATED), first(FULL)
    best = max(rows, key=lambda row: row.rate)
    if half is None:
        last = rows[-1]
        return (
            f"The driver does not saturate up to {last.nodes} nodes: there it is busy for "
            f"{last.busy:.0%} of a step."
        )
    tail = f", {FULL:.0%} at {full}" if full else ""
    return (
        f"The driver saturates at {half} nodes: from there it is busy for half of a step or more"
        f"{tail}; the most it gave was {best.rate:.0f} rollouts/s, at {best.nodes} nodes."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=list(NODES))
    parser.add_argument("--rollouts-per-node", type=int, default=32, metavar="N")
    parser.add_argument("--strong", type=int, metavar="N", help="rollouts an update")
    parser.add_argument("--slower", type=float, nargs="+", default=[1.0, 100.0], metavar="F")
    parser.add_argument("--staleness", type=int, default=0, metavar="K", help="grpo.staleness")
    parser.add_argument("--steps", type=int, default=1, help="measured in each cluster")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=float, default=4.0, help="of a node an hour")
    parser.add_argument("--stragglers", type=float, default=0.01, help="share of the calls")
    parser.add_argument("--record", type=Path, metavar="RUN", help="a run of `quasar train`")
    parser.add_argument("--profile", action="store_true", help="what the driver does, largest row")
    arguments = parser.parse_args()
    for name in ("ray.rllib", "quasar"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if min(arguments.nodes) < 1 or min(arguments.slower) <= 0 or arguments.steps < 1:
        parser.error("--nodes and --steps: give at least 1; --slower: more than 0")
    try:
        recording, costs = load()
        if arguments.record:
            recording = read_run(arguments.record)
    except QuasarError as error:
        parser.error(str(error))
    console = Console(width=130)
    console.print(f"recorded: {recording.source}")
    trouble = Trouble(arguments.failures, stragglers=arguments.stragglers)
    started, used = time.perf_counter(), time.process_time()

    def rollouts(nodes: int) -> int:
        return arguments.strong or nodes * arguments.rollouts_per_node

    with tempfile.TemporaryDirectory() as directory:
        scale = Scale(
            recording, costs, Path(directory), staleness=arguments.staleness, seed=arguments.seed
        )
        scale.run(1, arguments.rollouts_per_node, steps=1)  # what the first one loads
        for slower in arguments.slower:
            if arguments.profile:
                nodes = arguments.nodes[-1]
                profile = cProfile.Profile(time.thread_time)
                profile.runcall(
                    scale.run, nodes, rollouts(nodes), steps=arguments.steps, slower=slower
                )
                pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
                break
            rows = []
            for nodes in arguments.nodes:
                size = dict(rollouts=rollouts(nodes), steps=arguments.steps, slower=slower)
                rows.append((scale.run(nodes, **size), scale.run(nodes, trouble=trouble, **size)))
            title = f"nodes as recorded, × {slower:g}; staleness {arguments.staleness}"
            console.print(table(title, rows))
            console.print(saturation([calm for calm, _ in rows]))
    wall, used = time.perf_counter() - started, time.process_time() - used
    console.print(f"({wall:.0f} s, {used:.0f} s of processor)")


if __name__ == "__main__":
    main()
