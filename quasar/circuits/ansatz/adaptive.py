"""The adaptive ansatz: a start layer of `h`, then gates chosen one by one from a pool.

In the manner of ADAPT-VQE (Grimsley, Economou, Barnes, Mayhall, Nat. Commun. 10, 3007, 2019) and
ADAPT-QAOA (Zhu et al., Phys. Rev. Research 4, 033029, 2022). Here is the form of the circuit only;
which gate comes next is the optimiser's choice. The pool is `ry` on each qubit and `cry` on each
ordered pair: on a diagonal Hamiltonian the state stays real, where rx, rz, crx and crz have no
gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.ansatz.base import Ansatz, ParameterisedCircuit
from quasar.circuits.circuit import PUBLISHED_DECIMALS, STANDARD_GATES, Circuit, Gate
from quasar.errors import InputError
from quasar.problems.hamiltonian import IsingHamiltonian

Operator = tuple[str, tuple[int, ...]]  # gate name, qubits (control first)
POOL_GATES = ("ry", "cry")


def operator_pool(num_qubits: int) -> tuple[Operator, ...]:
    """All operators on so many qubits: n of ry, n·(n−1) of cry."""
    wires = range(num_qubits)
    pairs = [("cry", (control, target)) for control in wires for target in wires]
    return (*(("ry", (q,)) for q in wires), *(p for p in pairs if p[1][0] != p[1][1]))


@dataclass(frozen=True)
class Adaptive(Ansatz):
    """The operators in the order in which they were added, each of the pool at most once.

    Without operators it is the start of an adaptive run. Raises InputError for an operator that is
    not of the pool, or is there twice.
    """

    operators: tuple[Operator, ...] = ()

    name = family = "adaptive"
    summary = "adaptive: ry and cry rotations, chosen one by one, on a layer of h"

    def __post_init__(self):
        seen = set()
        for name, qubits in self.operators:
            known = name in POOL_GATES and len(qubits) == STANDARD_GATES[name][1]
            if not known or len(set(qubits)) != len(qubits):
                raise InputError(
                    f"adaptive ansatz: {name} on qubits {list(qubits)} is not in the pool; "
                    "use ry on one qubit or cry on two"
                )
            if (name, qubits) in seen:
                raise InputError(f"adaptive ansatz: {name} on qubits {list(qubits)} is there twice")
            seen.add((name, qubits))

    def with_operators(self, operators: Sequence[Operator]) -> "Adaptive":
        """The ansatz grown by these operators."""
        return Adaptive((*self.operators, *operators))

    def circuit(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> ParameterisedCircuit:
        """One parameter an operator. Also raises InputError for more than one layer (an adaptive
        circuit grows by operators) and for a qubit outside the register.
        """
        num_qubits = hamiltonian.num_qubits
        self._check(num_qubits, layers)
        if layers != 1:
            raise InputError(
                f"ansatz 'adaptive' has one layer, not {layers}; add operators instead"
            )
        for name, qubits in self.operators:
            if not all(0 <= q < num_qubits for q in qubits):
                raise InputError(
                    f"adaptive ansatz: {name} on qubits {list(qubits)}, there are {num_qubits}"
                )
        gates = [Gate("h", (q,)) for q in range(num_qubits)]
        gates += [Gate(name, qubits, (0.0,)) for name, qubits in self.operators]
        size = len(self.operators)
        return ParameterisedCircuit(
            Circuit(num_qubits, tuple(gates)), np.arange(size), np.ones(size), size
        )

    def build(
        self,
        hamiltonian: IsingHamiltonian,
        parameters: Sequence[float] | np.ndarray,
        *,
        layers: int = 1,
        decimals: int = PUBLISHED_DECIMALS,
    ) -> Circuit:
        """As `Ansatz.build`; rotations that round to zero are left out, as published."""
        full = super().build(hamiltonian, parameters, layers=layers, decimals=decimals)
        gates = tuple(gate for gate in full.gates if gate.params != (0.0,))
        return Circuit(full.num_qubits, gates)
