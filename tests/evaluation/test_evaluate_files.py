"""Whole evaluations of files: published figures, corrected definitions, faults of the input."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from quasar.config import with_overrides
from quasar.datasets.io import read_problems, write_generations
from quasar.errors import ConfigError, InputError
from quasar.evaluation.baseline_names import BASELINE_NAMES, SOLVERS, asked_for
from quasar.evaluation.baselines import baseline_rows
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.summary import read_summary
from quasar.pipeline.evaluate import evaluate_files
from tests.evaluation.known_answers import COVER, EMPTY, QUICK, UNIFORM, answers

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (DATA / "problems.jsonl").is_file(), reason="the benchmark's data is not beside the project"
)


@needs_data
@pytest.mark.parametrize("k", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_published_figures_are_reproduced_to_the_last_digit(k, tmp_path):
    expected = json.loads((DATA / "expected_metrics_deepseek_v3.json").read_text())[f"pass{k}"]
    summary = evaluate_files(
        DATA / "problems.jsonl",
        DATA / f"generations_deepseek_v3_pass{k}.jsonl",
        tmp_path,
        config=QUICK,
        workers=2,
        progress=False,
        baselines=(),
    )
    table = json.loads((tmp_path / "summary.json").read_text())[f"pass@{k}"]
    published, corrected = table["published"], table["corrected"]
    assert summary.num_problems == expected["n"]
    for name in ("scr", "re", "hqcr"):
        assert round(published[name], 4) == expected[name]
    assert round(published["srev"], 4) == expected["srev_published"]
    assert round(corrected["srev"], 4) == expected["srev"]
    if "at_least_reference" in expected:
        assert round(corrected["at_least_reference"], 4) == expected["at_least_reference"]


@needs_data
def test_trivial_policies_stand_where_the_benchmark_has_them():
    records = [r for r in read_problems(DATA / "problems.jsonl") if r.problem.num_qubits <= 6]
    sources = {
        name: evaluate_rows(
            [(record, baseline_rows(name, [record])[0].completions) for record in records],
            config=QUICK,
        )
        for name in ("H on every qubit", "one optimal bitstring")
    }
    uniform, optimum = sources.values()
    assert uniform.get("approximation_ratio").value == pytest.approx(
        uniform.uniform_approximation_ratio, abs=1e-9
    )
    assert uniform.get("optimum_enrichment_bits").value == pytest.approx(0, abs=1e-9)
    assert uniform.get("reward").value == pytest.approx(0, abs=1e-9)
    assert optimum.get("approximation_ratio").value == pytest.approx(1.0)
    assert optimum.get("optimum_probability").value == pytest.approx(1.0)
    # The published metric prefers guessing to the optimum.
    hits = [s.get("hqcr", group="published").value for s in (uniform, optimum)]
    assert hits[0] > hits[1]


def test_corrected_metrics_of_known_circuits(files, tmp_path):
    problems, generations = files(answers(7, COVER, UNIFORM, EMPTY, "not a circuit"))
    output = tmp_path / "out"
    summary = evaluate_files(
        problems, generations, output, config=QUICK, progress=False, baselines=BASELINE_NAMES
    )
    rows = pq.read_table(output / "per_sample.parquet").to_pylist()
    cover, uniform, empty, invalid = rows
    assert [row["sample"] for row in rows] == [0, 1, 2, 3]
    assert cover["valid"]
    assert cover["decoded_correct"]
    assert cover["srev"]
    assert cover["at_least_reference"]
    assert cover["approximation_ratio"] == pytest.approx(1.0)
    assert cover["optimum_enrichment_bits"] == pytest.approx(3.0)  # 1 optimum of 8 states
    assert cover["most_probable_bitstring"] == "010"
    assert uniform["optimum_enrichment_bits"] == pytest.approx(0.0, abs=1e-9)
    assert not uniform["decoded_correct"]  # all bitstrings are tied, not all are optimal
    assert not empty["decoded_correct"]
    assert cover["optimum_most_probable"] is True
    assert uniform["optimum_most_probable"] is empty["optimum_most_probable"] is False
    assert empty["optimum_enrichment_bits"] == -3.0
    assert not invalid["valid"]
    assert invalid["optimum_most_probable"] is False
    assert invalid["approximation_ratio"] == 0.0
    assert invalid["js_distance"] == invalid["relative_energy_gap"] == 1.0
    assert invalid["reward"] == -1.0
    assert invalid["failure"]
    assert invalid["published_scr"] is False
    assert summary.get("valid").value == 75.0
    # No seconds were measured for such a file: the solver has no time to be equal to.
    assert set(summary.baselines) == set(asked_for(BASELINE_NAMES, ["qaoa"])) - set(SOLVERS)
    assert (output / "report.html").is_file()
    assert list((output / "figures").glob("*.svg"))
    assert read_summary(output / "summary.json").to_dict() == summary.to_dict()
    titles = [circuit.title for circuit in summary.circuits]
    assert titles[0] == "Highest reward"
    assert any(title.startswith("Not accepted") for title in titles)


def test_a_problem_without_reference_has_no_published_group(files, tmp_path):
    problems, generations = files(answers(9, COVER))
    summary = evaluate_files(
        problems, generations, tmp_path / "out", config=QUICK, progress=False, baselines=()
    )
    content = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert content["pass@1"]["published"] is None
    assert content["pass@1"]["corrected"]["js_distance"] is None
    assert summary.get("valid").value == 100.0


def test_results_do_not_depend_on_the_number_of_workers(files, tmp_path):
    problems, generations = files(answers(9, COVER, "x"), answers(7, UNIFORM, COVER))
    results = [
        evaluate_files(
            problems, generations, tmp_path / str(n), config=QUICK, workers=n, progress=False
        ).to_dict()
        | {"details": None}
        for n in (1, 2)
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["", answers(7, COVER), "", answers(8, COVER)], "line 4: sample_index 8 is not in"),
        ([answers(7, COVER), answers(7, COVER)], "line 2: sample_index 7"),
        ([answers(7)], "line 1: 'completions' is empty"),
        ([{"sample_index": 7, "completions": COVER}], "line 1: .*completions"),
        ([{"sample_index": "7", "completions": [COVER]}], "line 1: .*sample_index"),
        ([answers(7, COVER), "{not json"], "line 2: not JSON"),
    ],
)
def test_faults_of_a_generation_file_are_one_line(files, tmp_path, lines, message):
    problems, generations = files(*lines)
    with pytest.raises(InputError, match=message) as caught:
        evaluate_files(problems, generations, tmp_path / "out", config=QUICK, progress=False)
    assert str(caught.value).startswith(str(generations))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_fewer_samples_than_k_are_named_by_line(files, tmp_path, caplog):
    problems, generations = files(answers(7, *[COVER] * 10), "", answers(9, COVER, UNIFORM))
    summary = evaluate_files(
        problems, generations, tmp_path / "a", config=QUICK, progress=False, baselines=()
    )
    assert f"{generations} line 3: 2 samples, fewer than the k of pass@10" in caplog.text
    assert summary.get("valid", k=10).num_problems == 2
    caplog.clear()
    files(answers(7, COVER, UNIFORM))
    summary = evaluate_files(
        problems, generations, tmp_path / "b", config=QUICK, progress=False, baselines=()
    )
    assert f"{generations} line 1: 2 samples are the most" in caplog.text
    assert set(summary.tables) == {"pass@1", "best-of-2"}
    with pytest.raises(
        InputError, match="--best-of 3 needs as many samples of a problem, and 2 are"
    ):
        evaluate_files(
            problems, generations, tmp_path / "d", config=QUICK, progress=False, best_of=3
        )
    caplog.clear()
    evaluate_files(
        problems, generations, tmp_path / "c", config=QUICK, progress=False, baselines=(), asked=2
    )
    assert "samples are the most" not in caplog.text  # that many were asked for


def test_the_noise_view_puts_both_circuits_side_by_side(files, tmp_path):
    problems, generations = files(answers(7, "not a circuit", UNIFORM), answers(9, COVER))
    config = with_overrides(QUICK, {"evaluation.device": "depolarizing", "evaluation.noise": True})
    summary = evaluate_files(
        problems, generations, tmp_path / "out", config=config, progress=False, baselines=()
    )
    found = summary.hardware
    assert summary.device == found["device"] == "depolarizing"
    # The second problem has no reference; the first valid sample of the first one is uniform.
    assert (found["num_problems"], found["num_left_out"]) == (1, 1)
    uniform = summary.uniform_approximation_ratio
    assert uniform is not None
    generated, reference = found["generated"], found["reference"]
    assert generated["noisy"]["value"] == pytest.approx(generated["approximation_ratio"]["value"])
    assert reference["approximation_ratio"]["value"] == pytest.approx(1.0)
    assert reference["noisy"]["value"] < reference["readout_mitigated"]["value"] <= 1.0
    assert summary.get("device_two_qubit_gates").value == 0.0
    assert "On depolarizing" in (tmp_path / "out" / "report.html").read_text()


def test_the_noise_view_needs_a_device(files, tmp_path):
    problems, generations = files(answers(7, COVER))
    config = with_overrides(QUICK, {"evaluation.noise": True})
    with pytest.raises(ConfigError, match="set it to a noise model"):
        evaluate_files(problems, generations, tmp_path / "out", config=config, progress=False)


def test_missing_files_are_named(files, tmp_path):
    problems, generations = files(answers(7, COVER))
    for pair in ((tmp_path / "no.jsonl", generations), (problems, tmp_path / "no.jsonl")):
        with pytest.raises(InputError, match=r"no\.jsonl: no such file"):
            evaluate_files(*pair, tmp_path / "out", config=QUICK, progress=False)


def test_baselines_are_seeded_and_need_what_they_need(files, tmp_path):
    problems, _ = files(answers(7, COVER))
    records = read_problems(problems)
    first = baseline_rows("random angles", records, samples=2, seed=1)
    assert [row.sample_index for row in first] == [7]  # the other problem has no reference
    assert first == baseline_rows("random angles", records, samples=2, seed=1)
    with pytest.raises(InputError, match="valid names"):
        baseline_rows("magic", records)
    write_generations(tmp_path / "b.jsonl", baseline_rows("one optimal bitstring", records))
    summary = evaluate_files(
        problems,
        tmp_path / "b.jsonl",
        tmp_path / "out",
        config=QUICK,
        progress=False,
        baselines=(),
    )
    assert summary.get("decoded_correct").value == 100.0
