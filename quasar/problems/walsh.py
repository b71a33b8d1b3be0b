"""The Walsh-Hadamard transform: between the terms of a diagonal Hamiltonian and its energies."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def walsh_hadamard(vector: np.ndarray) -> np.ndarray:
    """Σ_m (−1)^|m ∧ x| · vector[m] for every x, in place: the values of Σ_m v_m·∏_{q∈m} Z_q.

    vector: float64 (2**n,); applied to probabilities it gives every ⟨∏_{q∈m} Z_q⟩.
    """
    stride = 1
    while stride < vector.size:
        for base in range(0, vector.size, 2 * stride):
            for i in range(base, base + stride):
                a, b = vector[i], vector[i + stride]
                vector[i], vector[i + stride] = a + b, a - b
        stride *= 2
    return vector
