"""Aggregation, summaries and reports on rows whose right answers are known."""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from quasar.config import QuasarConfig
from quasar.errors import InputError
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.summary import (
    FAILED,
    METRICS,
    SampleCircuit,
    Summary,
    format_value,
    read_summary,
    summary_from_dict,
)
from quasar.reports.console import compare_rows, rows_table, summary_table
from quasar.reports.figures import rows_chart
from quasar.reports.html import main_report, write_report
from quasar.reports.training_figures import running_mean, training_charts

NOTHING = {metric.column: None for metric in METRICS}


def sample(ratio: float | None, **values) -> dict:
    """A row with a reference; ratio None: not valid."""
    valid = ratio is not None
    known = {
        "published_scr": valid,
        "published_re": 2.0 if valid else None,
        "published_srev": False,
        "published_hqcr": False,
        "valid": valid,
        "srev": False,
        "at_least_reference": valid and ratio > 0.5,
        "decoded_correct": False,
        "approximation_ratio": ratio or 0.0,
        "optimum_probability": 0.0,
        "optimum_enrichment_bits": -3.0,
        "js_distance": 1.0,
        "relative_energy_gap": 1 - (ratio or 0.0),
        "warm_start_gain": 0.0,
        "reward": ratio if valid else -1.0,
        "failure": None if valid else "syntax",
    }
    return known | values


def summary_of(*problems: list[dict], names=("min_cut",), **more) -> Summary:
    aggregator = Aggregator(seed=1)
    for i, samples in enumerate(problems):
        facts = {"primitive": names[i % len(names)], "num_qubits": 3 + i, "uniform": 0.5}
        aggregator.add(samples, facts)
    return aggregator.finish(**more)


def test_means_are_over_problems_and_rates_in_percent():
    summary = summary_of([sample(0.2), sample(0.4)], [sample(1.0)], [sample(None)])
    assert summary.get("approximation_ratio").value == pytest.approx((0.3 + 1.0 + 0.0) / 3)
    assert summary.get("valid").value == pytest.approx(200 / 3)
    assert summary.get("scr", group="published").value == pytest.approx(200 / 3)
    re_ = summary.get("re", group="published")
    assert (re_.value, re_.num_problems) == (2.0, 2)  # not defined for the invalid one
    assert summary.get("reward").value == pytest.approx((0.3 + 1.0 - 1.0) / 3)
    assert summary.failures == {"syntax": 1}


def test_pass_at_10_appears_with_ten_samples_and_takes_the_best():
    ten = [sample(0.1)] * 8 + [sample(0.9, published_re=0.5), sample(None)]
    nine = [sample(0.3)] * 9
    assert set(summary_of(nine).tables) == {"pass@1", "best-of-9"}
    assert set(summary_of(nine[:1]).tables) == {"pass@1"}
    summary = summary_of(ten, nine)
    assert summary.get("approximation_ratio", k=10).value == pytest.approx((0.9 + 0.3) / 2)
    assert summary.get("re", group="published", k=10).value == pytest.approx((0.5 + 2.0) / 2)
    assert summary.get("at_least_reference", k=10).value == 50.0
    assert summary.samples_per_problem == (9, 10)
    curve = summary.pass_curves["approximation_ratio"]
    assert len(curve) == 10
    assert curve[-1] == summary.get("approximation_ratio", k=10).value


def test_best_of_n_measures_the_one_answer_that_the_verifier_picks():
    """The best by reward has neither the best ratio nor a valid rival's fault; pass@k would take
    the best of each.
    """
    picked = sample(0.4, reward=2.0, decoded_correct=1.0)
    other = sample(0.9, reward=0.5, decoded_correct=0.0)
    failed = {**NOTHING, "failure": f"{FAILED}: timeout"}
    summary = summary_of([other, picked, sample(None), failed], [sample(0.8)])
    assert set(summary.tables["best-of-4"]) == {"corrected"}
    at = "best-of-4"
    assert summary.get("approximation_ratio", at=at).value == pytest.approx((0.4 + 0.8) / 2)
    assert summary.get("reward", at=at).value == pytest.approx((2.0 + 0.8) / 2)
    assert dict(summary.values())["best-of-4/corrected/reward"] == pytest.approx(1.4)
    again = summary_from_dict(json.loads(json.dumps(summary.to_dict())))
    assert again.tables[at] == summary.tables[at]
    # of two of the four: pairs with the picked one 3 of 6, with the other and without it 2 of 6
    two = Aggregator(seed=1, best_of=2)
    two.add(
        [other, picked, sample(None), failed],
        {"primitive": "min_cut", "num_qubits": 3, "uniform": 0.5},
    )
    found = two.finish().get("reward", at="best-of-2").value
    assert found == pytest.approx((3 * 2.0 + 2 * 0.5 + 1 * -1.0) / 6)


