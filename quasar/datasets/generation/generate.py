"""Solved examples of all tasks in three splits: seeded, balanced, resumable, spread over processes.

The same configuration gives byte-identical files whatever the number of processes and however often
the run was interrupted: candidates are pure functions of the seed, shards are planned from earlier
results only, and results are taken in planned order. Finished shards stay in a work directory until
the dataset is whole; `summary.json`, written last, says that it is.
"""

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from quasar.config import DatasetConfig, QuasarConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.generation.candidates import GENERATOR_VERSION
from quasar.datasets.generation.forms import require_ansatze
from quasar.datasets.generation.planning import Accepted, Planner, sizes_of
from quasar.datasets.generation.task_examples import (
    TASK_EXAMPLES_VERSION,
    TaskExample,
    TaskExamples,
    cells_of,
    draw_examples,
)
from quasar.datasets.generation.workers import WorkerPool, solve_shards
from quasar.datasets.io import write_problem_rows, write_text
from quasar.datasets.records import named_teacher
from quasar.errors import InputError
from quasar.system.locks import held_directory
from quasar.system.progress import progress_bar
from quasar.system.run_paths import DATASET_SUMMARY
from quasar.tasks import get_task

SPLITS = ("train", "validation", "test")
_QUALITY = ("approximation_ratio", "uniform_approximation_ratio", "optimum_probability")


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What a dataset holds. All but directory, seconds and reused is kept in summary.json, the
    teacher where it is not the solver.
    """

    directory: Path
    fingerprint: str  # of everything that the content depends on
    format: str
    num_requested: int
    splits: Mapping[str, int]  # examples a split
    cells: Mapping[str, Mapping[str, int]]  # primitive -> qubits (as text) -> examples
    ansatze: Mapping[str, int]  # family -> examples
    exhausted: tuple[str, ...]  # cells in which no further problem was found
    rejected: Mapping[str, int]  # reason -> candidates
    mean_quality: Mapping[str, float]
    teacher: str = "solver"
    seconds: float = 0.0
    reused: bool = False  # it was there already

    @property
    def num_examples(self) -> int:
        """Examples over all splits; below num_requested where the cells were exhausted."""
        return sum(self.splits.values())

    def path(self, split: str) -> Path:
        """File of a split: "train", "validation" or "test"."""
        return self.directory / f"{split}.{self.format}"


def generate_dataset(
    config: QuasarConfig, directory: str | Path, *, progress: bool = True
) -> DatasetSummary:
    """Write train/validation/test files and summary.json; return at once if they are there.

    Splits are by hash of the whole weighted problem: a problem is in one split only, and in the
    same one in every dataset (each split holds at least one example). Raises InputError if the
    directory holds a dataset of another configuration, if another process writes it or if no
    example was found, ProblemError for an unknown primitive or one without an instance of the
    sizes asked for.
    """
    began = time.perf_counter()
    directory, settings = Path(directory), config.dataset
    if GRAPH_TASK in settings.tasks:
        require_ansatze(settings.ansatze, settings.teacher)
        for name in settings.primitives:
            sizes_of(name, settings)
    cells_of(settings)
    fingerprint = dataset_fingerprint(settings, seed=config.run.seed)
    finished = _finished(directory, fingerprint)
    if finished is not None:
        return finished
    with held_directory(directory):
        finished = _finished(directory, fingerprint)  # by a process that has just ended
        return finished or _generate(config, directory, fingerprint, began, progress=progress)


def _generate(
    config: QuasarConfig, directory: Path, fingerprint: str, began: float, *, progress: bool
) -> DatasetSummary:
    settings = config.dataset
    with (
        WorkerPool(config) as pool,
        progress_bar("examples", settings.num_examples, show=progress) as advance_to,
    ):
        graphs, planner = [], None
        if GRAPH_TASK in settings.tasks:
            # An equal share; graph problems alone have it all.
            share = settings.num_examples // len(settings.tasks)
            own = settings.model_copy(update={"num_examples": share})
            work = directory / f".shards-{fingerprint}"
            planner = Planner(own, seed=config.run.seed, directory=work)
            while shards := planner.next_shards():
                for shard, rows in zip(shards, solve_shards(shards, pool), strict=True):
                    planner.take(shard, rows)
                    advance_to(planner.num_accepted)
            graphs = planner.examples()
        others = draw_examples(
            settings,
            settings.num_examples - len(graphs),
            seed=config.run.seed,
            pool=pool,
            advance=lambda done: advance_to(len(graphs) + done),
        )
    summary = _write(graphs, planner, others, settings, directory, fingerprint, began)
    for shards in directory.glob(".shards-*"):  # of calls with other settings, too
        shutil.rmtree(shards, ignore_errors=True)
    return summary


def _finish(summary: DatasetSummary) -> DatasetSummary:
    """Write summary.json: the dataset is whole."""
    left_out = {"directory", "seconds", "reused", "teacher"}
    kept = {k: v for k, v in asdict(summary).items() if k not in left_out}
    kept |= named_teacher("published" if summary.teacher == "published" else "solver")
    write_text(summary.directory / DATASET_SUMMARY, json.dumps(kept, indent=1) + "\n")
    return summary


def dataset_fingerprint(settings: DatasetConfig, *, seed: int) -> str:
    """16 hex digits over all that the files depend on (number of processes and prompts are not)."""
    content = settings.model_dump(mode="json", exclude={"num_workers", "prompts"})
    if settings.teacher == "solver":
        del content["teacher"]  # as before there was another one
    others = tuple(settings.ranges)
    if not others:
        del content["tasks"], content["instances"]  # likewise
    else:
        content["versions"] = [TASK_EXAMPLES_VERSION, *(get_task(n).version for n in others)]
    content |= {"seed": seed, "generator": GENERATOR_VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def split_of(key: str, *, validation_fraction: float, test_fraction: float) -> str:
    """The split of a problem key: its hash as a number in [0, 1) against the fractions."""
    place = int(key, 16) / 16 ** len(key)
    if place < test_fraction:
        return "test"
    return "validation" if place < test_fraction + validation_fraction else "train"


def _write(
    graphs: Sequence[Accepted],
    planner: Planner | None,
    others: TaskExamples,
    settings: DatasetConfig,
    directory: Path,
    fingerprint: str,
    began: float,
) -> DatasetSummary:
    # Ordered by hash: a fixed shuffle of tasks, families and sizes, test problems first.
    examples = sorted([*graphs, *others.examples], key=lambda example: example.signature)
    rejected = others.rejected + (planner.rejected if planner else Counter())
    if len(examples) < len(SPLITS):
        lower = "lower dataset.min_improvement or " if planner else "raise dataset.num_examples or "
        if rejected["max_program_bytes"]:
            lower = "raise dataset.max_program_bytes or "
        raise InputError(
            f"dataset: only {len(examples)} examples found ({_reasons(rejected)}); {lower}"
            "widen dataset.min_qubits…max_qubits"
        )
    splits = _split(examples, settings)
    for name, members in splits.items():
        rows = (examples[i].row() | {"sample_index": i} for i in members)
        write_problem_rows(directory / f"{name}.{settings.format}", rows)
    values: dict[str, list[float]] = {name: [e.quality[name] for e in graphs] for name in _QUALITY}
    for example in others.examples:
        for part, value in example.quality.items():
            values.setdefault(f"{example.cell.task}/{part}", []).append(value)
    summary = DatasetSummary(
        directory=directory,
        fingerprint=fingerprint,
        format=settings.format,
        num_requested=settings.num_examples,
        splits={name: len(members) for name, members in splits.items()},
        cells={**(planner.counts() if planner else {}), **others.counts()},
        ansatze=dict(sorted(Counter(example.ansatz for example in graphs).items())),
        exhausted=(*(planner.exhausted() if planner else ()), *map(str, others.exhausted)),
        rejected=dict(sorted(rejected.items())),
        mean_quality={n: round(sum(v) / len(v), 6) for n, v in values.items() if v},
        teacher=settings.teacher,
        seconds=time.perf_counter() - began,
    )
    return _finish(summary)


def _split(examples: Sequence[Accepted | TaskExample], settings: DatasetConfig) -> dict[str, range]:
    """Places of the examples (ascending by hash) by split; one that would be empty takes the
    nearest by hash.
    """
    names = [
        split_of(
            example.signature,
            validation_fraction=settings.validation_fraction,
            test_fraction=settings.test_fraction,
        )
        for example in examples
    ]
    num_test = max(1, names.count("test"))
    num_validation = max(1, names.count("validation"))
    held_out = min(num_test + num_validation, len(examples) - 1)
    return {
        "train": range(held_out, len(examples)),
        "validation": range(num_test, held_out),
        "test": range(num_test),
    }


def _finished(directory: Path, fingerprint: str) -> DatasetSummary | None:
    path = directory / DATASET_SUMMARY
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text("utf-8"))
        kept["exhausted"] = tuple(kept["exhausted"])
        summary = DatasetSummary(directory=directory, reused=True, **kept)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a dataset summary; delete it to generate anew") from error
    if summary.fingerprint != fingerprint:
        raise InputError(
            f"{directory}: holds a dataset of another configuration; choose another directory or "
            "delete this one"
        )
    return summary if all(summary.path(split).is_file() for split in SPLITS) else None


def _reasons(rejected: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{count} rejected by {why}" for why, count in rejected.items()) or "none drawn"
    )
