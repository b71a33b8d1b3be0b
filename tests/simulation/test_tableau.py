"""Clifford circuits by tableau against Qiskit's `Clifford`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Clifford, Operator, random_clifford

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.circuits.to_qiskit import to_qiskit
from quasar.errors import CircuitError
from quasar.simulation.stabiliser.tableau import (
    NOT_CLIFFORD,
    PauliString,
    Tableau,
    as_circuit,
    identity_strings,
    local_cliffords,
    steps_of,
)
from quasar.tasks.programs import from_qiskit

N = 4
NEVER = {"t", "tdg", "ch", "ccx", "cswap"}
CONTROLLED = {"crx", "cry", "crz", "cp", "cphase", "cu"}


def as_strings(clifford: Clifford) -> list[PauliString]:
    n, found = clifford.num_qubits, []
    for row in clifford.tableau:
        masks = (sum(int(b) << q for q, b in enumerate(h)) for h in (row[:n], row[n : 2 * n]))
        found.append(PauliString(*masks, bool(row[-1])))
    return found


def images(circuit: Circuit) -> list[PauliString]:
    tableau = Tableau(circuit.num_qubits, identity_strings(circuit.num_qubits))
    tableau.apply(circuit)
    return tableau.strings()


@st.composite
def clifford_circuits(draw):
    gates = []
    for name in draw(st.lists(st.sampled_from(sorted(set(STANDARD_GATES) - NEVER)), max_size=15)):
        num_angles, arity = STANDARD_GATES[name]
        unit = np.pi if name in CONTROLLED else np.pi / 2
        angles = tuple(draw(st.integers(-5, 5)) * unit for _ in range(num_angles))
        gates.append(Gate(name, tuple(draw(st.permutations(range(N)))[:arity]), angles))
    return Circuit(N, tuple(gates))


@settings(max_examples=80, deadline=None)
@given(clifford_circuits())
def test_every_clifford_gate_maps_strings_as_qiskit_does(circuit):
    expected = Clifford.from_operator(Operator(to_qiskit(circuit)))
    assert images(circuit) == as_strings(expected)
    tableau = Tableau(N, images(circuit))
    tableau.take_back(circuit)
    assert tableau.strings() == identity_strings(N)


@pytest.mark.parametrize("num_qubits", [1, 2, 5, 20, 50])
def test_random_cliffords_of_many_qubits(num_qubits):
    expected = random_clifford(num_qubits, seed=num_qubits)
    circuit = from_qiskit(expected.to_circuit().decompose(["sx", "sxdg"]))
    assert images(circuit) == as_strings(expected)


def test_angles_as_programs_print_them_are_clifford():
    for angle, name in ((1.5708, "s"), (-1.5708, "sdg"), (3.1416, "z"), (6.2832, None)):
        printed = images(Circuit(1, (Gate("rz", (0,), (angle,)),)))
        assert printed == images(Circuit(1, (Gate(name, (0,)),) if name else ()))


@pytest.mark.parametrize(
    "gate",
    [Gate(n, tuple(range(STANDARD_GATES[n][1]))) for n in sorted(NEVER)]
    + [Gate("rz", (0,), (0.3,)), Gate("crz", (0, 1), (np.pi / 2,)), Gate("U", (0,), (0.1, 0, 0))],
)
def test_what_is_no_clifford_gate_is_named(gate):
    with pytest.raises(CircuitError, match=f"{gate.name}.*is not a Clifford gate") as error:
        steps_of(Circuit(3, (gate,)))
    assert error.value.kind == NOT_CLIFFORD


def test_there_are_twenty_four_gates_on_one_qubit():
    found = {tuple(images(as_circuit(1, word))) for word in local_cliffords()}
    assert len(found) == len(local_cliffords()) == 24
    assert local_cliffords()[0] == ()


def test_strings_are_written_and_read():
    for word in ("+XZYI", "-ZZZZ", "+I"):
        assert PauliString.of(word).word(len(word) - 1) == word
    assert PauliString.of("XZ") == PauliString.of("+XZ")
    assert not PauliString.of("XI").commutes_with(PauliString.of("ZI"))
    assert PauliString.of("XX").commutes_with(PauliString.of("ZZ"))
    for text in ("", "+", "XQ", "--X", "x"):
        with pytest.raises(ValueError, match="letters I, X, Y, Z"):
            PauliString.of(text)