def test_without_references_the_published_group_is_null():
    lost = dict.fromkeys(("srev", "at_least_reference", "js_distance"))
    row = {**NOTHING, "valid": True, "approximation_ratio": 0.7, "failure": None, **lost}
    summary = summary_of([row], [row])
    assert summary.to_dict()["pass@1"]["published"] is None
    assert summary.get("srev", group="published").value is None
    assert summary.get("approximation_ratio").value == 0.7
    assert summary.to_dict()["pass@1"]["corrected"]["srev"] is None


def test_failed_verifications_grade_nobody():
    failed = {**NOTHING, "failure": f"{FAILED}: timeout"}
    summary = summary_of([sample(0.8), failed], [failed])
    assert summary.get("approximation_ratio").value == pytest.approx(0.8)
    assert summary.get("valid").value == 100.0
    assert summary.num_failed == 2


def test_infinite_divergence_is_counted_and_left_out():
    rows = [sample(0.5, published_re=float("inf")), sample(0.5, published_re=3.0)]
    summary = summary_of(rows)
    assert summary.get("re", group="published").value == 3.0
    assert summary.num_infinite_re == 1
    json.dumps(summary.to_dict(), allow_nan=False)


def test_no_valid_sample_gives_the_worst_values_and_a_report(tmp_path):
    summary = summary_of([sample(None)] * 3, [sample(None)])
    assert summary.get("valid").value == 0.0
    assert summary.get("approximation_ratio").value == 0.0
    assert summary.get("re", group="published").value is None
    page = write_report(tmp_path / "report.html", "x", summary, config=QuasarConfig())
    assert "4 of 4 samples are not accepted" in page.read_text()


WORST = {**NOTHING, "valid": False, "approximation_ratio": 0.0, "relative_energy_gap": 1.0}


def test_the_structured_track_counts_other_families_as_not_valid():
    aggregator = Aggregator()
    facts = {"primitive": "min_cut", "num_qubits": 4, "worst": WORST}
    aggregator.add([sample(0.8, in_family=True), sample(0.9, in_family=False)], facts)
    aggregator.add([sample(None, in_family=False), sample(0.6, in_family=True)], facts)
    summary = aggregator.finish()
    structured = summary.structured["pass@1"]
    assert summary.get("valid").value == 75.0
    assert structured["valid"].value == 50.0
    assert summary.get("approximation_ratio").value == pytest.approx((0.85 + 0.3) / 2)
    assert structured["approximation_ratio"].value == pytest.approx((0.4 + 0.3) / 2)
    assert structured["relative_energy_gap"].value == pytest.approx((0.6 + 0.7) / 2)
    assert summary.get("in_family", group="context").value == 50.0
    assert summary_of([sample(0.5)]).structured == {}  # no family was named
    back = summary_from_dict(json.loads(json.dumps(summary.to_dict())))
    assert back.structured == summary.structured


def test_sweep_bins_and_quantiles():
    aggregator = Aggregator()
    for i, (divergence, gates, depth) in enumerate(((0.05, 20, 5), (0.4, 21, 101), (4.0, 900, 6))):
        rows = [sample(0.5 + 0.1 * i, published_re=divergence)] * 9
        rows.append(sample(0.5, published_re=0.2))
        facts = {"primitive": "a", "num_qubits": 2, "reference_gates": gates}
        aggregator.add(rows, {**facts, "reference_depth": depth})
    aggregator.add([sample(None)] * 10, {"primitive": "a", "num_qubits": 2})
    summary = aggregator.finish()
    first, tenth = summary.re_sweep["pass@1"], summary.re_sweep["pass@10"]
    assert first["0.1"] == pytest.approx(100 * 0.9 / 4)
    assert first["0.3"] == pytest.approx(100 * (1.0 + 0.1 + 0.1) / 4)
    assert tenth["0.1"] == 25.0
    assert tenth["0.3"] == tenth["5.0"] == 75.0  # the fourth has no RE: never a hit
    assert first["0.1"] <= first["0.3"] <= first["5.0"]
    assert list(summary.by_gates) == ["1–20", "21–50", "over 400"]
    assert list(summary.by_depth) == ["1–5", "6–10", "over 100"]
    assert summary.by_gates["21–50"]["approximation_ratio"].value == pytest.approx(0.59)
    assert summary.by_gates["1–20"]["published_hqcr"].num_problems == 1
    low, *_, high = summary.energy_gap_quantiles
    assert low < summary.energy_gap_quantiles[2] < high <= 1.0


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


def test_summary_json_comes_back_whole(tmp_path):
    circuit = SampleCircuit("Best", 1, "min_cut", 3, "h q[0];", most_probable=({"a": 1},))
    baseline = summary_of([sample(0.5)])
    whole = summary_of([sample(0.2)], [sample(None)], circuits=(circuit,))
    whole = replace(whole, baselines={"H on every qubit": baseline})
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(whole.to_dict()))
    back = read_summary(path)
    assert back.to_dict() == whole.to_dict()
    assert back.circuits == whole.circuits
    path.write_text("{}")
    with pytest.raises(InputError, match=r"not a summary\.json"):
        read_summary(path)
    with pytest.raises(InputError, match="no such file"):
        read_summary(tmp_path / "none.json")


