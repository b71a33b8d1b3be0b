"""Matrix product states against vectors, the sweeps for ground states against exact energies."""

import numpy as np
import pytest
from hypothesis import given

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import SimulationError
from quasar.problems.pauli import PauliSum
from quasar.simulation.base import MatrixProductLimits
from quasar.simulation.dmrg import chain_ground
from quasar.simulation.eigensolver import ground_space
from quasar.simulation.matrix_product import MatrixProductState
from quasar.simulation.matrix_product_circuit import run_circuit
from quasar.simulation.statevector import exact
from quasar.simulation.statevector.encoding import encode
from quasar.tasks.ground_state import families
from quasar.tasks.ground_state.chains import free_fermion_energy
from quasar.tasks.programs import real_layers
from tests.simulation.random_circuits import circuits

N = 9
CASES = [
    ("tfim_chain", {"coupling": 1.0, "field": 1.0}),
    ("tfim_chain", {"coupling": 1.5, "field": 0.3}),
    ("xxz_chain", {"coupling": 0.7, "anisotropy": -0.8}),
    ("xxz_chain", {"coupling": 1.0, "anisotropy": 2.4}),
    ("heisenberg_chain", {"couplings": [0.4, 1.6, 1.1, 0.9, 0.5, 1.3, 0.7, 1.2]}),
]


def _circuit(seed: int) -> Circuit:
    """Layers, and gates between qubits that are far apart."""
    rng = np.random.default_rng(seed)
    form = real_layers(N, 3)
    circuit = form.with_parameters(rng.normal(size=len(form.parameters)))
    far = (Gate("cx", (8, 1)), Gate("s", (4,)), Gate("swap", (0, 7)), Gate("cry", (6, 2), (0.7,)))
    return Circuit(N, (*circuit.gates, *far, *circuit.gates))


def test_the_state_of_a_circuit_is_the_vector():
    circuit = _circuit(0)
    state, moved = run_circuit(circuit, MatrixProductLimits(64, 1e-24))
    vector = exact.statevector(encode(circuit))
    assert abs(abs(np.vdot(state.vector(), vector)) - 1.0) < 1e-10
    assert moved < 1e-8
    observable = PauliSum.of(N, [(1.0, "X0*Y3*Z8"), (0.5, "I"), (1.0, "Z4"), (2.0, "Y1*Y2")])
    assert np.allclose(state.means(observable), exact.string_means(vector, observable), atol=1e-10)


@given(circuit=circuits(6, max_gates=12))
def test_every_gate_between_any_qubits_is_run(circuit):
    state, moved = run_circuit(circuit, MatrixProductLimits(64, 1e-24))
    vector = exact.statevector(encode(circuit))
    assert np.allclose(state.vector(), vector, atol=1e-9)  # with its phase
    assert moved < 1e-9


@pytest.mark.parametrize("bond", [2, 3, 6, 12])
def test_a_truncated_state_is_as_near_as_it_says(bond):
    for seed in range(3):
        circuit = _circuit(seed)
        state, moved = run_circuit(circuit, MatrixProductLimits(bond, 1e-24))
        vector = exact.statevector(encode(circuit))
        assert state.bond_dimension <= bond
        assert abs(np.linalg.norm(state.vector()) - 1.0) < 1e-9
        overlap = abs(np.vdot(state.vector(), vector))
        # Up to a phase the distance of two states is √(2 − 2|overlap|).
        assert (2.0 - 2.0 * overlap) ** 0.5 <= moved + 1e-7
        assert moved > 0.0


@pytest.mark.parametrize(("family", "parameters"), CASES)
@pytest.mark.parametrize("n", [8, 9])
def test_sweeps_find_the_ground_space(family, parameters, n):
    given = {k: v[: n - 1] if isinstance(v, list) else v for k, v in parameters.items()}
    observable = families.build(family, given, n).hamiltonian
    found, wanted = chain_ground(observable), ground_space(observable)
    assert abs(found.energy - wanted.energy) < 1e-8
    assert found.error < 1e-4
    # Each of its states is of the ground space; a split below the error is none.
    tensors = np.stack([state.vector() for state in found.states], axis=1) @ found.mix
    assert np.allclose(tensors.T @ tensors, np.eye(tensors.shape[1]), atol=1e-6)
    for state in wanted.basis.T:
        product = MatrixProductState(_split(state))
        assert found.overlap(product) > 1.0 - 1e-5


@pytest.mark.parametrize("field", [0.3, 1.0, 1.7])
def test_thirty_sites_have_the_energy_of_free_fermions(field):
    observable = families.build("tfim_chain", {"coupling": 1.0, "field": field}, 30).hamiltonian
    found = chain_ground(observable)
    assert 0.0 <= found.energy - free_fermion_energy(30, 1.0, field) + 1e-9 <= found.error + 1e-9
    assert found.error < 2e-4


def test_free_fermions_agree_with_vectors():
    observable = families.build("tfim_chain", {"coupling": 1.2, "field": 0.8}, 8).hamiltonian
    assert abs(free_fermion_energy(8, 1.2, 0.8) - ground_space(observable).energy) < 1e-10


@pytest.mark.parametrize("word", ["X0*X2", "X0*Y1"])
def test_what_is_no_real_chain_is_refused(word):
    with pytest.raises(SimulationError, match="chain"):
        chain_ground(PauliSum.of(5, [(1.0, word)]))


def _split(vector: np.ndarray) -> tuple[np.ndarray, ...]:
    """Tensors of a vector, qubit 0 first."""
    n = len(vector).bit_length() - 1
    rest = vector.reshape((2,) * n).transpose(range(n - 1, -1, -1)).reshape(1, -1)
    found = []
    for _ in range(n - 1):
        left = rest.shape[0]
        u, weights, v = np.linalg.svd(rest.reshape(left * 2, -1), full_matrices=False)
        found.append(u.reshape(left, 2, -1))
        rest = weights[:, None] * v
    return (*found, rest.reshape(-1, 2, 1))
