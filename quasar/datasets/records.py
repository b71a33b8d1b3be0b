"""The records of problem files, under the benchmark's field names.

`ProblemRecord` ties a `ProblemInstance` to its row: index, ansatz, layers, and every other field of
the row (solution, quality, …) untouched in `extras`. Reading accepts object fields as JSON text,
as hubs store them. Errors name the field; the reader adds file and line.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quasar.config.dataset import Teacher
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.fields import as_object, get_field, shortened
from quasar.errors import InputError, ProblemError
from quasar.problems import build_instance
from quasar.problems.base import ProblemInstance

# Fields that belong to the problem or the record itself; all others are extras.
CORE_FIELDS = (
    "sample_index",
    "problem_type",
    "optimization_type",
    "ansatz",
    "n_qubits",
    "n_layers",
    "graph",
    "problem_specific_attributes",
    "cost_hamiltonian",
    "reference_circuit",
    "variables",
    "encoding",
)
# Ansatz families that the benchmark's optimization_type names; "vqe" does not tell the template.
NAMED_ANSATZE = {"adaptive_vqe": "adaptive"}
# Fields that hold objects: JSON text in Parquet and on hubs, objects in JSONL.
OBJECT_FIELDS = (
    "graph",
    "problem_specific_attributes",
    "variables",
    "parameters",
    "quality",
    "curriculum",
    "solution",
    "exact_solution",
)


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    """One row. Generated rows carry in `extras`: parameters, quality, version, seed,
    teacher where it is not the solver.

    ansatz: the family's name, where the row has one; rows of the benchmark name theirs by
    optimization_type only.

    Their signature is the problem's key; another one (of a benchmark row) is kept in `extras`.
    """

    sample_index: int
    problem: ProblemInstance
    optimization_type: str
    n_layers: int
    extras: Mapping[str, Any] = field(default_factory=dict)
    ansatz: str = "qaoa"

    @property
    def teacher(self) -> str | None:
        """Who made the circuit, as `dataset.teacher` names them; None for a circuit of others."""
        made_here = "quality" in self.extras and "parameters" in self.extras
        return self.extras.get("teacher", "solver" if made_here else None)

    @property
    def quality(self) -> Mapping[str, float] | None:
        """energy, approximation_ratio, uniform_approximation_ratio, optimum_probability."""
        return self.extras.get("quality")

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON data; `from_dict` of it gives an equal record."""
        problem = self.problem
        row = {
            "sample_index": self.sample_index,
            "signature": self.extras.get("signature", problem.key),
            "problem_type": problem.primitive,
            "optimization_type": self.optimization_type,
            "ansatz": self.ansatz,
            "n_qubits": problem.num_qubits,
            "n_layers": self.n_layers,
            "graph": problem.graph,
            "problem_specific_attributes": dict(problem.attributes) or None,
            "cost_hamiltonian": problem.hamiltonian.to_text(),
            "reference_circuit": problem.reference_circuit,
            "variables": list(problem.variables),
            "encoding": problem.encoding,
        }
        return row | {k: v for k, v in self.extras.items() if k not in row}

    @classmethod
    def from_dict(cls, row: Any, *, max_qubits: int | None = None) -> "ProblemRecord":
        """Read a row. Needed: sample_index, problem_type, graph (and cost_hamiltonian where the
        primitive cannot be built here). Raises InputError; above `max_qubits` too.
        """
        if not isinstance(row, Mapping):
            raise InputError(f"expected an object with fields, not {shortened(row)}")
        if row.get("task") not in (None, GRAPH_TASK):
            raise InputError(
                f"field 'task' is {shortened(row['task'])}: here are graph problems alone; leave "
                "rows of other tasks out"
            )
        row = {k: as_object(k, v) if k in OBJECT_FIELDS else v for k, v in row.items()}
        _refuse_misspelt(row)
        try:
            problem = build_instance(
                get_field(row, "problem_type", str),
                get_field(row, "graph", Mapping),
                get_field(row, "problem_specific_attributes", Mapping, {}),
                encoding=get_field(row, "encoding", str, None),
                hamiltonian_text=get_field(row, "cost_hamiltonian", str, None),
                num_qubits=get_field(row, "n_qubits", int, None),
                reference_circuit=get_field(row, "reference_circuit", str, None),
                max_qubits=max_qubits,
            )
        except ProblemError as error:
            raise InputError(str(error)) from error
        kind = get_field(row, "optimization_type", str, "qaoa")
        return cls(
            sample_index=get_field(row, "sample_index", int),
            problem=problem,
            optimization_type=kind,
            ansatz=get_field(row, "ansatz", str, NAMED_ANSATZE.get(kind, kind)),
            n_layers=get_field(row, "n_layers", int, 1),
            extras={
                k: v
                for k, v in row.items()
                if k not in CORE_FIELDS and not (k == "signature" and v == problem.key)
            },
        )


def named_teacher(teacher: Teacher) -> dict[str, str]:
    """The field of a row that names its teacher; none for the solver, the only one at first."""
    return {} if teacher == "solver" else {"teacher": teacher}


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A model's completions for one problem, in the order in which they were drawn."""

    sample_index: int
    completions: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON data."""
        return {"sample_index": self.sample_index, "completions": list(self.completions)}

    @classmethod
    def from_dict(cls, row: Any) -> "GenerationRow":
        """Read a row; InputError where a field is missing or of the wrong type."""
        if not isinstance(row, Mapping):
            raise InputError(f"expected an object with fields, not {shortened(row)}")
        completions = get_field(row, "completions", list)
        for completion in completions:
            if not isinstance(completion, str):
                raise InputError(f"'completions' holds {shortened(completion)}; all must be text")
        return cls(get_field(row, "sample_index", int), tuple(completions))


def _refuse_misspelt(row: Mapping[str, Any]) -> None:
    """Other fields are kept as they are, but not one that is nearly the name of one we read."""
    for name in row:
        if name in CORE_FIELDS or name in OBJECT_FIELDS or not isinstance(name, str):
            continue
        near = difflib.get_close_matches(name, CORE_FIELDS, n=1, cutoff=0.85)
        if near and near[0] not in row:
            raise InputError(f"unknown field '{name}'; did you mean '{near[0]}'?")