def test_layout_of_summary_json():
    content = summary_of([sample(0.25)] * 2).to_dict()
    corrected = content["pass@1"]["corrected"]
    assert corrected["approximation_ratio"] == 0.25
    assert corrected["interval_95"]["approximation_ratio"] == [0.25, 0.25]
    assert content["units"]["corrected"]["valid"] == "%"
    assert summary_from_dict(content).num_problems == 1


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


def test_validations_have_a_panel_of_their_own():
    log = [{"step": i, "reward": 0.3} | {"validation/reward": i / 10} for i in range(0, 5)]
    log[1].pop("validation/reward")
    titles = [chart.title for chart in training_charts({"grpo": log})]
    assert titles == [
        "GRPO reward ends where it began, at 0.3, between step 0 and step 4",
        "GRPO validation reward rises from 0 to 0.4 between step 0 and step 4",
    ]


@pytest.mark.parametrize(
    ("rewards", "finding"),
    [
        # a recovery is no gain over the start, and the fall before it is told
        ([0.386, 0.315, 0.3, 0.35, 0.413], "rises from 0.386 to 0.413 between step 0 and step 4, "
         "with a low of 0.3 about step 2"),
        ([0.386, 0.315, 0.3, 0.33, 0.34], "falls from 0.386 to 0.34 between step 0 and step 4, "
         "with a low of 0.3 about step 2"),
        ([0.2, 0.5, 0.6, 0.5, 0.3], "rises from 0.2 to 0.3 between step 0 and step 4, "
         "with a high of 0.6 about step 2"),
        ([0.3, 0.2, 0.1], "falls from 0.3 to 0.1 between step 0 and step 2"),
        ([0.3], "is 0.3 at its only step"),
    ],
)  # fmt: skip
def test_a_curve_is_told_beside_its_start(rewards, finding):
    log = [{"step": i, "validation/reward": reward} for i, reward in enumerate(rewards)]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == f"GRPO validation reward {finding}"


def test_noise_is_no_change():
    """Single steps differ more than the ends of the curve do."""
    log = [{"step": i, "reward": 0.4 + 0.05 * (-1) ** i + 0.0001 * i} for i in range(1, 61)]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == (
        "GRPO reward is unchanged, 0.39 ± 0.024 and 0.416 ± 0.024, between step 1 and step 60"
    )


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (0.42, "is unchanged, 0.4 ± 0.01 and 0.42 ± 0.01,"),
        (0.44, "rises from 0.4 ± 0.01 to 0.44 ± 0.01"),
        (0.36, "falls from 0.4 ± 0.01 to 0.36 ± 0.01"),
    ],
)
def test_validations_are_compared_by_their_standard_error(end, word):
    log = [
        {"step": step, "validation/reward": value, "validation/reward_error": 0.01}
        for step, value in ((0, 0.4), (20, (0.4 + end) / 2), (40, end))
    ]
    (chart,) = training_charts({"grpo": log})
    assert chart.title == f"GRPO validation reward {word} between step 0 and step 40"


def test_a_part_that_adds_nothing_has_no_curve():
    log = [
        {"step": i, "reward": 0.5, "reward_weighted/a": 0.1 * i, "reward_weighted/b": 0.0}
        for i in range(1, 81)
    ]
    _, parts = training_charts({"grpo": log})
    assert parts.title.startswith(
        "GRPO reward by part: a rises from 0.35 ± 0.076 to 7.75 ± 0.076 between step 1 and step 80"
    )
    assert "the mean of the first 6 steps with the mean of the last 6 (± standard" in parts.note
    assert "means over 6 steps" in parts.note
    _, both = training_charts({"grpo": [step | {"reward_weighted/b": 0.1} for step in log]})
    assert [f">{name}<" in both.svg() for name in "ab"] == [True, True]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.integers(1, 9))
def test_a_running_mean_stays_within_its_values_and_keeps_a_line(values, window):
    means = running_mean(values, window)
    assert len(means) == len(values)
    assert min(values) - 1e-12 <= min(means) <= max(means) <= max(values) + 1e-12
    assert running_mean(values, 1) == values
    line = [2.0 * i for i in range(40)]
    if window % 2:
        assert running_mean(line, window)[window:-window] == pytest.approx(line[window:-window])


def test_curves_without_numbers_are_left_out():
    nan = float("nan")
    assert training_charts({"a/b": [nan, None], "sft": [], "c": [{"step": 1, "loss": nan}]}) == []


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


def test_values_are_formatted_by_their_unit():
    assert format_value(12.345, "valid") == "12.3 %"
    assert format_value(1.234, "re", group="published") == "1.23"
    assert format_value(0.12345, "approximation_ratio") == "0.123"
    assert format_value(None, "reward") == "–"


def test_nothing_to_evaluate_is_one_line():
    with pytest.raises(InputError, match="no problem has generations"):
        Aggregator().finish()
