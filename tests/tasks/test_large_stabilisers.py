"""Stabiliser circuits of 30 to 100 qubits the whole way: from the dataset to the evaluation."""

import time

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit
from quasar.config import load_config
from quasar.datasets.generation.generate import SPLITS, generate_dataset
from quasar.datasets.io import read_records
from quasar.errors import InputError
from quasar.evaluation.baseline_names import BASELINE_NAMES, BEST_TRIVIAL, BY_RULE, REFERENCES
from quasar.evaluation.evaluate import evaluate_rows
from quasar.policy.program_form import record_form
from quasar.schema.verify import VerifyRequest, to_answer, to_check
from quasar.tasks import get_task
from quasar.tasks.stabiliser import plan
from quasar.tasks.stabiliser.families import draw
from quasar.tasks.stabiliser.target import Target
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.request import answer_request
from quasar.verification.verifier import Verifier
from tests.support.machine import unit

TASK = get_task("stabiliser")


def config_of(*overrides):
    return load_config(
        "laptop",
        [
            "dataset.tasks=[stabiliser]",
            "dataset.num_examples=10",
            "dataset.num_workers=1",
            "evaluation.device=none",
            "evaluation.random_draws=0",
            *overrides,
        ],
    )


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    instances = "[stabiliser/state:30,stabiliser/graph:100,stabiliser/repetition:99]"
    config = config_of(f"dataset.instances={instances}")
    summary = generate_dataset(config, tmp_path_factory.mktemp("large"), progress=False)
    assert not summary.exhausted
    return [record for split in SPLITS for record in read_records(summary.path(split))]


def test_the_teacher_is_right_and_doing_nothing_is_not(records):
    verifier = Verifier(config_of().verification)
    sizes = set()
    for record in records:
        instance = record.problem
        sizes.add(instance.num_qubits)
        report = verifier.tasks.verify(instance, instance.reference_circuit, draw=True)
        assert report.valid
        assert report.task.success
        assert min(report.task.parts.values()) == 1.0
        nothing = Circuit(instance.num_qubits, ()).to_qasm()
        report = verifier.tasks.verify(instance, nothing, diagnose=True, draw=True)
        assert report.valid
        assert not any(report.task.parts.values())
        assert 1 <= len(report.task.advice) <= 3
        assert len(report.task.drawing["rows"]) <= 64
    assert sizes == {30, 99, 100}


def test_the_endpoint_and_agents_take_them(records):
    """Both make of a request what is made here."""
    config = config_of()
    verifier = Verifier(config.verification)
    for record in records[:3]:
        row = {k: v for k, v in record.to_dict().items() if k != "sample_index"}
        for circuit, success in (
            (record.problem.reference_circuit, True),
            (Circuit(record.problem.num_qubits, ()).to_qasm(), False),
        ):
            request = VerifyRequest(row=row, circuit=circuit, draw=True)
            check = to_check(request, max_qubits=config.verification.max_qubits)
            answer = to_answer(
                answer_request(verifier, check, memory_limit_mb=0), request, config.reward
            )
            assert answer.report.task.success == success
            assert (answer.reward.value > 0.99) == success
            assert 20 < len(answer.observation) <= 1000


def test_prompts_state_every_row(records):
    for record in records:
        instance = record.problem
        rows = [row for name in instance.content for row in instance.content[name]]
        for style in ("structured", "free"):
            text = TASK.prompt(instance, style=style)[-1]["content"]
            assert all(row in text for row in rows)
        assert TASK.prompt(instance, style="compact")[0]["content"].count("\n") == 2


def test_answers_are_decoded_freely_and_have_no_plan(records):
    config = config_of("dataset.style=canonical", "dataset.prompts=compact")
    for record in records:
        assert record_form(record, config.dataset).style == "free"
        assert TASK.worked(record.problem, decimals=2) is None


def test_evaluation_has_its_rows(records):
    config = config_of()
    answered = [(r, (r.problem.reference_circuit, "nothing")) for r in records[:4]]
    summary = evaluate_rows(
        answered,
        config=config,
        verifiers=LocalVerifierPool(config.verification),
        baselines=BASELINE_NAMES,
    )
    rows = {"own": summary, **summary.baselines}
    assert set(rows) == {"own", REFERENCES, BY_RULE, BEST_TRIVIAL}
    expected = {"own": 50.0, REFERENCES: 100.0, BY_RULE: 100.0, BEST_TRIVIAL: 0.0}
    for name, row in rows.items():
        success = row.tasks["stabiliser"].tables["pass@1"]["success"].value
        assert success == pytest.approx(expected[name]), name


def test_the_rule_takes_a_hundred_qubits():
    """Were all letters of all rows counted anew at each gate, it would take n⁴: minutes."""
    target = draw(np.random.default_rng(0), "state", 100)
    assert isinstance(target, Target)
    started = time.process_time()
    circuit = plan.swept(target)
    assert time.process_time() - started < 300 * unit()
    rows = target.tableau()
    rows.take_back(circuit)
    assert target.wrong(rows) == (0, 0)


def test_programs_that_are_all_too_long_end_the_generation(tmp_path):
    """It drew for ever."""
    config = config_of("dataset.instances=[stabiliser/state:6]", "dataset.max_program_bytes=120")
    with pytest.raises(InputError, match=r"by max_program_bytes\); raise dataset.max_prog"):
        generate_dataset(config, tmp_path / "a", progress=False)


def test_a_size_whose_programs_are_too_long_is_left_out_and_named(tmp_path):
    config = config_of(
        "dataset.instances=[stabiliser/graph:4,stabiliser/state:12]",
        "dataset.max_program_bytes=420",
        "dataset.num_examples=14",
    )
    summary = generate_dataset(config, tmp_path / "a", progress=False)
    assert "stabiliser/state-12q" in summary.exhausted
    assert list(summary.cells) == ["stabiliser/graph"]
