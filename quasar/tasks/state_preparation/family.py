"""What each family of target states says, and how its content is checked.

Content is plain JSON data. Amplitudes are little-endian; a ket in text and in content names qubit 0
first: |01⟩ is qubit 0 in 0, qubit 1 in 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.errors import TaskError
from quasar.tasks.programs import prepared
from quasar.tasks.state_preparation.script import Steps

MAX_QUBITS = 12
Content = Mapping[str, Any]
WHERE = "state_preparation: 'instance"


class Family(ABC):
    """One kind of target. All methods but `check` trust the content."""

    summary: str
    sizes: range  # that `draw` makes
    fields: tuple[str, ...] = ()  # of the content, all needed

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        """Random content."""

    @abstractmethod
    def check(self, content: Content, n: int) -> None:
        """Raises TaskError naming the field at fault; the names of the fields are right."""

    def tidy(self, content: Content) -> dict[str, Any]:
        """Checked content in the one form that equal targets have: `draw`'s."""
        return dict(content)

    @abstractmethod
    def vector(self, content: Content, n: int) -> np.ndarray:
        """Amplitudes, complex128 (2**n,), normalised."""

    @abstractmethod
    def words(self, content: Content, n: int) -> str:
        """The target in a prompt, complete."""

    def compact(self, content: Content, n: int) -> str:
        """The target for a small model, behind the family's name; complete."""
        return f" {self.words(content, n)}"

    def circuit(self, content: Content, n: int) -> Circuit:
        """The teacher's: a textbook construction, else the exact preparation of the amplitudes."""
        return prepared(self.vector(content, n))

    def steps(self, content: Content, n: int) -> Steps:
        """`circuit` in steps, each behind what it takes from the compact prompt, as it stands there
        from a blank on; all in one where nothing is taken, or all of it at once.
        """
        return [("", self.circuit(content, n).gates)]


def list_of(content: Content, name: str, count: int, what: str) -> Sequence[Any]:
    """The field, a list of so many entries. Raises TaskError."""
    given = content[name]
    if not isinstance(given, (list, tuple)) or len(given) != count:
        got = f"{len(given)} entries" if isinstance(given, (list, tuple)) else repr(given)
        raise TaskError(f"{WHERE}.{name}' is {got}, expected a list of {count}: {what}")
    return given


def require_number(name: str, value: Any) -> None:
    """Raises TaskError for what is no number below a million in size."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e6:
        raise TaskError(f"{WHERE}.{name}' has {value!r}, expected a number")


def require_qubits(n: int, least: int, what: str) -> None:
    """Raises TaskError where there are fewer."""
    if n < least:
        raise TaskError(f"state_preparation: 'n_qubits' is {n}; {what} has at least {least}")
