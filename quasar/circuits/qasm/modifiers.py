"""Modified gates as standard gates: `inv @`, `pow(k) @`, `ctrl(n) @`, `negctrl(n) @`.

Takes gates on qubits 0…n−1 and evaluated modifiers; gives standard gates on 0…n−1 plus controls,
controls first. Phases count, since a control makes them visible: operation "gphase" carries them.
Gates have the phases of the OpenQASM 3 specification, which for U, u2 and u3 are not Qiskit's, and
powers that are no whole numbers are principal ones. Matrices, powers and controls are Qiskit's;
what would take it long is refused.
"""

import math
from typing import Any

from qiskit.circuit import Gate as QiskitGate
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.circuit.library import standard_gates as library

from quasar.circuits.circuit import STANDARD_GATES
from quasar.circuits.qasm.rules import NON_FINITE_ANGLE, UNSUPPORTED, Modifiers, refuse

MAX_REPEATS = 16  # a whole power up to this is written out
MAX_EXPONENT = 10_000  # of a matrix, all its powers together; beyond, rounding errors show
MAX_MATRIX_QUBITS = 3  # other powers are taken of the matrix
MAX_CONTROLLED_MATRIX_QUBITS = 4  # and decomposed with its controls, which takes 4ⁿ gates
_MATRIX_EFFORT = 100  # units, for a power that is taken of a matrix

Operation = tuple[str, tuple[int, ...], tuple[float, ...]]  # gate, qubits, angles

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
# Gates whose matrices in the specification have another phase than Qiskit's.
_PHASED = frozenset({"U", "u2", "u3"})
_FULL_ROTATIONS = frozenset({"rx", "ry", "rz"})  # by 4π; the others, phases, by 2π
_BRANCH = 1e-9  # radians from the branch cut of a root that count as on it
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
    # Qiskit declares less than it gives: what comes of a gate here is a gate.
    gate: Any = _gate(operations, num_qubits)
    exponent = 1.0
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
        plain = name in _CLASSES and name not in _PHASED
        if plain and qubits == tuple(range(num_qubits)):
            return _CLASSES[name](*angles)
    circuit = QuantumCircuit(num_qubits)
    for name, qubits, angles in operations:
        if name == "gphase":
            circuit.global_phase += angles[0]
        else:
            circuit.append(_CLASSES[name](*angles), qubits)
            circuit.global_phase += extra_phase(name, angles)
    return circuit.to_gate()


def extra_phase(name: str, angles: tuple[float, ...]) -> float:
    """Phase (radians) of a standard gate by the specification beyond Qiskit's.

    U(θ, φ, λ) there is ½ [[1 + e^iθ, …], …]; stdgates.inc takes the phase away again, but from u2
    and u3 also (φ + λ)/2, which makes them products of rotations.
    """
    if name == "U":
        return 0.5 * angles[0]
    return -0.5 * (angles[-2] + angles[-1]) if name in _PHASED else 0.0


def _is_rotation(kind: type[QiskitGate] | None) -> bool:
    """Whether a power of such a gate is the same gate by a multiple of its angle."""
    return kind is not None and kind.power is not QiskitGate.power


def _is_of_matrix(gate: QiskitGate, exponent: float) -> bool:
    return not _is_rotation(type(gate)) and not _is_written_out(exponent)


def _is_written_out(exponent: float) -> bool:
    return exponent == int(exponent) and abs(exponent) <= MAX_REPEATS


def _power(gate: QiskitGate, exponent: float) -> Any:
    if _is_rotation(type(gate)):
        return _rotation_power(gate, exponent)
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


def _rotation_power(gate: QiskitGate, exponent: float) -> Any:
    """Principal power of a gate whose power is the same gate by a multiple of its angle."""
    if exponent == int(exponent) or not gate.params:
        return gate.power(exponent)
    turn = 4.0 * math.pi if gate.name in _FULL_ROTATIONS else 2.0 * math.pi
    angle = math.remainder(float(gate.params[0]), turn)
    kind: Any = type(gate)
    if abs(abs(angle) - 0.5 * turn) > _BRANCH:
        return kind(angle).power(exponent)
    if gate.name in _FULL_ROTATIONS:  # minus the identity
        circuit = QuantumCircuit(1, global_phase=math.pi * exponent)
        return circuit.to_gate()
    return kind(math.pi).power(exponent)


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
        angles = tuple(float(angle) for angle in gate.params)
        found.append((name, qubits, angles))
        return -extra_phase(name, angles)
    definition = gate.definition
    if definition is None:
        refuse(UNSUPPORTED, f"gate '{gate.name}' cannot be simulated")
    phase = float(definition.global_phase)
    for inner in definition.data:
        places = tuple(qubits[definition.find_bit(qubit).index] for qubit in inner.qubits)
        phase += _flatten(inner.operation, places, found)
    return phase
