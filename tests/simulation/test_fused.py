"""The published system's arithmetic: expectation values with the last bits of Qiskit's."""

import platform

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp, Statevector

from quasar.circuits.circuit import Circuit, Gate
from quasar.simulation.statevector import fused
from quasar.simulation.statevector.encoding import encode

X86 = platform.machine() in ("x86_64", "AMD64")


@pytest.mark.parametrize("num_qubits", range(1, 11))
def test_expectation_values_are_summed_in_qiskits_order(num_qubits):
    rng = np.random.default_rng(num_qubits)
    turns = rng.uniform(-3, 3, (3, num_qubits))
    gates = [Gate("ry", (q,), (a,)) for q, a in enumerate(turns[0])]
    gates += [Gate("crx", (q, q + 1), (turns[1, q],)) for q in range(num_qubits - 1)]
    gates += [Gate("rx", (q,), (a,)) for q, a in enumerate(turns[2])]
    encoded = encode(Circuit(num_qubits, tuple(gates)))
    # Repeated terms and the identity among them.
    masks = rng.integers(0, 1 << num_qubits, 20)
    coefficients = rng.normal(size=20)
    terms = [
        ("Z" * len(wires), wires, c)
        for mask, c in zip(masks.tolist(), coefficients, strict=True)
        for wires in [[q for q in range(num_qubits) if mask >> q & 1]]
    ]
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)
    state = fused.statevector(encoded, encoded.angles)
    theirs = float(Statevector(state).expectation_value(operator).real)
    ours = fused.energy(encoded, encoded.angles, masks=masks, coefficients=coefficients)
    assert ours == (theirs if X86 else pytest.approx(theirs, abs=1e-12))
