"""Alternating-operator states ∏_ℓ e^{−iβ_ℓ ΣX} e^{−iγ_ℓ D}|+…+⟩ on a diagonal D, compiled.

Takes D as its distinct levels and the level of each basis state, so that the phases of a layer cost
one exponential a level; gives amplitudes, ⟨D⟩ and its gradient. No gate is ever simulated.
"""

import math

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)


@_jit
def _phase(state, phases, level_of):
    for i in range(state.size):
        state[i] *= phases[level_of[i]]


@_jit
def _mix(state, beta):
    """e^{−iβX} on every qubit, in place."""
    c, s = math.cos(beta), math.sin(beta)
    stride = 1
    while stride < state.size:
        for base in range(0, state.size, 2 * stride):
            for i in range(base, base + stride):
                a, b = state[i], state[i + stride]
                state[i] = complex(c * a.real + s * b.imag, c * a.imag - s * b.real)
                state[i + stride] = complex(c * b.real + s * a.imag, c * b.imag - s * a.real)
        stride *= 2


@_jit
def _flip_overlap(bra, ket):
    """Im Σ_q ⟨bra|X_q|ket⟩."""
    total = 0.0
    stride = 1
    while stride < ket.size:
        for base in range(0, ket.size, 2 * stride):
            for i in range(base, base + stride):
                j = i + stride
                total += bra[i].real * ket[j].imag - bra[i].imag * ket[j].real
                total += bra[j].real * ket[i].imag - bra[j].imag * ket[i].real
        stride *= 2
    return total


@_jit
def _state(levels, level_of, gammas, betas):
    psi = np.full(level_of.size, complex(level_of.size**-0.5, 0.0))
    for layer in range(gammas.size):
        _phase(psi, np.exp(-1j * gammas[layer] * levels), level_of)
        _mix(psi, betas[layer])
    return psi


@_jit
def value(levels, level_of, gammas, betas):
    """⟨D⟩."""
    psi = _state(levels, level_of, gammas, betas)
    total = 0.0
    for i in range(psi.size):
        total += levels[level_of[i]] * (psi[i].real ** 2 + psi[i].imag ** 2)
    return total


@_jit
def value_and_gradient(levels, level_of, gammas, betas):
    """(⟨D⟩, its derivative by γ_1…γ_p, β_1…β_p), by one pass forward and one back."""
    depth = gammas.size
    psi = _state(levels, level_of, gammas, betas)
    costate = np.empty_like(psi)
    energy = 0.0
    for i in range(psi.size):
        level = levels[level_of[i]]
        costate[i] = level * psi[i]
        energy += level * (psi[i].real ** 2 + psi[i].imag ** 2)
    gradient = np.empty(2 * depth)
    for layer in range(depth - 1, -1, -1):
        gradient[depth + layer] = 2.0 * _flip_overlap(costate, psi)
        _mix(psi, -betas[layer])
        _mix(costate, -betas[layer])
        slope = 0.0
        for i in range(psi.size):
            overlap = costate[i].real * psi[i].imag - costate[i].imag * psi[i].real
            slope += levels[level_of[i]] * overlap
        gradient[layer] = 2.0 * slope
        undo = np.exp(1j * gammas[layer] * levels)
        _phase(psi, undo, level_of)
        _phase(costate, undo, level_of)
    return energy, gradient
