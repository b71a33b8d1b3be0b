"""From a circuit to the arrays that the compiled kernels run.

Takes a `Circuit`; gives an `EncodedCircuit`: one row per 2×2 operation with its target, a mask of
control qubits and the place of its first angle. Gates on two or three qubits are controlled 2×2
operations or short sequences of them (swap = three cx), so one kernel runs every standard gate.
"""

from dataclasses import dataclass

import numpy as np

from quasar.circuits.circuit import Circuit

# Operations of the kernels. Those from RX on take angles.
X, Y, Z, H, S, SDG, T, TDG, SX, RX, RY, RZ, P, U2, U = range(15)
NUM_ANGLES = {RX: 1, RY: 1, RZ: 1, P: 1, U2: 2, U: 3}

# gate -> rows of (operation, target position, control positions, first angle within the gate)
_ROWS: dict[str, tuple[tuple[int, int, tuple[int, ...], int], ...]] = {
    "id": (),
    "x": ((X, 0, (), 0),), "y": ((Y, 0, (), 0),), "z": ((Z, 0, (), 0),), "h": ((H, 0, (), 0),),
    "s": ((S, 0, (), 0),), "sdg": ((SDG, 0, (), 0),), "t": ((T, 0, (), 0),),
    "tdg": ((TDG, 0, (), 0),), "sx": ((SX, 0, (), 0),),
    "rx": ((RX, 0, (), 0),), "ry": ((RY, 0, (), 0),), "rz": ((RZ, 0, (), 0),),
    "p": ((P, 0, (), 0),), "phase": ((P, 0, (), 0),), "u1": ((P, 0, (), 0),),
    "u2": ((U2, 0, (), 0),), "u3": ((U, 0, (), 0),), "U": ((U, 0, (), 0),),
    "cx": ((X, 1, (0,), 0),), "CX": ((X, 1, (0,), 0),), "cy": ((Y, 1, (0,), 0),),
    "cz": ((Z, 1, (0,), 0),), "ch": ((H, 1, (0,), 0),),
    "swap": ((X, 1, (0,), 0), (X, 0, (1,), 0), (X, 1, (0,), 0)),
    "crx": ((RX, 1, (0,), 0),), "cry": ((RY, 1, (0,), 0),), "crz": ((RZ, 1, (0,), 0),),
    "cp": ((P, 1, (0,), 0),), "cphase": ((P, 1, (0,), 0),),
    "cu": ((P, 0, (), 3), (U, 1, (0,), 0)),
    "ccx": ((X, 2, (0, 1), 0),),
    "cswap": ((X, 1, (2,), 0), (X, 2, (0, 1), 0), (X, 1, (2,), 0)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodedCircuit:
    """A circuit as arrays. `rows[k] = (operation, target, control mask, first angle)`.

    rows: int64 (num_rows, 4); angles: float64 (num_angles,), radians, in program order — the same
    order as `Circuit.parameters`, so that a gradient can be read angle by angle.
    """

    num_qubits: int
    rows: np.ndarray
    angles: np.ndarray


def encode(circuit: Circuit) -> EncodedCircuit:
    """Encode; raises KeyError for a gate that is not a standard gate."""
    rows: list[tuple[int, int, int, int]] = []
    place = 0
    for gate in circuit.gates:
        qubits = gate.qubits
        for operation, target, controls, first in _ROWS[gate.name]:
            mask = 0
            for position in controls:
                mask |= 1 << qubits[position]
            rows.append((operation, qubits[target], mask, place + first))
        place += len(gate.params)
    return EncodedCircuit(
        circuit.num_qubits,
        np.array(rows, dtype=np.int64).reshape(-1, 4),
        np.array(circuit.parameters, dtype=np.float64),
    )
