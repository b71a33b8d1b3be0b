"""The exact backend against Qiskit's state vectors and against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.circuits.to_qiskit import to_qiskit
from quasar.simulation.statevector import fused
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import (
    ExactSimulator,
    descend,
    energy_and_gradient,
    statevector,
)

SIMULATOR = ExactSimulator()
N = 4
PREPARED = (
    *(Gate("U", (q,), (0.7 + q, 0.3 * q, 1.1 - q)) for q in range(N)),
    Gate("cx", (0, 1)),
    Gate("cx", (2, 3)),
    Gate("crx", (1, 2), (0.9,)),
)


def gate_on(name: str, qubits: tuple[int, ...]) -> Circuit:
    """The gate on a state that has every amplitude, then a change of basis to show phases."""
    params = tuple(0.4 + 0.5 * k for k in range(STANDARD_GATES[name][0]))
    rest = tuple(Gate("h", (q,)) for q in range(N))
    return Circuit(N, (*PREPARED, Gate(name, qubits, params), *rest))


@pytest.mark.parametrize("name", STANDARD_GATES)
@pytest.mark.parametrize("order", [(0, 1, 2), (3, 1, 0), (1, 3, 2)])
def test_every_standard_gate_agrees_with_qiskit(name, order):
    circuit = gate_on(name, order[: STANDARD_GATES[name][1]])
    expected = Statevector(to_qiskit(circuit)).data
    ours = SIMULATOR.statevector(circuit)
    assert abs(np.vdot(expected, ours)) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(SIMULATOR.probabilities(circuit), abs(expected) ** 2, atol=1e-10)


def test_state_index_is_little_endian():
    circuit = Circuit(3, (Gate("x", (1,)),))
    np.testing.assert_array_equal(SIMULATOR.probabilities(circuit).nonzero()[0], [2])


def test_no_gates_gives_the_zero_state():
    np.testing.assert_array_equal(SIMULATOR.statevector(Circuit(2, ())), [1, 0, 0, 0])


@st.composite
def parametrised(draw):
    names = sorted(STANDARD_GATES)
    found = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=10)):
        num_params, num_qubits = STANDARD_GATES[name]
        qubits = tuple(draw(st.permutations(range(3)))[:num_qubits])
        params = tuple(draw(st.floats(-7, 7)) for _ in range(num_params))
        found.append(Gate(name, qubits, params))
    return Circuit(3, (Gate("ry", (0,), (0.4,)), Gate("h", (1,)), *found, Gate("h", (2,))))


@settings(max_examples=60)
@given(parametrised(), st.integers(0, 2**32 - 1))
def test_gradient_agrees_with_finite_differences(circuit, seed):
    energies = np.random.default_rng(seed).normal(size=8)
    angles = np.array(circuit.parameters)
    energy, gradient = energy_and_gradient(circuit, energies)
    assert energy == pytest.approx(float(SIMULATOR.probabilities(circuit) @ energies), abs=1e-12)
    step = 1e-6
    for k in range(angles.size):
        shift = step * (np.arange(angles.size) == k)
        above, _ = energy_and_gradient(circuit, energies, angles + shift)
        below, _ = energy_and_gradient(circuit, energies, angles - shift)
        assert gradient[k] == pytest.approx((above - below) / (2 * step), abs=1e-7)


@settings(max_examples=40)
@given(parametrised(), st.data())
def test_a_circuit_goes_on_from_the_state_of_its_first_part(circuit, drawn):
    place = drawn.draw(st.integers(0, len(circuit.gates)))
    first, rest = (Circuit(3, part) for part in (circuit.gates[:place], circuit.gates[place:]))
    energies = np.arange(8.0)
    middle = statevector(encode(first))
    kept = middle.copy()
    final = statevector(encode(rest), start=middle)
    assert final == pytest.approx(statevector(encode(circuit)), abs=1e-12)
    energy, gradient = energy_and_gradient(rest, energies, start=middle)
    whole, by_all = energy_and_gradient(circuit, energies)
    assert energy == pytest.approx(whole, abs=1e-12)
    assert gradient == pytest.approx(by_all[len(first.parameters) :], abs=1e-12)
    assert np.array_equal(middle, kept)


def test_parameters_take_the_place_of_the_circuits_own():
    circuit = Circuit(1, (Gate("rx", (0,), (0.1,)),))
    energies = np.array([0.0, 1.0])
    other, _ = energy_and_gradient(circuit, energies, [np.pi])
    assert other == pytest.approx(1.0)
    with pytest.raises(ValueError, match="2 angles given, the circuit has 1"):
        energy_and_gradient(circuit, energies, [1.0, 2.0])


def test_descent_goes_down_and_keeps_the_best():
    encoded = encode(Circuit(1, (Gate("ry", (0,), (1.0,)),)))
    energies = np.array([1.0, 0.0])
    start, _ = energy_and_gradient(encoded, energies)
    assert descend(encoded, energies, evaluations=1, step=0.1)[0] == pytest.approx(start)
    assert descend(encoded, energies, evaluations=40, step=0.1)[-1] < 0.05
    # A step that overshoots a minimum does not lose it.
    at_minimum = encode(Circuit(1, (Gate("ry", (0,), (np.pi,)),)))
    assert descend(at_minimum, energies, evaluations=5, step=3.0)[-1] == pytest.approx(
        0.0, abs=1e-12
    )


def test_fused_arithmetic_is_the_same_state():
    for name in ("h", "rx", "crz", "U", "swap", "cu"):
        encoded = encode(gate_on(name, tuple(range(STANDARD_GATES[name][1]))))
        np.testing.assert_allclose(
            fused.statevector(encoded, encoded.angles), statevector(encoded), atol=1e-14
        )
