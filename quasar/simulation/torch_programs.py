"""How a batch of circuits is run on torch tensors: two programs with one interface.

Takes encoded circuits of one qubit count and a batch of states, complex (B, 2**n), little-endian,
changed in place. `Alike` runs circuits with the same rows and different angles on views of the
states. `Different` runs any circuits: row k of each at the same time, each with its own target and
controls by index arithmetic, longest circuit first so that those which have ended cost nothing.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch

from quasar.simulation.encoding import RZ, SDG, TDG, EncodedCircuit, P, S, T, X, Z
from quasar.simulation.matrices import derivatives, matrices

_PHASES = frozenset((Z, S, SDG, T, TDG, P))  # diag(1, ·)
_DIAGONAL = _PHASES | {RZ}


class Alike:
    """Circuits with equal rows. A step costs no more than the gate's own memory traffic."""

    def __init__(self, circuits: Sequence[EncodedCircuit], device: torch.device):
        self.rows = circuits[0].rows
        self.num_qubits = circuits[0].num_qubits
        self.lengths = [len(self.rows)] * len(circuits)
        angles = np.stack([padded(circuit.angles) for circuit in circuits])
        places = self.rows[:, 3, None] + np.arange(3)
        self.operations = np.broadcast_to(self.rows[:, 0], (len(circuits), len(self.rows)))
        self.angles = angles[:, np.minimum(places, angles.shape[1] - 1)]

    def apply(self, states: torch.Tensor, k: int, m: torch.Tensor) -> None:
        """Multiply row k's matrices m (B, 2, 2) into the states."""
        operation, target, controls = self.rows[k, :3].tolist()
        low, high = self._halves(states, target, controls)
        m = m.reshape(*m.shape[:1], *[1] * (low.dim() - 1), 2, 2)
        if operation in _PHASES:
            high.mul_(m[..., 1, 1])
        elif operation == RZ:
            low.mul_(m[..., 0, 0])
            high.mul_(m[..., 1, 1])
        elif operation == X:
            kept = low.clone()
            low.copy_(high)
            high.copy_(kept)
        else:
            above = torch.addcmul(m[..., 0, 0] * low, m[..., 0, 1], high)
            high.copy_(torch.addcmul(m[..., 1, 0] * low, m[..., 1, 1], high))
            low.copy_(above)

    def overlap(
        self, bra: torch.Tensor, ket: torch.Tensor, k: int, m: torch.Tensor
    ) -> torch.Tensor:
        """Re⟨bra|m|ket⟩, (B,), with m on row k's controlled subspace and 0 outside it."""
        operation, target, controls = self.rows[k, :3].tolist()
        bras = self._halves(bra, target, controls)
        kets = self._halves(ket, target, controls)
        pairs = ((0, 0), (1, 1)) if operation in _DIAGONAL else product((0, 1), repeat=2)
        return sum((m[:, i, j] * _inner(bras[i], kets[j])).real for i, j in pairs)

    def _halves(
        self, states: torch.Tensor, target: int, controls: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Views of the amplitudes with target 0 and 1, where all controls are 1."""
        shape, end = [states.shape[0]], self.num_qubits
        index: list[slice | int] = [slice(None)]
        axis = 0
        for q in range(self.num_qubits - 1, -1, -1):
            if q == target or controls >> q & 1:
                shape += [1 << (end - q - 1), 2]
                index += [slice(None), 1]
                axis = len(index) - 1 if q == target else axis
                end = q
        view = states.view(*shape, 1 << end)
        high = tuple(index)
        index[axis] = 0
        return view[tuple(index)], view[high]


class Different:
    """Any circuits, longest first. A step gathers every amplitude's partner."""

    def __init__(self, circuits: Sequence[EncodedCircuit], device: torch.device):
        self.num_qubits = circuits[0].num_qubits
        self.lengths = [len(circuit.rows) for circuit in circuits]
        if self.lengths != sorted(self.lengths, reverse=True):
            raise ValueError("circuits of different rows come longest first")
        rows = np.zeros((len(circuits), max(self.lengths), 4), dtype=np.int64)
        angles = np.zeros((*rows.shape[:2], 3))
        for b, circuit in enumerate(circuits):
            values = padded(circuit.angles)
            places = circuit.rows[:, 3, None] + np.arange(3)
            rows[b, : len(circuit.rows)] = circuit.rows
            angles[b, : len(circuit.rows)] = values[np.minimum(places, len(values) - 1)]
        self.operations, self.angles = rows[:, :, 0], angles
        self._strides = torch.from_numpy(1 << rows[:, :, 1]).to(device)
        self._controls = torch.from_numpy(rows[:, :, 2].copy()).to(device)
        self._index = torch.arange(1 << self.num_qubits, device=device)

    def apply(self, states: torch.Tensor, k: int, m: torch.Tensor) -> None:
        """Multiply each circuit's row k into its state; m (active, 2, 2)."""
        active = states[: len(m)]
        torch.where(self._on(k, len(m)), self._changed(active, k, m), active, out=active)

    def overlap(
        self, bra: torch.Tensor, ket: torch.Tensor, k: int, m: torch.Tensor
    ) -> torch.Tensor:
        """Re⟨bra|m|ket⟩, (active,), with m on the controlled subspace and 0 outside it."""
        changed = self._changed(ket[: len(m)], k, m).mul_(self._on(k, len(m)))
        return _inner(bra[: len(m)], changed).real

    def _on(self, k: int, active: int) -> torch.Tensor:
        controls = self._controls[:active, k, None]
        return (self._index & controls) == controls

    def _changed(self, states: torch.Tensor, k: int, m: torch.Tensor) -> torch.Tensor:
        strides = self._strides[: len(m), k, None]
        partners = states.gather(1, self._index ^ strides)
        one = (self._index & strides) != 0
        changed = torch.where(one, m[:, 1, 1, None], m[:, 0, 0, None]) * states
        return changed.addcmul_(torch.where(one, m[:, 1, 0, None], m[:, 0, 1, None]), partners)


Program = Alike | Different


def matrices_of(program: Program) -> np.ndarray:
    """The matrix of each row of each circuit, complex128 (rows, B, 2, 2)."""
    return np.moveaxis(matrices(program.operations, program.angles), 0, 1)


def derivatives_of(program: Program) -> np.ndarray:
    """Its derivatives by its own angles, complex128 (rows, 3, B, 2, 2)."""
    return np.moveaxis(derivatives(program.operations, program.angles), 0, 2)


def padded(angles: np.ndarray) -> np.ndarray:
    """With one more angle, which rows without an angle may read."""
    return np.append(angles, 0.0)


def _inner(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """⟨left|right⟩ of each circuit, (B,)."""
    return (left.conj() * right).flatten(1).sum(1)
