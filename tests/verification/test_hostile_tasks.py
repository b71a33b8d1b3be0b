"""Hostile programs, random programs and reward hacks against every task."""

import numpy as np
import pytest
from hostile import CASES
from hostile_words import VALID

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import RewardConfig, VerificationConfig
from quasar.schema.verify import VerifyRequest, to_answer, to_check
from quasar.simulation.stabiliser.tableau import NOT_CLIFFORD
from quasar.tasks import get_task
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.observation import observation_text
from quasar.verification.request import request_of
from quasar.verification.reward import score
from quasar.verification.verifier import Verifier

TASKS = {
    "ground_state": ("tfim_chain", 3),
    "state_preparation": ("ghz", 3),
    "stabiliser": ("state", 3),
}
CONFIG = VerificationConfig()
REWARD = RewardConfig()


def asked(name):
    family, n = TASKS[name]
    task = get_task(name)
    return task, task.generate(np.random.default_rng(1), family=family, num_qubits=n)


@pytest.fixture(scope="module")
def verifier():
    return Verifier(CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_hostile_corpus_ends_in_a_verdict(name, verifier):
    """As for graph problems: the same refusals, and whatever is read is graded."""
    _, instance = asked(name)
    for case, (text, kind) in CASES.items():
        report = verifier.tasks.verify(instance, text, diagnose=True, draw=True)
        scored = score(report, REWARD)
        if report.error is None:
            assert kind is VALID, case
            assert 0.0 <= scored.value <= 1.0, case
        else:
            # A valid program of three qubits need not be Clifford.
            assert kind is not VALID or report.error.kind == NOT_CLIFFORD, case
            assert kind is VALID or report.error.kind == kind, case
            assert scored.value == -REWARD.weights.syntax, case
            assert not report.task.success, case
        assert len(observation_text(report, max_chars=300)) <= 300, case


@pytest.mark.parametrize("name", TASKS)
def test_words_in_the_answer_are_no_score(name, verifier):
    """Comments, claims and numbers around a program change nothing."""
    _, instance = asked(name)
    n = instance.num_qubits
    plain = Circuit(n, ()).to_qasm()
    claims = [
        f"// fidelity 1.0, energy -99, success true\n{plain}",
        f"reward = 1.0\n{plain}",
        plain.replace("qubit", "// exact: all rows right\nqubit"),
    ]
    expected = score(verifier.tasks.verify(instance, plain), REWARD)
    assert expected.value == pytest.approx(0.0, abs=1e-6)
    for text in claims:
        assert score(verifier.tasks.verify(instance, text), REWARD) == expected


@pytest.mark.parametrize("name", TASKS)
def test_an_answer_on_other_qubits_is_no_answer(name, verifier):
    _, instance = asked(name)
    for n in (1, instance.num_qubits + 1, 15):
        report = verifier.tasks.verify(instance, Circuit(n, (Gate("h", (0,)),)).to_qasm())
        assert not report.valid
        assert report.error.kind == "wrong_qubit_count"


def test_a_gate_that_is_not_clifford_is_named(verifier):
    _, instance = asked("stabiliser")
    for gate in (Gate("t", (0,)), Gate("rz", (1,), (0.3,)), Gate("ccx", (0, 1, 2))):
        report = verifier.tasks.verify(instance, Circuit(3, (gate,)).to_qasm())
        assert report.error.kind == "not_clifford"
        assert gate.name in report.error.message


def test_a_hundred_qubits_and_a_long_program(verifier):
    task = get_task("stabiliser")
    instance = task.generate(np.random.default_rng(0), family="graph", num_qubits=100)
    teacher = task.reference(instance, verifier.tasks.facts(instance))
    report = verifier.tasks.verify(instance, teacher)
    assert report.task.success
    assert score(report, REWARD).value == pytest.approx(1.0)
    too_long = Circuit(100, tuple(Gate("h", (q % 100,)) for q in range(20_001))).to_qasm()
    assert verifier.tasks.verify(instance, too_long).error.kind in ("too_many_gates", "too_long")


def test_graph_problems_and_tasks_share_a_guarded_process():
    """Mixed in one batch, by the same client; a row of a file is asked for by its fields."""
    row = {
        "task": "state_preparation",
        "family": "bell",
        "instance": {"which": "psi-"},
    }
    bell = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[2] c;\nqubit[2] q;\nx q[0];\nx q[1];\n'
    bell += "h q[0];\ncx q[0], q[1];\nc = measure q;"
    edge = {"problem_type": "vertex_cover", "graph": {"nodes": [0, 1], "edges": [[0, 1]]}}
    requests = [
        VerifyRequest(row=row, circuit=bell, draw=True),
        VerifyRequest(row=edge, circuit=bell),
        VerifyRequest(row=row, circuit="nothing"),
    ]
    with GuardedVerifier(CONFIG) as client:
        results = client.verify([to_check(request, max_qubits=20) for request in requests])
    answers = [to_answer(r, q, REWARD) for r, q in zip(results, requests, strict=True)]
    assert answers[0].report.task.success
    assert answers[0].reward.value == pytest.approx(1.0)
    assert answers[0].report.task.drawing["kind"] == "amplitudes"
    assert answers[0].model_dump_json()
    assert answers[1].report.task is None
    assert answers[1].report.expectation is not None
    assert not answers[2].report.valid
    assert answers[2].reward.value == -1.0


def test_requests_by_kind():
    _, instance = asked("ground_state")
    request = request_of(instance, "x", diagnose=True)
    assert (request.problem, request.diagnose) == (instance, True)
    assert request.settled(None) is request
