"""Whole evaluations of files: published figures, corrected definitions, faults of the input."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import config_from_dict, with_overrides
from quasar.datasets.io import read_problems, write_generations
from quasar.datasets.records import ProblemRecord
from quasar.errors import ConfigError, InputError
from quasar.evaluation.baseline_names import BASELINE_NAMES, SOLVERS, asked_for
from quasar.evaluation.baselines import baseline_rows
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.grade import Job, ProblemGrader
from quasar.evaluation.storage import SampleWriter
from quasar.evaluation.summary import read_summary
from quasar.pipeline.evaluate import evaluate_files
from quasar.problems import build_instance
from quasar.problems.base import ProblemInstance
from quasar.problems.primitives.vertex_cover import VertexCover
from quasar.system.run_paths import EvaluationPaths
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.verifier import Verifier

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (DATA / "problems.jsonl").is_file(), reason="the benchmark's data is not beside the project"
)
# The warm start takes most of the time and no part in what is compared here.
QUICK = config_from_dict(
    {
        "verification": {"gradient_evaluations": 0},
        "evaluation": {"device": "none", "random_draws": 2},
    }
)
PATH = {
    "directed": False,
    "multigraph": False,
    "graph": {},
    "nodes": [{"id": 0}, {"id": 1}, {"id": 2}],
    "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}],
}
TRIANGLE = {**PATH, "edges": [*PATH["edges"], {"source": 0, "target": 2}]}


def qasm(*gates: Gate, num_qubits: int = 3) -> str:
    return Circuit(num_qubits, gates).to_qasm()


UNIFORM = qasm(*(Gate("h", (q,)) for q in range(3)))
# A variable is 1 where its qubit is measured 0: this answers {node 1}, the optimal cover of PATH.
COVER = qasm(Gate("x", (0,)), Gate("x", (2,)))
FIRST = qasm(Gate("x", (1,)), Gate("x", (2,)))  # answers {node 0}
EMPTY = qasm()  # all nodes: feasible, not optimal


@pytest.fixture
def files(tmp_path):
    """Two vertex-cover problems (the second without a reference) and a way to write answers."""
    rows = [
        {
            "sample_index": index,
            "problem_type": "vertex_cover",
            "graph": graph,
            "reference_circuit": reference,
        }
        for index, graph, reference in ((7, PATH, COVER), (9, TRIANGLE, None))
    ]
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(*lines: dict | str) -> tuple[Path, Path]:
        generations = tmp_path / "generations.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        generations.write_text("\n".join(texts) + "\n")
        return problems, generations

    return write


def answers(index: int, *completions: str) -> dict:
    return {"sample_index": index, "completions": list(completions)}


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


def test_a_stopped_evaluation_goes_on_where_it_was(files, tmp_path, monkeypatch):
    """Stopped after the first problem; the second start grades the second problem only."""
    problems, generations = files(answers(9, COVER, "x"), answers(7, UNIFORM, COVER))

    def run(name: str, config=QUICK):
        return evaluate_files(
            problems, generations, tmp_path / name, config=config, progress=False
        ).to_dict()

    whole = run("whole")
    log = EvaluationPaths(tmp_path / "stopped").progress
    with monkeypatch.context() as patched:
        patched.setattr(SampleWriter, "add", _Stop(after=2).add)
        with pytest.raises(KeyboardInterrupt):
            run("stopped")
    assert len(log.read_text().splitlines()) >= 2  # the key and at least one problem
    assert not (tmp_path / "stopped" / "summary.json").exists()
    assert not list((tmp_path / "stopped").glob("*.parquet"))
    # What was being written when the process died.
    key_and_first = log.read_text().splitlines()[:2]
    log.write_text("\n".join(key_and_first) + '\n{"rows": [{"val')
    resumed = run("stopped")
    assert resumed["details"]["problems_taken_over"] == 1
    assert whole["details"]["problems_taken_over"] == 0
    assert resumed | {"details": None} == whole | {"details": None}
    tables = [
        pq.read_table(tmp_path / name / "per_sample.parquet").drop_columns(["seconds"])
        for name in ("whole", "stopped")
    ]
    assert tables[0].equals(tables[1])
    assert not log.exists()
    # Another configuration is another evaluation, another place to run it is not.
    log.write_text("\n".join(key_and_first) + "\n")
    moved = with_overrides(QUICK, {"dataset.num_workers": 1, "serving.port": 9000})
    assert run("stopped", moved)["details"]["problems_taken_over"] == 1
    log.write_text("\n".join(key_and_first) + "\n")
    with pytest.raises(InputError, match=r"left by another call \(run.seed differ\)"):
        run("stopped", with_overrides(QUICK, {"run.seed": 5}))
    assert log.read_text() == "\n".join(key_and_first) + "\n"


class _Stop:
    """Stands for Ctrl-C while a sample is being written."""

    def __init__(self, after: int):
        self.left = after

    def add(self, row):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


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


def test_a_sample_that_breaks_its_worker_grades_nobody(files):
    problems, _ = files(answers(7, COVER))
    problem = read_problems(problems)[0].problem
    config = with_overrides(
        QUICK, {"verification.time_limit_s": 1.0, "verification.memory_limit_mb": 500}
    )
    texts = (COVER, STALL, HOARD, KILL, BREAK, RECURSE, COVER)
    with GuardedVerifier(
        config.verification, max_tries=2, verifier_factory=FaultyVerifier
    ) as verifiers:
        job = Job(problem, texts, baselines=("empty circuit",))
        graded = ProblemGrader(verifiers, config).grade(job)
    rows = graded.rows
    assert graded.baselines["empty circuit"]["valid"]
    assert graded.facts["uniform"] is not None
    assert [row["failure"] for row in rows] == [
        None,
        "verification failed: timeout",
        "verification failed: memory",
        "verification failed: worker",
        "verification failed: error",
        "verification failed: error",
        None,
    ]
    assert rows[1]["valid"] is None
    assert rows[4]["failure_detail"] == "ZeroDivisionError: division by zero"
    assert rows[5]["failure_detail"].startswith("RecursionError")
    assert rows[0] | {"seconds": 0} == rows[6] | {"seconds": 0}


STALL, HOARD, KILL, BREAK, RECURSE = "stall", "hoard", "kill", "break", "recurse"


class FaultyVerifier(Verifier):
    """Stands for a verification that hangs, takes all memory, takes its process along, or meets
    what nobody thought of.
    """

    def verify(self, problem, text, **options):
        if text == KILL:
            os._exit(9)
        while text == STALL:
            pass
        if text == HOARD:
            np.ones(2**28)
        if text == BREAK:
            return 1 / 0
        if text == RECURSE:
            self.verify(problem, text, **options)
        return super().verify(problem, text, **options)


def test_a_faulty_plug_in_costs_its_own_samples_and_the_evaluation_goes_on(files, tmp_path):
    """Of a primitive whose decoder raises this and that, valid samples end as faults."""
    full = qasm(*(Gate("x", (q,)) for q in range(3)))
    problems, generations = files(answers(7, COVER, "x", EMPTY, full), answers(9, COVER, FIRST))
    with GuardedVerifier(
        QUICK.verification, num_workers=2, max_tries=2, verifier_factory=with_faulty_plug_in
    ) as verifiers:
        summary = evaluate_files(
            problems,
            generations,
            tmp_path / "out",
            config=QUICK,
            verifiers=verifiers,
            progress=False,
            baselines=("empty circuit",),
        )
    rows = pq.read_table(tmp_path / "out" / "per_sample.parquet").to_pylist()
    details = [row["failure_detail"] for row in rows]
    assert details[0] == details[4] == "ValueError: no answer for you"
    assert rows[1]["valid"] is False  # nobody decodes what is no program
    assert details[2] == "ZeroDivisionError: division by zero"
    assert details[3].startswith("RecursionError")
    assert rows[5]["valid"]
    assert summary.failures["verification failed: error"] == summary.num_failed == 4
    assert summary.get("valid").num_problems == 2
    (baseline,) = summary.baselines.values()
    assert baseline.num_failed == 2


def with_faulty_plug_in(config, formula):
    """A verifier of a process whose vertex cover is a faulty one."""
    decode = VertexCover.decode

    def faulty(self, graph, attributes, assignment):
        if assignment == (0, 1, 0):
            raise ValueError("no answer\nfor you")
        if assignment == (1, 1, 1):
            return 1 / 0
        if assignment == (0, 0, 0):
            return faulty(self, graph, attributes, assignment)
        return decode(self, graph, attributes, assignment)

    VertexCover.decode = faulty
    return Verifier(config, formula)


def test_a_problem_above_the_enumerated_sizes_is_evaluated_without_enumeration(tmp_path):
    """22 qubits: what needs all 2**22 probabilities has no value, all else is graded."""
    n = 22
    path = {"nodes": list(range(n)), "edges": [[q, q + 1] for q in range(n - 1)]}
    graph = {
        "nodes": [{"id": q} for q in range(n)],
        "edges": [{"source": a, "target": b} for a, b in path["edges"]],
    }
    problem = build_instance("vertex_cover", graph, max_qubits=n)
    best = qasm(*(Gate("x", (q,)) for q in range(0, n, 2)), num_qubits=n)
    reference = qasm(*(Gate("x", (q,)) for q in range(1, n, 2)), num_qubits=n)
    record = ProblemRecord(0, replace(problem, reference_circuit=reference), "qaoa", 1, {})
    config = with_overrides(QUICK, {"verification.max_qubits": n, "verification.shots": 64})
    names = ("one optimal bitstring", "fixed-angle QAOA", "tuned QAOA p = 1", "references")
    job = Job(record.problem, (best, "x"), baselines=names)
    with GuardedVerifier(config.verification, verifier_factory=WithoutArrays) as verifiers:
        graded = ProblemGrader(verifiers, config).grade(job)
    valid, invalid = graded.rows
    assert (valid["failure"], valid["failure_detail"]) == (None, None)
    assert valid["decoded_correct"]
    assert valid["srev"]
    assert valid["approximation_ratio"] == pytest.approx(1.0)
    assert valid["reference_energy"] == pytest.approx(valid["energy"])
    assert valid["published_re"] is valid["js_distance"] is None
    assert invalid["valid"] is False
    assert invalid["optimum_enrichment_bits"] < 0.0
    assert invalid["js_distance"] is None
    assert graded.facts["uniform"] is not None
    assert set(graded.baselines) == {*names} - {"tuned QAOA p = 1"}  # which needs all energies
    assert all(row["valid"] for row in graded.baselines.values())
    assert graded.baselines["one optimal bitstring"]["decoded_correct"]


class WithoutArrays(Verifier):
    """A verifier in whose process nothing may enumerate the energies of a large problem."""

    def __init__(self, config, formula):
        super().__init__(config, formula)
        ProblemInstance.spectrum = property(refuse)


def refuse(problem):
    raise AssertionError("enumerated")
