"""The protocol that every simulator backend keeps, and what its answers are.

A backend takes a `Circuit`. It gives the whole distribution over basis states where 2**n numbers
fit in memory, and at any size samples and the expectation value of a diagonal Hamiltonian or of a
sum of Pauli strings.
Little-endian: bit q of a basis state's index is qubit q. Knows nothing of reports or rewards.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.errors import SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum


@dataclass(frozen=True, slots=True)
class Estimate:
    """⟨H⟩ and what it is worth.

    standard_error: of the sampling, 0 where nothing was sampled. truncation_error: an estimate of
    what was lost by truncating a matrix product state, 0 where nothing was truncated.
    """

    value: float
    standard_error: float = 0.0
    truncation_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured bitstrings, any number of qubits.

    bits: uint8 (k, n), the distinct strings, column q is qubit q; counts: int64 (k,), how often
    each was measured.
    """

    bits: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, states: Mapping[int, int], num_qubits: int) -> "Samples":
        """From basis-state index to count; the order is that of the mapping."""
        width = (num_qubits + 7) // 8
        packed = b"".join(state.to_bytes(width, "little") for state in states)
        rows = np.frombuffer(packed, dtype=np.uint8).reshape(len(states), width)
        bits = np.unpackbits(rows, axis=1, bitorder="little", count=num_qubits)
        return cls(bits, np.fromiter(states.values(), dtype=np.int64, count=len(states)))

    @property
    def shots(self) -> int:
        """Number of measurements."""
        return int(self.counts.sum())

    def estimate(
        self, hamiltonian: IsingHamiltonian, *, spins: np.ndarray | None = None
    ) -> Estimate:
        """Mean energy of the samples and its standard error (infinite after one shot).

        spins: float64 (n, 2), what stands for Z_q where qubit q is measured 0 or 1; by default
        1 and −1. Readout mitigation gives others.
        """
        energies = self.energies(hamiltonian, spins=spins)
        shots = self.shots
        mean = float(self.counts @ energies) / shots
        if shots < 2:
            return Estimate(mean, math.inf)
        variance = float(self.counts @ (energies - mean) ** 2) / (shots - 1)
        return Estimate(mean, math.sqrt(variance / shots))

    def energies(
        self, hamiltonian: IsingHamiltonian, *, spins: np.ndarray | None = None
    ) -> np.ndarray:
        """Energy of each distinct string, float64 (k,); spins as in `estimate`."""
        num_qubits = self.bits.shape[1]
        require_same_size(num_qubits, hamiltonian)
        if spins is None:
            spins = np.tile([1.0, -1.0], (num_qubits, 1))
        values = np.where(self.bits == 0, spins[:, 0], spins[:, 1])
        energies = np.zeros(len(values))
        for coefficient, wires in hamiltonian.interactions():
            energies += coefficient * values[:, list(wires)].prod(axis=1)
        return energies


@dataclass(frozen=True, slots=True)
class MatrixProductLimits:
    """Limits of matrix product states.

    bond_dimension: largest one that is kept; truncation: the smallest singular values are dropped
    while their squares sum to less than this, so a gate may move the state by its square root.
    """

    bond_dimension: int = 64
    truncation: float = 1e-16


class Simulator(Protocol):
    """A way to run circuits. No state is kept between calls; a seed fixes every answer."""

    name: str

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Probability of each basis state, shape (2**n,), float64, sums to 1.

        Raises SimulationMemoryError before it starts where 2**n numbers do not fit.
        """
        ...

    def expectation_value(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum
    ) -> Estimate:
        """⟨H⟩ in the circuit's final state. Raises SimulationError for unequal qubit counts."""
        ...

    def sample(self, circuit: Circuit, *, shots: int, seed: int) -> Samples:
        """So many measurements of all qubits."""
        ...

    def measure(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian, *, shots: int, seed: int
    ) -> tuple[Estimate, Samples]:
        """`expectation_value` and `sample` of one and the same simulation."""
        ...


def require_same_size(num_qubits: int, hamiltonian: IsingHamiltonian | PauliSum) -> None:
    """Raises SimulationError where a circuit and a Hamiltonian do not belong together."""
    if num_qubits != hamiltonian.num_qubits:
        raise SimulationError(
            f"a circuit of {num_qubits} qubits and a Hamiltonian of {hamiltonian.num_qubits}"
        )
