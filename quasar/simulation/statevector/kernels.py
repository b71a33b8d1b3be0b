"""Compiled kernels on state vectors: run, differentiate, optimise. Little-endian, complex128.

Takes the arrays of `encoding` and an observable in a form of `observables`; gives amplitudes,
expectation values and their gradients. Compiled once and cached on disk; every kernel releases the
interpreter lock. Plain numbers and arrays in and out: callers are in `exact`.

The gradient is the adjoint method (Jones and Gacon, arXiv 2009.02823, algorithm 1): one forward
and one backward pass whatever the number of angles.
"""

import cmath
import math

import numpy as np
from numba import njit

from quasar.simulation.statevector import gates
from quasar.simulation.statevector.encoding import (
    RX,
    RY,
    RZ,
    SDG,
    SX,
    TDG,
    U2,
    H,
    P,
    S,
    T,
    U,
    X,
    Y,
    Z,
)
from quasar.simulation.statevector.observables import apply_to

_ROOT_HALF = 1.0 / math.sqrt(2.0)  # not sqrt(0.5): the last bit is that of the common libraries
# Adam (Kingma and Ba, arXiv 1412.6980): the usual decay rates; the step is the caller's.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8

_jit = njit(cache=True, nogil=True)


@_jit
def _matrix(operation, angles, first):
    """The 2×2 matrix of an operation, row by row."""
    one, zero = 1.0 + 0.0j, 0.0 + 0.0j
    if operation == X:
        return zero, one, one, zero
    if operation == H:
        return _ROOT_HALF + 0j, _ROOT_HALF + 0j, _ROOT_HALF + 0j, -_ROOT_HALF + 0j
    if operation == Y:
        return zero, -1j, 1j, zero
    if operation == Z:
        return one, zero, zero, -1.0 + 0.0j
    if operation == S:
        return one, zero, zero, 1j
    if operation == SDG:
        return one, zero, zero, -1j
    if operation == T:
        return one, zero, zero, complex(_ROOT_HALF, _ROOT_HALF)
    if operation == TDG:
        return one, zero, zero, complex(_ROOT_HALF, -_ROOT_HALF)
    if operation == SX:
        return 0.5 + 0.5j, 0.5 - 0.5j, 0.5 - 0.5j, 0.5 + 0.5j
    a = angles[first]
    c, s = math.cos(0.5 * a), math.sin(0.5 * a)
    if operation == RX:
        return complex(c, 0.0), complex(0.0, -s), complex(0.0, -s), complex(c, 0.0)
    if operation == RY:
        return complex(c, 0.0), complex(-s, 0.0), complex(s, 0.0), complex(c, 0.0)
    if operation == RZ:
        return complex(c, -s), zero, zero, complex(c, s)
    if operation == P:
        return one, zero, zero, cmath.exp(1j * a)
    if operation == U2:  # U(π/2, φ, λ)
        ep, el = cmath.exp(1j * a), cmath.exp(1j * angles[first + 1])
        return _ROOT_HALF + 0j, -_ROOT_HALF * el, _ROOT_HALF * ep, _ROOT_HALF * ep * el
    ep, el = cmath.exp(1j * angles[first + 1]), cmath.exp(1j * angles[first + 2])
    return complex(c, 0.0), -s * el, s * ep, c * ep * el


@_jit
def _derivative(operation, angles, first, which):
    """d(matrix)/d(angle number `which` of the operation), row by row."""
    zero = 0.0 + 0.0j
    a = angles[first]
    c, s = 0.5 * math.cos(0.5 * a), 0.5 * math.sin(0.5 * a)
    if operation == RX:
        return complex(-s, 0.0), complex(0.0, -c), complex(0.0, -c), complex(-s, 0.0)
    if operation == RY:
        return complex(-s, 0.0), complex(-c, 0.0), complex(c, 0.0), complex(-s, 0.0)
    if operation == RZ:
        return complex(-s, -c), zero, zero, complex(-s, c)
    if operation == P:
        return zero, zero, zero, 1j * cmath.exp(1j * a)
    _, m01, m10, m11 = _matrix(operation, angles, first)
    if operation == U and which == 0:
        ep, el = cmath.exp(1j * angles[first + 1]), cmath.exp(1j * angles[first + 2])
        return complex(-s, 0.0), -c * el, c * ep, -s * ep * el
    if which == (1 if operation == U else 0):  # φ
        return zero, zero, 1j * m10, 1j * m11
    return zero, 1j * m01, zero, 1j * m11  # λ


@_jit
def _run(state, rows, angles):
    state[:] = 0.0
    state[0] = 1.0
    _apply(state, rows, angles)


@_jit
def _apply(state, rows, angles):
    for k in range(rows.shape[0]):
        m00, m01, m10, m11 = _matrix(rows[k, 0], angles, rows[k, 3])
        gates.apply(state, rows[k, 1], rows[k, 2], m00, m01, m10, m11)


@_jit
def _take_back_rotation(ket, bra, row, matrix):
    """Undo a rotation with at most one control on both vectors; the derivative by its angle."""
    operation, target, control = row[0], row[1], row[2]
    m00, m01, m10, m11 = matrix
    if operation == RX:
        return gates.take_back_rx(ket, bra, target, control, m00.real, -m01.imag)
    if operation == RY:
        return gates.take_back_ry(ket, bra, target, control, m00.real, m10.real)
    weight0, weight1 = (1.0, -1.0) if operation == RZ else (0.0, -2.0)
    undo0, undo1 = m00.conjugate(), m11.conjugate()
    return gates.take_back_diagonal(ket, bra, target, control, undo0, undo1, weight0, weight1)


