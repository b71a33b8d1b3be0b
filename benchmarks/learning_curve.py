"""Learning curve of supervised fine-tuning for several sizes of the policy.

    python benchmarks/learning_curve.py train runs/curve --size small [--points 250 500 1000 2000]
    python benchmarks/learning_curve.py measure runs/curve [--problems FILE] [--free]
    python benchmarks/learning_curve.py report runs/curve [--figure docs/learning_curve.svg]

Preset `policy` up to twelve qubits, examples streamed, none seen twice. One run of each size goes
on at a constant rate after a short warm-up (the trunk); each point of the curve is a branch that
leaves the trunk at four fifths of its steps and falls to a hundredth of the rate over the last
fifth, so that every point is a finished training of its length and the trunk is paid for once.
Going on later, or with further points, costs what is new: the trunk's checkpoints stay. `measure`
asks each point for one answer a problem (T = 0.3) on the held-out split of the run's dataset and,
with --problems, on those of another file; with the grammar's help, and with --free the former also
without.
`report` prints the table, fits error = floor + a·tokens^−b and says what ten further hours would
bring, with bootstrap intervals over the problems.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import curve_report
import numpy as np

from quasar.config import QuasarConfig, load_config
from quasar.datasets.generation.forms import Form, draw_form
from quasar.datasets.io import read_problems, read_records, write_problems
from quasar.datasets.records import ProblemRecord
from quasar.episodes.generate import generate_file
from quasar.evaluation.baseline_names import (
    BY_STRENGTH,
    CONSTANT_ANGLES,
    GREEDY,
    GREEDY_DESCENT,
    REFERENCES,
)
from quasar.pipeline.evaluate import evaluate_files
from quasar.pipeline.phases import make_dataset_and_model
from quasar.pipeline.run import Run
from quasar.runtime import init_ray
from quasar.system.run_paths import WEIGHTS
from quasar.training.examples import teacher_examples
from quasar.training.rllib.group import PolicyLearnerGroup
from quasar.training.rllib.grpo import GRPOConfig
from quasar.training.sft import supervised_step
from quasar.training.state import CheckpointStore, RunState, StepLog, read_state

# Widths and layers; the peak rate goes with one over the width.
SIZES = {
    "small": ["policy.hidden_size=96", "policy.num_layers=4", "policy.intermediate_size=256",
              "policy.num_attention_heads=4", "sft.learning_rate=3.0e-3"],
    "shipped": ["sft.learning_rate=1.5e-3"],
}  # fmt: skip
SHARED = ["dataset.num_examples=400", "dataset.max_qubits=12", "dataset.test_fraction=0.15",
          "dataset.num_workers=1", "sft.batch_size=16",
          "verification.gradient_evaluations=0", "generation.plan_order=field",
          "evaluation.temperature=0.3", "evaluation.device=none",
          "evaluation.random_draws=0"]  # fmt: skip
BASELINES = (CONSTANT_ANGLES, GREEDY, BY_STRENGTH, GREEDY_DESCENT, REFERENCES)
POINTS = (250, 500, 1000, 2000)
WARM_UP = 50  # steps
DECAY = 0.2  # share of a point's steps
_LOWEST = 0.01  # of the rate, at a point's end
_KEPT_EVERY = 250  # steps of the trunk
_EVERY = 10**6  # checkpoints, kept
_STREAM = 23  # apart from the other random streams of a run
_OTHERS_FROM = 1_000_000  # sample_index of the held-out problems in other families than QAOA


def settings(place: Path, size: str, more: list[str]) -> QuasarConfig:
    """Of a size's run, which lies under `place`."""
    where = [f"run.directory={place}", f"run.name={size}"]
    return load_config("policy", [*SHARED, *SIZES[size], *where, *more])


def leaves_at(point: int) -> int:
    """The trunk's step at which a point's branch begins."""
    return round(point * (1 - DECAY))


# Training ----------------------------------------------------------------------------------------


