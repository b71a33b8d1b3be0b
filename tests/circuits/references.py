"""Other readers of OpenQASM 3 that ours is compared with: what they read, and as which circuit."""

import re
import warnings
from collections.abc import Callable

import qiskit_qasm3_import
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Barrier, Measure

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import Limits, read_qasm
from quasar.errors import CircuitError

LIMITS = Limits()
READS = "reads"
Verdict = tuple[str, str, Circuit | QuantumCircuit | None]  # READS or a kind, why, the circuit


def ours(text: str, read: Callable[[str, Limits], Circuit | None] = read_qasm) -> Verdict:
    """Our verdict; the kind of a refusal in place of READS."""
    try:
        return READS, "", read(text, LIMITS)
    except CircuitError as error:
        return error.kind, str(error), None


def imported(text: str) -> Verdict:
    """Of qiskit-qasm3-import, the reference in Python."""
    return _verdict(qiskit_qasm3_import.parse, text)


# Gates whose phase by the specification is not Qiskit's, made of Qiskit's.
_PHASED = """
gate U_of_3(a0, b0, c0) w { gphase(a0/2); U(a0, b0, c0) w; }
gate u2_of_3(a1, b1) w { gphase(-(a1 + b1)/2); u2(a1, b1) w; }
gate u3_of_3(a2, b2, c2) w { gphase(-(b2 + c2)/2); u3(a2, b2, c2) w; }
"""


def with_phases(text: str) -> str:
    """A program of which the reference makes what the specification says."""
    head, include, rest = text.partition('include "stdgates.inc";')
    return head + include + _PHASED + re.sub(r"\b(U|u2|u3)\b", r"\1_of_3", rest)


def experimental(text: str) -> Verdict:
    """Of Qiskit's native reader. It prints what it does not like, and panics at times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _verdict(qasm3.loads_experimental, text)


def _verdict(read: Callable[[str], QuantumCircuit], text: str) -> Verdict:
    try:
        return READS, "", read(text)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of the native reader is no Exception
        return type(error).__name__, str(error), None


def breaks_rule(circuit: QuantumCircuit) -> str | None:
    """What our rules on measurement and control flow forbid in a circuit; None for nothing."""
    measured: set[int] = set()
    written: set[int] = set()
    for instruction in circuit.data:
        name, qubits = instruction.operation.name, instruction.qubits
        places = {circuit.find_bit(qubit).index for qubit in qubits}
        if isinstance(instruction.operation, Measure):
            bit = circuit.find_bit(instruction.clbits[0]).index
            if places & measured or bit in written:
                return "measures twice"
            measured |= places
            written.add(bit)
        elif isinstance(instruction.operation, Barrier):
            continue
        elif name in ("reset", "delay", "box") or instruction.operation.name.endswith(
            ("_loop", "_else", "_case")
        ):
            return name
        elif places & measured:
            return "gate after measurement"
    return None if 0 < circuit.num_qubits == len(measured) else "not measured"
