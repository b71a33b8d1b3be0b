"""Writing what an evaluation leaves: `per_sample.parquet`, row group by row group, and the few
samples that the report shows.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from quasar.errors import InputError
from quasar.evaluation.summary import METRICS, SampleCircuit

ROWS_PER_GROUP = 2000
MAX_SHOWN_CHARACTERS = 6000  # of a sample's text in the report
_METRIC_FIELDS = [(m.column, pa.bool_() if m.unit == "%" else pa.float64()) for m in METRICS]
SCHEMA = pa.schema(
    [
        ("sample_index", pa.int64()),
        ("sample", pa.int32()),
        ("primitive", pa.string()),
        ("num_qubits", pa.int32()),
        *_METRIC_FIELDS,
        ("failure", pa.string()),
        ("failure_detail", pa.string()),
        ("energy", pa.float64()),
        ("reference_energy", pa.float64()),
        ("feasible_probability", pa.float64()),
        ("most_probable_bitstring", pa.string()),
        ("circuit_qubits", pa.int32()),
        ("num_gates", pa.int32()),
        ("num_two_qubit_gates", pa.int32()),
        ("depth", pa.int32()),
        ("seconds", pa.float64()),
    ]
)


class SampleWriter:
    """Writes rows to a Parquet file that appears only when it is whole. Use as a context."""

    def __init__(self, path: Path):
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> "SampleWriter":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._temporary, SCHEMA)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from error
        return self

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one sample; missing columns are null."""
        self._rows.append({name: row.get(name) for name in SCHEMA.names})
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self._flush()
            self._writer.close()
            if kind is None:
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []


class Showcase:
    """Keeps the samples that tell most: the best, the weakest valid one, one of each failure."""

    def __init__(self) -> None:
        self._best: tuple[float, SampleCircuit] | None = None
        self._weakest: tuple[float, SampleCircuit] | None = None
        self._failures: dict[str, SampleCircuit] = {}

    def offer(self, row: Mapping[str, Any], text: str) -> None:
        """Consider one sample (its row and its text)."""
        if row["valid"]:
            reward, ratio = row["reward"], row["approximation_ratio"]
            if self._best is None or reward > self._best[0]:
                self._best = (reward, _circuit("Highest reward", row, text))
            if self._weakest is None or ratio < self._weakest[0]:
                title = "Lowest approximation ratio of the valid ones"
                self._weakest = (ratio, _circuit(title, row, text))
        elif row["failure"] not in self._failures:
            title = f"Not accepted, {row['failure'].replace('_', ' ')}"
            self._failures[row["failure"]] = _circuit(title, row, text)

    def circuits(self, failures: Mapping[str, int]) -> tuple[SampleCircuit, ...]:
        """The kept samples, of the failures the two most frequent kinds (`failures`: counts)."""
        kept = [best[1] for best in (self._best, self._weakest) if best is not None]
        frequent = sorted(self._failures, key=lambda kind: -failures.get(kind, 0))[:2]
        return (*kept, *(self._failures[kind] for kind in frequent))


def _circuit(title: str, row: Mapping[str, Any], text: str) -> SampleCircuit:
    cut = len(text) - MAX_SHOWN_CHARACTERS
    shown = text[:MAX_SHOWN_CHARACTERS] + (f"\n… {cut} more characters" if cut > 0 else "")
    return SampleCircuit(
        title=title,
        sample_index=row["sample_index"],
        primitive=row["primitive"],
        num_qubits=row["num_qubits"],
        text=shown,
        error=row.get("failure_detail"),
        approximation_ratio=row["approximation_ratio"] if row["valid"] else None,
        reward=row["reward"],
        most_probable=tuple(row.get("most_probable") or ()),
    )