@_jit
def _take_back(ket, bra, row, matrix, angles, gradient):
    """Undo any operation on both vectors; adds the derivatives by its angles to `gradient`."""
    operation, target, controls, place = row[0], row[1], row[2], row[3]
    m00, m01, m10, m11 = matrix
    a00, a01, a10, a11 = m00.conjugate(), m10.conjugate(), m01.conjugate(), m11.conjugate()
    gates.apply(ket, target, controls, a00, a01, a10, a11)
    if operation >= RX:
        for which in range(3 if operation == U else (2 if operation == U2 else 1)):
            d00, d01, d10, d11 = _derivative(operation, angles, place, which)
            gradient[place + which] += 2.0 * gates.overlap(
                bra, ket, target, controls, d00, d01, d10, d11
            )
    gates.apply(bra, target, controls, a00, a01, a10, a11)


@_jit
def _value_and_gradient(ket, bra, rows, angles, observable, gradient):
    _run(ket, rows, angles)
    return _differentiate(ket, bra, rows, angles, observable, gradient)


@_jit
def _differentiate(ket, bra, rows, angles, observable, gradient):
    """From the final state in `ket`, which goes back to the first one."""
    energy = apply_to(ket, bra, observable)
    gradient[:] = 0.0
    first = 0  # rows before the first one with an angle need no backward pass
    while first < rows.shape[0] and rows[first, 0] < RX:
        first += 1
    for k in range(rows.shape[0] - 1, first - 1, -1):
        row, matrix = rows[k], _matrix(rows[k, 0], angles, rows[k, 3])
        if RX <= row[0] <= P and row[2] & (row[2] - 1) == 0:
            gradient[row[3]] += _take_back_rotation(ket, bra, row, matrix)
        else:
            _take_back(ket, bra, row, matrix, angles, gradient)
    return energy


@_jit
def run(num_qubits, rows, angles):
    """Final amplitudes, complex128 (2**n,)."""
    state = np.empty(1 << num_qubits, dtype=np.complex128)
    _run(state, rows, angles)
    return state


@_jit
def run_from(start, rows, angles):
    """As `run`, from the amplitudes `start`."""
    state = start.copy()
    _apply(state, rows, angles)
    return state


@_jit
def squares(state):
    """|amplitude|², float64, with no array but the result."""
    result = np.empty(state.size)
    for i in range(state.size):
        result[i] = state[i].real ** 2 + state[i].imag ** 2
    return result


@_jit
def value_and_gradient(num_qubits, rows, angles, observable):
    """(⟨observable⟩, its derivative with respect to each angle, float64 (num_angles,))."""
    ket = np.empty(1 << num_qubits, dtype=np.complex128)
    bra = np.empty_like(ket)
    gradient = np.zeros(angles.size)
    energy = _value_and_gradient(ket, bra, rows, angles, observable, gradient)
    return energy, gradient


@_jit
def value_and_gradient_from(start, rows, angles, observable):
    """As `value_and_gradient`, from the amplitudes `start`."""
    ket = start.copy()
    _apply(ket, rows, angles)
    gradient = np.zeros(angles.size)
    energy = _differentiate(ket, np.empty_like(ket), rows, angles, observable, gradient)
    return energy, gradient


@_jit
def descend(num_qubits, rows, angles, observable, evaluations, step):
    """Smallest energy met so far after each evaluation of Adam that starts at `angles`."""
    ket = np.empty(1 << num_qubits, dtype=np.complex128)
    bra = np.empty_like(ket)
    point = angles.copy()
    gradient = np.zeros(angles.size)
    mean = np.zeros(angles.size)
    square = np.zeros(angles.size)
    best = np.full(evaluations, np.inf)
    for t in range(1, evaluations + 1):
        energy = _value_and_gradient(ket, bra, rows, point, observable, gradient)
        best[t - 1] = min(best[t - 2], energy) if t > 1 else energy
        for j in range(point.size):
            mean[j] = _BETA1 * mean[j] + (1.0 - _BETA1) * gradient[j]
            square[j] = _BETA2 * square[j] + (1.0 - _BETA2) * gradient[j] ** 2
            scaled = mean[j] / (1.0 - _BETA1**t)
            spread = math.sqrt(square[j] / (1.0 - _BETA2**t))
            point[j] -= step * scaled / (spread + _EPSILON)
    return best


@_jit
def rotation_gains(num_qubits, state, energies):
    """(gains, angles), both float64 (n, n): see `exact.rotation_gains`.

    The energies are diagonal, so on the controlled subspace E(θ) = a + b·cos θ + c·sin θ
    (Ostaszewski, Grant, Benedetti, Quantum 5, 391, 2021): lowest by b + √(b² + c²).
    """
    cosines = np.zeros((num_qubits, num_qubits))
    sines = np.zeros((num_qubits, num_qubits))
    for target in range(num_qubits):
        stride = 1 << target
        for base in range(0, state.size, 2 * stride):
            for i in range(base, base + stride):
                low, high = state[i], state[i + stride]
                half = 0.5 * (energies[i] - energies[i + stride])
                weight = low.real**2 + low.imag**2 - high.real**2 - high.imag**2
                cosine = half * weight
                sine = -2.0 * half * (low.real * high.real + low.imag * high.imag)
                for control in range(num_qubits):
                    if control == target or i >> control & 1:
                        cosines[target, control] += cosine
                        sines[target, control] += sine
    gains = np.sqrt(cosines**2 + sines**2) + cosines
    return gains, np.arctan2(-sines, -cosines)
