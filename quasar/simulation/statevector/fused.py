"""State vectors with the last bits of a fused multiply-add matrix product. Little-endian.

Only for reproducing published figures that hang on rounding: an optimiser on a flat landscape
stops where the last bits send it. Each gate is applied as the complex matrix product of BLAS
kernels with fused multiply-add does it, term by term in the order of the rows; so the amplitudes
equal those of Qiskit's `Statevector` on an AVX2 machine bit by bit, on any machine. Expectation
values are summed in its order too.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from quasar.simulation.statevector.encoding import EncodedCircuit
from quasar.simulation.statevector.kernels import _matrix

_jit = njit(cache=True, nogil=True)


@intrinsic
def _fma_of_types(typing_context, a, b, c):
    """a·b + c rounded once."""

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fma: Any = _fma_of_types  # called without the context, which numba adds


@_jit
def _row(a, b, low, high):
    """a·low + b·high: products of real and of imaginary parts are summed apart, then joined."""
    real = _fma(b.real, high.real, a.real * low.real) - _fma(b.imag, high.imag, a.imag * low.imag)
    imag = _fma(b.real, high.imag, a.real * low.imag) + _fma(b.imag, high.real, a.imag * low.real)
    return complex(real, imag)


@_jit
def _run(num_qubits, rows, angles):
    state = np.zeros(1 << num_qubits, dtype=np.complex128)
    state[0] = 1.0
    for k in range(rows.shape[0]):
        m00, m01, m10, m11 = _matrix(rows[k, 0], angles, rows[k, 3])
        stride, controls = 1 << rows[k, 1], rows[k, 2]
        for base in range(0, state.size, 2 * stride):
            for i in range(base, base + stride):
                if i & controls == controls:
                    low, high = state[i], state[i + stride]
                    state[i] = _row(m00, m01, low, high)
                    state[i + stride] = _row(m10, m11, low, high)
    return state


@_jit
def _expectation(state, masks, coefficients):
    """Σ_k c_k⟨∏ Z⟩. Four states at a time: (p₀ ± p₂) ± (p₁ ± p₃), added up in their order."""
    totals = np.zeros(masks.size)
    p = np.zeros(4)
    signed = np.empty(4)  # the sum of four, by the last two bits of the term's mask
    for base in range(0, state.size, 4):
        for i in range(min(4, state.size)):
            amplitude = state[base + i]
            p[i] = amplitude.real * amplitude.real + amplitude.imag * amplitude.imag
        signed[0], signed[1] = (p[0] + p[2]) + (p[1] + p[3]), (p[0] + p[2]) - (p[1] + p[3])
        signed[2], signed[3] = (p[0] - p[2]) + (p[1] - p[3]), (p[0] - p[2]) - (p[1] - p[3])
        for k in range(masks.size):
            odd = base & masks[k]
            odd ^= odd >> 16
            odd ^= odd >> 8
            odd ^= odd >> 4
            odd ^= odd >> 2
            value = signed[masks[k] & 3]
            totals[k] += -value if (odd ^ odd >> 1) & 1 else value
    total = 0.0
    for k in range(masks.size):
        total += coefficients[k] * totals[k]
    return total


def energy(
    encoded: EncodedCircuit, angles: np.ndarray, *, masks: np.ndarray, coefficients: np.ndarray
) -> float:
    """⟨Σ_k c_k ∏_{q in mask_k} Z_q⟩ at the given angles, as Qiskit's `SparsePauliOp` sums it.

    masks: int64 (num_terms,), below 2**32; coefficients: float64 (num_terms,).
    """
    return float(_expectation(statevector(encoded, angles), masks, coefficients))


def statevector(encoded: EncodedCircuit, angles: np.ndarray) -> np.ndarray:
    """Final amplitudes with the given angles, shape (2**n,), complex128."""
    return _run(encoded.num_qubits, encoded.rows, np.ascontiguousarray(angles, dtype=np.float64))
