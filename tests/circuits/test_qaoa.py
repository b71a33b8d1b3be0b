"""QAOA circuits: the published text byte for byte, and the canonical form of the same state."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from quasar.circuits.ansatz.qaoa import qaoa_circuit, wrap_angle
from quasar.problems.hamiltonian import IsingHamiltonian

DATA = Path(__file__).parents[3] / "shared" / "data" / "problems.jsonl"
HAMILTONIAN = IsingHamiltonian(
    4, ((0.7, (2, 0)), (-1.3, (1, 3, 0)), (0.0, (1, 2)), (2.9, (3,)), (0.0, (0,)), (-0.4, (1,)))
)


def amplitudes(circuit, decimals=4):
    program = qasm3.loads(circuit.to_qasm(decimals=decimals))
    program.remove_final_measurements()
    return Statevector(program).data


@pytest.mark.skipif(not DATA.is_file(), reason="the benchmark's problems are not here")
def test_published_references_byte_for_byte():
    rows = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["optimization_type"] == "qaoa"]
    assert len(rows) == 36
    for row in rows:
        hamiltonian = IsingHamiltonian.from_text(row["cost_hamiltonian"], row["n_qubits"])
        gammas, betas = row["solution"]["params"]
        assert qaoa_circuit(hamiltonian, gammas, betas).to_qasm() == row["reference_circuit"]


def test_circuit_is_the_alternating_operator_state():
    gammas, betas = (0.37, -0.81), (-0.52, 0.24)
    x = np.array([[0, 1], [1, 0]])
    psi = np.full(16, 0.25, dtype=complex)
    for gamma, beta in zip(gammas, betas, strict=True):
        psi = np.exp(-1j * gamma * HAMILTONIAN.energies) * psi
        rotation = math.cos(beta) * np.eye(2) - 1j * math.sin(beta) * x
        mixer = np.eye(1)
        for _ in range(4):
            mixer = np.kron(rotation, mixer)
        psi = mixer @ psi
    circuit = qaoa_circuit(HAMILTONIAN, gammas, betas, decimals=12)
    assert abs(np.vdot(psi, amplitudes(circuit, decimals=12))) == pytest.approx(1.0, abs=1e-10)


def test_canonical_form_prepares_the_same_state_with_fewer_gates():
    angles = ((0.9, 2.3), (-0.4, 1.9))
    plain = qaoa_circuit(HAMILTONIAN, *angles, decimals=10)
    short = qaoa_circuit(HAMILTONIAN, *angles, decimals=10, canonical=True)
    overlap = abs(np.vdot(amplitudes(plain, 10), amplitudes(short, 10)))
    assert overlap == pytest.approx(1.0, abs=1e-8)
    assert len(short.gates) < len(plain.gates)
    assert max(map(abs, plain.parameters)) > math.pi  # otherwise nothing was wrapped
    assert all(abs(angle) <= math.pi + 1e-9 for angle in short.parameters)
    assert 0.0 not in short.parameters


def test_angles_of_the_circuit_are_those_of_its_text():
    circuit = qaoa_circuit(HAMILTONIAN, [0.123456], [0.2], decimals=2, canonical=True)
    assert all(angle == round(angle, 2) for angle in circuit.parameters)


@given(st.floats(-1e4, 1e4))
def test_wrapped_angle_is_equal_modulo_two_pi(angle):
    wrapped = wrap_angle(angle)
    assert -math.pi < wrapped <= math.pi
    turns = (angle - wrapped) / (2 * math.pi)
    assert turns == pytest.approx(round(turns), abs=1e-8)


def test_layers_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="zip"):
        qaoa_circuit(HAMILTONIAN, [0.1, 0.2], [0.3])
