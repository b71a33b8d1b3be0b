"""Figures by family: of the named family only, each row beside that group's trivial answers."""

import io
import json

import pytest
from rich.console import Console

from quasar.config import config_from_dict
from quasar.datasets.io import write_problems
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError
from quasar.evaluation.baseline_names import (
    BASELINE_NAMES,
    CONSTANT_ANGLES,
    GREEDY,
    OTHER,
    QAOA,
    TRIVIAL,
)
from quasar.evaluation.baselines import build_baseline
from quasar.evaluation.summary import Summary, read_summary
from quasar.pipeline.evaluate import evaluate_files
from quasar.pipeline.main_job import BASELINE_ROWS, _is_evaluated
from quasar.problems import build_instance
from quasar.reports.console import compare_rows, rows_table
from quasar.reports.family_table import family_console, family_table, whole_rows
from quasar.system.run_paths import EvaluationPaths

CONFIG = config_from_dict(
    {
        "verification": {"gradient_evaluations": 0},
        "evaluation": {"device": "none", "random_draws": 0},
    }
)
NAMES = ("H on every qubit", CONSTANT_ANGLES, GREEDY)


def star(size: int):
    edges = [{"source": 0, "target": q} for q in range(1, size)]
    return build_instance(
        "vertex_cover", {"nodes": [{"id": q} for q in range(size)], "edges": edges}
    )


@pytest.fixture
def evaluated(tmp_path):
    """Evaluates problems that name these families, each answered by what `row` makes of it."""

    def run(ansatze, row, names=NAMES):
        records = [
            ProblemRecord(i, star(4 + i % 2), "qaoa", 1, ansatz=ansatz)
            for i, ansatz in enumerate(ansatze)
        ]
        problems, answers = tmp_path / "problems.jsonl", tmp_path / "answers.jsonl"
        write_problems(problems, records)
        lines = [{"sample_index": r.sample_index, "completions": [row(r)]} for r in records]
        answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return evaluate_files(
            problems, answers, tmp_path / "out", config=CONFIG, progress=False, baselines=names
        )

    return run


def by_constant_angles(record: ProblemRecord) -> str:
    return build_baseline(CONSTANT_ANGLES, record.problem, seed=[0], ansatz="qaoa")


def shown(table) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_each_row_counts_in_its_own_group_and_what_is_left_out_is_said(evaluated, tmp_path):
    summary = evaluated(["qaoa", "adaptive", "sim_9", "vqe", "ma_qaoa"], by_constant_angles)
    assert summary.get("optimum_most_probable").value is not None
    assert {g: e["valid"].num_problems for g, e in summary.by_family.items()} == {QAOA: 2, OTHER: 3}
    # QAOA answers are of the family that one of the five prompts names.
    assert summary.by_family[QAOA]["valid"].value == 50.0
    assert summary.by_family[OTHER]["valid"].value == 0.0
    constant, greedy = (summary.baselines[name] for name in (CONSTANT_ANGLES, GREEDY))
    assert (constant.num_problems, greedy.num_problems) == (1, 2)
    assert constant.by_family[QAOA]["valid"].value == 100.0
    assert greedy.by_family[OTHER]["valid"].value == 100.0
    assert set(constant.by_family) | set(greedy.by_family) == {QAOA, OTHER}
    assert summary.unanswered == {
        CONSTANT_ANGLES: {"adaptive": 1, "sim_9": 1, "vqe": 1, "ma_qaoa": 1},
        GREEDY: {"qaoa": 1, "sim_9": 1, "ma_qaoa": 1},
    }
    table = family_table({"mine": summary, **summary.baselines})
    assert table is not None
    assert "2 QAOA, 3 other families" in table["note"]
    assert "for 1 problem of sim_9, left out of: greedy." in table["note"]
    assert "for 1 problem of ma_qaoa, left out of: constant angles." in table["note"]
    assert "adaptive" not in table["note"]  # never asked of it
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>By family</h2>" in page
    assert "for 1 problem of sim_9" in page
    back = read_summary(EvaluationPaths(tmp_path / "out").summary)
    assert (back.unanswered, back.by_family) == (summary.unanswered, summary.by_family)
    assert back.baselines[GREEDY].by_family == greedy.by_family


def test_all_of_a_greedy_row_has_the_constant_angles_beside_it(evaluated):
    summary = evaluated(["qaoa", "adaptive", "vqe", "qaoa"], by_constant_angles)
    rows = {"mine": summary, **summary.baselines}
    table = family_table(rows)
    assert table is not None
    cells = dict(table["body"])
    at = table["heads"].index
    ratio = {
        row: [cells[row][at(f"approximation ratio, {group}")] for group in (QAOA, OTHER, "all")]
        for row in cells
    }
    own, constant, greedy = ratio["mine"], ratio[CONSTANT_ANGLES], ratio[GREEDY]
    assert own[0] == constant[0] != "–"
    assert constant[1:] == ["–", "–"]
    assert greedy[0] == "–"
    assert float(greedy[2]) == pytest.approx((float(constant[0]) + float(greedy[1])) / 2, abs=2e-3)
    assert float(own[2]) == pytest.approx(float(own[0]) / 2, abs=2e-3)  # 0 for other families
    text = shown(family_console(rows))
    assert "'all' of the greedy and descent rows: with constant angles for QAOA." in " ".join(
        text.split()
    )
    assert "…" not in text


def test_rows_over_other_problems_stand_in_the_table_of_families_only(evaluated):
    mixed = evaluated(["qaoa", "adaptive"], by_constant_angles)
    rows = {"mine": mixed, **mixed.baselines}
    assert list(whole_rows(rows)) == ["mine", "H on every qubit"]
    assert GREEDY not in shown(rows_table(mixed)) + shown(compare_rows(rows))
    assert GREEDY in shown(family_console(rows))
    alone = evaluated(["qaoa", "qaoa"], by_constant_angles)
    rows = {"mine": alone, **alone.baselines}
    assert CONSTANT_ANGLES in shown(rows_table(alone))
    table = family_table(rows)
    assert table is not None
    assert not [head for head in table["heads"] if not head.endswith(f", {QAOA}")]


def test_a_summary_without_families_has_no_such_table():
    assert family_table({"old": Summary(1, 1, {})}) is None
    assert family_console({"old": Summary(1, 1, {})}) is None


def test_the_names_stay_whole_at_80_columns(evaluated):
    summary = evaluated(["qaoa", "adaptive", "sim_1"], by_constant_angles, BASELINE_NAMES)
    rows = {"this evaluation": summary, **summary.baselines}
    lines = shown(family_console(rows)).splitlines()
    for name in TRIVIAL:
        assert any(line.startswith(f"{name} ") for line in lines), name


def test_the_main_job_knows_rows_that_have_no_answer(evaluated, tmp_path):
    asked = ("H on every qubit", GREEDY)
    evaluated(["sim_9", "sim_9"], by_constant_angles, asked)
    path = EvaluationPaths(tmp_path / "out").summary
    assert list(read_summary(path).baselines) == ["H on every qubit"]
    assert _is_evaluated(path, asked)
    assert not _is_evaluated(path, BASELINE_ROWS)
    assert not _is_evaluated(tmp_path / "none.json", asked)


def test_unknown_baselines_are_refused_before_any_work(evaluated, tmp_path):
    with pytest.raises(InputError, match=r"baseline 'greedi': valid names: .*'greedy'"):
        evaluated(["qaoa"], by_constant_angles, ("greedi",))
    assert not (tmp_path / "out").exists()
