"""What a report says about fixing a circuit: against sums by hand and finite differences."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.config import VerificationConfig
from quasar.problems import build_instance
from quasar.verification import diagnostics
from quasar.verification.diagnostics import NUM_ANGLES, NUM_TERMS
from quasar.verification.observation import observation_text
from quasar.verification.verifier import Verifier

VERIFIER = Verifier(VerificationConfig())
# No symmetry: every basis state has an energy of its own, and one optimum.
ASYMMETRIC = build_instance(
    "some_primitive",
    {},
    hamiltonian_text="0.7 * (Z(0) @ Z(2)) + 1.5 * (Z(0) @ Z(1) @ Z(3)) + -0.4 * (Z(1) @ Z(2)) + "
    "3.0 * Z(0) + 1.1 * Z(1) + 0.3 * Z(3)",
)
CUT = build_instance("hypermaxcut", {"nodes": [0, 1, 2, 3], "hyperedges": [[0, 1], [1, 2], [2, 3]]})
N = 4


def flips(state: int, *extra: Gate) -> str:
    return Circuit(N, tuple(Gate("x", (q,)) for q in range(N) if state >> q & 1) + extra).to_qasm()


def diagnosis_of(problem, text, verifier=VERIFIER):
    return verifier.verify(problem, text, diagnose=True).diagnosis


def energy(problem, circuit) -> float:
    return float(VERIFIER.probabilities(circuit) @ problem.spectrum.energies)


@st.composite
def circuits(draw, gates=("h", "x", "rx", "ry", "rz", "p", "u2", "U", "cx", "crx", "cu", "swap")):
    made = []
    for name in draw(st.lists(st.sampled_from(gates), min_size=1, max_size=10)):
        count, size = STANDARD_GATES[name]
        qubits = tuple(draw(st.permutations(range(N)))[:size])
        angle = st.floats(-3, 3).map(lambda a: round(a, 3))
        made.append(Gate(name, qubits, tuple(draw(angle) for _ in range(count))))
    return Circuit(N, tuple(made))


def test_it_is_made_only_where_it_is_asked_for():
    text = flips(5, Gate("ry", (0,), (0.3,)))
    plain = VERIFIER.verify(ASYMMETRIC, text)
    asked = VERIFIER.verify(ASYMMETRIC, text, diagnose=True)
    assert plain.diagnosis is None
    assert "diagnosis" in asked.seconds
    assert (asked.distribution, asked.optimisation) == (plain.distribution, plain.optimisation)
    assert VERIFIER.verify(ASYMMETRIC, "no program", diagnose=True).diagnosis is None
    assert json.loads(json.dumps(asked.to_dict()))["diagnosis"]["gradient"]
    assert pickle.loads(pickle.dumps(asked)) == asked


def test_violated_terms_by_hand():
    # |0…0⟩: every product is +1. The optimum is the state whose energy is least.
    optimum = int(np.argmin(ASYMMETRIC.spectrum.energies))
    z = [1 - 2 * (optimum >> q & 1) for q in range(N)]
    expected = [
        (c, wires, 1.0, int(np.prod([z[q] for q in wires])))
        for c, wires in ASYMMETRIC.hamiltonian.terms
    ]
    found = diagnosis_of(ASYMMETRIC, flips(0))
    assert found.nearest_optimum == "".join(str(1 - (optimum >> q & 1)) for q in range(N))
    violated = [t for t in expected if t[0] * (t[2] - t[3]) > 0]
    violated.sort(key=lambda t: -t[0] * (t[2] - t[3]))
    assert [
        (t.coefficient, t.wires, t.expectation_value, t.optimal_value) for t in found.violated_terms
    ] == violated
    assert [t.excess for t in found.violated_terms] == pytest.approx(
        [t[0] * (t[2] - t[3]) for t in violated]
    )
    assert diagnosis_of(ASYMMETRIC, flips(optimum)).violated_terms == ()


@settings(max_examples=60)
@given(circuits())
def test_excesses_of_all_terms_sum_to_the_energy_above_the_minimum(circuit):
    means = {}
    probabilities = VERIFIER.probabilities(circuit)
    for _, wires in ASYMMETRIC.hamiltonian.terms:
        signs = [np.prod([1 - 2 * (s >> q & 1) for q in wires]) for s in range(1 << N)]
        means[wires] = float(probabilities @ np.array(signs))
    found = diagnosis_of(ASYMMETRIC, circuit.to_qasm(decimals=17))
    z = [1 if bit == "1" else -1 for bit in found.nearest_optimum]  # variable 1: measured 0
    excess = {
        w: c * (means[w] - np.prod([z[q] for q in w])) for c, w in ASYMMETRIC.hamiltonian.terms
    }
    gap = float(probabilities @ ASYMMETRIC.spectrum.energies) - ASYMMETRIC.spectrum.minimum
    assert sum(excess.values()) == pytest.approx(gap, abs=1e-9)
    assert {t.wires: t.excess for t in found.violated_terms} == pytest.approx(
        {w: value for w, value in excess.items() if value > 1e-8}, abs=1e-8
    )
    for term in found.violated_terms:
        assert term.expectation_value == pytest.approx(means[term.wires], abs=1e-9)


def test_the_nearest_of_several_optima_is_the_standard():
    optima = CUT.spectrum.optimal.tolist()
    assert len(optima) == 2
    for optimum in optima:
        off_by_one = diagnosis_of(CUT, flips(optimum ^ 8))  # node 3 on the wrong side
        assert off_by_one.nearest_optimum == "".join(map(str, CUT.assignment(optimum)))
        (term,) = off_by_one.violated_terms
        assert (sorted(term.wires), term.optimal_value) == ([2, 3], -1)
    # Both optima at once are as near as each other: nothing is violated.
    gates = (Gate("h", (0,)), *(Gate("cx", (q, q + 1)) for q in range(3)))
    cat = Circuit(N, (*gates, Gate("x", (1,)), Gate("x", (3,))))
    assert diagnosis_of(CUT, cat.to_qasm()).violated_terms == ()


@settings(max_examples=60)
@given(circuits(gates=("h", "rx", "ry", "rz", "p", "u2", "U", "cx", "crx", "cry", "cu")))
def test_slopes_are_those_of_finite_differences(circuit):
    slopes = diagnosis_of(ASYMMETRIC, circuit.to_qasm(decimals=17)).gradient
    if not circuit.parameters:
        assert slopes is None
        return
    step, gradient = 1e-5, []
    for k in range(len(circuit.parameters)):
        angles = np.array(circuit.parameters)
        angles[k] += step
        above = energy(ASYMMETRIC, circuit.with_parameters(angles))
        angles[k] -= 2 * step
        gradient.append((above - energy(ASYMMETRIC, circuit.with_parameters(angles))) / (2 * step))
    found = {slope.angle: slope.derivative for slope in slopes}
    assert list(found) == sorted(found)
    assert found == pytest.approx({k: gradient[k] for k in found}, abs=1e-6)
    left_out = [abs(g) for k, g in enumerate(gradient) if k not in found]
    steepest_left = max(left_out, default=0.0)
    if len(found) < NUM_ANGLES:
        assert steepest_left < 1e-6
    else:
        assert steepest_left <= min(map(abs, found.values())) + 1e-6
    for slope in slopes:
        gate = circuit.gates[slope.gate_index]
        assert (slope.gate, slope.qubits) == (gate.name, gate.qubits)
        assert slope.value == circuit.parameters[slope.angle]
        assert slope.move == ("lower" if slope.derivative > 0 else "raise")


def test_following_the_moves_lowers_the_energy():
    circuit = Circuit(N, tuple(Gate("ry", (q,), (0.5 + 0.3 * q,)) for q in range(N)))
    angles = np.array(circuit.parameters)
    for slope in diagnosis_of(ASYMMETRIC, circuit.to_qasm()).gradient:
        angles[slope.angle] += 0.02 if slope.move == "raise" else -0.02
    assert energy(ASYMMETRIC, circuit.with_parameters(angles)) < energy(ASYMMETRIC, circuit) - 0.05


def test_lists_are_bounded():
    n = 10
    text = " + ".join(f"{1 + 0.1 * q} * Z({q})" for q in range(n))
    problem = build_instance("some_primitive", {}, hamiltonian_text=text)
    gates = [Gate("ry", (q,), (0.4,)) for q in range(n) for _ in range(2)]
    found = diagnosis_of(problem, Circuit(n, tuple(gates)).to_qasm())
    assert [t.wires for t in found.violated_terms] == [(q,) for q in range(9, 9 - NUM_TERMS, -1)]
    assert [slope.angle for slope in found.gradient] == list(range(20 - NUM_ANGLES, 20))


def test_the_gradient_is_left_out_where_it_costs_too_much(monkeypatch):
    text = flips(5, Gate("ry", (0,), (0.3,)))
    hasty = Verifier(VerificationConfig(time_limit_s=1e-6))
    report = hasty.verify(ASYMMETRIC, text, diagnose=True)
    assert report.diagnosis.gradient is None
    assert report.diagnosis.violated_terms
    assert report.skipped["gradient"] == "the circuit is too large"
    assert (
        VERIFIER.verify(ASYMMETRIC, flips(5), diagnose=True)
        .skipped["gradient"]
        .endswith("no parameters")
    )
    monkeypatch.setattr(diagnostics, "MAX_ENUMERATED_QUBITS", N - 1)
    assert "gradient" in VERIFIER.verify(ASYMMETRIC, text, diagnose=True).skipped


def test_the_observation_says_what_to_mend_before_what_was_measured():
    report = VERIFIER.verify(
        ASYMMETRIC, flips(0, Gate("ry", (0,), (0.3,)), Gate("crx", (0, 1), (0.9,))), diagnose=True
    )
    lines = observation_text(report, max_chars=600).splitlines()
    assert lines[3].startswith("angles to move: ry(0.3) q0 #0 raise")
    assert lines[4].startswith("terms that cost: 3*Z0 at 0.96 not -1")
    assert lines[5].startswith("1111 p=")
    assert observation_text(report, max_chars=600) == observation_text(report, max_chars=600)
    short = observation_text(report, max_chars=150)
    assert len(short) <= 150
    assert short.splitlines()[:3] == lines[:3]
