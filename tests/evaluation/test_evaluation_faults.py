"""Evaluations that are stopped, lose a worker or meet a faulty plug-in: no fault is a grade."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from quasar.circuits.circuit import Gate
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.errors import InputError
from quasar.evaluation.grade import Job, ProblemGrader
from quasar.evaluation.storage import SampleWriter
from quasar.pipeline.evaluate import evaluate_files
from quasar.problems.primitives.vertex_cover import VertexCover
from quasar.system.run_paths import EvaluationPaths
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.verifier import Verifier
from tests.evaluation.known_answers import COVER, EMPTY, FIRST, QUICK, UNIFORM, answers, qasm


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
