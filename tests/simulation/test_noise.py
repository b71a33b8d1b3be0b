"""Noisy devices: limits that are known, bit order, mitigation, cost."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import circuits, entangled, hamiltonian, one_at

pytest.importorskip("qiskit_aer")

from qiskit.quantum_info import Operator

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import NoiseConfig
from quasar.errors import ConfigError, SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation import get_simulator
from quasar.simulation.aer import noise as noise_module
from quasar.simulation.aer.devices import SNAPSHOTS, DepolarizingDevice, compile_for, load_device
from quasar.simulation.aer.mitigation import (
    SCALES,
    extrapolate,
    fold,
    inverse_assignments,
    mitigated_spins,
    read_out,
)
from quasar.simulation.aer.noise import get_noisy_simulator
from quasar.simulation.base import Estimate, Samples

N = 4
EXACT = get_simulator("exact", N)


def depolarizing(one: float = 0.0, two: float = 0.0, readout: float = 0.0, **others) -> NoiseConfig:
    return NoiseConfig(
        model="depolarizing",
        one_qubit_error=one,
        two_qubit_error=two,
        readout_error=readout,
        **others,
    )


@pytest.fixture
def trajectories(monkeypatch):
    """Even the smallest circuits run as trajectories."""
    monkeypatch.setattr(noise_module, "MAX_DENSITY_QUBITS", 0)


@settings(max_examples=25)
@given(circuits(3, max_gates=8))
def test_without_noise_it_is_the_exact_backend(circuit):
    """Within the compiler's tolerance: it drops controlled rotations below about 2e-5 rad."""
    agree_without_noise(circuit, probability=1e-4, energy=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_without_noise_nothing_is_lost_of_angles_that_the_compiler_keeps(seed):
    agree_without_noise(entangled(3, seed=seed), probability=1e-10, energy=1e-9)


def agree_without_noise(circuit: Circuit, *, probability: float, energy: float) -> None:
    simulator = get_noisy_simulator(depolarizing(zero_noise="richardson"))
    np.testing.assert_allclose(
        simulator.probabilities(circuit), EXACT.probabilities(circuit), rtol=0, atol=probability
    )
    estimate = simulator.estimate(circuit, hamiltonian(3))
    expected = EXACT.expectation_value(circuit, hamiltonian(3)).value
    for found in (estimate.raw, estimate.readout_mitigated, estimate.zero_noise):
        assert found.value == pytest.approx(expected, abs=energy)
        assert found.standard_error == 0.0


def test_depolarising_shrinks_a_spin_as_the_formula_says():
    """One x gate: ⟨Z⟩ = −(1−p), then the readout's 1−2r on top."""
    cost = IsingHamiltonian(1, ((1.0, (0,)),))
    estimate = get_noisy_simulator(depolarizing(one=0.1, readout=0.05)).estimate(
        one_at(1, (0,)), cost
    )
    assert estimate.raw.value == pytest.approx(-0.9 * 0.9)
    assert estimate.readout_mitigated.value == pytest.approx(-0.9)


@pytest.mark.parametrize("model", ["depolarizing", "fake_manila"])
def test_bit_order_of_noisy_distributions_and_counts(model):
    if model != "depolarizing":
        pytest.importorskip("qiskit_ibm_runtime")
    simulator, cost = get_noisy_simulator(NoiseConfig(model=model)), hamiltonian(N)
    for qubits in ((0,), (3,), (1, 2)):
        circuit, state = one_at(N, qubits), sum(1 << q for q in qubits)
        assert simulator.probabilities(circuit).argmax() == state
        samples = simulator.sample(circuit, shots=300, seed=0)
        likeliest = samples.bits[samples.counts.argmax()]
        assert likeliest.nonzero()[0].tolist() == list(qubits)
        mitigated = simulator.estimate(circuit, cost).readout_mitigated.value
        assert mitigated == pytest.approx(cost.energies[state], abs=0.15)


def test_trajectories_agree_with_the_density_matrix(trajectories, monkeypatch):
    simulator = get_noisy_simulator(depolarizing(0.01, 0.05, 0.03, shots=6000))
    circuit, cost = entangled(3), hamiltonian(3)
    sampled = simulator.estimate(circuit, cost)
    frequencies = simulator.probabilities(circuit)
    assert sampled.method == "trajectories"
    monkeypatch.setattr(noise_module, "MAX_DENSITY_QUBITS", 10)
    exact = simulator.estimate(circuit, cost)
    assert exact.method == "density_matrix"
    for ours, theirs in (
        (sampled.raw, exact.raw),
        (sampled.readout_mitigated, exact.readout_mitigated),
    ):
        assert 0 < ours.standard_error < 0.05
        assert abs(ours.value - theirs.value) < 4.5 * ours.standard_error
    assert frequencies.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(frequencies, simulator.probabilities(circuit), atol=0.03)


def test_bit_order_of_trajectories(trajectories):
    simulator = get_noisy_simulator(depolarizing(0.001, 0.001, 0.01))
    assert simulator.probabilities(one_at(3, (2,))).argmax() == 4
    cost = hamiltonian(3)
    assert simulator.expectation_value(one_at(3, (2,)), cost).value == pytest.approx(
        cost.energies[4], abs=0.2
    )


@pytest.mark.parametrize("model", ["fake_manila", "fake_torino", "fake_sherbrooke"])
def test_mitigation_brings_a_snapshot_closer_to_the_truth(model):
    pytest.importorskip("qiskit_ibm_runtime")
    """(|0000⟩ + |1111⟩)/√2, twice over: neighbours agree, and noise can only lessen that."""
    ladder = tuple(Gate("cx", (q, q + 1)) for q in range(N - 1))
    circuit = Circuit(N, (Gate("h", (0,)), *ladder, *ladder[::-1], *ladder))
    cost = IsingHamiltonian(N, tuple((1.0, (q, q + 1)) for q in range(N - 1)))
    exact = N - 1
    config = NoiseConfig(model=model, zero_noise="richardson")
    estimate = get_noisy_simulator(config).estimate(circuit, cost)
    errors = [
        abs(found.value - exact)
        for found in (estimate.raw, estimate.readout_mitigated, estimate.zero_noise)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert estimate.best == estimate.zero_noise
    assert estimate.num_two_qubit_gates >= N - 1
    assert estimate.depth >= N
    assert 1e-7 < estimate.duration_s < 1e-4
    assert get_noisy_simulator(config).estimate(circuit, cost) == estimate


@pytest.mark.parametrize("order", ["linear", "richardson"])
def test_extrapolation_removes_most_of_the_gates_noise(order):
    circuit, cost = entangled(3), hamiltonian(3)
    exact = EXACT.expectation_value(circuit, cost).value
    config = depolarizing(0.001, 0.01, zero_noise=order)
    estimate = get_noisy_simulator(config).estimate(circuit, cost)
    assert abs(estimate.zero_noise.value - exact) < 0.3 * abs(estimate.raw.value - exact)


def test_what_is_left_out_is_none():
    config = depolarizing(0.01, readout_mitigation=False)
    estimate = get_noisy_simulator(config).estimate(entangled(3), hamiltonian(3))
    assert estimate.readout_mitigated is None
    assert estimate.zero_noise is None
    assert estimate.best == estimate.raw


@given(st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), min_size=3, max_size=3))
def test_inverting_the_readout_gives_back_the_distribution(errors):
    assignments = [np.array([[1 - a, b], [a, 1 - b]]) for a, b in errors]
    prepared = np.random.default_rng(0).dirichlet(np.ones(8))
    read = read_out(prepared, np.stack(assignments))
    assert read.sum() == pytest.approx(1.0)
    # Qubit 2 alone: P(1 read) is the top half of the index, little-endian.
    one = prepared[4:].sum()
    assert read[4:].sum() == pytest.approx(errors[2][0] * (1 - one) + (1 - errors[2][1]) * one)
    inverses = inverse_assignments(assignments)
    np.testing.assert_allclose(read_out(read, inverses), prepared, atol=1e-9)
    # The mean of the mitigated spins over what is read is the energy of what was prepared.
    cost = hamiltonian(3)
    everything = Samples.of({state: 1 for state in range(8)}, 3)
    energies = everything.energies(cost, spins=mitigated_spins(inverses))
    assert read @ energies == pytest.approx(float(prepared @ cost.energies), abs=1e-7)


