"""The problem sets of `quasar bench`: one for each task, drawn by its generator from a fixed seed.

A set never changes: its version is in its name and its digest is written here, so that figures of
the same name are about the same problems; a machine whose libraries draw others is told, not given
them. A task of an installed package has a set of all its families, whose digest is in the result.
The published benchmark's rows are a set of the file that has them.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.generation.forms import Form
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record, TaskRecord
from quasar.errors import InputError
from quasar.system.resumable import digest_of
from quasar.tasks import get_task, task_names
from quasar.tasks.base import AnyInstance

SEED = 20_510_967  # of all sets; another one makes other sets
PUBLISHED = "published"
_MOST_DRAWS = 60  # for the instances of a cell
# What the prompts of graph problems ask for, in turn.
_FORMS = (("qaoa", 1), ("adaptive", 1), ("qaoa", 2), ("adaptive", 1))


@dataclass(frozen=True, slots=True)
class SetPlan:
    """What a set is drawn from: `per_cell` instances of each family and size.

    digest: of the set; None where none is written down.
    """

    task: str
    version: int
    families: tuple[str, ...]
    sizes: tuple[int, ...]
    per_cell: int
    digest: str | None = None

    @property
    def name(self) -> str:
        """Task and version."""
        return f"{self.task}-v{self.version}"


@dataclass(frozen=True)
class ProblemSet:
    """Problems in a fixed order. digest: of all that is asked, 16 hex digits."""

    name: str
    task: str
    records: Sequence[Record]
    digest: str


_PLANS = (
    SetPlan(
        GRAPH_TASK,
        1,
        (
            "max_cut", "vertex_cover", "hypermaxcut", "min_cut", "connected_components",
            "hamiltonian_path", "max_flow", "community_detection", "edge_cover", "graph_coloring",
            "kclique", "matching", "steiner_tree", "maximum_independent_set",
            "number_partitioning", "knapsack", "exact_cover", "ising", "qubo", "tsp", "portfolio",
            "max_sat",
        ),
        (4, 6, 8),
        1,
        "8427a7cd07cdd6ed",
    ),
    SetPlan(
        "ground_state",
        3,  # of 1 a product state was within chemical accuracy; of 2 bond lengths were a table's
        (
            "tfim_chain", "tfim_ring", "tfim_square", "xxz_chain", "heisenberg_chain",
            "heisenberg_ladder", "hubbard_chain", "h2", "h2_parity", "lih",
        ),
        (2, 4, 6),
        2,
        "cdb2f17f287164b8",
    ),
    SetPlan(
        "state_preparation",
        1,
        (
            "known", "product", "bell", "ghz", "w", "dicke", "graph", "cluster", "sparse", "real",
            "complex", "gaussian",
        ),
        (2, 3, 4, 6),
        2,
        "10b0812f0fa9d92b",
    ),
    SetPlan(
        "stabiliser",
        1,
        (
            "clifford", "state", "graph", "repetition", "five_qubit", "steane", "shor", "surface",
            "css",
        ),
        (3, 4, 5, 6, 7, 9),
        2,
        "943e974362dd13b0",
    ),
)  # fmt: skip


def set_names() -> tuple[str, ...]:
    """The sets that can be made, one for each task."""
    return tuple(plan.name for plan in _plans())


def make_set(name: str) -> ProblemSet:
    """The set of that name. Raises InputError for another name, and where the generator of this
    environment draws other problems than those of the digest.
    """
    plans = {plan.name: plan for plan in _plans()}
    if name not in plans:
        raise InputError(
            f"there is no set {name!r}; there are: {', '.join(plans)}, and {PUBLISHED} with --data"
        )
    plan = plans[name]
    found = ProblemSet(name, plan.task, _drawn(plan), "")
    digest = _digest(found.records)
    if plan.digest is not None and digest != plan.digest:
        raise InputError(
            f"set {name}: this environment draws other problems (digest {digest}, not "
            f"{plan.digest}); install the releases of numpy and networkx that setup.cfg names"
        )
    return ProblemSet(name, plan.task, found.records, digest)


def published_set(path: Path) -> ProblemSet:
    """The published benchmark's rows, from the file that `quasar dataset import` writes.

    Raises InputError for a row without a reference circuit, which the published metrics need.
    """
    records = read_problems(path)
    for record in records:
        if record.problem.reference_circuit is None:
            raise InputError(
                f"{path}: sample_index {record.sample_index} has no reference_circuit; give the "
                "benchmark's own rows (quasar dataset import)"
            )
    return ProblemSet(f"{PUBLISHED}-{len(records)}", GRAPH_TASK, records, _digest(records))


def _plans() -> tuple[SetPlan, ...]:
    known = {plan.task for plan in _PLANS}
    others = (get_task(name) for name in task_names() if name not in known)
    return _PLANS + tuple(
        SetPlan(task.name, 1, tuple(task.families), (2, 3, 4, 6), 2) for task in others
    )


def _drawn(plan: SetPlan) -> list[Record]:
    task, made = get_task(plan.task), []
    for family in plan.families:
        possible = task.possible_qubits(family, max(plan.sizes, default=0))
        for size in (n for n in plan.sizes if n in possible):
            made += islice(_instances(plan.task, family, size), plan.per_cell)
    record: Callable[[int, Any], Record] = _graph if plan.task == GRAPH_TASK else TaskRecord
    return [record(i, instance) for i, instance in enumerate(made)]


def _instances(task: str, family: str, num_qubits: int) -> Iterator[AnyInstance]:
    """Instances of a family without repeats, until (nearly) none is new."""
    name = zlib.crc32(f"{task}/{family}/{num_qubits}".encode())
    keys: set[str] = set()
    for index in range(_MOST_DRAWS):
        rng = np.random.default_rng([SEED, name, index])
        instance = get_task(task).generate(rng, family=family, num_qubits=num_qubits)
        if instance.key not in keys:
            keys.add(instance.key)
            yield instance


def _graph(index: int, problem: Any) -> ProblemRecord:
    ansatz, layers = _FORMS[index % len(_FORMS)]
    kind = Form(ansatz, layers).optimization_type
    return ProblemRecord(index, problem, kind, layers, ansatz=ansatz)


def _digest(records: Sequence[Record]) -> str:
    """Of what is asked: problems by their keys, and the form that a prompt names."""
    asked = []
    for record in records:
        graph = isinstance(record, ProblemRecord)
        form = [record.ansatz, record.n_layers] if graph else []
        asked.append([record.sample_index, record.problem.key, *form])
    return digest_of(asked)
