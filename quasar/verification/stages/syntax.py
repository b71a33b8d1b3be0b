"""Stage 1: is the answer a circuit for this problem? (QUASAR, arXiv 2510.00967: the validity gate.)

Takes a model's answer; gives the circuit, or a diagnostic that says what to fix and where.
"""

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import WRONG_QUBIT_COUNT, Limits, check_text, read_qasm
from quasar.errors import CircuitError
from quasar.verification.report import Diagnostic


def read_answer(text: str, limits: Limits) -> Circuit | Diagnostic:
    """The circuit in a model's answer; lines in a diagnostic count from the program's first."""
    try:
        check_text(text, limits)
        return read_qasm(extract_program(text), limits)
    except CircuitError as error:
        return Diagnostic(error.kind, str(error), error.line, error.column)


def wrong_qubit_count(circuit: Circuit, expected: int) -> Diagnostic | None:
    """A circuit on another number of qubits does not answer the problem."""
    if circuit.num_qubits == expected:
        return None
    return Diagnostic(
        WRONG_QUBIT_COUNT,
        f"the circuit has {circuit.num_qubits} qubits, the problem has {expected}: "
        f"declare 'qubit[{expected}] q;'",
    )
