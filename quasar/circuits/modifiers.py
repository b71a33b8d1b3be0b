"""Modified gates as standard gates: `inv @`, `pow(k) @`, `ctrl(n) @`, `negctrl(n) @`.

Takes gates on qubits 0…n−1 and evaluated modifiers; gives standard gates on 0…n−1 plus controls,
controls first. Phases count, since a control makes them visible: operation "gphase" carries them.
Matrices, powers and controls are Qiskit's; what would take it long is refused.
"""

import math

from qiskit.circuit import Gate as QiskitGate
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.circuit.library import standard_gates as library

from quasar.circuits.circuit import STANDARD_GATES
from quasar.circuits.rules import NON_FINITE_ANGLE, UNSUPPORTED, refuse

MAX_REPEATS = 16  # a whole power up to this is written out
MAX_EXPONENT = 10_000  # of a matrix, all its powers together; beyond, rounding errors show
MAX_MATRIX_QUBITS = 3  # other powers are taken of the matrix
MAX_CONTROLLED_MATRIX_QUBITS = 4  # and decomposed with its controls, which takes 4ⁿ gates
_MATRIX_EFFORT = 100  # units, for a power that is taken of a matrix

Operation = tuple[str, tuple[int, ...], tuple[float, ...]]  # gate, qubits, angles
Modifiers = tuple[tuple[str, float], ...]  # kind and number, outermost first

_CLASSES = {
    "id": library.IGate, "x": library.XGate, "y": library.YGate, "z": library.ZGate,
    "h": library.HGate, "s": library.SGate, "sdg": library.SdgGate, "t": library.TGate,
    "tdg": library.TdgGate, "sx": library.SXGate, "rx": library.RXGate, "ry": library.RYGate,
    "rz": library.RZGate, "p": library.PhaseGate, "u1": library.U1Gate, "u2": library.U2Gate,
    "u3": library.U3Gate, "U": library.UGate, "cx": library.CXGate, "cy": library.CYGate,
    "cz": library.CZGate, "ch": library.CHGate, "swap": library.SwapGate,
    "crx": library.CRXGate, "cry": library.CRYGate, "crz": library.CRZGate,
    "cp": library.CPhaseGate, "cu": library.CUGate, "ccx": library.CCXGate,
    "cswap": library.CSwapGate,
}  # fmt: skip
# Names that Qiskit gives to gates of the standard library, where they differ.
_NAMES = {"u": "U"}


def effort(operations: tuple[Operation, ...], modifiers: Modifiers) -> int:
    """Work of `modified` for these, known beforehand, in units of at most 0.3 ms.

    A whole power repeats its gates and a control decomposes each of them, the larger the longer.
    """
    steps, controls, hard = 1, 0, 0
    rotation = len(operations) == 1 and _is_rotation(_CLASSES.get(operations[0][0]))
    for kind, value in reversed(modifiers):
        if kind in ("ctrl", "negctrl") and value > 0:
            controls += int(value)
            rotation = False
        elif kind == "pow" and not rotation:
            if _is_written_out(value):
                steps *= max(1, abs(int(value)))
            else:
                hard += 1
    if controls:
        gates = sum(4 ** max(0, len(qubits) - 1) for _, qubits, _ in operations)
    else:
        gates = len(operations)
    return max(1, gates) * steps * (1 + controls) + _MATRIX_EFFORT * hard


