"""Reports and tables of evaluations whose figures are known."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from quasar.config import QuasarConfig
from quasar.evaluation.summary import SampleCircuit
from quasar.reports.console import compare_rows, rows_table, summary_table
from quasar.reports.figures import rows_chart
from quasar.reports.html import main_report, write_report
from quasar.reports.training_figures import training_charts
from tests.evaluation.known_rows import sample, summary_of


def test_no_valid_sample_gives_the_worst_values_and_a_report(tmp_path):
    summary = summary_of([sample(None)] * 3, [sample(None)])
    assert summary.get("valid").value == 0.0
    assert summary.get("approximation_ratio").value == 0.0
    assert summary.get("re", group="published").value is None
    page = write_report(tmp_path / "report.html", "x", summary, config=QuasarConfig())
    assert "4 of 4 samples are not accepted" in page.read_text()


def test_published_rows_stand_in_the_summary_and_are_marked(tmp_path):
    summary = summary_of([sample(0.5)], [sample(0.7)])
    rows = summary.to_dict()["as_published"]
    assert rows["Vista 4B"]["pass@1"] == {"scr": 99.31, "re": 11.61, "srev": 22.41, "hqcr": 17.24}
    assert len(rows) == 7
    page = write_report(tmp_path / "r.html", "x", summary, config=QuasarConfig()).read_text()
    assert page.count("(as published)</th>") == 7
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(rows_table(summary))
    text = console.export_text()
    assert re.search(r"Vista 4B .* 22\.4 +17\.2", text)
    assert "…" not in text


class _Page(HTMLParser):
    """Collects tags and texts; void tags apart, every tag must be closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_report_is_one_self_contained_page(tmp_path):
    text = "h q[0]; // <script>alert(1)</script>"
    top = ({"bitstring": "011", "probability": 0.5, "feasible": True, "optimal": True},)
    circuit = SampleCircuit("Highest reward", 4, "min_cut", 3, text, None, 0.9, 0.8, top)
    problems = [[sample(0.2 * i)] * 2 + [sample(None)] for i in range(1, 5)]
    names = ("min_cut", "vertex_cover")
    baselines = {"H on every qubit": summary_of([sample(0.5)])}
    summary = summary_of(*problems, names=names, circuits=(circuit,), baselines=baselines)
    figures = tmp_path / "figures"
    path = write_report(
        tmp_path / "report.html", "mine", summary, config=QuasarConfig(), figures=figures
    )
    source = path.read_text()
    page = _Page()
    page.feed(source)
    assert page.open == []
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "link", "iframe")]
    assert not re.search(r"(?:src|href)=\"(?!#)", source)
    assert "prefers-color-scheme: dark" in source
    assert "<script>alert(1)</script>" in page.text  # shown as text
    assert "011" in page.text
    assert "H on every qubit" in page.text
    names = {path.name for path in figures.iterdir()}
    assert {"rows_approximation_ratio.svg", "failures.svg", "by_qubits.svg"} <= names
    assert all(f.read_text().startswith("<?xml") for f in figures.glob("*.svg"))
    assert {f.stem for f in figures.glob("*.png")} == {f.stem for f in figures.glob("*.svg")}
    assert all(f.read_bytes().startswith(b"\x89PNG") for f in figures.glob("*.png"))
    ids = re.findall(r'\bid="([^"]+)"', source)
    clips = [i for i in ids if len(i) == 11 and i.startswith("p")]
    assert len(clips) == len(set(clips))  # figures do not share clip paths


