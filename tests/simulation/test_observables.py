"""Observables that are not diagonal: expectation values, gradients and ground spaces."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Pauli, SparsePauliOp, Statevector
from random_circuits import circuits, entangled, hamiltonian

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.to_qiskit import to_qiskit
from quasar.config import NoiseConfig
from quasar.errors import SimulationError
from quasar.problems.pauli import PauliSum
from quasar.simulation import get_simulator
from quasar.simulation.eigensolver import ground_space, matrix
from quasar.simulation.statevector import observables
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import (
    descend,
    energy_and_gradient,
    expectation_value,
    statevector,
)

N = 4


def random_sum(num_qubits: int, seed: int, *, num_terms: int = 20, real: bool = False) -> PauliSum:
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < num_terms:
        letters = rng.choice(list("IXYZ"), num_qubits)
        if real and np.count_nonzero(letters == "Y") % 2:
            continue
        word = "*".join(f"{p}{q}" for q, p in enumerate(letters) if p != "I") or "I"
        found.append((float(rng.normal()), word))
    return PauliSum.of(num_qubits, found)


def heisenberg(num_qubits: int, *, ring: bool = False, coupling: float = 1.0) -> PauliSum:
    pairs = [(q, (q + 1) % num_qubits) for q in range(num_qubits - (not ring))]
    return PauliSum.of(num_qubits, [(coupling, f"{p}{a}*{p}{b}") for a, b in pairs for p in "XYZ"])


def in_qiskit(observable: PauliSum) -> SparsePauliOp:
    found = [(t.letters, list(t.qubits), t.coefficient) for t in observable.terms]
    return SparsePauliOp.from_sparse_list(found, num_qubits=observable.num_qubits)


@pytest.mark.parametrize(
    ("name", "bound"), [("exact", 1e-10), ("aer", 1e-10), ("torch", 1e-10), ("mps", 1e-6)]
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(circuits(N), st.integers(0, 2**32 - 1))
def test_expectation_values_are_those_of_qiskit(name, bound, circuit, seed):
    if name in ("aer", "mps"):
        pytest.importorskip("qiskit_aer")
    observable = random_sum(N, seed)
    expected = Statevector(to_qiskit(circuit)).expectation_value(in_qiskit(observable)).real
    estimate = get_simulator(name, N).expectation_value(circuit, observable)
    assert estimate.value == pytest.approx(expected, abs=bound * observable.one_norm)


@pytest.mark.parametrize("real", [True, False])
@settings(max_examples=25, deadline=None)
@given(circuits(N), st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_finite_differences(real, circuit, seed):
    observable = random_sum(N, seed, real=real)
    assert observable.is_real == real
    angles = np.array(circuit.parameters)
    energy, gradient = energy_and_gradient(circuit, observable)
    state = statevector(encode(circuit))
    assert energy == pytest.approx(expectation_value(state, observable), abs=1e-11)
    step = 1e-5
    for k in range(angles.size):
        shift = step * (np.arange(angles.size) == k)
        above, _ = energy_and_gradient(circuit, observable, angles + shift)
        below, _ = energy_and_gradient(circuit, observable, angles - shift)
        assert gradient[k] == pytest.approx((above - below) / (2 * step), abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(circuits(N), st.integers(0, 2**32 - 1))
def test_a_diagonal_sum_agrees_with_the_way_of_diagonal_hamiltonians(circuit, seed):
    cost = hamiltonian(N, seed)
    plain, by_angle = energy_and_gradient(circuit, cost.energies)
    energy, gradient = energy_and_gradient(circuit, PauliSum.from_ising(cost))
    assert energy == pytest.approx(plain, abs=1e-12)
    assert gradient == pytest.approx(by_angle, abs=1e-12)


@pytest.mark.parametrize("real", [True, False])
def test_strings_without_tables_give_the_same(real, monkeypatch):
    circuit, state = entangled(N), statevector(encode(entangled(N)))
    observable = random_sum(N, 7, real=real)
    energy, gradient = energy_and_gradient(circuit, observable)
    monkeypatch.setattr(observables, "MAX_TABLE_BYTES", 0)
    again = PauliSum.from_dict(observable.to_dict())
    assert len(observables.compiled(again)) == 4
    assert len(observables.compiled(observable)) == 2
    other, by_angle = energy_and_gradient(circuit, again)
    assert other == pytest.approx(energy, abs=1e-12)
    assert by_angle == pytest.approx(gradient, abs=1e-12)
    assert expectation_value(state, again) == pytest.approx(energy, abs=1e-12)
    applied = observables.applied(state, observables.compiled(again))
    assert applied == pytest.approx(matrix(observable) @ state, abs=1e-12)


def test_descent_lowers_an_observable_that_is_not_diagonal():
    """One qubit in the field X + Z: from |0⟩ by ry to −√2."""
    encoded = encode(Circuit(1, (Gate("ry", (0,), (-0.5,)),)))
    observable = PauliSum.of(1, [(1.0, "X0"), (1.0, "Z0")])
    best = descend(encoded, observable, evaluations=60, step=0.1)
    assert best[0] == pytest.approx(np.cos(0.5) - np.sin(0.5))
    assert best[-1] == pytest.approx(-np.sqrt(2), abs=1e-2)


def test_a_sum_of_another_size_is_refused():
    circuit = Circuit(2, (Gate("h", (0,)),))
    with pytest.raises(SimulationError, match="2 qubits and a Hamiltonian of 3"):
        get_simulator("exact", 2).expectation_value(circuit, heisenberg(3))


def test_matrix_product_states_of_thirty_qubits():
    """Singlets on neighbouring pairs: −3 a bond within a pair, 0 between pairs."""
    pytest.importorskip("qiskit_aer")
    n, gates = 30, []
    for q in range(0, n, 2):
        gates += [Gate("x", (q,)), Gate("h", (q,)), Gate("x", (q + 1,)), Gate("cx", (q, q + 1))]
    estimate = get_simulator("mps", n).expectation_value(Circuit(n, tuple(gates)), heisenberg(n))
    assert estimate.value == pytest.approx(-3.0 * n / 2, abs=1e-8)
    assert estimate.truncation_error < 1e-8


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_ground_spaces_of_random_sums_are_those_of_dense_matrices(num_qubits, seed):
    observable = random_sum(num_qubits, seed)
    levels = np.linalg.eigvalsh(in_qiskit(observable).to_matrix())
    found = ground_space(observable)
    assert found.energy == pytest.approx(levels[0], abs=1e-9)
    above = levels[levels > levels[0] + 1e-8]
    assert found.degeneracy == levels.size - above.size
    assert found.gap == pytest.approx(above[0] - levels[0] if above.size else 0.0, abs=1e-8)


DEGENERATE = {
    "ring of nine": (heisenberg(9, ring=True), 4),
    "ferromagnet": (heisenberg(10, coupling=-1.0), 11),  # 2S + 1 with S = n/2
    "no transverse field": (PauliSum.of(9, [(-1.0, f"Z{q}*Z{q + 1}") for q in range(8)]), 2),
    "classical, many": (PauliSum.of(9, [(1.0, "Z0"), (0.5, "Z1*Z2")]), 2**7),
    "unique": (heisenberg(10), 1),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_no_state_of_a_degenerate_ground_level_is_missed(name):
    observable, degeneracy = DEGENERATE[name]
    found = ground_space(observable)
    levels, vectors = np.linalg.eigh(matrix(observable))
    assert found.degeneracy == degeneracy == np.count_nonzero(levels < levels[0] + 1e-8)
    assert found.energy == pytest.approx(levels[0], abs=1e-9)
    assert found.gap == pytest.approx(levels[degeneracy] - levels[0], abs=1e-8)
    projectors = [v @ v.conj().T for v in (found.basis, vectors[:, :degeneracy])]
    np.testing.assert_allclose(*projectors, atol=1e-7)


def test_overlap_with_a_ground_space_counts_all_of_it():
    found = ground_space(PauliSum.of(2, [(-1.0, "Z0*Z1")]))
    assert found.overlap(np.array([1, 0, 0, 1]) / np.sqrt(2)) == pytest.approx(1.0)
    assert found.overlap(np.full(4, 0.5)) == pytest.approx(0.5)


@pytest.mark.slow
def test_fourteen_qubits_against_the_known_energy():
    """TFIM at its critical point, open chain: E0 = 1 − 1/sin(π/(2(2n+1))) (free fermions)."""
    n = 14
    field = [(-1.0, f"X{q}") for q in range(n)]
    bonds = [(-1.0, f"Z{q}*Z{q + 1}") for q in range(n - 1)]
    found = ground_space(PauliSum.of(n, field + bonds))
    assert found.energy == pytest.approx(1 - 1 / np.sin(np.pi / (2 * (2 * n + 1))), abs=1e-8)
    assert found.degeneracy == 1


def test_more_qubits_than_are_solved_are_refused():
    with pytest.raises(SimulationError, match="15 qubits is not computed; the limit is 14"):
        ground_space(heisenberg(15))


def test_noise_and_mitigation_of_every_basis():
    """The depolarised value lies below the exact one, and mitigation brings it back."""
    pytest.importorskip("qiskit_aer")
    from quasar.simulation.aer.noise import NoisySimulator

    bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    observable = PauliSum.of(2, [(1, "X0*X1"), (-1, "Y0*Y1"), (1, "Z0*Z1"), (0.5, "I")])
    noise = NoiseConfig(model="depolarizing", zero_noise="richardson")
    found = NoisySimulator(noise).estimate(bell, observable)
    assert found.raw.value < found.readout_mitigated.value < found.zero_noise.value + 1e-3
    assert found.zero_noise.value == pytest.approx(3.5, abs=0.01)
    assert found.raw.value < 3.3
    quiet = NoiseConfig(model="depolarizing", one_qubit_error=0, two_qubit_error=0, readout_error=0)
    for seed in range(3):
        observable, circuit = random_sum(3, seed), entangled(3, seed=seed)
        exact = get_simulator("exact", 3).expectation_value(circuit, observable).value
        noisy = NoisySimulator(quiet).expectation_value(circuit, observable).value
        assert noisy == pytest.approx(exact, abs=1e-8)


def test_one_pauli_at_a_time():
    """Every string of two qubits, with its sign and its order of letters, against Qiskit."""
    state = statevector(encode(entangled(2, seed=3)))
    state = state * np.exp(1j * np.arange(4))
    for first in "IXYZ":
        for second in "IXYZ":
            word = "*".join(f"{p}{q}" for q, p in enumerate((first, second)) if p != "I") or "I"
            expected = np.vdot(state, Pauli(second + first).to_matrix() @ state).real
            found = expectation_value(state, PauliSum.of(2, [(1.0, word)]))
            assert found == pytest.approx(expected, abs=1e-12), word
