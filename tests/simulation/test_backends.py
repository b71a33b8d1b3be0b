"""All backends against each other: distributions, expectation values, samples, memory, choice."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_circuits import circuits, entangled, hamiltonian, one_at

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.errors import ConfigError, SimulationError, SimulationMemoryError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation import SIMULATORS, MatrixProductLimits, Samples, get_simulator

N = 4
REFERENCE = get_simulator("exact", N)
ALL = ("exact", "aer", "torch", "mps")


def backend(name: str):
    if name in ("aer", "mps"):
        pytest.importorskip("qiskit_aer")
    return get_simulator(name, N)


# A matrix product state drops singular values of weight 1e-16: a gate may move the state by 1e-8.
@pytest.mark.parametrize(("name", "bound"), [("aer", 1e-10), ("torch", 1e-10), ("mps", 1e-6)])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(circuits(N))
def test_backends_agree_on_random_circuits(name, bound, circuit):
    other = backend(name)
    expected = REFERENCE.probabilities(circuit)
    np.testing.assert_allclose(other.probabilities(circuit), expected, atol=bound)
    fidelity = abs(np.vdot(other.statevector(circuit), REFERENCE.statevector(circuit)))
    assert fidelity == pytest.approx(1.0, abs=bound)
    energies = hamiltonian(N).energies
    estimate = other.expectation_value(circuit, hamiltonian(N))
    assert estimate.value == pytest.approx(float(expected @ energies), abs=10 * bound)
    assert (estimate.standard_error, estimate.truncation_error) == (0.0, 0.0)


@pytest.mark.parametrize("name", ALL)
def test_bit_order_is_little_endian(name):
    simulator, cost = backend(name), hamiltonian(N)
    for qubits in ((0,), (1,), (3,), (0, 2)):
        circuit, state = one_at(N, qubits), sum(1 << q for q in qubits)
        assert simulator.probabilities(circuit)[state] == pytest.approx(1.0)
        energy = cost.energies[state]
        assert simulator.expectation_value(circuit, cost).value == pytest.approx(energy)
        samples = simulator.sample(circuit, shots=5, seed=0)
        assert samples.counts.tolist() == [5]
        assert samples.bits[0].tolist() == [int(q in qubits) for q in range(N)]
        assert samples.estimate(cost).value == pytest.approx(energy)


@pytest.mark.parametrize("name", ALL)
def test_samples_are_within_their_standard_error(name):
    simulator, circuit, cost = backend(name), entangled(N), hamiltonian(N)
    expected = REFERENCE.expectation_value(circuit, cost).value
    samples = simulator.sample(circuit, shots=4000, seed=3)
    estimate = samples.estimate(cost)
    assert samples.shots == 4000
    assert 0 < estimate.standard_error < 0.1
    assert abs(estimate.value - expected) < 4.5 * estimate.standard_error
    again = simulator.sample(circuit, shots=4000, seed=3)
    assert again.estimate(cost) == estimate
    assert simulator.sample(circuit, shots=4000, seed=4).estimate(cost) != estimate


def test_samples_hold_more_qubits_than_a_machine_word():
    samples = Samples.of({1 << 69 | 1: 3, 0: 1}, 70)
    assert samples.bits.shape == (2, 70)
    assert samples.bits[0].nonzero()[0].tolist() == [0, 69]
    cost = IsingHamiltonian(70, ((2.0, (69,)), (0.5, (0, 69))))
    np.testing.assert_array_equal(samples.energies(cost), [-1.5, 2.5])
    assert samples.estimate(cost).value == pytest.approx(-0.5)
    assert Samples.of({0: 1}, 70).estimate(cost).standard_error == np.inf


def test_matrix_product_state_of_seventy_qubits():
    """A chain of controlled X from one rotated qubit: every string is 0…0 or 1…1."""
    pytest.importorskip("qiskit_aer")
    n, angle = 70, 1.2
    chain = tuple(Gate("cx", (q, q + 1)) for q in range(n - 1))
    circuit = Circuit(n, (Gate("ry", (0,), (angle,)), *chain))
    cost = IsingHamiltonian(n, ((1.0, (0,)), (0.5, (0, 69)), (-2.0, (68,))))
    simulator = get_simulator("auto", n)
    estimate = simulator.expectation_value(circuit, cost)
    assert estimate.value == pytest.approx(0.5 - np.cos(angle), abs=1e-9)
    assert estimate.truncation_error < 1e-9
    samples = simulator.sample(circuit, shots=500, seed=1)
    assert {int(row.sum()) for row in samples.bits} == {0, n}
    sampled = samples.estimate(cost)
    assert abs(sampled.value - estimate.value) < 4.5 * sampled.standard_error


def test_truncation_is_told():
    pytest.importorskip("qiskit_aer")
    n = 12
    rng = np.random.default_rng(1)
    layers = [Gate("ry", (q,), (float(rng.uniform(0, 3)),)) for q in range(n)]
    layers += [Gate("crx", tuple(map(int, rng.permutation(n)[:2])), (1.3,)) for _ in range(60)]
    circuit, cost = Circuit(n, tuple(layers)), hamiltonian(n)
    expected = get_simulator("exact", n).expectation_value(circuit, cost).value
    narrow = get_simulator("mps", n, mps=MatrixProductLimits(bond_dimension=8))
    wide = get_simulator("mps", n, mps=MatrixProductLimits(bond_dimension=64))
    assert narrow.expectation_value(circuit, cost).truncation_error > 1e-3
    assert wide.expectation_value(circuit, cost).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_what_does_not_fit_is_refused_beforehand(name):
    circuit = Circuit(60, (Gate("h", (0,)),))
    with pytest.raises(SimulationMemoryError, match=r"60 qubits.* needs .*MiB"):
        backend(name).probabilities(circuit)
    assert issubclass(SimulationMemoryError, MemoryError)


def test_a_limit_on_the_process_counts_as_its_memory():
    """In a process of its own, as a verification runs: 24 qubits do not fit in 100 MiB."""
    program = (
        "import resource\n"
        "from quasar.circuits.circuit import Circuit\n"
        "from quasar.errors import SimulationMemoryError\n"
        "from quasar.simulation import get_simulator\n"
        "from quasar.simulation.memory import _field, available_bytes\n"
        "simulator = get_simulator('exact', 24)\n"
        "limit = _field('/proc/self/status', 'VmData') + (100 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        "assert available_bytes() <= 100 << 20\n"
        "try:\n"
        "    simulator.probabilities(Circuit(24, ()))\n"
        "except SimulationMemoryError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "a state vector of 24 qubits needs 384 MiB" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ALL)
def test_hamiltonian_of_another_size_is_refused(name):
    with pytest.raises(SimulationError, match="circuit of 4 qubits and a Hamiltonian of 5"):
        backend(name).expectation_value(one_at(N, (0,)), hamiltonian(5))


def test_auto_chooses_by_size():
    pytest.importorskip("qiskit_aer")
    chosen = {n: get_simulator("auto", n).name for n in (1, 16, 20, 21, 24, 25, 80)}
    assert chosen == {
        1: "exact", 16: "exact", 20: "exact", 21: "aer", 24: "aer", 25: "mps", 80: "mps",
    }  # fmt: skip
    assert get_simulator("exact", 22).name == "exact"


def test_names_of_the_configuration_are_those_of_the_registry():
    field = VerificationConfig.model_fields["simulator"]
    assert get_args(field.annotation) == SIMULATORS
    with pytest.raises(ConfigError, match=r"valid: auto, exact, aer.*did you mean 'exact'"):
        get_simulator("exat", 3)


@pytest.mark.parametrize("name", ["exact", "mps"])
def test_torch_is_loaded_only_where_it_is_asked_for(name):
    program = (
        "import sys\n"
        "from quasar.simulation import get_simulator\n"
        f"get_simulator({name!r}, 3)\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
