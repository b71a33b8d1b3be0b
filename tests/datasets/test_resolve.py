"""`quasar solve`: given problems solved anew, in order, resumed, compared with their references."""

import json
from dataclasses import asdict, replace

import pytest

from quasar.cli.main import main
from quasar.config import load_config
from quasar.datasets.generation import resolve
from quasar.datasets.generation.resolve import SolveOptions, solve_file
from quasar.datasets.io import read_problems
from quasar.datasets.solver import measure, solve
from quasar.errors import InputError
from quasar.system.resumable import RowLog, file_digest

CONFIG = load_config("laptop", ["dataset.num_workers=1"])
OWN = SolveOptions(None, None, 4, 0)


@pytest.fixture
def problems(tiny_dataset, tmp_path):
    """Five rows; the third is of a template, named as the published data name it."""
    rows = [json.loads(line) for line in (tiny_dataset / "train.jsonl").read_text().splitlines()]
    rows = rows[:5]
    record = read_problems(tiny_dataset / "train.jsonl")[2]
    template = solve(record.problem, ansatz="sim_15", layers=2, decimals=4)
    rows[2] |= {
        "optimization_type": "vqe",
        "ansatz": None,
        "reference_circuit": template.circuit.to_qasm(),
        "solution": {"optimization_time": 12.0},
    }
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_row_is_solved_with_the_family_of_its_own_circuit(problems, tmp_path):
    output = tmp_path / "out" / "solved.jsonl"
    figures = solve_file(problems, output, OWN, CONFIG, progress=False)
    solved = read_problems(output)
    assert [r.sample_index for r in solved] == [r.sample_index for r in read_problems(problems)]
    assert [(r.ansatz, r.n_layers) for r in solved] == [("qaoa", 1)] * 2 + [("sim_15", 2)] + [
        ("qaoa", 1)
    ] * 2
    assert [f.family for f in figures].count("hardware_efficient") == 1
    assert [f.recorded_seconds for f in figures] == [None, None, 12.0, None, None]
    # Angles of two decimals, rounded term by term, can be a hair below the optimum of shared ones.
    assert all(f.quality.energy <= f.reference.energy + 0.01 for f in figures)
    assert figures[2].reached
    for record, figure in zip(solved, figures, strict=True):
        circuit = solve(
            record.problem, ansatz=record.ansatz, layers=record.n_layers, decimals=4
        ).circuit
        assert record.problem.reference_circuit == circuit.to_qasm()
        assert measure(record.problem, circuit) == figure.quality
    assert not output.with_name("solved.jsonl.partial").exists()


def test_an_interrupted_call_goes_on_where_it_stopped(problems, tmp_path, monkeypatch):
    output, calls = tmp_path / "solved.jsonl", []
    original = resolve.solve

    def interrupted(problem, **options):
        calls.append(problem.key)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(problem, **options)

    monkeypatch.setattr(resolve, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solve_file(problems, output, OWN, CONFIG, progress=False)
    assert not output.exists()
    with output.with_name("solved.jsonl.partial").open("a") as file:
        file.write('{"torn": ')
    solve_file(problems, output, OWN, CONFIG, progress=False)
    assert len(calls) == 4 + 2
    straight = tmp_path / "straight.jsonl"
    solve_file(problems, straight, OWN, CONFIG, progress=False)

    def without_seconds(path):
        rows = map(json.loads, path.read_text().splitlines())
        return [{k: v for k, v in row.items() if k != "solve_seconds"} for row in rows]

    assert without_seconds(output) == without_seconds(straight)


def test_what_another_call_left_is_not_taken_over(problems, tmp_path):
    output = tmp_path / "solved.jsonl"
    solve_file(problems, output, OWN, CONFIG, progress=False)
    before = output.read_bytes()
    row = {"sample_index": json.loads(before.splitlines()[0])["sample_index"], "record": {}}
    left = output.with_name("solved.jsonl.partial")
    with RowLog(left, {"problems": file_digest(problems), **asdict(OWN)}) as log:
        log.add(row)
    for order in (replace(OWN, seed=OWN.seed + 1), replace(OWN, layers=2)):
        with pytest.raises(InputError, match=r"left by another call .*(seed|layers) differ"):
            solve_file(problems, output, order, CONFIG, progress=False)
    problems.write_text(problems.read_text() + "\n")
    with pytest.raises(InputError, match=r"left by another call \(problems differ\)"):
        solve_file(problems, output, OWN, CONFIG, progress=False)
    assert output.read_bytes() == before
    assert left.exists()


def test_a_row_that_cannot_be_solved_is_reported_and_left_out(problems, tmp_path, caplog):
    rows = [json.loads(line) for line in problems.read_text().splitlines()]
    rows[2]["reference_circuit"] = None
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    figures = solve_file(problems, tmp_path / "o.jsonl", OWN, CONFIG, progress=False)
    assert len(figures) == 4
    assert f"sample_index {rows[2]['sample_index']} is skipped" in caplog.text
    problems.write_text(json.dumps(rows[2]) + "\n")
    with pytest.raises(InputError, match="no row could be solved"):
        solve_file(problems, tmp_path / "p.jsonl", OWN, CONFIG, progress=False)


def test_the_command_prints_a_line_a_family_and_refuses_unknown_ones(problems, tmp_path, capsys):
    common = ["solve", "--problems", str(problems), "--set", "dataset.num_workers=1"]
    assert main([*common, "--output", str(tmp_path / "a.jsonl"), "--layers", "2"]) == 0
    out = capsys.readouterr().out
    assert "hardware_efficient" in out
    assert "5/5" in out
    assert {r.n_layers for r in read_problems(tmp_path / "a.jsonl")} == {2}
    assert main([*common, "--output", str(tmp_path / "b.jsonl"), "--ansatz", "qaoaa"]) == 2
    assert "did you mean 'qaoa'" in capsys.readouterr().err
