"""The optimise tool on answers to tasks: angles move, gates do not, and nothing gets worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.qasm import read_qasm
from quasar.config import load_config
from quasar.tasks import get_task
from quasar.tasks.ground_state.molecules import full_ci
from quasar.tasks.programs import real_layers
from quasar.verification.observation import observation_text
from quasar.verification.optimiser import SKIPPED, Bounds
from quasar.verification.request import TaskRequest
from quasar.verification.task_optimiser import (
    TaskOptimisationRequest,
    optimise_random_start,
)
from quasar.verification.verifier import Verifier

VERIFIER = Verifier(load_config("laptop").verification)
TASK = get_task("ground_state")
H2 = TASK.read("h2_parity", {"parameters": {"bond_length": 0.75}})
# Hartree-Fock and one rotation that breaks its pair: the smallest form that has the ground state.
FORM = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
ry({0}) q[0];
ry({1}) q[1];
cx q[0], q[1];
ry({2}) q[1];
c = measure q;
"""


def optimised(text, instance=H2, **options):
    return TaskOptimisationRequest(instance, text, **options).answer(VERIFIER)


def test_angles_near_the_ground_state_reach_chemical_accuracy():
    text = FORM.format(3.0, 0.1, 0.2)
    before = TaskRequest(H2, text).answer(VERIFIER).task
    report = optimised(text)
    found, after = report.optimised, report.task
    assert not before.success
    assert after.success
    assert after.figures["energy"] == pytest.approx(full_ci("h2_parity", 0.75), abs=1.6e-3)
    assert found.improved
    assert found.evaluations <= 50
    assert found.energy_before == pytest.approx(before.figures["energy"])
    assert found.energy == pytest.approx(after.figures["energy"])
    gates = [(g.name, g.qubits) for g in read_qasm(found.program).gates]
    assert gates == [(g.name, g.qubits) for g in read_qasm(text).gates]
    assert list(found.parameters) == ["a0", "a1", "a2"]
    assert "optimised: energy" in observation_text(report, max_chars=600)


@settings(max_examples=25)
@given(
    angles=st.lists(st.floats(-3.2, 3.2), min_size=9, max_size=9),
    evaluations=st.integers(2, 12),
    seed=st.integers(0, 30),
)
def test_it_is_never_worse_and_spends_no_more_than_it_may(angles, evaluations, seed):
    rng = np.random.default_rng(seed)
    instance = TASK.generate(rng, family="xxz_chain", num_qubits=3)
    text = real_layers(3, 2).with_parameters(angles).to_qasm(decimals=4)
    given_energy = TaskRequest(instance, text).answer(VERIFIER).task.figures["energy"]
    report = optimised(text, instance, evaluations=evaluations)
    assert report.task.figures["energy"] <= given_energy + 1e-9
    assert report.optimised.evaluations <= evaluations
    settled = TaskOptimisationRequest(instance, text).settled(report)
    assert type(settled) is TaskRequest
    assert settled.answer(VERIFIER).task.parts == report.task.parts


def test_random_starts_do_not_look_at_the_angles_of_the_text():
    facts = VERIFIER.tasks.facts(H2)
    bounds = Bounds.of(VERIFIER.config, VERIFIER.limits, 20)
    made = {
        optimise_random_start(FORM.format(*angles), H2, facts, bounds, np.random.default_rng(3))
        for angles in ((0.1, 0.2, 0.3), (2.1, -1.0, 0.5))
    }
    assert len(made) == 1
    assert made != {None}


@pytest.mark.parametrize(
    ("text", "instance", "reason"),
    [
        ("nonsense", H2, "the program is not valid"),
        ('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\n'
         "c = measure q;", H2, "the program has no angles"),
        (FORM.format(0.1, 0.2, 0.3),
         get_task("state_preparation").generate(
             np.random.default_rng(0), family="bell", num_qubits=2
         ), "no energy that angles could lower"),
    ],
)  # fmt: skip
def test_what_cannot_be_optimised_is_judged_as_it_stands_and_says_why(text, instance, reason):
    report = optimised(text, instance)
    assert report.optimised is None
    assert reason in report.skipped[SKIPPED]
    assert report.valid == TaskRequest(instance, text).answer(VERIFIER).valid
