"""A run's evaluations and validations are graded by its verifiers; no fault there ends a run."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import config_from_dict, load_config
from quasar.datasets.io import write_problems
from quasar.datasets.records import ProblemRecord
from quasar.evaluation.evaluate import evaluate_rows
from quasar.problems import build_instance
from quasar.training.state import RunState
from quasar.training.validation import Validation
from quasar.verification.execution.pool import LocalVerifierPool, VerifierPool

CONFIG = config_from_dict(
    {
        "verification": {"num_workers": 2, "cpus_per_worker": 0.25, "time_limit_s": 5.0},
        "evaluation": {"device": "depolarizing", "random_draws": 2, "noise": True},
    }
)
BASELINES = ("H on every qubit", "references")
WRONG = "not a circuit"


def qasm(*gates: Gate) -> str:
    return Circuit(3, gates).to_qasm()


COVER = qasm(Gate("x", (0,)), Gate("x", (2,)))
UNIFORM = qasm(*(Gate("h", (q,)) for q in range(3)))
BREAK = "break"


def record(index: int, *edges: tuple[int, int]) -> ProblemRecord:
    graph = {
        "nodes": [{"id": q} for q in range(3)],
        "edges": [{"source": a, "target": b} for a, b in edges],
    }
    problem = replace(build_instance("vertex_cover", graph), reference_circuit=COVER)
    return ProblemRecord(index, problem, "qaoa", 1, {})


RECORDS = [record(0, (0, 1), (1, 2)), record(1, (0, 1)), record(2, (0, 1), (1, 2), (0, 2))]
ANSWERS = [(record, (UNIFORM, WRONG, COVER)) for record in RECORDS]


def breakable(config, formula):
    """A verifier that meets what nobody thought of; made here so that it travels by value."""
    from quasar.verification.verifier import Verifier

    class Breakable(Verifier):
        def verify(self, problem, text, **options):
            if text == "break":
                raise ZeroDivisionError("of ours")
            return super().verify(problem, text, **options)

    return Breakable(config, formula)


@pytest.mark.ray
@pytest.mark.parametrize("formula", ["hierarchical", "published"])
def test_the_runs_pool_grades_as_guarded_processes_do(local_ray, formula):
    """Whatever the formula that the run trains by, and whatever its budget."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(__import__(__name__))
    alone = evaluate_rows(ANSWERS, config=CONFIG, workers=1, baselines=BASELINES)
    verification = CONFIG.verification.model_copy(update={"budget_s": 1e-6})
    pool = VerifierPool(verification, formula, verifier_factory=breakable)
    try:
        pooled = evaluate_rows(ANSWERS, config=CONFIG, verifiers=pool, baselines=BASELINES)
        if formula == "hierarchical":
            assert pooled.to_dict() == alone.to_dict()
        for name in ("reward", "js_distance", "warm_start_gain", "approximation_ratio"):
            # The published formula's workers round as other kernels of the linear algebra do.
            assert pooled.get(name).value == pytest.approx(alone.get(name).value, abs=1e-12)
        assert pooled.get("warm_start_gain").value is not None
        broken = [(record, (BREAK, *texts)) for record, texts in ANSWERS]
        found = evaluate_rows(broken, config=CONFIG, verifiers=pool)
        assert found.num_failed == len(ANSWERS)
        assert found.get("valid").value == alone.get("valid").value
    finally:
        pool.close()


def test_a_validation_whose_grading_fails_counts_for_nothing_and_training_goes_on(tmp_path):
    config = load_config("laptop", ["grpo.validation.every=5"])
    problems = tmp_path / "validation.jsonl"
    write_problems(problems, RECORDS)
    quick = CONFIG.model_copy(
        update={"evaluation": CONFIG.evaluation.model_copy(update={"noise": False})}
    )

    def grade(answers, verifiers):
        summary = evaluate_rows(answers, config=quick, verifiers=verifiers)
        return {name: summary.get(name).value for name in ("reward", "valid")}

    state = RunState("grpo")
    verifiers = LocalVerifierPool(CONFIG.verification, verifier_factory=breakable)
    texts = [[BREAK]] * len(RECORDS)
    algorithm = SimpleNamespace(
        verifiers=verifiers, run_state=state, complete=lambda records, samples: texts
    )
    validation = Validation(config, problems, grade)
    assert "validation/reward" not in validation.run(algorithm)
    assert state.best_step is None
    assert verifiers.stats().failed == {"error": len(RECORDS)}
    texts = [[COVER]] * len(RECORDS)
    assert validation.run(algorithm)["validation/valid"] == 100.0
    assert state.best_value is not None