def modified(
    operations: tuple[Operation, ...], num_qubits: int, modifiers: Modifiers
) -> tuple[Operation, ...]:
    """Standard gates and phases that the modifiers make of these operations.

    Raises CircuitError (unsupported) where that would take too many gates, and for angles that are
    not finite.
    """
    if not all(math.isfinite(angle) for _, _, angles in operations for angle in angles):
        refuse(NON_FINITE_ANGLE, "an angle of a modified gate is not a finite number")
    gate, exponent = _gate(operations, num_qubits), 1.0
    for kind, value in reversed(modifiers):
        if kind == "inv":
            gate = gate.inverse()
        elif kind == "pow":
            if _is_of_matrix(gate, value):
                exponent *= max(1.0, abs(value))
                if exponent > MAX_EXPONENT:
                    refuse(UNSUPPORTED, f"powers of this gate are accepted up to {MAX_EXPONENT}")
            gate = _power(gate, value)
        elif value > 0:
            number = int(value)
            state = (1 << number) - 1 if kind == "ctrl" else 0
            if _has_matrix(gate) and gate.num_qubits + number > MAX_CONTROLLED_MATRIX_QUBITS:
                refuse(UNSUPPORTED, "controls on this power take too many gates")
            gate = gate.control(number, ctrl_state=state)
    found: list[Operation] = []
    phase = _flatten(gate, tuple(range(gate.num_qubits)), found)
    return (*found, ("gphase", (), (phase,)))


def _gate(operations: tuple[Operation, ...], num_qubits: int) -> QiskitGate:
    if len(operations) == 1:
        name, qubits, angles = operations[0]
        if name in _CLASSES and qubits == tuple(range(num_qubits)):
            return _CLASSES[name](*angles)
    circuit = QuantumCircuit(num_qubits)
    for name, qubits, angles in operations:
        if name == "gphase":
            circuit.global_phase += angles[0]
        else:
            circuit.append(_CLASSES[name](*angles), qubits)
    return circuit.to_gate()


def _is_rotation(kind: type[QiskitGate] | None) -> bool:
    """Whether a power of such a gate is the same gate by a multiple of its angle."""
    return kind is not None and kind.power is not QiskitGate.power


def _is_of_matrix(gate: QiskitGate, exponent: float) -> bool:
    return not _is_rotation(type(gate)) and not _is_written_out(exponent)


def _is_written_out(exponent: float) -> bool:
    return exponent == int(exponent) and abs(exponent) <= MAX_REPEATS


def _power(gate: QiskitGate, exponent: float) -> QiskitGate:
    if _is_rotation(type(gate)):
        return gate.power(exponent)
    if _is_written_out(exponent):
        circuit = QuantumCircuit(gate.num_qubits)
        for _ in range(abs(int(exponent))):
            circuit.append(gate if exponent > 0 else gate.inverse(), range(gate.num_qubits))
        return circuit.to_gate()
    if gate.num_qubits > MAX_MATRIX_QUBITS:
        refuse(
            UNSUPPORTED,
            f"powers are accepted up to {MAX_REPEATS} where they are whole numbers, "
            f"and on gates of at most {MAX_MATRIX_QUBITS} qubits",
        )
    return gate.power(exponent)


def _has_matrix(gate: QiskitGate) -> bool:
    """Whether a matrix that has to be decomposed is in the gate."""
    if isinstance(gate, UnitaryGate):
        return True
    if gate.base_class.__module__.startswith(library.__name__) or gate.definition is None:
        return False
    return any(_has_matrix(inner.operation) for inner in gate.definition.data)


def _flatten(gate: QiskitGate, qubits: tuple[int, ...], found: list[Operation]) -> float:
    """Append a gate as standard gates; returns the phase that is left over, in radians."""
    name = _NAMES.get(gate.name, gate.name)
    standard = gate.base_class.__module__.startswith(library.__name__)
    if standard and STANDARD_GATES.get(name) == (len(gate.params), len(qubits)):
        found.append((name, qubits, tuple(float(angle) for angle in gate.params)))
        return 0.0
    definition = gate.definition
    if definition is None:
        refuse(UNSUPPORTED, f"gate '{gate.name}' cannot be simulated")
    phase = float(definition.global_phase)
    for inner in definition.data:
        places = tuple(qubits[definition.find_bit(qubit).index] for qubit in inner.qubits)
        phase += _flatten(inner.operation, places, found)
    return phase
