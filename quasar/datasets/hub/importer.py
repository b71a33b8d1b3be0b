"""Reading the published system's raw data into problem files.

Takes its generator's records (a directory of JSON files, one file with one or a list), its lists of
results (each with `dataset_metrics`), or rows as on the hub (JSONL, Parquet); gives rows under the
names of `quasar.datasets.records`. What is not a problem (completions, timings of a model) is left
behind.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quasar.datasets.io import read_rows, write_problems
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError

logger = logging.getLogger(__name__)

# Our name -> the names that the published data use for it, in the order in which they are tried.
NAMES = {
    "n_qubits": ("n_qubits", "number_of_qubits"),
    "n_layers": ("n_layers", "number_of_layers"),
    "reference_circuit": ("reference_circuit", "circuit_with_params", "optimal_circuit"),
}
KEPT = (
    "signature",
    "problem_type",
    "optimization_type",
    "graph",
    "problem_specific_attributes",
    "cost_hamiltonian",
    "ansatz",
    "variables",
    "encoding",
    "solution",
    "exact_solution",
)


def import_published(source: Path, output: Path) -> tuple[int, int]:
    """Write the problems of `source` to `output` (.jsonl or .parquet): (rows, rows left out).

    A row that is no problem is logged and left out. Raises InputError where nothing can be read.
    """
    records: list[ProblemRecord] = []
    skipped = 0
    for place, row in _raw_rows(source):
        try:
            records.append(ProblemRecord.from_dict(_renamed(row, number=len(records))))
        except InputError as error:
            skipped += 1
            logger.warning("%s is left out: %s", place, error)
    if not records:
        raise InputError(f"{source}: no published problem records ({skipped} rows left out)")
    if len({record.sample_index for record in records}) < len(records):
        raise InputError(f"{source}: a sample_index is used twice; import one file at a time")
    write_problems(output, records)
    return len(records), skipped


def _raw_rows(source: Path) -> Iterator[tuple[str, Any]]:
    """(where it stands, row)."""
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            yield from _raw_rows(path)
    elif source.suffix == ".json":
        try:
            content = json.loads(source.read_text("utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InputError(f"{source}: cannot be read as JSON: {error}") from error
        rows = content if isinstance(content, list) else [content]
        yield from ((f"{source} record {i}", row) for i, row in enumerate(rows))
    else:
        yield from ((f"{source} line {line}", row) for line, row in read_rows(source))


def _renamed(row: Any, *, number: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise InputError(f"expected an object with fields, not {type(row).__name__}")
    index = row.get("sample_index")
    outer = {k: row[k] for k in ("signature",) if k in row}
    if isinstance(row.get("dataset_metrics"), Mapping):
        row = outer | dict(row["dataset_metrics"])
    renamed = {name: row[name] for name in KEPT if row.get(name) is not None}
    for name, candidates in NAMES.items():
        value = next((row[c] for c in candidates if row.get(c) is not None), None)
        if value is not None:
            renamed[name] = value
    template = row.get("ansatz_id")
    if isinstance(template, int) and row.get("optimization_type") == "vqe":
        renamed["ansatz"] = f"sim_{template}"
    return renamed | {"sample_index": number if index is None else index}
