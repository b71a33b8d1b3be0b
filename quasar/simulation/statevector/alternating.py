"""Alternating-operator states ∏_ℓ e^{−i Σ_q β_ℓq X_q} e^{−i D_ℓ}|+…+⟩ with diagonal D_ℓ, compiled.

Takes the phases e^{−iD_ℓ} of each layer as they stand on the basis states, so no gate is ever
simulated; gives ⟨diag(energies)⟩ and its derivatives. Little-endian.
"""

import math

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)


@_jit
def _mix(state, betas):
    """e^{−i·β_q·X} on every qubit q, in place."""
    for q in range(betas.size):
        c, s = math.cos(betas[q]), math.sin(betas[q])
        stride = 1 << q
        for base in range(0, state.size, 2 * stride):
            for i in range(base, base + stride):
                a, b = state[i], state[i + stride]
                state[i] = complex(c * a.real + s * b.imag, c * a.imag - s * b.real)
                state[i + stride] = complex(c * b.real + s * a.imag, c * b.imag - s * a.real)


@_jit
def _unmix(psi, costate, betas, by_beta):
    """Undo the mixer on both vectors, in place; by_beta[q] = 2·Im⟨costate|X_q|psi⟩.

    One pass a qubit: the overlap of X_q is the same before and after any of the rotations about X.
    """
    for q in range(betas.size):
        c, s = math.cos(betas[q]), math.sin(betas[q])
        stride = 1 << q
        total = 0.0
        for base in range(0, psi.size, 2 * stride):
            for i in range(base, base + stride):
                j = i + stride
                a, b, x, y = psi[i], psi[j], costate[i], costate[j]
                total += x.real * b.imag - x.imag * b.real + y.real * a.imag - y.imag * a.real
                psi[i] = complex(c * a.real - s * b.imag, c * a.imag + s * b.real)
                psi[j] = complex(c * b.real - s * a.imag, c * b.imag + s * a.real)
                costate[i] = complex(c * x.real - s * y.imag, c * x.imag + s * y.real)
                costate[j] = complex(c * y.real - s * x.imag, c * y.imag + s * x.real)
        by_beta[q] = 2.0 * total


@_jit
def state(phases, betas):
    """Final amplitudes, complex128 (2**n,). phases, betas: as in `value`."""
    psi = np.full(phases.shape[1], complex(phases.shape[1] ** -0.5, 0.0))
    for layer in range(betas.shape[0]):
        for i in range(psi.size):
            psi[i] *= phases[layer, i]
        _mix(psi, betas[layer])
    return psi


@_jit
def value(phases, betas, energies):
    """⟨diag(energies)⟩. phases: complex128 (layers, 2**n); betas: float64 (layers, n)."""
    psi = state(phases, betas)
    total = 0.0
    for i in range(psi.size):
        total += energies[i] * (psi[i].real ** 2 + psi[i].imag ** 2)
    return total


@_jit
def value_and_gradient(phases, betas, energies):
    """(value, slopes, by β), by one pass forward and one back.

    slopes: float64 (layers, 2**n), the derivative by each entry of D_ℓ; by β: (layers, n).
    """
    psi = state(phases, betas)
    costate = np.empty_like(psi)
    total = 0.0
    for i in range(psi.size):
        costate[i] = energies[i] * psi[i]
        total += energies[i] * (psi[i].real ** 2 + psi[i].imag ** 2)
    slopes = np.empty(phases.shape)
    by_beta = np.empty_like(betas)
    for layer in range(betas.shape[0] - 1, -1, -1):
        _unmix(psi, costate, betas[layer], by_beta[layer])
        for i in range(psi.size):
            bra, ket = costate[i], psi[i]
            slopes[layer, i] = 2.0 * (bra.real * ket.imag - bra.imag * ket.real)
            undo = phases[layer, i].conjugate()
            psi[i], costate[i] = ket * undo, bra * undo
    return total, slopes, by_beta
