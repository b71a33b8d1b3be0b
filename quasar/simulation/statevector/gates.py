"""One gate on one state vector, or taken back from two of them with its derivative. Compiled.

A gate couples amplitudes i (target 0) and i + 2**target where all controls are 1. They lie in runs
of neighbours; a gate with at most one control visits nothing else. Rotations have loops of their
own: half of the products of a complex 2×2 matrix are with zeros. Little-endian, complex128.

`take_back_*` undo a rotation exp(−iθ/2·G) on ket and bra in one pass and give dE/dθ =
Im⟨bra|G|ket⟩, the step of the adjoint method (Jones and Gacon, arXiv 2009.02823, algorithm 1).
"""

from numba import njit

_jit = njit(cache=True, nogil=True)


@_jit
def apply(state, target, controls, m00, m01, m10, m11):
    """Multiply the 2×2 matrix into the target where all controls (a mask) are 1, in place."""
    stride = 1 << target
    if controls & (controls - 1):
        _apply_under_controls(state, stride, controls, m00, m01, m10, m11)
        return
    length, block, offset = _runs(state.size, target, controls)
    if m01 == 0 and m10 == 0:
        for outer in range(offset, state.size, 2 * block):
            for start in range(outer, outer + block, 2 * length):
                for i in range(start, start + length):
                    state[i] *= m00
                    state[i + stride] *= m11
    elif m00 == 0 and m11 == 0:
        for outer in range(offset, state.size, 2 * block):
            for start in range(outer, outer + block, 2 * length):
                for i in range(start, start + length):
                    low = state[i]
                    state[i] = m01 * state[i + stride]
                    state[i + stride] = m10 * low
    elif m00.imag == 0 and m01.imag == 0 and m10.imag == 0 and m11.imag == 0:
        a, b, c, d = m00.real, m01.real, m10.real, m11.real
        for outer in range(offset, state.size, 2 * block):
            for start in range(outer, outer + block, 2 * length):
                for i in range(start, start + length):
                    low, high = state[i], state[i + stride]
                    state[i] = complex(a * low.real + b * high.real, a * low.imag + b * high.imag)
                    state[i + stride] = complex(
                        c * low.real + d * high.real, c * low.imag + d * high.imag
                    )
    elif m00.imag == 0 and m01.real == 0 and m10.real == 0 and m11.imag == 0:
        a, b, c, d = m00.real, m01.imag, m10.imag, m11.real
        for outer in range(offset, state.size, 2 * block):
            for start in range(outer, outer + block, 2 * length):
                for i in range(start, start + length):
                    low, high = state[i], state[i + stride]
                    state[i] = complex(a * low.real - b * high.imag, a * low.imag + b * high.real)
                    state[i + stride] = complex(
                        d * high.real - c * low.imag, d * high.imag + c * low.real
                    )
    else:
        for outer in range(offset, state.size, 2 * block):
            for start in range(outer, outer + block, 2 * length):
                for i in range(start, start + length):
                    low, high = state[i], state[i + stride]
                    state[i] = m00 * low + m01 * high
                    state[i + stride] = m10 * low + m11 * high


@_jit
def take_back_rx(ket, bra, target, control, c, s):
    """Undo (c)rx on both; c, s: cosine and sine of half the angle. control: a mask of one or 0."""
    stride = 1 << target
    length, block, offset = _runs(ket.size, target, control)
    total = 0.0
    for outer in range(offset, ket.size, 2 * block):
        for start in range(outer, outer + block, 2 * length):
            for i in range(start, start + length):
                a, b, x, y = ket[i], ket[i + stride], bra[i], bra[i + stride]
                total += x.real * b.imag - x.imag * b.real + y.real * a.imag - y.imag * a.real
                ket[i] = complex(c * a.real - s * b.imag, c * a.imag + s * b.real)
                ket[i + stride] = complex(c * b.real - s * a.imag, c * b.imag + s * a.real)
                bra[i] = complex(c * x.real - s * y.imag, c * x.imag + s * y.real)
                bra[i + stride] = complex(c * y.real - s * x.imag, c * y.imag + s * x.real)
    return total


@_jit
def take_back_ry(ket, bra, target, control, c, s):
    """Undo (c)ry on both; arguments as for rx."""
    stride = 1 << target
    length, block, offset = _runs(ket.size, target, control)
    total = 0.0
    for outer in range(offset, ket.size, 2 * block):
        for start in range(outer, outer + block, 2 * length):
            for i in range(start, start + length):
                a, b, x, y = ket[i], ket[i + stride], bra[i], bra[i + stride]
                total += y.real * a.real + y.imag * a.imag - x.real * b.real - x.imag * b.imag
                ket[i] = complex(c * a.real + s * b.real, c * a.imag + s * b.imag)
                ket[i + stride] = complex(c * b.real - s * a.real, c * b.imag - s * a.imag)
                bra[i] = complex(c * x.real + s * y.real, c * x.imag + s * y.imag)
                bra[i + stride] = complex(c * y.real - s * x.real, c * y.imag - s * x.imag)
    return total


@_jit
def take_back_diagonal(ket, bra, target, control, undo0, undo1, weight0, weight1):
    """Multiply undo0, undo1 into both; Σ_b weight_b·Im⟨bra|ket⟩ over the amplitudes of target b.

    Weights (1, −1) for a (controlled) rz, (0, −2) for a (controlled) phase.
    """
    stride = 1 << target
    length, block, offset = _runs(ket.size, target, control)
    total0, total1 = 0.0, 0.0
    for outer in range(offset, ket.size, 2 * block):
        for start in range(outer, outer + block, 2 * length):
            for i in range(start, start + length):
                a, b, x, y = ket[i], ket[i + stride], bra[i], bra[i + stride]
                total0 += x.real * a.imag - x.imag * a.real
                total1 += y.real * b.imag - y.imag * b.real
                ket[i], ket[i + stride] = a * undo0, b * undo1
                bra[i], bra[i + stride] = x * undo0, y * undo1
    return weight0 * total0 + weight1 * total1


@_jit
def overlap(left, right, target, controls, m00, m01, m10, m11):
    """Re⟨left|M|right⟩ with M the matrix on the controlled subspace and 0 outside it."""
    stride = 1 << target
    total = 0.0
    for base in range(0, left.size, 2 * stride):
        for i in range(base, base + stride):
            if i & controls != controls:
                continue
            low, high = right[i], right[i + stride]
            upper, lower = m00 * low + m01 * high, m10 * low + m11 * high
            bra0, bra1 = left[i], left[i + stride]
            total += bra0.real * upper.real + bra0.imag * upper.imag
            total += bra1.real * lower.real + bra1.imag * lower.imag
    return total


@_jit
def _runs(size, target, control):
    """(length of a run, half of the period of the outer loop, where that loop starts)."""
    if control == 0:
        return 1 << target, size, 0
    return min(1 << target, control), max(1 << target, control), control


@_jit
def _apply_under_controls(state, stride, controls, m00, m01, m10, m11):
    for base in range(0, state.size, 2 * stride):
        for i in range(base, base + stride):
            if i & controls == controls:
                low, high = state[i], state[i + stride]
                state[i] = m00 * low + m01 * high
                state[i + stride] = m10 * low + m11 * high
