"""Angles without a search: a template, or the adaptive ansatz, that prepares one bitstring.

Takes a family and the bitstring; gives parameters, or None where the family does not prepare it by
rotations of 0 and π alone (circuit 9 of Sim et al., QAOA). The teacher of every family that needs
the solution first: whoever knows the optimum knows the angles.
"""

import math
from collections.abc import Sequence

import numpy as np

from quasar.circuits.ansatz.adaptive import Adaptive
from quasar.circuits.ansatz.base import Ansatz
from quasar.circuits.circuit import Circuit
from quasar.problems.hamiltonian import IsingHamiltonian

_SETTERS = ("rx", "ry")  # a half turn of either flips a basis state


def basis_state_parameters(
    ansatz: Ansatz, bits: Sequence[int], *, layers: int = 1
) -> np.ndarray | None:
    """Parameters (num_parameters,), each 0 or π, at which the template prepares |bits⟩.

    bits: the measured value of each qubit, qubit 0 first. The first rotation of each qubit is set;
    every other angle is 0, so that what is left are the fixed gates: cx moves the bits (a linear
    map over GF(2), which is inverted), cz only the phase. None where there is another fixed gate,
    or a qubit without a rotation of its own. Raises InputError as `Ansatz.circuit`.
    """
    n = len(bits)
    form = ansatz.circuit(IsingHamiltonian(n, ()), layers=layers)
    slots = setters(form.structure, form.slots)
    if slots is None:
        return None
    moved = np.array([_moved(form.structure, q) for q in range(n)], dtype=np.uint8).T
    flips = _solve_gf2(moved, np.asarray(bits, dtype=np.uint8))
    if flips is None:
        return None
    parameters = np.zeros(form.num_parameters)
    parameters[[slots[q] for q in range(n) if flips[q]]] = math.pi
    return parameters


def basis_state_adaptive(bits: Sequence[int]) -> tuple[Adaptive, np.ndarray]:
    """The adaptive circuit that prepares |bits⟩: `h`, then ry of −π/2 (0) or π/2 (1) a qubit."""
    operators = tuple(("ry", (q,)) for q in range(len(bits)))
    return Adaptive(operators), np.where(np.asarray(bits) == 1, math.pi / 2, -math.pi / 2)


def setters(structure: Circuit, slots: np.ndarray) -> dict[int, int] | None:
    """The parameter of the first rx or ry of each qubit; None where that is not enough."""
    found: dict[int, int] = {}
    used: list[int] = []
    angles = iter(slots.tolist())
    for gate in structure.gates:
        if gate.params:
            slot = next(angles)
            used.append(slot)
            if gate.name in _SETTERS:
                found.setdefault(gate.qubits[0], slot)
        elif gate.name not in ("cx", "cz"):
            return None
    shared = any(used.count(slot) > 1 for slot in found.values())
    return None if shared or len(found) < structure.num_qubits else found


def _moved(structure: Circuit, qubit: int) -> list[int]:
    """The final bits where only the first rotation of `qubit` flips."""
    bits = [0] * structure.num_qubits
    set_already = False
    for gate in structure.gates:
        if gate.name in _SETTERS and gate.qubits == (qubit,) and not set_already:
            bits[qubit] ^= 1
            set_already = True
        elif gate.name == "cx":
            control, target = gate.qubits
            bits[target] ^= bits[control]
    return bits


def _solve_gf2(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """x with matrix·x = right over GF(2), by elimination; None for a singular matrix."""
    n = len(right)
    table = np.concatenate([matrix, right[:, None]], axis=1) % 2
    for column in range(n):
        pivots = np.flatnonzero(table[column:, column])
        if not pivots.size:
            return None
        pivot = column + int(pivots[0])
        table[[column, pivot]] = table[[pivot, column]]
        others = np.flatnonzero(table[:, column])
        others = others[others != column]
        table[others] ^= table[column]
    return table[:, -1]
