"""Pauli strings under Clifford circuits: many strings at once, a gate a few operations on integers.

Takes strings and a circuit of Clifford gates; gives U P U† or U† P U of every string P, with signs.
A tableau is kept by columns: for each qubit one integer whose bit k says whether string k has an X
(or Y) there, one for Z (or Y), and one integer of signs; so a gate on any number of strings costs a
few operations on integers (Aaronson and Gottesman, Phys. Rev. A 70, 052328, 2004, section III).

Gates with angles count as Clifford where they are one to the fourth decimal, as programs print it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import CircuitError
from quasar.simulation.statevector.encoding import (
    RX,
    RY,
    RZ,
    SDG,
    SX,
    TDG,
    U2,
    H,
    P,
    S,
    T,
    U,
    X,
    Y,
    Z,
)
from quasar.simulation.statevector.matrices import matrices

NOT_CLIFFORD = "not_clifford"
_TOLERANCE = 1e-4  # of the entries of a matrix
CliffordStep = tuple[
    str, tuple[int, ...]
]  # one of h, s, sdg, x, y, z, cx, cz and the places of its qubits
_OPERATIONS = {
    "x": X, "y": Y, "z": Z, "h": H, "s": S, "sdg": SDG, "t": T, "tdg": TDG, "sx": SX, "rx": RX,
    "ry": RY, "rz": RZ, "p": P, "phase": P, "u1": P, "u2": U2, "u3": U, "U": U,
}  # fmt: skip
_CONTROLLED = {"ch": "h", "crx": "rx", "cry": "ry", "crz": "rz", "cp": "p", "cphase": "p"}
_TWO: dict[str, tuple[CliffordStep, ...]] = {
    "id": (),
    "cx": (("cx", (0, 1)),),
    "CX": (("cx", (0, 1)),),
    "cz": (("cz", (0, 1)),),
    "cy": (("sdg", (1,)), ("cx", (0, 1)), ("s", (1,))),
    "swap": (("cx", (0, 1)), ("cx", (1, 0)), ("cx", (0, 1))),
}
_PAULIS: dict[str, np.ndarray] = {
    "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1.0 + 0j, -1.0]),
}


@dataclass(frozen=True, slots=True)
class PauliString:
    """±P on some qubits: masks of X (or Y) and of Z (or Y); negative: the sign is −."""

    flips: int
    signs: int
    negative: bool = False

    def commutes_with(self, other: "PauliString") -> bool:
        """Whether the two commute; else they anticommute."""
        crossed = (self.flips & other.signs).bit_count() + (self.signs & other.flips).bit_count()
        return crossed % 2 == 0

    def word(self, num_qubits: int) -> str:
        """`+XZI`: the sign, then a letter a qubit, qubit 0 first."""
        letters = (
            "IXZY"[(self.flips >> q & 1) | (self.signs >> q & 1) << 1] for q in range(num_qubits)
        )
        return ("-" if self.negative else "+") + "".join(letters)

    @classmethod
    def of(cls, word: str) -> "PauliString":
        """From `word`'s form, with or without a sign. Raises ValueError for any other text."""
        letters = word[1:] if word[:1] in ("+", "-") else word
        if not letters or set(letters) - set("IXYZ"):
            raise ValueError("a sign and letters I, X, Y, Z, one a qubit")
        return cls(
            sum(1 << q for q, letter in enumerate(letters) if letter in "XY"),
            sum(1 << q for q, letter in enumerate(letters) if letter in "ZY"),
            word[0] == "-",
        )


class Tableau:
    """Strings in columns; changed in place by gates."""

    __slots__ = ("flips", "negative", "num_strings", "signs")

    def __init__(self, num_qubits: int, strings: Sequence[PauliString]):
        self.num_strings = len(strings)
        self.flips = [0] * num_qubits
        self.signs = [0] * num_qubits
        self.negative = sum(1 << k for k, string in enumerate(strings) if string.negative)
        for k, string in enumerate(strings):
            for q in range(num_qubits):
                self.flips[q] |= (string.flips >> q & 1) << k
                self.signs[q] |= (string.signs >> q & 1) << k

    def string(self, k: int) -> PauliString:
        """String k."""
        return PauliString(
            sum((column >> k & 1) << q for q, column in enumerate(self.flips)),
            sum((column >> k & 1) << q for q, column in enumerate(self.signs)),
            bool(self.negative >> k & 1),
        )

    def strings(self) -> list[PauliString]:
        """All strings."""
        return [self.string(k) for k in range(self.num_strings)]

    def apply(self, circuit: Circuit) -> None:
        """P → U P U† of every string. Raises CircuitError for a gate that is not Clifford."""
        for name, qubits in steps_of(circuit):
            self.step(name, qubits)

    def take_back(self, circuit: Circuit) -> None:
        """P → U† P U of every string. Raises as `apply`."""
        for name, qubits in reversed(steps_of(circuit)):
            self.step(INVERSE.get(name, name), qubits)

    def step(self, name: str, qubits: Sequence[int]) -> None:
        """One elementary gate."""
        x, z, a = self.flips, self.signs, qubits[0]
        if name == "cx":
            b = qubits[1]
            self.negative ^= x[a] & z[b] & ~(x[b] ^ z[a])
            x[b] ^= x[a]
            z[a] ^= z[b]
        elif name == "cz":
            b = qubits[1]
            self.negative ^= x[a] & x[b] & (z[a] ^ z[b])
            z[a] ^= x[b]
            z[b] ^= x[a]
        elif name == "h":
            self.negative ^= x[a] & z[a]
            x[a], z[a] = z[a], x[a]
        elif name == "s":
            self.negative ^= x[a] & z[a]
            z[a] ^= x[a]
        elif name == "sdg":
            self.negative ^= x[a] & ~z[a]
            z[a] ^= x[a]
        elif name == "x":
            self.negative ^= z[a]
        elif name == "y":
            self.negative ^= x[a] ^ z[a]
        else:
            self.negative ^= x[a]


