"""Canonical programs say what published ones say, and are recognised as the same family."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.circuits.ansatz.hardware_efficient import TEMPLATES
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import (
    HEADER,
    energy_scale,
    gate_program,
    normalised_terms,
    qaoa_program,
)
from quasar.circuits.convert import convert
from quasar.circuits.qasm import read_qasm
from quasar.datasets.solver.closed_form import basis_state_adaptive, basis_state_parameters
from quasar.errors import ProblemError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities, statevector

coefficients = st.floats(-5, 5).map(lambda c: round(c, 3))


@st.composite
def hamiltonians(draw, max_qubits=5):
    n = draw(st.integers(2, max_qubits))
    wires = st.lists(st.integers(0, n - 1), min_size=1, max_size=min(n, 3), unique=True)
    terms = draw(st.lists(st.tuples(coefficients, wires.map(tuple)), min_size=1, max_size=8))
    return IsingHamiltonian(n, tuple(terms))


def rounded(hamiltonian):
    """What a canonical program prints of the Hamiltonian."""
    terms = normalised_terms(hamiltonian)
    return IsingHamiltonian(hamiltonian.num_qubits, tuple((t.coefficient, t.wires) for t in terms))


@given(hamiltonians(), st.lists(st.floats(-3, 3), min_size=2, max_size=6))
def test_qaoa_says_what_the_published_gates_say(hamiltonian, angles):
    p = len(angles) // 2
    gammas, betas = ([round(a, 2) for a in angles[i * p : (i + 1) * p]] for i in (0, 1))
    program = qaoa_program(hamiltonian.num_qubits, normalised_terms(hamiltonian), gammas, betas)
    published = qaoa_circuit(rounded(hamiltonian), gammas, betas, decimals=12)
    np.testing.assert_allclose(
        probabilities(encode(read_qasm(program))), probabilities(encode(published)), atol=1e-9
    )


@given(hamiltonians(), st.floats(0.05, 3), st.floats(0.05, 1.5))
def test_qaoa_is_recognised_with_its_angles(hamiltonian, gamma, beta):
    scale = energy_scale(hamiltonian)
    terms = normalised_terms(hamiltonian)
    if not terms:
        return
    gamma, beta = round(gamma, 2), round(beta, 2)
    program = qaoa_program(hamiltonian.num_qubits, terms, [gamma], [beta])
    found = recognise(program, hamiltonian)
    assert found is not None
    assert (found.family, found.layers) == ("qaoa", 1)
    # γ is known as well as the largest coefficient and its angle are printed.
    assert found.parameters[0] * scale == pytest.approx(
        gamma, abs=0.05, rel=0.02 * math.sqrt(len(terms))
    )
    assert found.parameters[1] == pytest.approx(beta)


def test_a_coefficient_off_by_more_than_its_rounding_is_not_this_hamiltonian():
    hamiltonian = IsingHamiltonian(3, ((0.5, (0, 1)), (-0.7, (2,)), (0.31, (1, 2))))
    terms = normalised_terms(hamiltonian)
    wrong = [
        t if t.wires != (1, 2) else type(t)(f"{t.coefficient + 0.03:.2f}", t.wires) for t in terms
    ]
    assert recognise(qaoa_program(3, terms, [1.1], [-0.4]), hamiltonian).family == "qaoa"
    assert recognise(qaoa_program(3, wrong, [1.1], [-0.4]), hamiltonian).family == "ma_qaoa"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
@pytest.mark.parametrize("layers", [1, 3])
def test_closed_form_angles_prepare_any_bitstring(template, layers):
    rng = np.random.default_rng(template.number)
    for n in range(template.min_qubits, 8):
        bits = rng.integers(0, 2, n).tolist()
        parameters = basis_state_parameters(template, bits, layers=layers)
        if template.number == 9:
            assert parameters is None
            continue
        circuit = template.build(IsingHamiltonian(n, ()), parameters, layers=layers)
        program = gate_program(circuit, decimals=2)
        read = read_qasm(program)
        chance = probabilities(encode(read))[sum(bit << q for q, bit in enumerate(bits))]
        assert chance == pytest.approx(1.0, abs=1e-9)
        found = recognise(read)
        assert found is not None
        assert found.family == "hardware_efficient"
        assert read.num_two_qubit_gates == circuit.num_two_qubit_gates


def test_the_adaptive_closed_form_prepares_its_bitstring():
    bits = [1, 0, 0, 1]
    ansatz, parameters = basis_state_adaptive(bits)
    program = gate_program(ansatz.build(IsingHamiltonian(4, ()), parameters), decimals=2)
    assert "\nh q;\n" in program
    assert recognise(program).family == "adaptive"
    assert probabilities(encode(read_qasm(program)))[0b1001] == pytest.approx(1.0, abs=1e-9)


@given(hamiltonians())
def test_the_scale_is_the_standard_deviation_of_the_energies(hamiltonian):
    assert energy_scale(hamiltonian) == pytest.approx(float(hamiltonian.energies.std()), abs=1e-9)


def overlap(first, second) -> float:
    """|⟨first|second⟩|² of what two programs prepare."""
    a, b = (statevector(encode(read_qasm(program))) for program in (first, second))
    return float(abs(np.vdot(a, b)) ** 2)


@given(hamiltonians(), st.lists(st.floats(-1.5, 1.5), min_size=2, max_size=6))
def test_converting_there_and_back_prepares_the_same_state(hamiltonian, angles):
    p = len(angles) // 2
    published = qaoa_circuit(hamiltonian, angles[:p], angles[p : 2 * p]).to_qasm()
    canonical = convert(published, "canonical", hamiltonian=hamiltonian)
    back = convert(canonical, "published")
    assert overlap(published, canonical) == pytest.approx(1.0, abs=1e-5)
    assert overlap(canonical, back) == pytest.approx(1.0, abs=1e-9)


def test_a_converted_program_is_of_the_same_family_and_costs_the_same():
    hamiltonian = IsingHamiltonian(3, ((0.5, (0, 1)), (-0.7, (2,)), (0.31, (0, 1, 2))))
    published = qaoa_circuit(hamiltonian, [0.4, 0.7], [-0.4, -0.2])
    canonical = convert(published.to_qasm(), "canonical", hamiltonian=hamiltonian)
    assert canonical.count("const float") == 4
    found = recognise(canonical, hamiltonian)
    assert (found.family, found.layers) == ("qaoa", 2)
    assert found.parameters == pytest.approx((0.4, 0.7, -0.4, -0.2), abs=1e-4)
    assert read_qasm(canonical).num_two_qubit_gates == published.num_two_qubit_gates


def test_a_circuit_of_no_family_keeps_its_gates():
    program = f"{HEADER}bit[2] c;\nqubit[2] q;\nt q[0];\ncx q[0], q[1];\nc = measure q;"
    assert read_qasm(convert(program, "canonical")) == read_qasm(program)


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1.0, 1e9, 1e300])
def test_programs_do_not_depend_on_the_unit_of_the_energies(unit):
    terms = ((0.5, (0, 1)), (-1.0, (1, 2)), (0.25, (2,)))
    scaled = IsingHamiltonian(3, tuple((c * unit, wires) for c, wires in terms))
    assert normalised_terms(scaled) == normalised_terms(IsingHamiltonian(3, terms))


@pytest.mark.parametrize("coefficients", [(float("nan"), 1.0), (float("inf"), 1.0), (1e308, 1e308)])
def test_coefficients_that_are_no_numbers_are_refused(coefficients):
    with pytest.raises(ProblemError, match="coefficients are too large"):
        IsingHamiltonian(2, tuple((c, (q,)) for q, c in enumerate(coefficients)))
