"""What the verifier needs to know of a problem, worked out once and kept for a while.

Takes a `ProblemInstance`; gives its spectrum, decoder, feasible states and the reference circuit's
distribution. Kept under a byte budget, because a spectrum has 2**n entries. A problem of more than
`MAX_ENUMERATED_QUBITS` has no such arrays: the extremes of its energies are found by branch and
bound, and what else is asked is answered state by state.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import Limits, read_qasm
from quasar.errors import CircuitError
from quasar.problems import decoder_for
from quasar.problems.base import GraphProblem, ProblemInstance
from quasar.problems.extremes import find_extremes
from quasar.problems.hamiltonian import Extremes, Spectrum
from quasar.verification.stages.cost import layer_two_qubit_gates

CACHE_BYTES = 256 << 20
# Per problem: energies, feasible states, reference distribution, and what is kept for others.
_ARRAYS = 5
MAX_ENUMERATED_QUBITS = 20
_UNIFORM_DRAWS = 4096  # states behind the uniform feasible probability of a larger problem


Kept = TypeVar("Kept")


class ProblemFacts:
    """Facts of one problem, each worked out when it is first asked for."""

    def __init__(
        self,
        problem: ProblemInstance,
        *,
        limits: Limits,
        probabilities: Callable[[Circuit], np.ndarray],
    ):
        self.problem = problem
        self._limits = limits
        self._probabilities = probabilities
        self._kept: dict[Hashable, Any] = {}

    def keep(self, name: Hashable, make: Callable[[], Kept]) -> Kept:
        """What `make` gives, worked out at the first call with this name and kept with the facts:
        for what rooms above need to know of a problem. At most a few arrays of 2**n.
        """
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @property
    def enumerated(self) -> bool:
        """Whether the problem is small enough for arrays of 2**n."""
        return self.problem.num_qubits <= MAX_ENUMERATED_QUBITS

    @property
    def spectrum(self) -> Spectrum:
        """Exact diagonal spectrum, of an enumerated problem."""
        return self.problem.spectrum

    @cached_property
    def extremes(self) -> Extremes:
        """Exact extremes of the energies, of any problem."""
        return extremes_of(self.problem)

    @cached_property
    def decoder(self) -> GraphProblem | None:
        """Reads answers out of bitstrings; None where the primitive has none here."""
        return decoder_for(self.problem)

    @cached_property
    def feasible(self) -> np.ndarray | None:
        """Which basis states decode to a feasible answer, bool (2**n,); None without decoder.

        Of an enumerated problem, as `scaled_energies` and `reference_probabilities` are.
        """
        if self.decoder is None:
            return None
        return self.decoder.feasible_states(self.problem.graph, self.problem.attributes)

    @cached_property
    def uniform_feasible_probability(self) -> float | None:
        """Probability of a feasible answer under uniform sampling; None without decoder.

        Exact where enumerated; above, an estimate from a fixed draw of 4096 states.
        """
        if self.decoder is None:
            return None
        if self.enumerated:
            assert self.feasible is not None
            return float(self.feasible.mean())
        states = np.random.default_rng(0).integers(0, 1 << self.problem.num_qubits, _UNIFORM_DRAWS)
        return sum(map(self.is_feasible, states.tolist())) / _UNIFORM_DRAWS

    @cached_property
    def baseline_two_qubit_gates(self) -> int:
        """Two-qubit gates of one QAOA layer, at least 1."""
        return max(1, layer_two_qubit_gates(self.problem.hamiltonian))

    def is_feasible(self, state: int) -> bool:
        """Whether a basis state decodes to a feasible answer. Only with a decoder."""
        assert self.decoder is not None
        if self.enumerated:
            assert self.feasible is not None
            return bool(self.feasible[state])
        graph, attributes = self.problem.graph, self.problem.attributes
        answer = self.decoder.decode(graph, attributes, self.problem.assignment(state))
        return self.decoder.is_feasible(graph, attributes, answer)

    def is_optimal(self, state: int) -> bool:
        """Whether a basis state is a ground state."""
        if self.enumerated:
            return state in self._ground_states
        energy = self.problem.hamiltonian.energy(state)
        return energy <= self.extremes.minimum + self.extremes.tolerance

    @cached_property
    def _ground_states(self) -> frozenset[int]:
        return frozenset(self.spectrum.optimal.tolist())

    @cached_property
    def scaled_energies(self) -> np.ndarray:
        """(E − E_min)/(E_max − E_min), float64 (2**n,); zero for a flat spectrum."""
        low, width = self.spectrum.minimum, self.spectrum.maximum - self.spectrum.minimum
        return (self.spectrum.energies - low) / (width if width > 0.0 else 1.0)

    @cached_property
    def reference(self) -> Circuit | None:
        """The reference circuit; None where there is none, or none that can be read."""
        if self.problem.reference_circuit is None:
            return None
        try:
            return read_qasm(self.problem.reference_circuit, self._limits)
        except CircuitError:
            return None

    @cached_property
    def reference_probabilities(self) -> np.ndarray | None:
        """The reference circuit's distribution; None without a readable, fitting reference."""
        circuit = self.reference
        if circuit is None or circuit.num_qubits != self.problem.num_qubits:
            return None
        return self._probabilities(circuit)


def extremes_of(problem: ProblemInstance) -> Extremes:
    """Extremes of a problem's energies; with all of its energies where they are enumerated."""
    if problem.num_qubits <= MAX_ENUMERATED_QUBITS:
        return problem.spectrum
    return find_extremes(problem.hamiltonian)


class SizedCache(Generic[Kept]):
    """Values by key; the least recently used go first once the byte budget is spent."""

    def __init__(self, *, max_bytes: int = CACHE_BYTES):
        self._entries: OrderedDict[Hashable, tuple[Kept, int]] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], tuple[Kept, int]]) -> Kept:
        """The value under an equal key, or what `make` gives: a new one and its bytes."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
            return found[0]
        value, size = make()
        self._entries[key] = (value, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed
        return value


class FactsCache:
    """Facts of the problems that were asked for last."""

    def __init__(self, *, max_bytes: int = CACHE_BYTES):
        self._kept: SizedCache[ProblemFacts] = SizedCache(max_bytes=max_bytes)
        self._last: ProblemFacts | None = None  # batches are grouped by problem

    def get(self, problem: ProblemInstance, **how: Any) -> ProblemFacts:
        """The facts of an equal problem, or new ones."""
        if self._last is not None and self._last.problem is problem:
            return self._last

        def make() -> tuple[ProblemFacts, int]:
            facts = ProblemFacts(problem, **how)
            return facts, _ARRAYS * 8 << problem.num_qubits if facts.enumerated else 0

        # problem.key leaves out Hamiltonian and qubit order, in which rows of one problem differ.
        key = (problem.key, problem.variables, problem.hamiltonian, problem.reference_circuit)
        self._last = self._kept.get(key, make)
        return self._last
