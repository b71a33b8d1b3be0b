"""Problem and generation files: round trips, published files, and what is wrong in a bad one."""

import json
from pathlib import Path

import pytest

from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.io import (
    read_generations,
    read_problems,
    write_generations,
    write_problems,
)
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the benchmark's files are not here")
ROW = {
    "sample_index": 4,
    "problem_type": "vertex_cover",
    "optimization_type": "qaoa",
    "n_qubits": 2,
    "n_layers": 1,
    "graph": {"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]},
    "problem_specific_attributes": None,
    "cost_hamiltonian": "0.5 * (Z(0) @ Z(1)) + 0.0 * Z(0) + 0.0 * Z(1)",
    "reference_circuit": "OPENQASM 3.0;",
}


def records():
    cells = [Cell("vertex_cover", 3), Cell("min_cut", 4), Cell("hypermaxcut", 4)]
    extras = {"quality": {"energy": -0.1}, "parameters": {"gammas": [0.3]}, "seed": 1}
    return [
        ProblemRecord(i, make_candidate(cell, seed=1, index=0), "qaoa", 1, extras)
        for i, cell in enumerate(cells)
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_problem_files_round_trip(tmp_path, suffix):
    path = tmp_path / f"problems{suffix}"
    write_problems(path, records())
    read = read_problems(path)
    assert read == records()
    assert [r.to_dict() for r in read] == [r.to_dict() for r in records()]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no temporary file is left


def test_generation_files_round_trip(tmp_path):
    rows = [GenerationRow(3, ("a\nb", "é")), GenerationRow(1, ())]
    write_generations(tmp_path / "g.jsonl", rows)
    assert read_generations(tmp_path / "g.jsonl") == rows


@needs_data
def test_published_files_are_read_unchanged():
    problems = read_problems(DATA / "problems.jsonl")
    raw = [json.loads(line) for line in (DATA / "problems.jsonl").read_text().splitlines()]
    assert len(problems) == 110
    for record, row in zip(problems, raw, strict=True):
        written = record.to_dict()
        for name in row:
            assert written[name] == row[name], name
        assert ProblemRecord.from_dict(written) == record
    one = read_generations(DATA / "generations_deepseek_v3_pass1.jsonl")
    ten = read_generations(DATA / "generations_deepseek_v3_pass10.jsonl")
    assert {row.sample_index for row in one} == {record.sample_index for record in problems}
    assert len(ten) == 110
    assert max(len(row.completions) for row in ten) == 10


def test_object_fields_may_be_json_text():
    row = ROW | {"graph": json.dumps(ROW["graph"]), "problem_specific_attributes": "null"}
    assert ProblemRecord.from_dict(row) == ProblemRecord.from_dict(ROW)


def test_a_short_row_is_filled_in():
    short = {k: ROW[k] for k in ("sample_index", "problem_type", "graph")}
    record = ProblemRecord.from_dict(short)
    assert record.problem.num_qubits == 2
    assert record.problem.hamiltonian.to_text() == ROW["cost_hamiltonian"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graph": None}, "field 'graph' is missing"),
        ({"sample_index": None}, "field 'sample_index' is missing"),
        ({"sample_index": "4"}, "field 'sample_index' is '4', expected an integer"),
        ({"sample_index": True}, "expected an integer"),
        ({"problem_type": 3}, "field 'problem_type' is 3, expected text"),
        ({"problem_type": "vertexcover", "cost_hamiltonian": None}, "did you mean 'vertex_cover'"),
        ({"graph": "{"}, "field 'graph' is text that is not JSON"),
        ({"graph": []}, "field 'graph' is [], expected an object"),
        ({"n_qubits": 1}, "there are 1 qubits"),
        ({"cost_hamiltonian": "0.5 * Y(0)"}, "not a term"),
        ({"problem_specific_attributes": [1]}, "expected an object"),
    ],
)
def test_bad_rows_name_file_line_and_field(tmp_path, change, message):
    path = tmp_path / "p.jsonl"
    lines = [json.dumps(ROW | {"sample_index": 1}), "", json.dumps(ROW | change)]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_problems(path)
    assert f"{path} line 3: " in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"sample_index": 1', "line 1: not JSON"),
        (b"[1]", "line 1: expected an object"),
        (b"", "no rows"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"sample_index": ' + b"9" * 5000 + b"}", "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
    ],
)
def test_files_that_are_not_json_lines(tmp_path, content, message):
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_problems(path)


def test_missing_and_misplaced_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_problems(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="is a directory"):
        read_generations(tmp_path)
    (tmp_path / "p.parquet").write_text("no")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_problems(tmp_path / "p.parquet")


def test_qubit_limit_and_repeated_index(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW) + "\n")
    with pytest.raises(InputError, match=r"line 1: .*needs 2 qubits, the limit is 1"):
        read_problems(path, max_qubits=1)
    with pytest.raises(InputError, match="line 2: sample_index 4 was used in line 1"):
        read_problems(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sample_index": 1}, "'completions' is missing"),
        ({"sample_index": 1, "completions": "x"}, "expected a list"),
        ({"sample_index": 1, "completions": [None]}, "all must be text"),
    ],
)
def test_bad_generation_rows(tmp_path, row, message):
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match=f"line 1: .*{message}"):
        read_generations(path)
