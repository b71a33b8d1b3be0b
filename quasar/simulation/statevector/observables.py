"""What the compiled kernels need of an observable: its mean, and itself applied to a state.

An observable comes in one of three forms, told apart when a kernel is compiled: `energies`, float64
(2**n,), of a diagonal one; `(flips, tables)`, the groups of a `PauliSum` with their tables; or
`(flips, starts, signs, coefficients)`, the strings themselves, where tables would be too large.
Little-endian, complex128.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload

from quasar.problems.pauli import PauliSum

# Tables beyond this many bytes are not made: the strings' signs are worked out as they are needed.
MAX_TABLE_BYTES = 1 << 26
_POWERS_OF_I = (1.0, 1.0j, -1.0, -1.0j)
_KEPT = "_compiled"  # in the sum's own dict, as its tables are
Observable = np.ndarray | PauliSum  # `energies` of a diagonal one, or a sum of Pauli strings

_jit = njit(cache=True, nogil=True)


@intrinsic
def _count_of_types(typing_context, value):
    """Number of 1 bits."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


_count: Any = _count_of_types  # called without the context, which numba adds


def compiled(observable: Observable) -> Any:
    """The form of an observable that the kernels take."""
    if isinstance(observable, np.ndarray):
        return observable
    found = observable.__dict__.get(_KEPT)
    if found is None:
        found = observable.__dict__[_KEPT] = _compile(observable)
    return found


def _compile(observable: PauliSum) -> Any:
    groups = observable.groups
    flips = np.array([group.flips for group in groups], dtype=np.int64)
    width = 8 if observable.is_real else 16
    if len(groups) * width << observable.num_qubits <= MAX_TABLE_BYTES:
        return flips, observable.tables
    terms = [term for group in groups for term in group.terms]
    powers = [_POWERS_OF_I[(term.flips & term.signs).bit_count() % 4] for term in terms]
    return (
        flips,
        np.cumsum([0, *(len(group.terms) for group in groups)], dtype=np.int64),
        np.array([term.signs for term in terms], dtype=np.int64),
        np.array([term.coefficient for term in terms]) * np.array(powers, dtype=np.complex128),
    )


@_jit
def _sign(signs, i):
    """(−1)^|signs∧i|."""
    return 1.0 - 2.0 * (_count(signs & i) & 1)


@_jit
def _top(flips):
    """The highest bit: basis states i without it and i⊕flips are the pairs, each met once."""
    top = 1
    while top * 2 <= flips:
        top *= 2
    return top


def mean(ket, observable):
    """⟨ket|observable|ket⟩. Only called by compiled code."""
    raise NotImplementedError


def apply_to(ket, bra, observable):
    """bra = observable·ket; gives the mean. Only called by compiled code."""
    raise NotImplementedError


@overload(mean)
def _mean(ket, observable):
    if isinstance(observable, types.Array):

        def diagonal(ket, observable):
            energy = 0.0
            for i in range(ket.size):
                energy += observable[i] * (ket[i].real ** 2 + ket[i].imag ** 2)
            return energy

        return diagonal
    if len(observable) == 2:

        def tabulated(ket, observable):
            flips, tables = observable
            energy = 0.0
            for g in range(flips.size):
                if flips[g] == 0:
                    for i in range(ket.size):
                        energy += tables[g, i].real * (ket[i].real ** 2 + ket[i].imag ** 2)
                    continue
                top = _top(flips[g])
                for base in range(0, ket.size, 2 * top):
                    for i in range(base, base + top):
                        there = tables[g, i] * ket[i]
                        here = ket[i ^ flips[g]]
                        energy += 2.0 * (here.real * there.real + here.imag * there.imag)
            return energy

        return tabulated

    def strings(ket, observable):
        flips, starts, signs, coefficients = observable
        energy = 0.0
        for g in range(flips.size):
            top = _top(flips[g])
            for k in range(starts[g], starts[g + 1]):
                if flips[g] == 0:
                    for i in range(ket.size):
                        weight = ket[i].real ** 2 + ket[i].imag ** 2
                        energy += _sign(signs[k], i) * coefficients[k].real * weight
                    continue
                for base in range(0, ket.size, 2 * top):
                    for i in range(base, base + top):
                        there = coefficients[k] * ket[i]
                        here = ket[i ^ flips[g]]
                        product = here.real * there.real + here.imag * there.imag
                        energy += 2.0 * _sign(signs[k], i) * product
        return energy

    return strings


@overload(apply_to)
def _apply_to(ket, bra, observable):
    if isinstance(observable, types.Array):

        def diagonal(ket, bra, observable):
            energy = 0.0
            for i in range(ket.size):
                amplitude = ket[i]
                energy += observable[i] * (amplitude.real**2 + amplitude.imag**2)
                bra[i] = observable[i] * amplitude
            return energy

        return diagonal
    if len(observable) == 2:

        def tabulated(ket, bra, observable):
            flips, tables = observable
            bra[:] = 0.0
            for g in range(flips.size):
                for i in range(ket.size):
                    bra[i ^ flips[g]] += tables[g, i] * ket[i]
            return _overlap(ket, bra)

        return tabulated

    def strings(ket, bra, observable):
        flips, starts, signs, coefficients = observable
        bra[:] = 0.0
        for g in range(flips.size):
            for k in range(starts[g], starts[g + 1]):
                a, b = coefficients[k].real, coefficients[k].imag
                for i in range(ket.size):
                    sign, x, y = _sign(signs[k], i), ket[i], bra[i ^ flips[g]]
                    real = y.real + sign * (a * x.real - b * x.imag)
                    bra[i ^ flips[g]] = complex(real, y.imag + sign * (a * x.imag + b * x.real))
        return _overlap(ket, bra)

    return strings


@_jit
def _overlap(ket, bra):
    total = 0.0
    for i in range(ket.size):
        total += ket[i].real * bra[i].real + ket[i].imag * bra[i].imag
    return total


@_jit
def string_means(ket, flips, signs, powers):
    """⟨ket|P_k|ket⟩ of each string, float64; powers: how often i is a factor, 0 to 3."""
    means = np.zeros(flips.size)
    for k in range(flips.size):
        for i in range(ket.size):
            here, there = ket[i ^ flips[k]], ket[i]
            real = here.real * there.real + here.imag * there.imag
            imag = here.real * there.imag - here.imag * there.real
            value = (real, -imag, -real, imag)[powers[k]]
            means[k] += _sign(signs[k], i) * value
    return means


@_jit
def expectation(ket, observable):
    """⟨ket|observable|ket⟩, float."""
    return mean(ket, observable)


@_jit
def applied(ket, observable):
    """observable·ket, a new vector."""
    bra = np.empty_like(ket)
    apply_to(ket, bra, observable)
    return bra
