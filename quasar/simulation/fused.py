"""State vectors with the last bits of a fused multiply-add matrix product. Little-endian.

Only for reproducing published figures that hang on rounding: an optimiser on a flat landscape
stops where the last bits send it. Each gate is applied as the complex matrix product of BLAS
kernels with fused multiply-add does it, term by term in the order of the rows; so the amplitudes
equal those of Qiskit's `Statevector` on an AVX2 machine bit by bit, on any machine.
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from quasar.simulation.encoding import EncodedCircuit
from quasar.simulation.kernels import _matrix

_jit = njit(cache=True, nogil=True)


@intrinsic
def _fma(typing_context, a, b, c):
    """a·b + c rounded once."""

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


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


def statevector(encoded: EncodedCircuit, angles: np.ndarray) -> np.ndarray:
    """Final amplitudes with the given angles, shape (2**n,), complex128."""
    return _run(encoded.num_qubits, encoded.rows, np.ascontiguousarray(angles, dtype=np.float64))
