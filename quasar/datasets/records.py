"""The records of problem files, under the benchmark's field names.

`ProblemRecord` ties a `ProblemInstance` to its row: index, ansatz, layers, and every other field of
the row (solution, quality, …) untouched in `extras`. Reading accepts object fields as JSON text,
as hubs store them. Errors name the field; the reader adds file and line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    """One row. Generated rows carry in `extras`: parameters, quality, version, seed.

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
            raise InputError(f"expected an object with fields, not {_short(row)}")
        row = {k: _object(k, v) if k in OBJECT_FIELDS else v for k, v in row.items()}
        try:
            problem = build_instance(
                _get(row, "problem_type", str),
                _get(row, "graph", Mapping),
                _get(row, "problem_specific_attributes", Mapping, {}),
                encoding=_get(row, "encoding", str, None),
                hamiltonian_text=_get(row, "cost_hamiltonian", str, None),
                num_qubits=_get(row, "n_qubits", int, None),
                reference_circuit=_get(row, "reference_circuit", str, None),
                max_qubits=max_qubits,
            )
        except ProblemError as error:
            raise InputError(str(error)) from error
        kind = _get(row, "optimization_type", str, "qaoa")
        return cls(
            sample_index=_get(row, "sample_index", int),
            problem=problem,
            optimization_type=kind,
            ansatz=_get(row, "ansatz", str, NAMED_ANSATZE.get(kind, kind)),
            n_layers=_get(row, "n_layers", int, 1),
            extras={
                k: v
                for k, v in row.items()
                if k not in CORE_FIELDS and not (k == "signature" and v == problem.key)
            },
        )


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
            raise InputError(f"expected an object with fields, not {_short(row)}")
        completions = _get(row, "completions", list)
        for completion in completions:
            if not isinstance(completion, str):
                raise InputError(f"'completions' holds {_short(completion)}; all must be text")
        return cls(_get(row, "sample_index", int), tuple(completions))


_REQUIRED = object()
_KINDS = {str: "text", int: "an integer", Mapping: "an object", list: "a list"}


def _get(row: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    value = row.get(name)
    if value is None:
        if default is _REQUIRED:
            raise InputError(f"field '{name}' is missing; found: {', '.join(map(str, row))}")
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"field '{name}' is {_short(value)}, expected {_KINDS[kind]}")
    return value


def _object(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise InputError(f"field '{name}' is text that is not JSON: {_short(value)}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