def train(place: Path, size: str, points: list[int], more: list[str]) -> None:
    """The points that are not there yet, shortest first."""
    config = settings(place, size, more)
    with Run.open(config) as run:
        others = [p for p in place.glob("*/dataset") if p.parent != run.directory]
        if others and not run.dataset.exists():  # sizes share it
            shutil.copytree(others[0], run.dataset)
        init_ray(config)
        initial = make_dataset_and_model(run)
        missing = [p for p in sorted(points) if not _end(run, p).is_dir()]
        if not missing:
            return
        group = GRPOConfig().supervised(config, model_directory=initial).build_learner_group()
        try:
            for point in missing:
                _train_point(group, run, initial, point)
        finally:
            group.shutdown()


def _end(run: Run, point: int) -> Path:
    return run.directory / "points" / f"step-{point:06d}" / WEIGHTS


def _train_point(group: PolicyLearnerGroup, run: Run, initial: Path, point: int) -> None:
    rate, fork = run.config.sft.learning_rate, leaves_at(point)
    trunk = CheckpointStore(run.directory / "trunk", keep=_EVERY)
    _go_on(group, run, initial, trunk, fork, lambda step: rate * min(1.0, (step + 1) / WARM_UP))

    def falling(step: int) -> float:
        return rate * max(_LOWEST, 1.0 - (step + 1 - fork) / (point - fork))

    branch = CheckpointStore(run.directory / "points", keep=_EVERY)
    _go_on(group, run, initial, branch, point, falling, start=trunk.directory / _name(fork))


def _name(step: int) -> str:
    return f"step-{step:06d}"


def _go_on(
    group: PolicyLearnerGroup,
    run: Run,
    initial: Path,
    store: CheckpointStore,
    last: int,
    rate: Callable[[int], float],
    *,
    start: Path | None = None,
) -> None:
    """Steps up to `last`, from `start` or the store's newest checkpoint at or before it."""
    done = [int(p.name.removeprefix("step-")) for p in store.directory.glob("step-??????")]
    if start is None and (before := [step for step in done if step <= last]):
        start = store.directory / _name(max(before))
    state = read_state(start) if start else RunState("sft", seed=run.config.run.seed)
    if state.step == last:
        return
    if start:
        group.restore_from_path(start)
    line = store.directory.name if store.directory.name == "trunk" else f"point-{last}"
    log = StepLog(run.directory / f"{line}.jsonl", resume_at=state.step if line == "trunk" else -1)
    examples = teacher_examples(
        run.config,
        read_records(run.split("train")),
        model=initial,
        first=state.step,
        per_step=run.config.sft.batch_size,
    )
    try:
        while state.step < last:
            batch, began = examples.batch(state.step), time.perf_counter()
            metrics = supervised_step(group, batch, state, rate=rate(state.step))
            read = sum(s.counts.total for s in batch)
            seconds = time.perf_counter() - began
            log.append(state.step, metrics | {"read_tokens": read, "seconds": seconds})
            if state.step == last or (line == "trunk" and state.step % _KEPT_EVERY == 0):
                with store.writing(state, num_bytes=group.checkpoint_bytes()) as directory:
                    group.save_to_path(directory)
            if state.step % 50 == 0:
                print(f"{run.config.run.name} {line} {state.step}/{last} "
                      f"loss {metrics['loss']:.3f} {metrics['tokens_per_s']:.0f} tokens/s",
                      flush=True)  # fmt: skip
    finally:
        examples.close()


# Measuring ---------------------------------------------------------------------------------------


def measure(place: Path, sizes: list[str], problems: Path | None, free: bool, most: int) -> None:
    """What is not there yet: one answer a problem of each point, and its evaluation."""
    for size in sizes:
        if not (place / size / "points").is_dir():
            continue
        config = settings(place, size, [])
        files = {"held-out": _held_out(place, size, most)}
        if problems is not None:
            files[problems.stem] = _of_trained_sizes(problems, place, config.dataset.max_qubits)
        for point in sorted((place / size / "points").glob("step-??????")):
            for name, file in files.items():
                _measure(config, point, file, name, constrained=True)
                if free and name == "held-out":
                    _measure(config, point, file, name, constrained=False)


