"""Aggregation and summaries of rows whose right answers are known."""

import json
from dataclasses import replace

import pytest

from quasar.errors import InputError
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.summary import (
    FAILED,
    SampleCircuit,
    format_value,
    read_summary,
    summary_from_dict,
)
from tests.evaluation.known_rows import NOTHING, sample, summary_of


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


def test_values_are_formatted_by_their_unit():
    assert format_value(12.345, "valid") == "12.3 %"
    assert format_value(1.234, "re", group="published") == "1.23"
    assert format_value(0.12345, "approximation_ratio") == "0.123"
    assert format_value(None, "reward") == "–"


def test_nothing_to_evaluate_is_one_line():
    with pytest.raises(InputError, match="no problem has generations"):
        Aggregator().finish()
