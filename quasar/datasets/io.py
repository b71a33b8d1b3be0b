"""Readers and writers of problem files (JSONL, Parquet) and generation files (JSONL).

Every fault of a file is an InputError of one line: "FILE line N: what is wrong". Writing is atomic:
a file is either whole or not there.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from quasar.datasets.records import OBJECT_FIELDS, GenerationRow, ProblemRecord
from quasar.datasets.task_records import TASK_OBJECTS, Record, read_record
from quasar.errors import InputError

ROW_GROUP = 1000
Read = TypeVar("Read", bound=ProblemRecord | GenerationRow | Record)


def read_problems(path: str | Path, *, max_qubits: int | None = None) -> list[ProblemRecord]:
    """All rows of a .jsonl or .parquet file of graph problems, in order; sample_index is unique.

    max_qubits: refuse the file if a problem needs more. Raises InputError.
    """
    path = Path(path)
    return _records(
        path, read_rows(path), lambda row: ProblemRecord.from_dict(row, max_qubits=max_qubits)
    )


def read_records(path: str | Path, *, max_qubits: int | None = None) -> list[Record]:
    """As `read_problems`, of rows of any task; max_qubits: of graph problems."""
    path = Path(path)
    return _records(path, read_rows(path), lambda row: read_record(row, max_qubits=max_qubits))


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(1-based line, row as it stands) of a .jsonl or .parquet file. Raises InputError."""
    return _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)


def find_row(path: Path, sample_index: int) -> tuple[int, Mapping[str, Any]]:
    """(1-based line, row as it stands) of the row with that sample_index; no other row is built.

    Raises InputError, which names some valid indices where there is no such row.
    """
    known = []
    for line, row in read_rows(path):
        index = row.get("sample_index") if isinstance(row, Mapping) else None
        if index == sample_index:
            return line, row
        known.append(index)
    some = ", ".join(map(str, known[:5])) + (f", … {known[-1]}" if len(known) > 5 else "")
    raise InputError(f"{path}: no row has sample_index {sample_index}; there are: {some or 'none'}")


def read_generations(path: str | Path) -> list[GenerationRow]:
    """All rows {"sample_index", "completions"} of a .jsonl file, in order. Raises InputError."""
    path = Path(path)
    return _records(path, _json_rows(path), GenerationRow.from_dict)


def iterate_generations(path: str | Path) -> Iterator[tuple[int, GenerationRow]]:
    """(1-based line, row) one by one, with the checks of `read_generations`. Raises InputError."""
    path = Path(path)
    return _checked(path, _json_rows(path), GenerationRow.from_dict)


def write_problems(path: str | Path, records: Iterable[Record]) -> None:
    """Write .jsonl or, by the suffix, .parquet (objects as JSON text)."""
    write_problem_rows(path, (record.to_dict() for record in records))


def write_problem_rows(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows that a record's `to_dict` made."""
    if Path(path).suffix == ".parquet":
        _write_parquet(Path(path), rows)
    else:
        write_json_rows(path, rows)


def write_generations(path: str | Path, rows: Iterable[GenerationRow]) -> None:
    """Write a .jsonl generation file."""
    write_json_rows(path, (row.to_dict() for row in rows))


def write_json_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    _atomically(Path(path), write)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text in one step (temporary file, then rename)."""
    _atomically(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _atomically(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _records(
    path: Path, rows: Iterator[tuple[int, Any]], read: Callable[[Any], Read]
) -> list[Read]:
    return [record for _, record in _checked(path, rows, read)]


def _checked(
    path: Path, rows: Iterator[tuple[int, Any]], read: Callable[[Any], Read]
) -> Iterator[tuple[int, Read]]:
    """(line, record); at least one, each sample_index once."""
    line_of: dict[int, int] = {}
    for line, row in rows:
        try:
            record = read(row)
        except InputError as error:
            raise InputError(f"{path} line {line}: {error}") from error
        first = line_of.setdefault(record.sample_index, line)
        if first != line:
            raise InputError(
                f"{path} line {line}: sample_index {record.sample_index} was used in line {first}"
            )
        yield line, record
    if not line_of:
        raise InputError(f"{path}: no rows")


def _json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(1-based line number, parsed row) of each line that is not blank."""
    _require_file(path)
    try:
        with path.open(encoding="utf-8-sig") as lines:  # with or without a byte order mark
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _parse(path, number, line)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; give a .jsonl or .parquet file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _parse(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        syntax = isinstance(error, json.JSONDecodeError)
        detail = f"{error.msg} at column {error.colno}" if syntax else str(error)
        raise InputError(f"{path} line {number}: not JSON: {detail}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(1-based row number, row)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _require_file(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a Parquet file") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        yield number, {name: _without_nulls(value) for name, value in row.items()}


def _without_nulls(value: Any) -> Any:
    """A column of objects has every field in every row: null where a row has it not."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


def _write_parquet(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """In row groups, so that memory does not grow with the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    objects = (*OBJECT_FIELDS, *TASK_OBJECTS)
    flat = ({k: _as_text(v) if k in objects else v for k, v in r.items()} for r in rows)

    def write(temporary: Path) -> None:
        first = list(islice(flat, ROW_GROUP))
        schema = _without_null_types(pa.Table.from_pylist(first).schema)
        with pq.ParquetWriter(temporary, schema) as writer:
            group = first
            while group:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = list(islice(flat, ROW_GROUP))

    _atomically(path, write)


def _without_null_types(schema: Any) -> Any:
    """A column that is empty in the first row group holds text in later ones, if anything."""
    import pyarrow as pa

    for place, column in enumerate(schema):
        if pa.types.is_null(column.type):
            schema = schema.set(place, column.with_type(pa.string()))
    return schema


def _as_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name a .jsonl or .parquet file in it")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
