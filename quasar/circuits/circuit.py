"""The circuit that the whole project passes around: a qubit count and a list of gates.

Takes nothing from the layers above; gives OpenQASM 3 text (`to_qasm`). Reading text is
`quasar.circuits.qasm.read_qasm`. All qubits are measured at the end, qubit i into bit i.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

# Standard-library gates (stdgates.inc): name -> (number of parameters, number of qubits).
STANDARD_GATES: dict[str, tuple[int, int]] = {
    "id": (0, 1), "x": (0, 1), "y": (0, 1), "z": (0, 1), "h": (0, 1), "s": (0, 1),
    "sdg": (0, 1), "t": (0, 1), "tdg": (0, 1), "sx": (0, 1),
    "rx": (1, 1), "ry": (1, 1), "rz": (1, 1), "p": (1, 1), "phase": (1, 1),
    "u1": (1, 1), "u2": (2, 1), "u3": (3, 1), "U": (3, 1),
    "cx": (0, 2), "CX": (0, 2), "cy": (0, 2), "cz": (0, 2), "ch": (0, 2), "swap": (0, 2),
    "crx": (1, 2), "cry": (1, 2), "crz": (1, 2), "cp": (1, 2), "cphase": (1, 2), "cu": (4, 2),
    "ccx": (0, 3), "cswap": (0, 3),
}  # fmt: skip

# cx gates in the standard decompositions (Nielsen and Chuang, section 4.3).
_THREE_QUBIT_GATES = {"ccx": 6, "cswap": 8}
PUBLISHED_DECIMALS = 4  # of the angles in the published circuits


@dataclass(frozen=True, slots=True)
class Gate:
    """One application of a standard gate; params in radians, qubits control first."""

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()


@dataclass(frozen=True)
class Circuit:
    """Gates on `num_qubits` qubits, started in |0…0⟩ and measured at the end."""

    num_qubits: int
    gates: tuple[Gate, ...]

    @cached_property
    def parameters(self) -> tuple[float, ...]:
        """All gate angles (radians) in program order."""
        return tuple(angle for gate in self.gates for angle in gate.params)

    @property
    def num_two_qubit_gates(self) -> int:
        """Number of gates on two or more qubits."""
        return sum(len(gate.qubits) > 1 for gate in self.gates)

    @property
    def two_qubit_cost(self) -> int:
        """Gates on two qubits; one on three counts as its standard decomposition."""
        return sum(_THREE_QUBIT_GATES.get(g.name, 1) for g in self.gates if len(g.qubits) > 1)

    @cached_property
    def depth(self) -> int:
        """Longest chain of gates, measurement not counted."""
        level = [0] * self.num_qubits
        for gate in self.gates:
            at = 1 + max(level[q] for q in gate.qubits)
            for q in gate.qubits:
                level[q] = at
        return max(level, default=0)

    def with_parameters(self, parameters: Sequence[float]) -> "Circuit":
        """The same gates with other angles (same order as `parameters`)."""
        angles = iter(parameters)
        gates = tuple(
            Gate(g.name, g.qubits, tuple(float(next(angles)) for _ in g.params)) for g in self.gates
        )
        return Circuit(self.num_qubits, gates)

    def to_qasm(self, *, decimals: int = PUBLISHED_DECIMALS) -> str:
        """OpenQASM 3 in the published layout: one gate a line, angles rounded and trimmed.

        No newline at the end, as in the published files.
        """
        n = self.num_qubits
        lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"bit[{n}] c;", f"qubit[{n}] q;"]
        for gate in self.gates:
            angles = ", ".join(format_angle(a, decimals) for a in gate.params)
            qubits = ", ".join(f"q[{q}]" for q in gate.qubits)
            lines.append(
                f"{gate.name}({angles}) {qubits};" if gate.params else f"{gate.name} {qubits};"
            )
        lines += [f"c[{i}] = measure q[{i}];" for i in range(n)]
        return "\n".join(lines)


def format_angle(angle: float, decimals: int) -> str:
    """Fixed-point text without trailing zeros; zero (of either sign) is `0`."""
    text = f"{angle:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
