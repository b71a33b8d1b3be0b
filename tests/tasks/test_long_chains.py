"""Chains of more sites than a vector has room for."""

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits
from quasar.config import VerificationConfig
from quasar.errors import TaskError
from quasar.tasks import get_task
from quasar.tasks.check import check_task
from quasar.tasks.ground_state import chains
from quasar.tasks.ground_state.chains import ChainFacts
from quasar.tasks.ground_state.families import CHAINS, MAX_QUBITS, MAX_SITES
from quasar.tasks.programs import program, real_layers
from quasar.verification.task_optimiser import TaskOptimisationRequest
from quasar.verification.verifier import Verifier

TASK = get_task("ground_state")


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("tfim_chain", {"coupling": 1.0, "field": 0.9}),
        ("xxz_chain", {"coupling": 1.1, "anisotropy": 0.4}),
        ("heisenberg_chain", {"couplings": [0.5, 1.5, 0.8, 1.2, 1.0, 0.6, 1.4]}),
    ],
)
@pytest.mark.parametrize("n", [7, 8])
def test_both_ways_measure_the_same(family, parameters, n):
    """On chains that a vector has room for."""
    if "couplings" in parameters:
        parameters = {"couplings": parameters["couplings"][: n - 1]}
    instance = TASK.read(family, {"parameters": parameters}, num_qubits=n)
    facts = TASK.facts(instance)
    long = ChainFacts.of(facts.model)
    assert abs(long.ground.energy - facts.ground.energy) < 1e-8
    assert abs(long.product.value - facts.product.value) < 1e-9
    assert abs(long.closest.value - facts.closest.value) < 1e-6
    rng = np.random.default_rng(3)
    for layers in (1, 2):
        form = real_layers(n, layers)
        circuit = form.with_parameters(rng.normal(size=len(form.parameters)))
        one, other = TASK.measure(circuit, facts), chains.measure(circuit, long)
        assert abs(one.energy - other.energy) < 1e-8
        assert abs(one.fidelity - other.fidelity) < 1e-6
        assert other.error < 1e-6
        assert np.allclose(one.means, other.means, atol=1e-8)


@pytest.mark.parametrize("family", CHAINS)
def test_the_laws_hold_above_the_size_of_vectors(family):
    found = check_task("ground_state", instances=1, max_qubits=15, seed=3, families=(family,))
    assert found.passed, found.faults
    rng = np.random.default_rng(0)
    instance = TASK.generate(rng, family=family, num_qubits=MAX_QUBITS + 1)
    facts = TASK.facts(instance)
    assert isinstance(facts, ChainFacts)
    text = TASK.reference(instance, facts)
    circuit = TASK.read_program(text, instance, Limits(max_qubits=instance.num_qubits))
    signals = TASK.grade(instance, circuit, facts, diagnose=True, draw=True)
    assert signals.success
    assert signals.parts["energy"] >= 0.98
    assert signals.figures["ground_energy_error"] < 1e-3
    for name, shortcut in TASK.shortcuts(instance, facts).items():
        signals = TASK.grade(instance, shortcut, facts, diagnose=True, draw=True)
        assert max(signals.parts.values()) < 1e-6, name
        assert not signals.success
        assert signals.advice


def test_thirty_sites_are_verified_like_any_other():
    instance = TASK.read(
        "tfim_chain", {"parameters": {"coupling": 1.0, "field": 1.5}}, num_qubits=MAX_SITES
    )
    facts = TASK.facts(instance)
    text = TASK.reference(instance, facts)
    report = Verifier(VerificationConfig()).tasks.verify(instance, text, diagnose=True, draw=True)
    assert report.valid
    assert report.task.success
    figures = report.task.figures
    exactly = chains.free_fermion_energy(MAX_SITES, 1.0, 1.5)
    assert abs(figures["ground_energy"] - exactly) <= figures["ground_energy_error"] < 1e-3
    assert "gap" not in figures
    assert TASK.second_opinion(instance, Circuit(MAX_SITES, ()), facts) == ""


def test_what_a_truncation_hides_is_not_credited():
    """A circuit that no bond dimension here holds is worth what it is worth at the bad end."""
    instance = TASK.read(
        "tfim_chain", {"parameters": {"coupling": 1.0, "field": 1.5}}, num_qubits=16
    )
    facts = TASK.facts(instance)
    rng = np.random.default_rng(0)
    gates = []
    for _ in range(5):
        gates += [Gate("ry", (q,), (float(rng.uniform(-3, 3)),)) for q in range(16)]
        gates += [Gate("cx", tuple(map(int, rng.permutation(16)[:2]))) for _ in range(16)]
    found = chains.measure(Circuit(16, tuple(gates)), facts)
    assert found.moved > 0.1
    signals = TASK.grade(instance, Circuit(16, tuple(gates)), facts)
    assert signals.parts == {"energy": 0.0, "fidelity": 0.0}
    assert signals.figures["energy_error"] > 1.0


@pytest.mark.parametrize(
    ("family", "parameters", "named"),
    [
        ("tfim_chain", {"coupling": -1.0, "field": 1.0}, "'coupling' must be above 0 on 15 sites"),
        ("xxz_chain", {"coupling": 1.0, "anisotropy": -1.2}, "'anisotropy' must be above -1"),
        ("heisenberg_chain", {"couplings": -0.5}, "'couplings' must be above 0"),
    ],
)
def test_parameters_that_the_sweeps_are_not_for_are_refused(family, parameters, named):
    with pytest.raises(TaskError, match=named):
        TASK.read(family, {"parameters": parameters}, num_qubits=15)
    TASK.read(family, {"parameters": parameters}, num_qubits=6)


def test_other_families_end_where_vectors_do():
    assert TASK.possible_qubits("tfim_chain", 100)[-1] == MAX_SITES
    assert TASK.possible_qubits("tfim_ring", 100)[-1] == MAX_QUBITS
    with pytest.raises(TaskError, match="'n_qubits' is 15, expected 1 to 14"):
        TASK.read("custom", {"hamiltonian": "-1*Z0*Z1 + -0.5*X0"}, num_qubits=15)


def test_the_optimise_tool_says_that_it_is_too_large():
    instance = TASK.read(
        "tfim_chain", {"parameters": {"coupling": 1.0, "field": 1.5}}, num_qubits=MAX_SITES
    )
    form = real_layers(MAX_SITES, 1)
    text = program(form.with_parameters(np.full(len(form.parameters), 0.3)))
    report = TaskOptimisationRequest(instance, text).answer(Verifier(VerificationConfig()))
    assert report.valid
    assert report.optimised is None
    assert report.skipped["optimise"] == "the circuit is too large for half of the time limit"
