"""Laws that every task keeps: bounded parts, nothing for the trivial, worse is never better."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.tasks import get_task
from quasar.tasks.check import DUST, check_task
from tests.tasks.instances import NAMES, cells, made, random_circuit

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", ["ising", *NAMES])
def test_the_laws_hold_on_random_instances(name):
    """Teacher, shortcuts, baselines, reading back, and the second implementation."""
    found = check_task(name, instances=12, max_qubits=4, seed=3)
    assert found.passed, found.faults
    assert found.reference_successes == 12
    assert found.shortcut_successes == 0
    if name != "ising":
        assert found.second_opinions == 12


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(st.data(), SEEDS)
def test_parts_are_bounded_and_no_circuit_without_entanglement_scores(name, drawn, seed):
    family, n = drawn.draw(st.sampled_from(cells(name)))
    task, instance, facts = made(name, family, n)
    rng = np.random.default_rng(seed)
    clifford = name == "stabiliser"
    for local in (True, False):
        circuit = random_circuit(n, rng, local=local, clifford=clifford)
        signals = task.grade(instance, circuit, facts, diagnose=True, draw=True)
        assert set(signals.parts) == set(task.parts)
        assert all(0.0 <= value <= 1.0 for value in signals.parts.values())
        json.dumps(signals.to_dict(), allow_nan=False)
        # A product target is prepared without entanglement: there only a hit may score.
        if local and family not in ("known", "product", "real", "complex", "gaussian"):
            assert max(signals.parts.values()) <= DUST, (family, n, circuit)
            assert not signals.success


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(st.data(), SEEDS)
def test_a_global_phase_and_idle_gates_change_nothing(name, drawn, seed):
    family, n = drawn.draw(st.sampled_from(cells(name, 4)))
    task, instance, facts = made(name, family, n)
    clifford = name == "stabiliser"
    circuit = random_circuit(n, np.random.default_rng(seed), local=False, clifford=clifford)
    plain = task.grade(instance, circuit, facts).parts
    turned = (Gate("x", (0,)), Gate("z", (0,)), Gate("x", (0,)), Gate("z", (0,)))  # −1
    for gates in ((*turned, *circuit.gates), (*circuit.gates, *turned, Gate("id", (0,)))):
        parts = task.grade(instance, Circuit(n, gates), facts).parts
        assert parts == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("name", ["ground_state", "state_preparation"])
@settings(max_examples=20, deadline=None)
@given(st.data(), st.floats(0.05, 1.5), st.floats(1.1, 2.0))
def test_farther_from_the_target_is_never_better(name, drawn, angle, factor):
    """The teacher's state, with one qubit turned away from it by more and more."""
    family, n = drawn.draw(st.sampled_from(cells(name, 4)))
    task, instance, facts = made(name, family, n)
    reference = read_qasm(task.reference(instance, facts))
    q = drawn.draw(st.integers(0, n - 1))
    found = [
        task.grade(instance, Circuit(n, (*reference.gates, Gate("ry", (q,), (a,)))), facts)
        for a in (0.0, angle, min(np.pi, angle * factor))
    ]
    part = "fidelity"
    assert found[0].parts[part] >= found[1].parts[part] - 1e-9
    measure = "fidelity"
    order = np.argsort([-f.figures[measure] for f in found], kind="stable")
    values = [found[k].parts[part] for k in order]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_more_two_qubit_gates_never_pay(name):
    for family, n in cells(name, 4):
        if n < 2:
            continue
        task, instance, facts = made(name, family, n)
        reference = read_qasm(task.reference(instance, facts))
        longer = Circuit(n, (*reference.gates, *[Gate("cx", (0, 1))] * 2))
        before, after = (task.grade(instance, c, facts) for c in (reference, longer))
        assert after.success == before.success
        for part, value in after.parts.items():
            assert value <= before.parts[part] + 1e-9
        if "economy" in before.parts:
            assert after.parts["economy"] < before.parts["economy"]


def test_a_gate_on_three_qubits_is_not_a_cheap_one():
    """ccx is counted as its decomposition, so that it cannot stand for six cx."""
    task, instance, facts = made("state_preparation", "ghz", 3)
    reference = read_qasm(task.reference(instance, facts))
    gates = (*reference.gates, Gate("ccx", (0, 1, 2)), Gate("ccx", (0, 1, 2)))
    found = task.grade(instance, Circuit(3, gates), facts)
    assert found.success
    assert found.parts["economy"] == pytest.approx(3 / 15)


@pytest.mark.parametrize("name", NAMES)
def test_instances_are_reproducible_and_their_key_is_their_content(name):
    for family, n in cells(name):
        task = get_task(name)
        rngs = [np.random.default_rng(seed) for seed in (1, 1, 2)]
        first, again, other = (task.generate(r, family=family, num_qubits=n) for r in rngs)
        assert first == again
        assert first.key == again.key
        assert hash(first) == hash(again)
        assert (first.key == other.key) == (first.content == other.content)
        assert pickle.loads(pickle.dumps(first)) == first
        back = json.loads(json.dumps(dict(first.content)))
        assert task.read(family, back, num_qubits=n) == first
        assert first.num_qubits == n
        assert first.primitive == first.family == family


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", ["structured", "free", "compact"])
def test_prompts_say_all_that_an_answer_needs(name, style):
    for family, n in cells(name):
        task, instance, _ = made(name, family, n)
        messages = task.prompt(instance, style=style)
        assert messages == task.prompt(instance, style=style)
        assert [m["role"] for m in messages] == ["system", "user"][-len(messages) :]
        text = messages[-1]["content"]
        assert str(n) in text
        for seed in range(1, 4):
            rng = np.random.default_rng(seed)
            other = task.generate(rng, family=family, num_qubits=n)
            if other.key != instance.key:
                assert task.prompt(other, style=style)[-1]["content"] != text, (family, n)


@pytest.mark.parametrize("name", NAMES)
def test_the_key_decides_and_the_teacher_is_deterministic(name):
    family, n = cells(name, 4)[-1]
    task, instance, facts = made(name, family, n)
    assert task.reference(instance, facts) == task.reference(instance, task.facts(instance))
    limits = Limits(max_qubits=n)
    assert task.read_program(task.reference(instance, facts), instance, limits).num_qubits == n
