"""Evaluation of tasks other than graph problems: alone, and beside graph problems."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from quasar.circuits.circuit import Circuit
from quasar.cli.main import main
from quasar.config import load_config
from quasar.datasets.io import write_generations, write_problems
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.datasets.task_records import TaskRecord
from quasar.evaluation.baseline_names import BASELINE_NAMES, BEST_TRIVIAL, BY_RULE, REFERENCES
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.summary import read_summary, summary_from_dict
from quasar.evaluation.task_tables import TaskAggregator
from quasar.reports.task_table import task_console, task_tables
from quasar.tasks import get_task
from quasar.verification.execution.pool import LocalVerifierPool

CONFIG = load_config("laptop", ["evaluation.device=none", "evaluation.random_draws=0"])
CELLS = (("state_preparation", "ghz", 3), ("state_preparation", "bell", 2),
         ("stabiliser", "state", 2), ("ground_state", "tfim_chain", 2))  # fmt: skip
GRAPH = {
    "sample_index": 99,
    "problem_type": "max_cut",
    "graph": {"nodes": [{"id": q} for q in range(3)],
              "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def answered():
    """Records with the teacher's answer, none at all, and a circuit that does nothing."""
    found = []
    for index, (name, family, n) in enumerate(CELLS):
        task = get_task(name)
        instance = task.generate(np.random.default_rng(index), family=family, num_qubits=n)
        teacher = task.reference(instance, task.facts(instance))
        record = TaskRecord(index, instance)
        found.append((record, (teacher, "nothing", Circuit(n, ()).to_qasm())))
    return found


def evaluated(answers):
    with_names = (*BASELINE_NAMES,)
    verifiers = LocalVerifierPool(CONFIG.verification)
    return evaluate_rows(answers, config=CONFIG, verifiers=verifiers, baselines=with_names)


def test_each_task_has_success_parts_teacher_and_the_best_trivial_answer(answered):
    summary = evaluated(answered)
    assert list(summary.tasks) == ["ground_state", "stabiliser", "state_preparation"]
    states = summary.tasks["state_preparation"]
    assert (states.num_problems, states.num_samples) == (2, 6)
    one = states.tables["pass@1"]
    assert one["success"].value == pytest.approx(100 / 3)
    assert one["valid"].value == pytest.approx(200 / 3)
    assert one["fidelity"].value == pytest.approx(1 / 3, abs=1e-3)
    parts = [one[part].value for part in get_task("state_preparation").parts]
    assert one["part_mean"].value == pytest.approx(sum(parts) / len(parts))
    # One of three is worth 1, one is not valid and costs 1, one does nothing.
    assert one["reward"].value == pytest.approx(0.0, abs=1e-3)
    # The teacher's answer is the one that the verifier picks among the three.
    chosen = states.tables["best-of-3"]
    assert chosen["success"].value == 100.0
    assert chosen["reward"].value == pytest.approx(1.0, abs=1e-3)
    assert set(states.by_family) == {"ghz", "bell"}
    assert list(states.by_qubits) == ["2", "3"]
    for name, success, parts in ((REFERENCES, 100.0, 1.0), (BEST_TRIVIAL, 0.0, 0.0)):
        for table in summary.baselines[name].tasks.values():
            assert table.tables["pass@1"]["success"].value == success
            assert table.tables["pass@1"]["part_mean"].value == pytest.approx(parts, abs=0.01)
    assert set(summary.baselines) == {REFERENCES, BY_RULE, BEST_TRIVIAL}
    assert summary.get("approximation_ratio").value is None
    assert summary_from_dict(json.loads(json.dumps(summary.to_dict()))).tasks == summary.tasks
    assert dict(summary.values())["pass_1/stabiliser/success"] == pytest.approx(100 / 3)


def test_graph_problems_keep_their_figures_beside_others(answered):
    record = ProblemRecord.from_dict(GRAPH)
    graph = (record, (Circuit(3, ()).to_qasm(),))
    alone, mixed = evaluated([graph]), evaluated([*answered, graph])
    assert alone.tasks == {}
    assert BEST_TRIVIAL not in alone.baselines
    ratio = alone.get("approximation_ratio")
    assert mixed.get("approximation_ratio").value == ratio.value
    assert mixed.tasks["ising"].num_problems == 1
    own = mixed.baselines["H on every qubit"].tasks
    assert list(own) == ["ising"]
    assert own["ising"].tables["pass@1"]["part_mean"].value == pytest.approx(0.0, abs=1e-9)
    told = {table["task"]: table for table in task_tables({"x": mixed, **mixed.baselines})}
    assert "H on every qubit" in dict(told["ising"]["body"])
    assert "H on every qubit" not in dict(told["stabiliser"]["body"])
    assert task_console({"x": alone}) is None


def test_a_sample_that_was_not_graded_counts_for_nothing():
    made = TaskAggregator(seed=0)
    lost = {"parts": None, "valid": None, "reward": None}
    good = {"parts": {"a": 1.0}, "success": True, "valid": True, "reward": 1.0}
    made.add([lost, lost], family="f", num_qubits=2)
    made.add([lost, good], family="f", num_qubits=2)
    one = made.finish([1]).tables["pass@1"]
    assert one["success"].value == 100.0
    assert one["a"].num_problems == 1


def test_the_command_writes_tables_and_a_page_without_any_graph_problem(answered, tmp_path, capsys):
    problems, generations = tmp_path / "p.jsonl", tmp_path / "g.jsonl"
    write_problems(problems, [record for record, _ in answered])
    write_generations(generations, [GenerationRow(r.sample_index, t) for r, t in answered])
    arguments = ["--problems", problems, "--generations", generations, "--output", tmp_path / "e"]
    options = ["--set", "evaluation.device=none", "--set", "evaluation.random_draws=0"]
    assert main(["evaluate", *map(str, arguments), *options]) == 0
    out = capsys.readouterr().out
    assert "By task" in out
    assert "state preparation (2 problems)" in out
    summary = read_summary(tmp_path / "e" / "summary.json")
    assert summary.tasks["stabiliser"].tables["pass@1"]["success"].value == pytest.approx(100 / 3)
    page = (tmp_path / "e" / "report.html").read_text()
    assert "Task: ground state" in page
    assert "state preparation succeeds in 33.3 %" in page
    rows = pq.read_table(tmp_path / "e" / "per_sample.parquet").to_pylist()
    assert [row["success"] for row in rows[:3]] == [True, False, False]
    assert json.loads(rows[0]["parts"])["fidelity"] == pytest.approx(1.0, abs=1e-6)
    assert {row["task"] for row in rows} == {"state_preparation", "stabiliser", "ground_state"}
