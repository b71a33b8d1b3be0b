"""State vectors on torch equal those of the compiled kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from random_circuits import circuits, entangled

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import SimulationMemoryError
from quasar.simulation import memory
from quasar.simulation.statevector.exact import ExactSimulator
from quasar.simulation.torch_backend import TorchBackend

EXACT = ExactSimulator()
BACKEND = TorchBackend()


@settings(max_examples=60)
@given(circuits(4, max_gates=12))
def test_any_circuit_has_the_amplitudes_of_the_kernels(circuit):
    expected = EXACT.statevector(circuit)
    np.testing.assert_allclose(BACKEND.statevector(circuit), expected, atol=1e-12)
    expected = EXACT.probabilities(circuit)
    np.testing.assert_allclose(BACKEND.probabilities(circuit), expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_other_sizes(n):
    circuit = entangled(n) if n > 1 else Circuit(1, (Gate("h", (0,)), Gate("t", (0,))))
    expected = EXACT.probabilities(circuit)
    np.testing.assert_allclose(BACKEND.probabilities(circuit), expected, atol=1e-12)


def test_a_state_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 << 20)
    with pytest.raises(SimulationMemoryError, match="a state vector of 20 qubits needs 24 MiB"):
        BACKEND.probabilities(Circuit(20, (Gate("h", (0,)),)))
