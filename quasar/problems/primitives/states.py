"""All basis states at once, as the values of the binary variables.

Little-endian: bit q of a state's index is the measured value of qubit q, and variable q is 1 where
that bit is 0.
"""

from collections.abc import Sequence

import numpy as np

from quasar.errors import ProblemError

# Exact optima enumerate every assignment; 2**20 booleans a variable is the most that is quick.
MAX_ENUMERATED = 20


def variable_values(num_variables: int, *, problem: str) -> np.ndarray:
    """Value of each variable in each basis state: (num_variables, 2**num_variables) bool.

    Raises ProblemError, which names `problem`, above MAX_ENUMERATED variables.
    """
    if num_variables > MAX_ENUMERATED:
        raise ProblemError(
            f"{problem}: {num_variables} variables; exact enumeration reaches {MAX_ENUMERATED}"
        )
    states = np.arange(1 << num_variables)
    return (states >> np.arange(num_variables)[:, None] & 1) == 0


def count_selected(values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """How many of the given variables (at least one) are 1 in each state: (2**n,) uint8."""
    return np.asarray(np.sum(values, axis=0, dtype=np.uint8))
