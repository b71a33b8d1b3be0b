"""Writing what an evaluation leaves: `per_sample.parquet`, row group by row group, and the few
samples that the report shows.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from quasar.config import VerificationConfig
from quasar.errors import InputError
from quasar.evaluation.drawings import draw_answer
from quasar.evaluation.summary import METRICS, SampleCircuit
from quasar.verification.limits import program_limits

ROWS_PER_GROUP = 2000
MAX_SHOWN_FAILURES = 6  # kinds
MAX_SHOWN_CHARACTERS = 6000  # of a sample's text in the report
_METRIC_FIELDS = [(m.column, pa.bool_() if m.unit == "%" else pa.float64()) for m in METRICS]
SCHEMA = pa.schema(
    [
        ("sample_index", pa.int64()),
        ("sample", pa.int32()),
        ("task", pa.string()),
        ("primitive", pa.string()),
        ("num_qubits", pa.int32()),
        *_METRIC_FIELDS,
        ("success", pa.bool_()),
        ("parts", pa.string()),  # of the reward, JSON
        ("failure", pa.string()),
        ("failure_detail", pa.string()),
        ("failure_line", pa.int32()),
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
        self._temporary = path.with_name(f".{path.name}.tmp")  # of a killed run too
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
        parts = row.get("parts")
        row = {**row, "parts": None if parts is None else json.dumps(parts)}
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


def shown_text(text: str) -> str:
    """A sample's text, cut to what a report shows."""
    cut = len(text) - MAX_SHOWN_CHARACTERS
    return text[:MAX_SHOWN_CHARACTERS] + (f"\n… {cut} more characters" if cut > 0 else "")


_Kept = tuple[str, Mapping[str, Any], str]  # title, row, text


class Showcase:
    """Keeps the samples that tell most: the best, the weakest valid one, one of each failure."""

    def __init__(self, verification: VerificationConfig) -> None:
        self._limits = program_limits(verification)
        # What a `SampleCircuit` is made of, once it is known which ones are kept.
        self._best: _Kept | None = None
        self._weakest: _Kept | None = None
        self._failures: dict[str, _Kept] = {}

    def offer(self, row: Mapping[str, Any], text: str) -> None:
        """Consider one sample (its row and its text)."""
        if row["valid"]:
            if self._best is None or row["reward"] > self._best[1]["reward"]:
                self._best = ("Highest reward", row, text)
            ratio = "approximation_ratio"  # graph problems alone have one
            if row[ratio] is not None and (
                self._weakest is None or row[ratio] < self._weakest[1][ratio]
            ):
                self._weakest = ("Lowest approximation ratio of the valid ones", row, text)
        elif row["failure"] not in self._failures:
            title = f"Not accepted, {row['failure'].replace('_', ' ')}"
            self._failures[row["failure"]] = (title, row, text)

    def circuits(self, failures: Mapping[str, int]) -> tuple[SampleCircuit, ...]:
        """The kept samples, of the failures the most frequent kinds (`failures`: counts)."""
        frequent = sorted(self._failures, key=lambda kind: -failures.get(kind, 0))
        kept = [self._best, self._weakest]
        kept += [self._failures[kind] for kind in frequent[:MAX_SHOWN_FAILURES]]
        return tuple(self._circuit(*parts) for parts in kept if parts is not None)

    def _circuit(self, title: str, row: Mapping[str, Any], text: str) -> SampleCircuit:
        return SampleCircuit(
            title=title,
            sample_index=row["sample_index"],
            primitive=row["primitive"],
            num_qubits=row["num_qubits"],
            text=shown_text(text),
            drawing=draw_answer(text, self._limits, fault_line=row.get("failure_line")),
            error=row.get("failure_detail"),
            approximation_ratio=row["approximation_ratio"] if row["valid"] else None,
            reward=row["reward"],
            most_probable=tuple(row.get("most_probable") or ()),
        )
