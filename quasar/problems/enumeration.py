"""All basis states at once: which binary variable is 1 in which state.

Little-endian state index; a variable is 1 where its qubit is measured 0.
"""

import numpy as np

from quasar.errors import ProblemError

# 2**20 booleans a variable is the most that is still quick.
MAX_ENUMERATED = 20


def selections(num_variables: int, *, problem: str) -> list[np.ndarray]:
    """For each variable, in which basis states it is 1: (2**num_variables,) bool.

    Raises ProblemError above MAX_ENUMERATED variables.
    """
    if num_variables > MAX_ENUMERATED:
        raise ProblemError(
            f"{problem}: {num_variables} variables; states are enumerated up to {MAX_ENUMERATED}"
        )
    states = np.arange(1 << num_variables)
    return [(states >> q & 1) == 0 for q in range(num_variables)]


def count_selected(columns: list[np.ndarray]) -> np.ndarray:
    """How many of the given variables (at least one) are 1 in each state: (2**n,) uint8."""
    return np.sum(columns, axis=0, dtype=np.uint8)
