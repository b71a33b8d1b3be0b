"""The nineteen hardware-efficient templates: circuits 1 to 19 of Sim, Johnson, Aspuru-Guzik.

Source: Adv. Quantum Technol. 2, 1900070 (2019), figure 2, which draws them on four qubits; the form
on n qubits and the gate order are those of the published benchmark circuits. They start in |0…0⟩.
An arrow is control → target. Parameters are numbered by their first use in program order.

Differences from the figure, kept because the benchmark has them: in circuits 5 and 6 all controlled
rotations of a layer with the same target share one parameter, where the figure has one a pair;
circuit 12 applies ry twice to the lower and rz twice to the upper qubit of its second block, with
one parameter each, where the figure has ry and rz on both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quasar.circuits.ansatz.base import Ansatz, ParameterisedCircuit
from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian


class Place(NamedTuple):
    """A gate without its angle; rotations of one layer with the same `tie` share a parameter."""

    name: str
    qubits: tuple[int, ...]
    tie: str | None = None


Layer = Callable[[int], Iterator[Place]]  # number of qubits -> the gates of one block
OnQubit = Callable[[int], Iterator[Place]]  # qubit -> gates on it


def _each(*names: str) -> Layer:
    """The gates, one after the other, on qubit 0, then on qubit 1, …"""
    return lambda n: (Place(name, (i,)) for i in range(n) for name in names)


def _ladder(name: str) -> Layer:
    """i+1 → i, from the top down."""
    return lambda n: (Place(name, (i + 1, i)) for i in reversed(range(n - 1)))


def _all_pairs(name: str) -> Layer:
    """Every ordered pair, controls and targets from the top down; one parameter a target."""

    def layer(n: int) -> Iterator[Place]:
        for control in reversed(range(n)):
            for target in reversed(range(n)):
                if control != target:
                    yield Place(name, (control, target), tie=f"target {target}")

    return layer


def _bricks(name: str, first: int) -> Layer:
    """i+1 → i for i = first, first + 2, …"""
    return lambda n: (Place(name, (i + 1, i)) for i in range(first, n - 1, 2))


def _ring(name: str) -> Layer:
    """n−1 → 0, then i → i+1 from the top down."""

    def layer(n: int) -> Iterator[Place]:
        yield Place(name, (n - 1, 0))
        for i in reversed(range(n - 1)):
            yield Place(name, (i, i + 1))

    return layer


def _counter_ring(name: str) -> Layer:
    """n−1 → n−2, 0 → n−1, then i → i+1 from the bottom up."""

    def layer(n: int) -> Iterator[Place]:
        yield Place(name, (n - 1, n - 2))
        yield Place(name, (0, n - 1))
        for i in range(n - 2):
            yield Place(name, (i, i + 1))

    return layer


def _closed_ladder(n: int) -> Iterator[Place]:
    """Circuit 10: the cz ladder and the pair of its ends."""
    yield from _ladder("cz")(n)
    yield Place("cz", (0, n - 1))


def _second_block(n: int, name: str, lower: OnQubit, upper: OnQubit) -> Iterator[Place]:
    """Circuits 11, 12: for odd i `lower` on i, `upper` on i+1 unless it is the last; i+1 → i."""
    for i in range(1, n - 1, 2):
        yield from lower(i)
        if i != n - 2:
            yield from upper(i + 1)
        yield Place(name, (i + 1, i))


def _cx_block(n: int) -> Iterator[Place]:
    """Circuit 11."""

    def rotations(i: int) -> Iterator[Place]:
        yield Place("ry", (i,))
        yield Place("rz", (i,))

    return _second_block(n, "cx", rotations, rotations)


def _cz_block(n: int) -> Iterator[Place]:
    """Circuit 12."""

    def twice(name: str) -> OnQubit:
        return lambda i: iter((Place(name, (i,), tie=f"{name} {i}"),) * 2)

    return _second_block(n, "cz", twice("ry"), twice("rz"))


def _in_turn(*blocks: Layer) -> Layer:
    return lambda n: (place for block in blocks for place in block(n))


_X_Z = _each("rx", "rz")
_CIRCUITS: dict[int, tuple[str, Layer]] = {
    1: ("rx, rz", _X_Z),
    2: ("rx, rz; cx ladder", _in_turn(_X_Z, _ladder("cx"))),
    3: ("rx, rz; crz ladder", _in_turn(_X_Z, _ladder("crz"))),
    4: ("rx, rz; crx ladder", _in_turn(_X_Z, _ladder("crx"))),
    5: ("rx, rz; crz on all pairs; rx, rz", _in_turn(_X_Z, _all_pairs("crz"), _X_Z)),
    6: ("rx, rz; crx on all pairs; rx, rz", _in_turn(_X_Z, _all_pairs("crx"), _X_Z)),
    7: (
        "rx, rz; crz on even pairs; rx, rz; crz on odd pairs",
        _in_turn(_X_Z, _bricks("crz", 0), _X_Z, _bricks("crz", 1)),
    ),
    8: (
        "rx, rz; crx on even pairs; rx, rz; crx on odd pairs",
        _in_turn(_X_Z, _bricks("crx", 0), _X_Z, _bricks("crx", 1)),
    ),
    9: ("h; cz ladder; rx", _in_turn(_each("h"), _ladder("cz"), _each("rx"))),
    10: ("ry once; cz ring; ry", _in_turn(_closed_ladder, _each("ry"))),
    11: (
        "ry, rz; cx on even pairs; ry, rz inside; cx on odd pairs",
        _in_turn(_each("ry", "rz"), _bricks("cx", 0), _cx_block),
    ),
    12: (
        "ry, rz; cz on even pairs; ry or rz twice inside; cz on odd pairs",
        _in_turn(_each("ry", "rz"), _bricks("cz", 0), _cz_block),
    ),
    13: (
        "ry; crz ring; ry; crz ring the other way",
        _in_turn(_each("ry"), _ring("crz"), _each("ry"), _counter_ring("crz")),
    ),
    14: (
        "ry; crx ring; ry; crx ring the other way",
        _in_turn(_each("ry"), _ring("crx"), _each("ry"), _counter_ring("crx")),
    ),
    15: (
        "ry; cx ring; ry; cx ring the other way",
        _in_turn(_each("ry"), _ring("cx"), _each("ry"), _counter_ring("cx")),
    ),
    16: (
        "rx, rz; crz on even pairs, then on odd pairs",
        _in_turn(_X_Z, _bricks("crz", 0), _bricks("crz", 1)),
    ),
    17: (
        "rx, rz; crx on even pairs, then on odd pairs",
        _in_turn(_X_Z, _bricks("crx", 0), _bricks("crx", 1)),
    ),
    18: ("rx, rz; crz ring", _in_turn(_X_Z, _ring("crz"))),
    19: ("rx, rz; crx ring", _in_turn(_X_Z, _ring("crx"))),
}
# On two qubits circuits 16 and 17 are circuits 3 and 4.
_MIN_QUBITS = {16: 3, 17: 3}
_STARTS = {10: _each("ry")}


@dataclass(frozen=True)
class HardwareEfficient(Ansatz):
    """Circuit `number`, 1 to 19: a start block (circuit 10 only), then equal layers."""

    number: int

    family = "hardware_efficient"

    @property
    def name(self) -> str:
        return f"sim_{self.number}"

    @property
    def summary(self) -> str:
        words, _ = _CIRCUITS[self.number]
        return f"hardware-efficient circuit {self.number} of Sim et al. (2019): {words}"

    @property
    def min_qubits(self) -> int:
        return _MIN_QUBITS.get(self.number, 2)

    def circuit(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> ParameterisedCircuit:
        """See `Ansatz.circuit`; of the Hamiltonian only the number of qubits counts."""
        num_qubits = hamiltonian.num_qubits
        self._check(num_qubits, layers)
        _, layer = _CIRCUITS[self.number]
        blocks = [list(layer(num_qubits))] * layers
        if self.number in _STARTS:
            blocks.insert(0, list(_STARTS[self.number](num_qubits)))
        gates: list[Gate] = []
        slots: list[int] = []
        num_parameters = 0
        for block in blocks:
            tied: dict[str, int] = {}
            for name, qubits, tie in block:
                angles = (0.0,) * STANDARD_GATES[name][0]
                gates.append(Gate(name, qubits, angles))
                if angles:
                    slot = num_parameters if tie is None else tied.setdefault(tie, num_parameters)
                    num_parameters = max(num_parameters, slot + 1)
                    slots.append(slot)
        return ParameterisedCircuit(
            Circuit(num_qubits, tuple(gates)),
            np.array(slots, dtype=np.int64),
            np.ones(len(slots)),
            num_parameters,
        )


TEMPLATES = tuple(map(HardwareEfficient, _CIRCUITS))
