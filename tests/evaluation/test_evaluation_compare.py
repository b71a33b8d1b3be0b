"""Paired comparison of evaluations, on samples whose differences are known."""

import json
import re

import numpy as np
import pytest
from rich.console import Console

from quasar.cli.main import main
from quasar.errors import InputError
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.compare import compare
from quasar.evaluation.storage import SampleWriter
from quasar.evaluation.summary import METRICS, metric
from quasar.reports.compare_report import comparison_tables, write_comparison

RATIO, VALID = metric("approximation_ratio"), metric("valid")


def write(directory, ratios: dict[int, list[float]], *, primitive: str = "min_cut"):
    """An evaluation: sample_index -> the ratios of its samples; 0 is not valid."""
    directory.mkdir()
    aggregator = Aggregator()
    with SampleWriter(directory / "per_sample.parquet") as writer:
        for index, values in ratios.items():
            rows = [
                {
                    **{m.column: None for m in METRICS},
                    "sample_index": index,
                    "sample": i,
                    "primitive": primitive,
                    "num_qubits": 4,
                    "valid": value > 0,
                    "approximation_ratio": value,
                    "relative_energy_gap": 1 - value,
                    "failure": None,
                }
                for i, value in enumerate(values)
            ]
            for row in rows:
                writer.add(row)
            aggregator.add(rows, {"primitive": primitive, "num_qubits": 4})
    summary = json.dumps(aggregator.finish().to_dict())
    (directory / "summary.json").write_text(summary)
    return directory


@pytest.fixture
def hard_and_easy():
    """Problems that differ far more from each other than the two evaluations do."""
    rng = np.random.default_rng(2)
    base = rng.uniform(0.1, 0.8, 60)
    return {i: [float(v)] for i, v in enumerate(base)}


def test_pairing_finds_a_small_and_steady_difference(tmp_path, hard_and_easy):
    better = {i: [v + 0.02 + 0.01 * (i % 2)] for i, (v,) in hard_and_easy.items()}
    first = write(tmp_path / "first", hard_and_easy)
    second = write(tmp_path / "second", better)
    comparison = compare([first, second])
    d = comparison.differences["second", 1][RATIO]
    assert d.difference == pytest.approx(0.025)
    assert 0.02 <= d.low < d.difference < d.high <= 0.03
    assert d.is_significant
    assert d.num_problems == comparison.num_problems == 60
    # The unpaired intervals overlap: that is what pairing is for.
    estimates = [s.get("approximation_ratio") for s in comparison.summaries]
    assert estimates[0].high > estimates[1].low
    assert comparison.differences["second", 1][VALID].p == 1.0  # nothing differs there
    back = compare([second, first]).differences["first", 1][RATIO]
    assert back.difference == pytest.approx(-d.difference)
    assert back.p == pytest.approx(d.p, abs=0.01)


def test_the_test_rejects_equal_evaluations_about_as_often_as_it_says(tmp_path):
    """Under the null the p-value is uniform: 60 pairs of evaluations that differ by chance only."""
    from quasar.evaluation.compare import _p_value

    rng = np.random.default_rng(11)
    values = []
    for seed in range(60):
        first, second = rng.normal(size=(2, 20))
        values.append(_p_value(first, second, seed))
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) < 0.2) < 0.4


def test_only_shared_problems_and_shared_k_are_compared(tmp_path):
    first = write(tmp_path / "a", {1: [0.5] * 10, 2: [0.3] * 10})
    second = write(tmp_path / "b", {2: [0.4], 3: [0.9]})
    comparison = compare([first, second])
    assert list(comparison.differences) == [("b", 1)]
    assert comparison.differences["b", 1][RATIO].difference == pytest.approx(0.1)
    assert comparison.num_problems == 1
    third = write(tmp_path / "c", {1: [0.1] * 9 + [0.9], 2: [0.3] * 10})
    both = compare([first, third]).differences
    assert set(both) == {("c", 1), ("c", 10)}
    assert both["c", 1][RATIO].difference == pytest.approx((0.18 - 0.5) / 2)
    assert both["c", 10][RATIO].difference == pytest.approx(0.2)


def test_faults_are_one_line(tmp_path):
    first = write(tmp_path / "a", {1: [0.5]})
    apart = write(tmp_path / "b", {2: [0.5]})
    other = write(tmp_path / "c", {1: [0.5]}, primitive="kclique")
    for directories, message in (
        ([first], "at least two"),
        ([first, first], "given twice"),
        ([first, apart], "share no problem"),
        ([first, other], "problem 1 is kclique on 4 qubits, in .* min_cut on 4"),
        ([first, tmp_path / "none"], r"none/summary\.json: no such file"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            compare(directories)
        assert "\n" not in str(caught.value)
    (apart / "per_sample.parquet").write_text("no")
    with pytest.raises(InputError, match="not the samples of an evaluation"):
        compare([first, apart])


HEADS = ["metric", "first", "this", "difference", "95", "%", "interval", "adj.", "p"]


def test_headings_are_whole_whatever_the_directories_are_called(tmp_path, hard_and_easy):
    long = "evaluation-of-the-second-run-after-2000-updates-with-the-other-reward"
    for parent in ("first", "second"):
        (tmp_path / parent).mkdir()
    first = write(tmp_path / "first" / long, hard_and_easy)
    second = write(tmp_path / "second" / long, {i: [v + 0.1] for i, (v,) in hard_and_easy.items()})
    console = Console(width=80, record=True)
    for table in comparison_tables(compare([first, second])):
        console.print(table)
    text = console.export_text()
    (heads,) = [line for line in text.splitlines() if "adj. p" in line]
    assert heads.split() == [
        "metric",
        "first",
        "this",
        "difference",
        "95",
        "%",
        "interval",
        "adj.",
        "p",
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_tables_and_page(tmp_path, hard_and_easy):
    first = write(tmp_path / "first", hard_and_easy)
    second = write(tmp_path / "second", {i: [v + 0.1] for i, (v,) in hard_and_easy.items()})
    comparison = compare([first, second])
    console = Console(width=80, record=True)
    for table in comparison_tables(comparison):
        console.print(table)
    text = console.export_text()
    assert re.search(r"approximation ratio .* \+0\.100 .* \[\+0\.100, \+0\.100\] .*\*", text)
    assert "…" not in text
    (heads,) = [line for line in text.splitlines() if "adj. p" in line]
    assert heads.split() == [
        "metric",
        "first",
        "this",
        "difference",
        "95",
        "%",
        "interval",
        "adj.",
        "p",
    ]
    assert not re.search(r"^\s*(approximation|ratio)$", text, re.MULTILINE)  # labels are whole too
    page = tmp_path / "page.html"
    write_comparison(page, comparison)
    source = page.read_text()
    assert source.startswith("<!doctype html>")
    title = "Approximation ratio of second, pass@1 is higher than that of first: +0.1"
    assert title in source
    assert "second at pass@1: better in 2 and worse in 0" in source
    assert "<script" not in source


def test_the_command_prints_and_writes(tmp_path, capsys):
    first = write(tmp_path / "a", {1: [0.5], 2: [0.4]})
    second = write(tmp_path / "b", {1: [0.6], 2: [0.7]})
    page = tmp_path / "c.html"
    assert main(["compare", str(first), str(second), "--output", str(page)]) == 0
    assert page.is_file()
    assert "approximation ratio" in capsys.readouterr().out
    assert main(["compare", str(first), "--output", str(page)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