def _held_out(place: Path, size: str, most: int) -> Path:
    """The first problems of the run's test split, each asked for twice: in QAOA, and in a template
    or the adaptive family.
    """
    file = place / f"held-out-{most}.jsonl"
    if not file.is_file():
        records = read_problems(place / size / "dataset" / "test.jsonl")[: most // 2]
        write_problems(file, [*records, *map(_in_another_family, records)])
    return file


def _of_trained_sizes(problems: Path, place: Path, most: int) -> Path:
    """Of a given file the problems of at most so many qubits."""
    file = place / problems.name
    if not file.is_file():
        records = read_problems(problems)
        write_problems(file, [r for r in records if r.problem.num_qubits <= most])
    return file


def _in_another_family(record: ProblemRecord) -> ProblemRecord:
    """Such as prepares basis states; without a reference."""
    rng = np.random.default_rng([_STREAM, record.sample_index])
    form, n = Form("sim_9", 1), record.problem.num_qubits
    while form.ansatz == "sim_9":  # it prepares none
        form = draw_form(("adaptive", "hardware_efficient"), (1, 1, 2, 3, 4), n, rng)
    return replace(
        record,
        sample_index=_OTHERS_FROM + record.sample_index,
        problem=replace(record.problem, reference_circuit=None),
        optimization_type=form.optimization_type,
        ansatz=form.ansatz,
        n_layers=form.layers,
        extras={},
    )


def _measure(
    config: QuasarConfig, point: Path, problems: Path, name: str, *, constrained: bool
) -> None:
    place = point.parent.parent / "measured" / point.name
    where = f"{name}-{'grammar' if constrained else 'free'}"
    if (place / where / "summary.json").is_file():
        return
    config = config.model_copy(
        update={"generation": config.generation.model_copy(update={"constrained": constrained})}
    )
    answers = place / f"{where}.jsonl"
    generate_file(
        point / WEIGHTS, problems, samples=1, output=answers, config=config, progress=False
    )
    # Once for each file: they are the same beside every point.
    once = not list(point.parents[2].glob(f"*/measured/*/{where}/summary.json"))
    summary = evaluate_files(
        problems,
        answers,
        place / where,
        config=config,
        progress=False,
        baselines=BASELINES if once and constrained else (),
    )
    found = {g: {m: e[m].value for m in ("valid", "approximation_ratio", "optimum_most_probable")}
             for g, e in summary.by_family.items()}  # fmt: skip
    print(point.parent.parent.name, point.name, where, json.dumps(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("do", choices=("train", "measure", "report"))
    parser.add_argument("place", type=Path)
    parser.add_argument("--size", choices=tuple(SIZES), nargs="+", default=list(SIZES))
    parser.add_argument("--points", type=int, nargs="+", default=list(POINTS))
    parser.add_argument("--problems", type=Path, help="a problem file to measure on, too")
    parser.add_argument("--free", action="store_true", help="also without the grammar")
    parser.add_argument("--most", type=int, default=120, help="held-out problems")
    parser.add_argument("--figure", type=Path, help="an SVG to draw")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    arguments = parser.parse_args()
    if arguments.do == "train":
        for size in arguments.size:
            train(arguments.place, size, arguments.points, arguments.set)
    elif arguments.do == "report":
        given = arguments.problems
        files = {"held-out": arguments.place / f"held-out-{arguments.most}.jsonl"}
        if given is not None:
            files[given.stem] = arguments.place / given.name
        curve_report.report(arguments.place, files, arguments.figure)
    else:
        measure(arguments.place, arguments.size, arguments.problems, arguments.free, arguments.most)


if __name__ == "__main__":
    main()
