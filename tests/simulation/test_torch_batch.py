"""Batched state vectors on torch: many circuits at once equal each on its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import circuits, entangled

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import SimulationError, SimulationMemoryError
from quasar.simulation import torch_batch
from quasar.simulation.encoding import encode
from quasar.simulation.exact import ExactSimulator, energy_and_gradient
from quasar.simulation.torch_batch import TorchBackend

N = 4
EXACT = ExactSimulator()
BACKEND = TorchBackend()
batches = st.lists(circuits(N, max_gates=8), min_size=1, max_size=6)


def starts(circuit: Circuit, count: int) -> list[Circuit]:
    """The circuit and others that differ from it in the angles."""
    rng = np.random.default_rng(0)
    size = len(circuit.parameters)
    return [circuit, *(circuit.with_parameters(rng.normal(size=size)) for _ in range(count - 1))]


@settings(max_examples=40)
@given(batches, st.integers(0, 2**32 - 1))
def test_unlike_circuits_side_by_side(batch, seed):
    energies = np.random.default_rng(seed).normal(size=(len(batch), 1 << N))
    expected = np.stack([EXACT.probabilities(circuit) for circuit in batch])
    np.testing.assert_allclose(BACKEND.batch_probabilities(batch), expected, atol=1e-10)
    values, gradients = BACKEND.batch_gradients(batch, energies)
    np.testing.assert_allclose(BACKEND.batch_energies(batch, energies), values, atol=1e-12)
    for circuit, row, value, gradient in zip(batch, energies, values, gradients, strict=True):
        energy, slopes = energy_and_gradient(circuit, row)
        assert value == pytest.approx(energy, abs=1e-10)
        np.testing.assert_allclose(gradient, slopes, atol=1e-10)


@settings(max_examples=30)
@given(circuits(N), st.integers(0, 2**32 - 1))
def test_many_starts_of_one_circuit(circuit, seed):
    energies = np.random.default_rng(seed).normal(size=1 << N)
    batch = starts(circuit, 5)
    values, gradients = BACKEND.batch_gradients(batch, energies)
    for start, value, gradient in zip(batch, values, gradients, strict=True):
        energy, slopes = energy_and_gradient(start, energies)
        assert value == pytest.approx(energy, abs=1e-10)
        np.testing.assert_allclose(gradient, slopes, atol=1e-10)


@settings(max_examples=10)
@given(circuits(3, max_gates=6), st.integers(0, 2**32 - 1))
def test_gradient_agrees_with_finite_differences(circuit, seed):
    energies = np.random.default_rng(seed).normal(size=8)
    _, (gradient,) = BACKEND.batch_gradients([circuit], energies)
    angles, step = np.array(circuit.parameters), 1e-6
    shifts = step * np.vstack((np.eye(angles.size), -np.eye(angles.size)))
    shifted = BACKEND.batch_energies(
        [circuit.with_parameters(angles + s) for s in shifts], energies
    )
    above, below = np.split(shifted, 2)
    np.testing.assert_allclose(gradient, (above - below) / (2 * step), atol=1e-7)


@settings(max_examples=20)
@given(batches)
def test_single_precision_is_good_to_five_digits(batch):
    single = TorchBackend(precision="complex64")
    expected = np.stack([EXACT.probabilities(circuit) for circuit in batch])
    np.testing.assert_allclose(single.batch_probabilities(batch), expected, atol=1e-5)
    energies = np.linspace(-1.0, 1.0, 1 << N)
    _, gradients = single.batch_gradients(batch, energies)
    for circuit, gradient in zip(batch, gradients, strict=True):
        np.testing.assert_allclose(gradient, energy_and_gradient(circuit, energies)[1], atol=1e-4)


def test_a_budget_of_bytes_cuts_the_batch(monkeypatch):
    """The same answers in pieces of at most the number that the budget holds."""
    mixed = [*starts(entangled(N), 7), *(entangled(N, seed=s) for s in range(2))]
    mixed += [Circuit(N, entangled(N).gates[:k]) for k in (0, 3, 9)]
    energies = np.linspace(-1.0, 2.0, 1 << N)
    whole = BACKEND.batch_gradients(mixed, energies)
    pieces = []
    for kind in ("Alike", "Different"):
        made = getattr(torch_batch, kind)
        record = type(kind, (made,), {"__init__": _counting(made, pieces)})
        monkeypatch.setattr(torch_batch, kind, record)
        monkeypatch.setitem(torch_batch._COPIES, record, torch_batch._COPIES[made])
    small = TorchBackend(memory_bytes=40_000)
    values, gradients = small.batch_gradients(mixed, energies)
    assert sum(pieces) == len(mixed)
    assert max(pieces) < 7
    np.testing.assert_allclose(values, whole[0], atol=1e-12)
    for ours, theirs in zip(gradients, whole[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def _counting(made, pieces):
    def init(self, circuits, device):
        pieces.append(len(circuits))
        made.__init__(self, circuits, device)

    return init


def test_above_the_limit_unlike_circuits_take_turns():
    n = 10
    batch = [entangled(n), Circuit(n, entangled(n).gates[::-1])]
    expected = np.stack([EXACT.probabilities(circuit) for circuit in batch])
    np.testing.assert_allclose(BACKEND.batch_probabilities(batch), expected, atol=1e-12)


def test_what_cannot_be_a_batch_is_refused():
    with pytest.raises(SimulationError, match=r"one qubit count; these have \[2, 3\]"):
        BACKEND.batch_probabilities([Circuit(2, ()), Circuit(3, ())])
    with pytest.raises(SimulationMemoryError, match="budget is 0 MiB"):
        TorchBackend(memory_bytes=1000).probabilities(Circuit(8, (Gate("h", (0,)),)))


def test_encoded_circuits_are_taken_as_they_are():
    circuit = entangled(N)
    energies = np.arange(16.0)
    values, _ = BACKEND.batch_gradients([encode(circuit)], energies)
    assert values[0] == pytest.approx(float(EXACT.probabilities(circuit) @ energies))
