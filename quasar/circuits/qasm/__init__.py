"""Reading OpenQASM 3 under limits: the one way from program text to a `Circuit`.

Fast readers take plain and canonical programs; whatever lies outside goes to the complete reader.
Where both accept, they give the same circuit. Every refusal is a CircuitError with a kind (the
constants re-exported here), one sentence, and the line.
"""

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm.canonical_reader import read_canonical
from quasar.circuits.qasm.fast_reader import read_plain
from quasar.circuits.qasm.rules import (
    BAD_INCLUDE,
    CONTROL_FLOW,
    EMPTY,
    INDEX_OUT_OF_RANGE,
    MID_CIRCUIT_MEASUREMENT,
    MISSING_HEADER,
    NO_QUBITS,
    NON_FINITE_ANGLE,
    NOT_MEASURED,
    RECURSIVE_GATE,
    REPEATED_QUBIT,
    RESET,
    SYNTAX,
    TOO_DEEP,
    TOO_LONG,
    TOO_MANY_BITS,
    TOO_MANY_GATES,
    TOO_MANY_QUBITS,
    UNKNOWN_GATE,
    UNKNOWN_NAME,
    UNSUPPORTED,
    WRONG_ARGUMENTS,
    WRONG_QUBIT_COUNT,
    Limits,
    refuse,
)

__all__ = [
    "BAD_INCLUDE",
    "CONTROL_FLOW",
    "EMPTY",
    "INDEX_OUT_OF_RANGE",
    "MID_CIRCUIT_MEASUREMENT",
    "MISSING_HEADER",
    "NON_FINITE_ANGLE",
    "NOT_MEASURED",
    "NO_QUBITS",
    "RECURSIVE_GATE",
    "REPEATED_QUBIT",
    "RESET",
    "SYNTAX",
    "TOO_DEEP",
    "TOO_LONG",
    "TOO_MANY_BITS",
    "TOO_MANY_GATES",
    "TOO_MANY_QUBITS",
    "UNKNOWN_GATE",
    "UNKNOWN_NAME",
    "UNSUPPORTED",
    "WRONG_ARGUMENTS",
    "WRONG_QUBIT_COUNT",
    "Limits",
    "check_text",
    "read_qasm",
]


def read_qasm(text: str, limits: Limits | None = None) -> Circuit:
    """Read one OpenQASM 3 program (no prose around it).

    The program must declare OpenQASM 3, include stdgates.inc, use finite angles, and measure every
    qubit once at its end, each into a bit of its own; which bit does not matter, since results are
    per qubit. Control flow, reset and feedback are refused. Raises CircuitError.
    """
    limits = limits or Limits()
    check_text(text, limits)
    circuit = read_canonical(text, limits)
    if circuit is None:
        circuit = read_plain(text, limits)
    if circuit is None:
        # The complete reader brings qiskit along; most processes never need it.
        from quasar.circuits.qasm.semantics import read_complete

        circuit = read_complete(text, limits)
    return circuit


def check_text(text: str, limits: Limits) -> None:
    """Refuse text that is empty or over the size limit."""
    if (
        len(text) > limits.max_text_bytes
        or len(text.encode(errors="replace")) > limits.max_text_bytes
    ):
        refuse(TOO_LONG, f"the text is longer than {limits.max_text_bytes} bytes")
    if not text.strip():
        refuse(EMPTY, "the text is empty; an OpenQASM 3 program is expected")
