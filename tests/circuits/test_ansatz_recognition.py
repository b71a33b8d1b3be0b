"""The way back from a circuit to its family, layers and parameters."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.adaptive import Adaptive, operator_pool
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.errors import CircuitError, InputError
from quasar.problems.hamiltonian import IsingHamiltonian

TEMPLATES = [f"sim_{number}" for number in range(1, 20)]
NAMES = ansatz_names()
# No two coefficients alike, so that no two families have a circuit in common by accident.
HAMILTONIAN = IsingHamiltonian(
    4, ((0.7, (2, 0)), (-1.3, (1, 3, 0)), (0.0, (1, 2)), (2.9, (3,)), (0.0, (0,)), (-0.4, (1,)))
)


def gates_of(circuit):
    return [(gate.name, gate.qubits) for gate in circuit.gates]


@st.composite
def hamiltonians(draw):
    n = draw(st.integers(3, 6))
    wires = draw(
        st.lists(
            st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True),
            min_size=2,
            max_size=8,
            unique_by=frozenset,
        )
    )
    coefficients = [draw(st.sampled_from([-3.25, -0.5, 0.125, 0.75, 1.0, 2.0])) for _ in wires]
    return IsingHamiltonian(n, tuple(zip(coefficients, map(tuple, wires), strict=True)))


@st.composite
def built(draw):
    """(ansatz, Hamiltonian, layers, parameters with 4 decimals, none zero)."""
    ansatz = get_ansatz(draw(st.sampled_from(NAMES)))
    hamiltonian = draw(hamiltonians())
    layers = draw(st.integers(1, 4))
    if ansatz.name == "adaptive":
        pool = st.sampled_from(operator_pool(hamiltonian.num_qubits))
        operators = draw(st.lists(pool, min_size=1, max_size=10, unique=True))
        ansatz, layers = ansatz.with_operators(operators), 1
    size = ansatz.num_parameters(hamiltonian, layers=layers)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters = rng.permutation(np.arange(1, 30_000))[:size] * rng.choice([-1, 1], size)
    return ansatz, hamiltonian, layers, np.round(parameters / 10_000, 4)


@settings(max_examples=100)
@given(built(), st.integers(2, 6))
def test_what_is_emitted_is_read_back_and_emitted_again(case, decimals):
    ansatz, hamiltonian, layers, parameters = case
    circuit = ansatz.build(hamiltonian, parameters, layers=layers, decimals=decimals)
    text = circuit.to_qasm(decimals=decimals)
    assert read_qasm(text) == circuit
    assert read_qasm(text).to_qasm(decimals=decimals) == text


@settings(max_examples=100)
@given(built())
def test_a_built_circuit_is_recognised_with_its_parameters(case):
    ansatz, hamiltonian, layers, parameters = case
    circuit = ansatz.build(hamiltonian, parameters, layers=layers)
    found = recognise(circuit.to_qasm(), hamiltonian)
    assert (found.ansatz, found.layers) == (ansatz, layers)
    assert found.template == (ansatz.name if ansatz.name in TEMPLATES else None)
    assert found.hamiltonian == hamiltonian
    # Angles have 4 decimals; the smallest scale of an angle is twice the smallest coefficient.
    assert found.parameters == pytest.approx(parameters, abs=0.51e-4 / (2 * 0.125))
    assert found.build() == circuit
    assert recognise(pickle.loads(pickle.dumps(circuit)), hamiltonian) == found


def test_shared_angles_that_differ_are_no_template():
    hamiltonian = IsingHamiltonian(4, ())
    for name in ("sim_5", "sim_6", "sim_12"):
        ansatz = get_ansatz(name)
        size = ansatz.num_parameters(hamiltonian)
        circuit = ansatz.build(hamiltonian, np.arange(1, size + 1) / 10)
        assert len(circuit.parameters) > size
        free = circuit.with_parameters(np.arange(1, len(circuit.parameters) + 1) / 10)
        assert recognise(circuit).template == name
        assert recognise(free) is None


def test_one_gate_more_less_or_elsewhere_is_no_family():
    for name in NAMES[:-1]:
        ansatz = get_ansatz(name)
        size = ansatz.num_parameters(HAMILTONIAN)
        gates = ansatz.build(HAMILTONIAN, np.arange(1, size + 1) / 10).gates
        for changed in (gates[:-1], (*gates, Gate("x", (0,))), (Gate("t", (1,)), *gates)):
            assert recognise(Circuit(4, changed), HAMILTONIAN) is None
        assert recognise(Circuit(5, gates), HAMILTONIAN) is None


@pytest.mark.parametrize("decimals", [2, 4])
@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 9.0])
def test_canonical_qaoa_is_recognised_modulo_the_period(decimals, scale):
    gammas, betas = (0.9 * scale, -0.4 * scale), (1.3, -0.7)
    circuit = qaoa_circuit(HAMILTONIAN, gammas, betas, decimals=decimals, canonical=True)
    found = recognise(circuit.to_qasm(decimals=decimals), HAMILTONIAN)
    assert (found.family, found.layers) == ("qaoa", 2)
    again = qaoa_circuit(
        HAMILTONIAN, found.parameters[:2], found.parameters[2:], decimals=decimals, canonical=True
    )
    assert again == circuit


def test_terms_may_stand_in_any_order_and_be_left_out_at_zero():
    circuit = get_ansatz("qaoa").build(HAMILTONIAN, [0.5, 0.25])
    reordered = IsingHamiltonian(4, tuple(reversed(list(HAMILTONIAN.interactions()))))
    other = get_ansatz("qaoa").build(reordered, [0.5, 0.25])
    assert gates_of(other) != gates_of(circuit)
    assert recognise(other, HAMILTONIAN) == recognise(circuit, HAMILTONIAN)


def test_angles_that_are_not_tied_make_it_multi_angle():
    circuit = get_ansatz("qaoa").build(HAMILTONIAN, [0.5, 0.25])
    angles = list(circuit.parameters)
    for place in (0, len(angles) - 1):  # a term, a mixer rotation
        other = circuit.with_parameters(
            [*angles[:place], angles[place] + 0.01, *angles[place + 1 :]]
        )
        assert recognise(circuit, HAMILTONIAN).family == "qaoa"
        assert recognise(other, HAMILTONIAN).family == "ma_qaoa"
    zero_term = circuit.with_parameters([*angles[:2], 0.3, *angles[3:]])
    assert recognise(zero_term, HAMILTONIAN) is None


def test_without_the_hamiltonian_the_ratios_of_the_layers_decide():
    parameters = [0.3123457, 0.9370371, -0.46851855, 0.4, 0.3, 0.2]
    circuit = get_ansatz("qaoa").build(HAMILTONIAN, parameters, layers=3, decimals=8)
    found = recognise(circuit)
    assert found.family == "qaoa"
    assert found.parameters == pytest.approx([1 / 3, 1.0, -0.5, 0.4, 0.3, 0.2], abs=1e-6)
    implied = {frozenset(w): c for c, w in found.hamiltonian.terms}
    assert implied == pytest.approx({frozenset(w): 0.9370371 * c for c, w in HAMILTONIAN.terms})
    angles = np.array(circuit.parameters)
    angles[0] += 0.1
    free = recognise(circuit.with_parameters(angles))
    assert free.family == "ma_qaoa"
    assert free.build(decimals=8).parameters == pytest.approx(angles)


@st.composite
def alternating_gates(draw):
    """Mostly pieces of QAOA, with wild angles."""
    n = draw(st.integers(1, 3))
    angle = st.one_of(
        st.floats(-1e308, 1e308), st.floats(-4, 4), st.sampled_from([0.0, -0.0, 5e-324])
    )
    gates = [Gate("h", (q,)) for q in range(n)]
    for piece in draw(st.lists(st.sampled_from(["rz", "zz", "mixer", "cx", "ry"]), max_size=6)):
        q = draw(st.integers(0, n - 1))
        if piece in ("rz", "ry"):
            gates.append(Gate(piece, (q,), (draw(angle),)))
        elif piece == "mixer":
            for target in range(n):
                turn = Gate("rz", (target,), (draw(angle),))
                gates += [Gate("h", (target,)), turn, Gate("h", (target,))]
        elif n > 1:
            ladder = Gate("cx", (q, (q + 1) % n))
            gates.append(ladder)
            if piece == "zz":
                gates += [Gate("rz", ladder.qubits[1:], (draw(angle),)), ladder]
    return Circuit(n, tuple(gates))


@settings(max_examples=300)
@given(alternating_gates(), st.lists(st.floats(-5e307, 5e307), min_size=3, max_size=3))
def test_no_circuit_makes_recognition_fail(circuit, coefficients):
    n = circuit.num_qubits
    wires = [(0,), (0, n - 1), (n - 1, 0)] if n > 1 else [(0,)] * 3
    hamiltonian = IsingHamiltonian(n, tuple(zip(coefficients, wires, strict=True)))
    for found in (recognise(circuit), recognise(circuit, hamiltonian)):
        assert found is None or found.ansatz.name in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_family_size_and_number_of_layers_goes_to_text_and_back(name):
    for n, layers in itertools.product((1, 2, 3, 4, 5, 8), (1, 2, 3, 4)):
        hamiltonian = IsingHamiltonian(n, ((0.75, (0,)), (1.25, (n - 1, 0)))[: min(n, 2)])
        ansatz = get_ansatz(name)
        if name == "adaptive":
            if layers > 1:
                continue
            ansatz = ansatz.with_operators(operator_pool(n)[::2])
        if n < ansatz.min_qubits or (name, n) == ("ma_qaoa", 1):
            continue  # on one qubit multi-angle QAOA is QAOA
        size = ansatz.num_parameters(hamiltonian, layers=layers)
        parameters = np.arange(1, size + 1) / 10
        text = ansatz.build(hamiltonian, parameters, layers=layers).to_qasm()
        assert read_qasm(text).to_qasm() == text
        found = recognise(text, hamiltonian)
        assert (found.ansatz, found.layers) == (ansatz, layers)
        assert found.parameters == pytest.approx(parameters, abs=1e-3)
        assert found.build().to_qasm() == text


def test_short_angles_are_not_taken_for_rounded_ones():
    hamiltonian = IsingHamiltonian(2, ((0.5, (0, 1)), (0.6, (0,))))
    circuit = get_ansatz("qaoa").build(hamiltonian, [1.0, 0.5])
    assert circuit.parameters == (1.0, 1.2, 1.0, 1.0)
    assert recognise(circuit, hamiltonian).family == "qaoa"
    integers = circuit.with_parameters([1.0, 1.0, 1.0, 1.0])
    assert recognise(integers, hamiltonian).family == "ma_qaoa"


def test_a_term_in_two_parts_is_one_term():
    hamiltonian = IsingHamiltonian(2, ((0.6, (0, 1)), (1.0, (0,))))
    parts = IsingHamiltonian(2, ((0.2, (1, 0)), (1.0, (0,)), (0.4, (0, 1))))
    circuit = get_ansatz("qaoa").build(parts, [0.3, 0.7])
    assert recognise(circuit, hamiltonian).parameters == (0.3, 0.7)
    assert recognise(circuit, parts).parameters == (0.3, 0.7)
    largest = Circuit(
        2, tuple(g if not g.params else Gate("rz", g.qubits, (1.7e308,)) for g in circuit.gates)
    )
    assert recognise(largest, hamiltonian) is None


def test_a_cost_term_is_a_ladder_of_cx_that_is_undone():
    start = [Gate("h", (q,)) for q in range(3)]
    mixer = [g for q in range(3) for g in (start[q], Gate("rz", (q,), (0.4,)), start[q])]
    down, up = Gate("cx", (2, 1)), Gate("cx", (1, 0))
    rz = Gate("rz", (0,), (0.3,))
    hamiltonian = IsingHamiltonian(3, ((1.0, (0, 1, 2)), (1.0, (0, 1)), (1.0, (0,))))

    def found(*term):
        circuit = Circuit(3, (*start, *term, *mixer))
        return recognise(circuit), recognise(circuit, hamiltonian)

    assert [f.family for f in found(down, up, rz, up, down)] == ["qaoa", "ma_qaoa"]
    for term in (
        (down, up, rz, up),
        (up, rz),
        (up, rz, Gate("cz", (1, 0))),
        (up, rz, Gate("cx", (0, 1))),
        (down, up, rz, down, up),
        (up, Gate("rz", (1,), (0.3,)), up),  # onto the control
        (Gate("cx", (0, 2)), down, up, rz, up, down, Gate("cx", (0, 2))),  # round in a circle
        (up, up),
    ):
        assert found(*term) == (None, None)
    twice = (*mixer[:3], *mixer[:6])
    assert recognise(Circuit(3, (*start, rz, *twice))) is None


def test_trivial_circuits_are_no_ansatz():
    uniform = Circuit(3, tuple(Gate("h", (q,)) for q in range(3)))
    for gates in ((), uniform.gates, (Gate("x", (1,)),), (*uniform.gates, *uniform.gates)):
        assert recognise(Circuit(3, gates)) is None
        assert recognise(Circuit(3, gates), IsingHamiltonian(3, ((1.0, (0, 1)),))) is None


def test_adaptive_circuits_use_each_operator_of_the_pool_once():
    assert len(operator_pool(4)) == 16
    ansatz = get_ansatz("adaptive").with_operators([("ry", (1,)), ("cry", (2, 0))])
    hamiltonian = IsingHamiltonian(3, ())
    circuit = ansatz.build(hamiltonian, [0.4, 0.00004])
    assert gates_of(circuit)[3:] == [("ry", (1,))]  # what rounds to zero is left out
    start = circuit.gates[:3]
    for extra in (
        (Gate("ry", (1,), (0.1,)),) * 2,
        (Gate("rx", (1,), (0.1,)),),
        (Gate("cx", (0, 1)),),
    ):
        assert recognise(Circuit(3, (*start, *extra))) is None
    assert recognise(Circuit(3, (*start[:2], *circuit.gates[3:]))) is None
    with pytest.raises(InputError, match="there twice"):
        Adaptive((("ry", (0,)), ("ry", (0,))))
    for wrong in (("rx", (0,)), ("ry", (0, 1)), ("cry", (1, 1))):
        with pytest.raises(InputError, match="not in the pool"):
            Adaptive((wrong,))
    with pytest.raises(InputError, match="there are 2"):
        ansatz.circuit(IsingHamiltonian(2, ()))
    with pytest.raises(InputError, match="one layer, not 2"):
        ansatz.circuit(hamiltonian, layers=2)


def test_wrong_arguments_are_named():
    with pytest.raises(InputError, match=r"unknown ansatz 'sim_20'; did you mean 'sim_\d+'\?"):
        get_ansatz("sim_20")
    with pytest.raises(InputError, match="unknown ansatz None"):
        get_ansatz(None)
    with pytest.raises(InputError, match="3 parameters are given, this ansatz has 2"):
        get_ansatz("qaoa").build(HAMILTONIAN, [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="at least 1 layer, not 0"):
        get_ansatz("qaoa").circuit(HAMILTONIAN, layers=0)
    with pytest.raises(InputError, match="'sim_16' needs at least 3 qubits, not 2"):
        get_ansatz("sim_16").circuit(IsingHamiltonian(2, ()))
    with pytest.raises(CircuitError):
        recognise("no circuit")


def test_fitted_angles_print_the_same_text_at_ties_of_rounding():
    # 2γc ends in a 5 at the fifth decimal: rounding goes either way.
    for gamma in (0.0571, 0.0573, -0.1239, 1.0001):
        hamiltonian = IsingHamiltonian(2, ((0.125, (0, 1)), (0.375, (0,)), (0.0625, (1,))))
        circuit = get_ansatz("qaoa").build(hamiltonian, [gamma, 0.1])
        assert recognise(circuit, hamiltonian).build() == circuit
