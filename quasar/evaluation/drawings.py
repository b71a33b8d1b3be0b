"""Circuits drawn as text, for reports: they scroll on a phone and follow the page's colours."""

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import Limits
from quasar.circuits.to_qiskit import to_qiskit
from quasar.errors import CircuitError
from quasar.verification.stages.published import read_lenient

MAX_DRAWN_GATES = 60


def draw_answer(
    text: str, limits: Limits, *, fault_line: int | None = None, width: int = -1
) -> str | None:
    """The circuit in an answer; with a fault that has a line, what stands before it.

    width: characters a line, after which the drawing goes on below; −1: it does not.

    None where there is nothing to draw. The last line says what was left out.
    """
    try:
        program = extract_program(text)
        if fault_line is not None:
            program = "\n".join(program.splitlines()[: fault_line - 1])
        circuit = read_lenient(program, limits)
    except CircuitError:
        return None
    if not circuit.gates:
        return None
    rest = len(circuit.gates) - MAX_DRAWN_GATES
    shown = Circuit(circuit.num_qubits, circuit.gates[:MAX_DRAWN_GATES])
    drawing = str(to_qiskit(shown).draw("text", fold=width, vertical_compression="high"))
    notes = []
    if rest > 0:
        notes.append(f"… {rest} more gates")
    if fault_line is not None:
        notes.append(f"fault in line {fault_line} of the program")
    return "\n".join([drawing, *notes])
