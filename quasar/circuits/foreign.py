"""Circuits as people have them, as the OpenQASM 3 text that the verifier reads.

Takes text (OpenQASM 3 or 2, or a chat answer around OpenQASM 3), a Qiskit circuit, a PennyLane
tape or QNode, a pytket circuit; their libraries' own exporters write the program. Nothing of a
circuit is dropped but barriers: what the verifier does not read it refuses by name.
"""

import re
from typing import TYPE_CHECKING, Any

from quasar.errors import InputError
from quasar.problems.graphs import natural_key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MAX_BYTES = 1_000_000  # of a program in OpenQASM 2
MAX_QUBITS = 1000  # that such a program may declare
_VERSION_2 = re.compile(r"^(?:\s|//[^\n]*\n)*OPENQASM\s+2(?:\.[0-9]+)?\s*;", re.DOTALL)
_REGISTER = re.compile(r"\b[qc]reg\s+\w+\s*\[\s*(\d+)\s*\]")
# Gates that any circuit may be written in, where its own have no definition to export.
_BASIS = ["rx", "ry", "rz", "h", "x", "cx", "p"]


def program_of(circuit: Any) -> str:
    """The circuit as OpenQASM 3.

    Text that is no OpenQASM 2 is given back as it is. Qubit i of the program holds variable i: in
    OpenQASM 2 it is qubit i of the text. In a Qiskit circuit with measurements it is the qubit that
    is measured into classical bit i, so that a transpiled circuit on physical qubits keeps its
    meaning; without measurements the qubits of its layout, or its own, are all measured. Wires of
    PennyLane stand in natural order. Raises InputError.
    """
    if isinstance(circuit, str):
        return _of_version_2(circuit) if _VERSION_2.match(circuit) else circuit
    if _is_of(circuit, "qiskit", "QuantumCircuit"):
        return _exported(_measured_in_order(circuit))
    if _is_of(circuit, "pennylane", "QuantumScript", "QNode"):
        return _of_pennylane(circuit)
    if _is_of(circuit, "pytket", "Circuit"):
        from pytket.qasm.qasm import circuit_to_qasm_str

        try:
            text = circuit_to_qasm_str(circuit, header="qelib1")
        except Exception as error:  # of another's exporter
            raise InputError(f"pytket cannot export the circuit: {error}") from error
        return _of_version_2(text, measure=True)
    raise InputError(
        f"a {type(circuit).__module__}.{type(circuit).__name__} is no circuit; give OpenQASM text, "
        "or a circuit of Qiskit, PennyLane or pytket"
    )


def _of_version_2(text: str, *, measure: bool = False) -> str:
    """measure: all qubits where none is measured, as exporters leave them."""
    from qiskit import qasm2

    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InputError(f"the OpenQASM 2 program has more than {MAX_BYTES} bytes")
    declared = sum(int(size[:9]) for size in _REGISTER.findall(text))
    if declared > 2 * MAX_QUBITS:
        raise InputError(f"the OpenQASM 2 program declares {declared} qubits and bits")
    try:
        circuit = qasm2.loads(
            text,
            include_path=(),  # no file of this machine
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
        )
    except qasm2.QASM2ParseError as error:
        raise InputError(f"OpenQASM 2: {str(error.message).splitlines()[0]}") from None
    if measure and not any(item.operation.name == "measure" for item in circuit.data):
        circuit.measure_all(add_bits=True)
    return _exported(circuit)


def _of_pennylane(circuit: Any) -> str:
    import pennylane as qml
    from pennylane.wires import Wires

    if _is_of(circuit, "pennylane", "QNode"):
        try:
            script = qml.workflow.construct_tape(circuit)()
        except TypeError as error:
            raise InputError(
                "the QNode takes arguments; give its tape: "
                f"qml.workflow.construct_tape(qnode)(...) ({error})"
            ) from None
        wires = circuit.device.wires or script.wires
    else:
        script, wires = circuit, circuit.wires
    order = sorted(wires, key=lambda wire: natural_key(str(wire)))
    try:
        text = qml.to_openqasm(script, wires=Wires(order), measure_all=True)
    except (ValueError, NotImplementedError, AttributeError) as error:
        raise InputError(f"PennyLane cannot export the circuit: {error}") from None
    return _of_version_2(str(text), measure=True)


def _measured_in_order(circuit: "QuantumCircuit") -> "QuantumCircuit":
    """Qubit i is the one measured into bit i; qubits that nothing uses are left out."""
    from qiskit import QuantumCircuit

    if circuit.parameters:
        names = ", ".join(sorted(parameter.name for parameter in circuit.parameters))
        raise InputError(f"the circuit has parameters without a value ({names:.80}); bind them")
    bit_of: dict[int, int] = {}  # qubit -> classical bit
    used: dict[int, None] = {}
    kept = []
    for item in circuit.data:
        name = item.operation.name
        qubits = [circuit.find_bit(qubit).index for qubit in item.qubits]
        if name == "barrier":
            continue
        again = [q for q in qubits if q in bit_of]
        if again:
            raise InputError(
                f"qubit {again[0]} is used by {name} after it was measured; measure at the end"
            )
        if name == "measure":
            bit = circuit.find_bit(item.clbits[0]).index
            if bit in bit_of.values():
                raise InputError(f"classical bit {bit} is measured into twice")
            bit_of[qubits[0]] = bit
            continue
        kept.append((item.operation, qubits, item.clbits))
        used |= dict.fromkeys(qubits)
    order = sorted(bit_of, key=bit_of.__getitem__) or _without_measurement(circuit)
    lost = [q for q in used if q not in order]
    if lost:
        raise InputError(
            f"qubit {lost[0]} is used and not measured; measure all that are used, and route "
            "a transpiled circuit over its own qubits alone"
        )
    place = {q: i for i, q in enumerate(order)}
    made = QuantumCircuit(len(order), len(order))
    for operation, qubits, clbits in kept:
        if clbits:
            raise InputError(f"{operation.name} uses classical bits; only measurements may")
        made.append(operation, [place[q] for q in qubits])
    made.measure(range(len(order)), range(len(order)))
    return made


def _without_measurement(circuit: "QuantumCircuit") -> list[int]:
    if circuit.layout is None:
        return list(range(circuit.num_qubits))
    return list(circuit.layout.final_index_layout(filter_ancillas=True))


def _exported(circuit: "QuantumCircuit") -> str:
    from qiskit import qasm3, transpile

    try:
        return qasm3.dumps(circuit)
    except qasm3.QASM3ExporterError:
        plain = transpile(circuit, basis_gates=_BASIS, optimization_level=0)
    try:
        return qasm3.dumps(plain)
    except qasm3.QASM3ExporterError as error:
        raise InputError(f"Qiskit cannot export the circuit: {error}") from None


def _is_of(given: Any, package: str, *names: str) -> bool:
    """Whether it is an instance of such a class, without importing the package."""
    return any(
        cls.__name__ in names and cls.__module__.split(".")[0] == package
        for cls in type(given).__mro__
    )
