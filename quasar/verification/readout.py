"""What is known of the state that a circuit prepares: all probabilities, or an energy and samples.

`ExactReadout` where 2**n numbers are enumerated, `SampledReadout` above. Stages 2 and 3 and the
diagnosis ask both the same questions. Little-endian: bit q of a state's index is qubit q.
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np

from quasar.problems.walsh import walsh_hadamard
from quasar.simulation.base import Estimate, Samples
from quasar.verification.facts import ProblemFacts

# Rounding before outcomes are ranked, so that equal ones keep a fixed order (ascending index).
_RANK_DECIMALS = 12


class Readout(Protocol):
    """Answers about one circuit on one problem. Probabilities are in [0, 1]."""

    @property
    def shots(self) -> int | None:
        """None where the probabilities are exact."""
        ...

    def energy(self) -> Estimate:
        """⟨H⟩ and its errors."""
        ...

    def optimum_probability(self) -> float:
        """Probability of any ground state."""
        ...

    def feasible_probability(self) -> float | None:
        """Probability of a feasible answer; None without decoder."""
        ...

    def reference_distance(self) -> float | None:
        """Jensen–Shannon distance to the reference; None without reference or when sampled."""
        ...

    def most_probable(self, count: int) -> list[tuple[int, float]]:
        """At most `count` (state, probability), most probable first, ties by index."""
        ...

    def likeliest(self, states: np.ndarray) -> tuple[int, float]:
        """The most probable of some states (at least one) and its probability; ties: the first."""
        ...

    def product_means(self) -> Callable[[int], float]:
        """⟨∏ Z_q⟩ over the qubits of a bit mask, in [−1, 1]."""
        ...


class ExactReadout:
    """From the exact distribution, float64 (2**n,), sum 1."""

    shots = None

    def __init__(self, probabilities: np.ndarray, facts: ProblemFacts):
        self.probabilities = probabilities
        self._facts = facts

    def energy(self) -> Estimate:
        """One dot product: H is diagonal."""
        return Estimate(float(self.probabilities @ self._facts.spectrum.energies))

    def optimum_probability(self) -> float:
        """As the protocol says."""
        return min(1.0, float(self.probabilities[self._facts.spectrum.optimal].sum()))

    def feasible_probability(self) -> float | None:
        """As the protocol says."""
        feasible = self._facts.feasible
        return None if feasible is None else min(1.0, float(self.probabilities[feasible].sum()))

    def reference_distance(self) -> float | None:
        """As the protocol says."""
        reference = self._facts.reference_probabilities
        return None if reference is None else js_distance(self.probabilities, reference)

    def most_probable(self, count: int) -> list[tuple[int, float]]:
        """As the protocol says."""
        rounded = np.round(self.probabilities, _RANK_DECIMALS)
        # A stable sort of the few candidates that can be among the first; ties go by index.
        size = min(count, rounded.size)
        threshold = np.partition(rounded, rounded.size - size)[rounded.size - size]
        candidates = np.flatnonzero(rounded > threshold)
        candidates = np.concatenate([candidates, np.flatnonzero(rounded == threshold)[:count]])
        order = candidates[np.lexsort((candidates, -rounded[candidates]))][:count]
        return [(int(state), float(self.probabilities[state])) for state in order]

    def likeliest(self, states: np.ndarray) -> tuple[int, float]:
        """As the protocol says."""
        return _likeliest(states, self.probabilities[states])

    def product_means(self) -> Callable[[int], float]:
        """All 2**n of them are one Walsh–Hadamard transform of the probabilities."""
        means = walsh_hadamard(self.probabilities.copy())
        return lambda mask: float(means[mask])


class SampledReadout:
    """From an estimate of ⟨H⟩ and measured bitstrings."""

    def __init__(self, estimate: Estimate, samples: Samples, facts: ProblemFacts):
        self._estimate = estimate
        self._samples = samples
        self._facts = facts
        self.shots = samples.shots

    def energy(self) -> Estimate:
        """As the simulator gave it."""
        return self._estimate

    def optimum_probability(self) -> float:
        """Share of the samples that are ground states."""
        extremes = self._facts.extremes
        energies = self._samples.energies(self._facts.problem.hamiltonian)
        return self._share(energies <= extremes.minimum + extremes.tolerance)

    def feasible_probability(self) -> float | None:
        """Share of the samples that decode to a feasible answer."""
        if self._facts.decoder is None:
            return None
        feasible = map(self._facts.is_feasible, self._states.tolist())
        return self._share(np.fromiter(feasible, bool, self._states.size))

    def reference_distance(self) -> float | None:
        """None: samples of so many states do not give it."""
        return None

    def most_probable(self, count: int) -> list[tuple[int, float]]:
        """By the number of times that a state was measured."""
        counts = self._samples.counts
        order = np.lexsort((self._states, -counts))[:count]
        return [(int(self._states[k]), float(counts[k]) / self.shots) for k in order]

    def likeliest(self, states: np.ndarray) -> tuple[int, float]:
        """By the number of times that a state was measured."""
        counts = dict(zip(self._states.tolist(), self._samples.counts.tolist(), strict=True))
        found = np.array([counts.get(state, 0) for state in states.tolist()])
        return _likeliest(states, found / self.shots)

    def product_means(self) -> Callable[[int], float]:
        """Means over the samples."""
        states = self._states

        def mean(mask: int) -> float:
            return 1.0 - 2.0 * self._share((np.bitwise_count(states & mask) & 1).astype(bool))

        return mean

    @cached_property
    def _states(self) -> np.ndarray:
        bits = self._samples.bits
        return bits.astype(np.int64) @ (np.int64(1) << np.arange(bits.shape[1]))

    def _share(self, chosen: np.ndarray) -> float:
        return int(self._samples.counts[chosen].sum()) / self.shots


def _likeliest(states: np.ndarray, probabilities: np.ndarray) -> tuple[int, float]:
    best = int(np.argmax(np.round(probabilities, _RANK_DECIMALS)))
    return int(states[best]), float(probabilities[best])


def js_distance(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen–Shannon distance √(JS/ln 2) of two distributions, in [0, 1]."""
    middle = 0.5 * (p + q)
    divergence = 0.5 * (_relative_entropy(p, middle) + _relative_entropy(q, middle))
    return math.sqrt(min(1.0, max(0.0, divergence / math.log(2.0))))


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    positive = p > 0.0
    return float(np.sum(p[positive] * np.log(p[positive] / q[positive])))