def test_titles_say_the_finding(tmp_path):
    good = [[sample(0.9)], [sample(0.92)], [sample(0.94)]]
    poor = [[sample(0.1)], [sample(0.12)], [sample(0.14)]]
    rows = {"before SFT": summary_of(*poor), "after GRPO": summary_of(*good)}
    rows["H on every qubit"] = summary_of(*poor)
    log = [{"step": i, "reward": i / 10, "loss": None} for i in range(1, 11)]
    curves = {"grpo": log, "valid/fraction": [0.5, 1.0]}
    source = main_report(tmp_path, rows, curves, QuasarConfig()).read_text()
    assert (
        "after GRPO: approximation ratio 0.920, from 0.120 before SFT; above H on every qubit "
        "(0.120)" in source
    )
    assert "GRPO reward rises from 0.1 to 0.95 between step 1 and step 10" in source
    assert "Valid: fraction rises from 0.5 to 1 between step 1 and step 2" in source
    assert (tmp_path / "figures" / "training_grpo_reward.svg").is_file()


def test_tables_hold_the_rows_that_were_asked_for():
    rows = {"before SFT": summary_of([sample(0.25)]), "H on every qubit": summary_of([sample(0.5)])}
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(compare_rows(rows))
    console.print(summary_table(rows["before SFT"]))
    text = console.export_text()
    assert re.search(r"before SFT .* 100\.0 % .* 0\.250 .* 0\.000 .* 0\.250", text)
    assert "0.250 [0.250, 0.250]" in text


@pytest.mark.parametrize("values", [(0.7, 0.8191), (-0.3, 0.7995)])
def test_the_last_tick_is_whole_in_a_wider_font(values):
    rows = {f"row {i}": summary_of([sample(v)], [sample(v)]) for i, v in enumerate(values)}
    log = [{"step": i, "reward": 0.1} for i in range(0, 121, 20)]
    for chart in (rows_chart(rows, "reward"), *training_charts({"grpo": log})):
        for source in (chart.svg(), chart.inline_svg()):
            width = float(re.search(r'viewBox="0 0 ([\d.]+)', source)[1])
            ticks = re.findall(r'text-anchor: middle;[^>]* x="([\d.]+)"[^>]*>([^<]+)<', source)
            assert len(ticks) > 2
            for x, label in ticks:  # 0.64 em a character in the font here, at 9 px
                if re.fullmatch(r"[−\d.]+", label):
                    assert float(x) + 1.3 * 0.64 * 9 * len(label) / 2 < width, label


def test_a_formula_that_beats_the_model_is_told_wherever_the_two_stand(tmp_path):
    good, poor = [[sample(0.9)], [sample(0.92)]], [[sample(0.5)], [sample(0.52)]]
    rows = {
        "before SFT": summary_of([sample(0.1)], [sample(0.1)]),
        "H on every qubit": summary_of([sample(0.3)], [sample(0.3)]),
        "fixed-angle QAOA": summary_of(*good),
        "after GRPO": summary_of(*poor),
    }
    told = "Better than after GRPO: fixed-angle QAOA in approximation ratio (0.910 against 0.510)"
    console = Console(width=80, record=True, file=io.StringIO())
    baselines = ("H on every qubit", "fixed-angle QAOA")
    console.print(compare_rows(rows, subject="after GRPO", baselines=baselines))
    text = console.export_text()
    assert told in " ".join(text.split())
    names = re.findall(r"^│ (\w.*?) +│", text, re.MULTILINE)
    assert names == ["before SFT", "after GRPO", "H on every qubit", "fixed-angle QAOA"]
    assert max(map(len, text.splitlines())) <= 80
    page = main_report(tmp_path, rows, {}, QuasarConfig()).read_text()
    assert told in page
    assert "above H on every qubit (0.300); below fixed-angle QAOA (0.910)" in page
    better = rows | {"fixed-angle QAOA": rows["before SFT"]}
    console.print(compare_rows(better, subject="after GRPO", baselines=baselines))
    assert "Better" not in console.export_text()
    summary = replace(rows["after GRPO"], baselines={"fixed-angle QAOA": rows["fixed-angle QAOA"]})
    console.print(rows_table(summary))
    text = " ".join(console.export_text().split())
    assert "Better than this evaluation: fixed-angle QAOA in" in text
