"""Matrix product states as plain tensors: overlaps and means of Pauli strings at any size.

Amplitudes are products of matrices, one a qubit (Schollwöck, Annals of Physics 326, 96, 2011,
section 4). Tensors have the axes (left bond, qubit, right bond), the first one is of qubit 0, and
the bonds at both ends have dimension 1. Nothing is truncated here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.problems.pauli import PauliSum

PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "Y": np.array([[0.0, -1.0j], [1.0j, 0.0]]),
    "Z": np.diag([1.0, -1.0]),
}


@dataclass(frozen=True)
class MatrixProductState:
    """tensors: one a qubit, float64 or complex128, each (left bond, 2, right bond)."""

    tensors: tuple[np.ndarray, ...]

    @classmethod
    def of_product(cls, qubits: np.ndarray) -> "MatrixProductState":
        """From the amplitudes of each qubit, (n, 2)."""
        return cls(tuple(state.reshape(1, 2, 1) for state in qubits))

    @property
    def num_qubits(self) -> int:
        """n."""
        return len(self.tensors)

    @property
    def bond_dimension(self) -> int:
        """The largest one."""
        return max(tensor.shape[2] for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """Of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def overlap(self, other: "MatrixProductState") -> complex:
        """⟨self|other⟩."""
        left = np.ones((1, 1))
        for bra, ket in zip(self.tensors, other.tensors, strict=True):
            left = step(left, bra, ket)
        return complex(left[0, 0])

    def flipped(self) -> "MatrixProductState":
        """X on every qubit."""
        return MatrixProductState(tuple(tensor[:, ::-1] for tensor in self.tensors))

    def vector(self) -> np.ndarray:
        """Amplitudes, (2**n,), little-endian: for small n."""
        found = np.ones((1, 1))
        for tensor in self.tensors:  # a later qubit is a higher bit
            found = np.tensordot(found, tensor, axes=(1, 0))
            found = found.transpose(1, 0, 2).reshape(-1, tensor.shape[2])
        return found[:, 0]

    def means(self, observable: PauliSum) -> np.ndarray:
        """⟨P_k⟩/⟨1⟩ of each string, float64, in the order of the terms."""
        lefts = environments(self.tensors, self.tensors)
        mirrored = [tensor.transpose(2, 1, 0) for tensor in reversed(self.tensors)]
        rights = environments(mirrored, mirrored)[::-1]
        norm = float(lefts[-1][0, 0].real)
        found = []
        for term in observable.terms:
            if not term.qubits:
                found.append(1.0)
                continue
            first, last = term.qubits[0], term.qubits[-1]
            letters = dict(zip(term.qubits, term.letters, strict=True))
            left = lefts[first]
            for q in range(first, last + 1):
                tensor = self.tensors[q]
                turned = np.einsum("ab,lbr->lar", PAULIS[letters.get(q, "I")], tensor)
                left = step(left, tensor, turned)
            found.append(float(np.sum(left * rights[last + 1]).real) / norm)
        return np.array(found)


def step(left: np.ndarray, bra: np.ndarray, ket: np.ndarray) -> np.ndarray:
    """(bra bond, ket bond) of the sites to the left, one site further."""
    return np.tensordot(bra.conj(), np.tensordot(left, ket, axes=(1, 0)), axes=((0, 1), (0, 1)))


def environments(bra: Sequence[np.ndarray], ket: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What is to the left of each site, and at the end of all of them."""
    found = [np.ones((1, 1))]
    for one, other in zip(bra, ket, strict=True):
        found.append(step(found[-1], one, other))
    return found
