"""The solver with as many seconds as a model: cut short at its deadline, and left out where nobody
knows what an answer took.
"""

import json
import logging
import time

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import config_from_dict
from quasar.datasets.answer_seconds import read_seconds, seconds_file, write_seconds
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.io import write_json_rows
from quasar.datasets.solver import Deadline, measure, solve
from quasar.errors import InputError
from quasar.evaluation.baseline_names import SOLVER, SOLVER_OF_ALL
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.context import in_family
from quasar.evaluation.grade import Job
from quasar.pipeline.evaluate import evaluate_files

FAMILIES = (("qaoa", 3), ("ma_qaoa", 2), ("adaptive", 1), ("sim_2", 2), ("vqe", 1))
QUICK = {
    "verification": {"gradient_evaluations": 0},
    "evaluation": {"device": "none", "random_draws": 0},
}
ROW = {
    "sample_index": 3,
    "problem_type": "max_cut",
    "optimization_type": "qaoa",
    "n_layers": 2,
    "graph": {
        "nodes": [{"id": q} for q in range(5)],
        "edges": [{"source": q, "target": (q + 1) % 5} for q in range(5)],
    },
}


def problem(num_qubits: int):
    return make_candidate(Cell("max_cut", num_qubits), seed=5, index=1)


@pytest.mark.parametrize(("ansatz", "layers"), FAMILIES)
def test_without_any_time_it_still_answers_in_the_named_family(ansatz, layers):
    instance = problem(6)
    text = build_baseline(SOLVER, instance, seed=[0], ansatz=ansatz, layers=layers, seconds=1e-9)
    assert in_family(read_qasm(text), ansatz, instance.hamiltonian)


@pytest.mark.parametrize(("ansatz", "layers"), FAMILIES[:4])
def test_a_deadline_that_never_comes_changes_nothing_that_counts(ansatz, layers):
    instance = problem(5)
    free = solve(instance, ansatz=ansatz, layers=layers, decimals=4)
    late = solve(instance, ansatz=ansatz, layers=layers, decimals=4, deadline=Deadline(1e6))
    assert late.quality.energy <= free.quality.energy + 1e-3


def test_the_deadline_ends_the_work_and_more_time_is_worth_something():
    # A template with many local minima: thousands of evaluations where nothing cuts it short.
    instance = problem(10)
    build_baseline(SOLVER, problem(3), seed=[0], seconds=1.0)  # compiled before the clock starts
    spent, ratios = [], []
    for seconds in (1e-9, 0.05):
        began = time.process_time()
        solved = solve(instance, ansatz="sim_14", layers=3, decimals=4, deadline=Deadline(seconds))
        spent.append(time.process_time() - began)
        ratios.append(measure(instance, solved.circuit).approximation_ratio)
    began = time.process_time()
    whole = solve(instance, ansatz="sim_14", layers=3, decimals=4)
    uncut = time.process_time() - began
    assert spent[0] < 0.5 * uncut
    assert spent[1] < uncut
    assert ratios[0] < ratios[1] <= whole.quality.approximation_ratio + 1e-6


def test_seconds_of_an_answer_and_of_all():
    job = Job(problem(3), ("a", "b", "c", "d"), seconds=2.0)
    assert job.solver_seconds(SOLVER) == 0.5
    assert job.solver_seconds(SOLVER_OF_ALL) == 2.0
    assert job.solver_seconds("greedy") is None
    assert Job(problem(3), ("a",)).solver_seconds(SOLVER) is None
    assert build_baseline(SOLVER, problem(3), seed=[0]) is None


@pytest.fixture
def files(tmp_path):
    """A problem and two answers to it: (problems, generations)."""
    problems, generations = tmp_path / "problems.jsonl", tmp_path / "generations.jsonl"
    write_json_rows(problems, [ROW])
    write_json_rows(generations, [{"sample_index": 3, "completions": ["no program"] * 2}])
    return problems, generations


def rows(files, tmp_path, **evaluation) -> set[str]:
    config = config_from_dict({**QUICK, "evaluation": {**QUICK["evaluation"], **evaluation}})
    summary = evaluate_files(
        *files,
        tmp_path / "evaluation",
        config=config,
        progress=False,
        baselines=(SOLVER, SOLVER_OF_ALL),
        asked=2,
    )
    assert all(row.get("approximation_ratio").value > 0.75 for row in summary.baselines.values())
    return set(summary.baselines)


def test_with_seconds_of_the_generation_or_of_the_configuration_the_rows_are_there(files, tmp_path):
    write_seconds(files[1], {3: 2.0})
    assert rows(files, tmp_path) == {SOLVER, SOLVER_OF_ALL}
    seconds_file(files[1]).unlink()
    assert rows(files, tmp_path, solver_seconds=1.0) == {SOLVER, SOLVER_OF_ALL}
    write_json_rows(files[1], [{"sample_index": 3, "completions": ["no program"]}])
    assert rows(files, tmp_path, solver_seconds=1.0) == {SOLVER}  # one answer is all of them


def test_without_them_they_are_left_out_in_one_line(files, tmp_path, caplog):
    write_seconds(files[1], {3: 2.0})
    write_json_rows(files[1], [{"sample_index": 3, "completions": ["another"] * 2}])
    with caplog.at_level(logging.WARNING):
        assert rows(files, tmp_path) == set()
    (told,) = [r.getMessage() for r in caplog.records if SOLVER in r.getMessage()]
    assert "generations.seconds.json" in told
    assert "evaluation.solver_seconds" in told


def test_a_file_that_holds_no_seconds_is_refused(files):
    assert read_seconds(files[1]) == {}
    for content in ("{", "[1]", json.dumps({"seconds": {"3": "long"}, "generations": ""})):
        seconds_file(files[1]).write_text(content)
        with pytest.raises(InputError, match=r"generations\.seconds\.json: not the seconds"):
            read_seconds(files[1])
