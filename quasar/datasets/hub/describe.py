"""What a dataset holds: counts, quality, and the checks that its problems are sound and apart.

Takes a dataset directory (or one problem file); gives a `Description`, and that as a table.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from rich.table import Table

from quasar.circuits.qasm import read_qasm
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import measure
from quasar.errors import CircuitError, InputError
from quasar.problems.soundness import check_sound
from quasar.system.progress import progress_bar

SPLITS = ("train", "validation", "test")
SUFFIXES = (".jsonl", ".parquet")


@dataclass(slots=True)
class GroupFigures:
    """Figures of the rows that share a primitive, or a family."""

    rows: int = 0
    qubits: list[int] = field(default_factory=list)
    approximation_ratios: list[float] = field(default_factory=list)  # of the reference circuits
    uniform_ratios: list[float] = field(default_factory=list)
    optimum_probabilities: list[float] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """rows, qubits, approximation ratio, uniform sampling's, probability of an optimum."""
        return (
            f"{self.rows:,}",
            f"{min(self.qubits)}–{max(self.qubits)}",
            *(
                f"{fmean(values):.3f}" if values else "–"
                for values in (
                    self.approximation_ratios,
                    self.uniform_ratios,
                    self.optimum_probabilities,
                )
            ),
        )


@dataclass(slots=True)
class Description:
    """A dataset, counted and checked."""

    splits: Counter[str] = field(default_factory=Counter)
    primitives: dict[str, GroupFigures] = field(default_factory=lambda: defaultdict(GroupFigures))
    families: dict[str, GroupFigures] = field(default_factory=lambda: defaultdict(GroupFigures))
    sizes: Counter[int] = field(default_factory=Counter)
    teachers: Counter[str | None] = field(default_factory=Counter)  # None: circuits of others
    shared_problems: int = 0  # problems that are in more than one split
    duplicates: int = 0  # rows whose problem an earlier row of the split has
    unsound: list[str] = field(default_factory=list)  # what is wrong with a row
    everything: GroupFigures = field(default_factory=GroupFigures)

    @property
    def is_clean(self) -> bool:
        """No problem in two splits, every optimum decoded and right."""
        return not self.shared_problems and not self.unsound


def describe_dataset(path: Path, *, progress: bool = False) -> Description:
    """Read, measure and check every row. Raises InputError where there is no dataset."""
    found = Description()
    seen: dict[str, str] = {}
    shared: set[str] = set()
    splits = {split: read_problems(file) for split, file in split_files(path).items()}
    total = sum(map(len, splits.values()))
    with progress_bar("rows checked", total, show=progress) as advance_to:
        for split, records in splits.items():
            # Each is let go once it is counted: a spectrum has 2**n numbers.
            records.reverse()
            while records:
                record = records.pop()
                key = record.problem.key
                first = seen.setdefault(key, split)
                if first != split:
                    shared.add(key)
                found.splits[split] += 1
                _count(found, record)
                advance_to(found.everything.rows)
    found.shared_problems = len(shared)
    found.duplicates = found.everything.rows - len(seen)
    return found


def split_files(path: Path) -> Mapping[str, Path]:
    """split -> its file, of a dataset directory; a single file is a split of its own name."""
    if path.is_file():
        return {path.stem: path}
    files = {
        split: path / f"{split}{suffix}"
        for split in SPLITS
        for suffix in SUFFIXES
        if (path / f"{split}{suffix}").is_file()
    }
    if not files:
        raise InputError(f"{path}: no dataset (no {SPLITS[0]}.jsonl or {SPLITS[0]}.parquet)")
    return files


def _count(found: Description, record: ProblemRecord) -> None:
    problem = record.problem
    found.sizes[problem.num_qubits] += 1
    found.teachers[record.teacher] += 1
    groups = (
        found.everything,
        found.primitives[problem.primitive],
        found.families[record.ansatz],
    )
    fault = check_sound(problem, complete=problem.encoding == "sound")
    if fault is not None:
        found.unsound.append(f"sample_index {record.sample_index}: {fault}")
    quality = None
    if problem.reference_circuit is not None:
        try:
            quality = measure(problem, read_qasm(problem.reference_circuit))
        except CircuitError as error:
            found.unsound.append(f"sample_index {record.sample_index}: {error}")
    for group in groups:
        group.rows += 1
        group.qubits.append(problem.num_qubits)
        if quality is not None:
            group.approximation_ratios.append(quality.approximation_ratio)
            group.uniform_ratios.append(quality.uniform_approximation_ratio)
            group.optimum_probabilities.append(quality.optimum_probability)


HEADINGS = ("rows", "qubits", "AR", "AR uniform", "P(optimum)")


def description_table(found: Description) -> Table:
    """One line a primitive, one a family, and all rows."""
    table = Table(
        title="Dataset",
        caption="AR: mean approximation ratio of the reference circuits, measured anew",
    )
    table.add_column("", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for groups in (found.primitives, found.families):
        for name, group in sorted(groups.items()):
            table.add_row(name, *group.cells())
        table.add_section()
    table.add_row("all", *found.everything.cells())
    return table
