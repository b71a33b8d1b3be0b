"""2×2 matrices of many operations at once.

Takes operation codes of `encoding` and angles as arrays; gives complex128 arrays.
Every operation is e^{iδ}·U(θ, φ, λ) with (θ, φ, λ, δ) an affine function of its own angles, so two
small tables stand for all of them.
"""

from math import pi

import numpy as np

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

# (θ, φ, λ, δ) at angles 0, an operation a row.
_BASE = np.zeros((15, 4))
for _operation, _row in {
    X: (pi, 0, pi, 0),
    Y: (pi, pi / 2, pi / 2, 0),
    Z: (0, 0, pi, 0),
    H: (pi / 2, 0, pi, 0),
    S: (0, 0, pi / 2, 0),
    SDG: (0, 0, -pi / 2, 0),
    T: (0, 0, pi / 4, 0),
    TDG: (0, 0, -pi / 4, 0),
    SX: (pi / 2, -pi / 2, pi / 2, pi / 4),
    RX: (0, -pi / 2, pi / 2, 0),
    U2: (pi / 2, 0, 0, 0),
}.items():
    _BASE[_operation] = _row
# _SLOPES[operation, j]: how (θ, φ, λ, δ) move with the operation's angle number j.
_SLOPES = np.zeros((15, 3, 4))
_SLOPES[RX, 0] = _SLOPES[RY, 0] = (1, 0, 0, 0)
_SLOPES[RZ, 0] = (0, 0, 1, -0.5)
_SLOPES[P, 0] = (0, 0, 1, 0)
_SLOPES[U2, 0], _SLOPES[U2, 1] = (0, 1, 0, 0), (0, 0, 1, 0)
_SLOPES[U] = np.eye(3, 4)


def matrices(operations: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """operations: int (...); angles: float64 (..., 3), unused ones anything; gives (..., 2, 2)."""
    theta, phi, lam, delta = _standard(operations, angles)
    c, s, phase = np.cos(theta / 2), np.sin(theta / 2), np.exp(1j * delta)[..., None, None]
    ep, el = np.exp(1j * phi), np.exp(1j * lam)
    return _matrix(c, -el * s, ep * s, ep * el * c) * phase


def _standard(operations: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(θ, φ, λ, δ) of each operation, shape (4, ...)."""
    moved = np.einsum("...jk,...j->...k", _SLOPES[operations], angles)
    return np.moveaxis(_BASE[operations] + moved, -1, 0)


def _matrix(m00: np.ndarray, m01: np.ndarray, m10: np.ndarray, m11: np.ndarray) -> np.ndarray:
    return np.stack((m00, m01, m10, m11), axis=-1).reshape(*np.shape(m01), 2, 2)
