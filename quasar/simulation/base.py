"""The protocol that every simulator backend keeps, and the registry that names them.

A backend takes a `Circuit` and gives exact probabilities over basis states, little-endian
(bit q of the index is qubit q). Knows nothing of problems' reports or rewards.
"""

from typing import Protocol

import numpy as np

from quasar.circuits.circuit import Circuit


class Simulator(Protocol):
    """A way to run circuits. Deterministic; no state is kept between calls."""

    name: str

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), complex128."""
        ...

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64, sums to 1."""
        ...