def test_a_readout_that_tells_nothing_is_refused():
    with pytest.raises(SimulationError, match="readout of qubit 1"):
        inverse_assignments([np.eye(2), np.full((2, 2), 0.5)])


@settings(max_examples=20)
@given(circuits(3, max_gates=6), st.sampled_from(SCALES))
def test_folding_keeps_the_unitary_and_scales_the_gates(circuit, scale):
    compiled = compile_for(DepolarizingDevice(0.0, 0.0, 0.0), circuit).circuit
    folded = fold(compiled, scale)
    assert Operator(folded).equiv(Operator(compiled), atol=1e-9)
    for name, count in compiled.count_ops().items():
        if name != "rz":
            assert folded.count_ops()[name] == scale * count


def test_extrapolation_is_exact_for_its_polynomials():
    line = [Estimate(2.0 - 0.3 * s, 0.1) for s in SCALES]
    parabola = [Estimate(2.0 - 0.3 * s + 0.05 * s**2, 0.1) for s in SCALES]
    assert extrapolate(line, "linear").value == pytest.approx(2.0)
    richardson = extrapolate(parabola, "richardson")
    assert richardson.value == pytest.approx(2.0)
    # Weights 15/8, −10/8, 3/8.
    assert richardson.standard_error == pytest.approx(0.1 * np.sqrt(15**2 + 10**2 + 3**2) / 8)


def test_a_circuit_that_is_too_large_is_refused():
    pytest.importorskip("qiskit_ibm_runtime")
    manila = get_noisy_simulator(NoiseConfig(model="fake_manila"))
    with pytest.raises(SimulationError, match="fake_manila has 5 qubits, the circuit 6"):
        manila.compile(one_at(6, (0,)))
    large = Circuit(15, tuple(Gate("h", (q,)) for q in range(15)))
    with pytest.raises(SimulationError, match=r"uses 15 qubits of depolarizing; .* up to 14"):
        get_noisy_simulator(depolarizing()).expectation_value(large, hamiltonian(15))


def test_names_of_the_configuration_are_those_of_the_devices():
    names = get_args(NoiseConfig.model_fields["model"].annotation)
    assert set(names) == {"none", "depolarizing", *SNAPSHOTS}
    with pytest.raises(ConfigError, match=r"noise\.model is none"):
        load_device(NoiseConfig())