INVERSE = {"s": "sdg", "sdg": "s"}  # of the elementary gates that are not their own


def steps_of(circuit: Circuit) -> list[CliffordStep]:
    """The circuit in elementary gates. Raises CircuitError for a gate that is not Clifford."""
    found: list[CliffordStep] = []
    for gate in circuit.gates:
        known = _steps(gate.name, gate.params)
        if known is None:
            angles = ", ".join(f"{angle:.4g}" for angle in gate.params)
            shown = f"{gate.name}({angles})" if angles else gate.name
            qubits = ", ".join(f"q[{q}]" for q in gate.qubits)
            raise CircuitError(
                NOT_CLIFFORD,
                f"{shown} on {qubits} is not a Clifford gate; use h, s, cx and what they make",
            )
        found += [(name, tuple(gate.qubits[place] for place in places)) for name, places in known]
    return found


@lru_cache(maxsize=4096)
def _steps(name: str, params: tuple[float, ...]) -> tuple[CliffordStep, ...] | None:
    """The elementary gates of a standard gate, on places 0 and 1; None where it is not Clifford."""
    if name in _TWO:
        return _TWO[name]
    if name in _OPERATIONS:
        return _local(_matrix(name, params))
    if name == "cu":
        return _controlled(np.exp(1j * params[3]) * _matrix("U", params[:3]))
    if name in _CONTROLLED:
        return _controlled(_matrix(_CONTROLLED[name], params))
    return None  # on three qubits: none of them is


def _matrix(name: str, params: Sequence[float]) -> np.ndarray:
    angles = np.array([*params, 0.0, 0.0, 0.0][:3])
    return matrices(np.array(_OPERATIONS[name]), angles)


def _controlled(matrix: np.ndarray) -> tuple[CliffordStep, ...] | None:
    """Clifford just where the matrix is i^k times a Pauli matrix: then s^k on the control, too."""
    for pauli, k in product(("", "x", "y", "z"), range(4)):
        wanted = 1j**k * (_PAULIS[pauli] if pauli else np.eye(2))
        if np.allclose(matrix, wanted, atol=_TOLERANCE):
            phases: tuple[CliffordStep, ...] = (("s", (0,)),) * k
            return phases + (_TWO[f"c{pauli}"] if pauli else ())
    return None


def _local(matrix: np.ndarray) -> tuple[CliffordStep, ...] | None:
    """Gates on one qubit that map X and Z as the matrix does; None where these are no Paulis."""
    images = tuple(_image(matrix @ _PAULIS[pauli] @ matrix.conj().T) for pauli in "xz")
    return None if None in images else _words()[images]


def _image(matrix: np.ndarray) -> PauliString | None:
    for letter, pauli in _PAULIS.items():
        for sign in (1.0, -1.0):
            if np.allclose(matrix, sign * pauli, atol=_TOLERANCE):
                string = PauliString.of(letter.upper())
                return PauliString(string.flips, string.signs, sign < 0)
    return None


@lru_cache(maxsize=1)
def _words() -> dict[Any, tuple[CliffordStep, ...]]:
    """The 24 Clifford gates of one qubit: images of X and Z -> the shortest word of gates."""
    names = ("x", "y", "z", "h", "s", "sdg")
    found: dict[Any, tuple[CliffordStep, ...]] = {}
    waiting: list[tuple[CliffordStep, ...]] = [()]
    while len(found) < 24:
        longer = []
        for word in waiting:
            tableau = Tableau(1, [PauliString.of("X"), PauliString.of("Z")])
            for name, qubits in word:
                tableau.step(name, qubits)
            if tuple(tableau.strings()) not in found:
                found[tuple(tableau.strings())] = word
                longer.append(word)
        waiting = [(*word, (name, (0,))) for word in longer for name in names]
    return found


def local_cliffords() -> tuple[tuple[CliffordStep, ...], ...]:
    """Words of the 24 Clifford gates of one qubit, the identity first."""
    return tuple(_words().values())


def identity_strings(num_qubits: int) -> list[PauliString]:
    """X of each qubit, then Z of each qubit: what a tableau of a whole operator starts from."""
    flips = [PauliString(1 << q, 0) for q in range(num_qubits)]
    return flips + [PauliString(0, 1 << q) for q in range(num_qubits)]


def as_circuit(num_qubits: int, steps: Iterable[CliffordStep]) -> Circuit:
    """Elementary gates as a circuit."""
    return Circuit(num_qubits, tuple(Gate(name, tuple(qubits)) for name, qubits in steps))
