"""What a program must keep to, whichever reader reads it: kinds of refusal, limits, measurement.

`Assembler` collects gates and measurements in program order and gives the `Circuit`; both readers
feed it, so that both refuse the same programs with the same words.
"""

import math
from dataclasses import dataclass
from typing import NoReturn

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.errors import CircuitError

# Kinds of refusal (`CircuitError.kind`).
EMPTY = "empty"
TOO_LONG = "too_long"
TOO_DEEP = "too_deep"
SYNTAX = "syntax"
MISSING_HEADER = "missing_header"
BAD_INCLUDE = "bad_include"
UNKNOWN_GATE = "unknown_gate"
UNKNOWN_NAME = "unknown_name"
WRONG_ARGUMENTS = "wrong_arguments"
INDEX_OUT_OF_RANGE = "index_out_of_range"
REPEATED_QUBIT = "repeated_qubit"
NON_FINITE_ANGLE = "non_finite_angle"
RECURSIVE_GATE = "recursive_gate"
NO_QUBITS = "no_qubits"
NOT_MEASURED = "not_measured"
MID_CIRCUIT_MEASUREMENT = "mid_circuit_measurement"
RESET = "reset"
CONTROL_FLOW = "control_flow"
UNSUPPORTED = "unsupported"
TOO_MANY_QUBITS = "too_many_qubits"
TOO_MANY_BITS = "too_many_bits"
TOO_MANY_GATES = "too_many_gates"
WRONG_QUBIT_COUNT = "wrong_qubit_count"  # raised by no reader: the verifier compares with a problem

MAX_QUOTED = 40  # characters of the program in a message

Modifiers = tuple[tuple[str, float], ...]  # kind and number, outermost first

# Other names of the same gate; circuits hold the name on the right.
CANONICAL_NAMES = {"CX": "cx", "phase": "p", "cphase": "cp"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may ask for: bytes of UTF-8 text, qubits declared, gates after expansion."""

    max_text_bytes: int = 200_000
    max_qubits: int = 20
    max_gates: int = 20_000

    @property
    def max_bits(self) -> int:
        """Classical bits that may be declared; more serve no purpose, and cost memory."""
        return 4 * self.max_qubits + 64

    @property
    def max_statements(self) -> int:
        """Statements of any program within the other limits, with room for what is not a gate."""
        return self.max_gates + 2 * self.max_qubits + 100


def refuse(kind: str, message: str) -> NoReturn:
    """Raise CircuitError; the reader that knows the line adds it (`at_line`)."""
    raise CircuitError(kind, message)


def at_line(error: CircuitError, line: int, column: int | None = None) -> CircuitError:
    """The same error with its position, which also leads the message."""
    if error.line is not None:
        return error
    return CircuitError(error.kind, f"line {line}: {error}", line, column)


def quoted(text: str) -> str:
    """The program's own words for a message: short, in plain characters, in quotes."""
    return f"'{_plain(text)}'"


def _plain(text: str) -> str:
    # Escapes also what would steer a terminal.
    text = text[: MAX_QUOTED + 1].encode("unicode_escape").decode()
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 3] + "..."


def missing_header() -> CircuitError:
    """A program without version."""
    return CircuitError(MISSING_HEADER, "the program must start with 'OPENQASM 3.0;'")


def refuse_gate(name: str) -> NoReturn:
    """An unknown gate, with what is known."""
    if name == "nop":
        refuse(UNSUPPORTED, "'nop' is not accepted; leave the statement out")
    refuse(
        UNKNOWN_GATE,
        f"gate {quoted(name)} is not in stdgates.inc; define it first or use one of "
        + ", ".join(STANDARD_GATES),
    )


def check_arity(name: str, *, expected: tuple[int, int], given: tuple[int, int]) -> None:
    """Numbers of (angles, qubits) must agree."""
    if expected != given:
        refuse(
            WRONG_ARGUMENTS,
            f"gate {quoted(name)} takes {expected[0]} angle(s) and {expected[1]} qubit(s), "
            f"not {given[0]} and {given[1]}",
        )


def check_index(register: str, *, index: int, size: int, unit: str) -> None:
    """index must lie in the register of `size` units ("qubits" or "bits")."""
    if not 0 <= index < size:
        refuse(
            INDEX_OUT_OF_RANGE,
            f"{_plain(register)}[{_shown(index)}] is outside register {quoted(register)}, "
            f"which has {size} {unit} (indices 0 to {size - 1})",
        )


def _shown(number: int) -> str:
    text = str(number)
    return text if len(text) <= 20 else f"{text[:6]}... ({len(text)} digits)"


def check_size(size: int, *, limit: int, unit: str) -> None:
    """Declared units ("qubits" or "bits") must keep to the limit."""
    if size > limit:
        kind = TOO_MANY_QUBITS if unit == "qubits" else TOO_MANY_BITS
        refuse(kind, f"{_shown(size)} {unit} are declared, {limit} are allowed")


class Assembler:
    """Collects a program's gates and measurements and applies the rules on them.

    strict: every qubit is measured once, into a bit of its own, and no gate follows on a measured
    qubit. Without it measurements are ignored (the published system's reading).
    """

    def __init__(self, limits: Limits, *, strict: bool = True):
        self._limits = limits
        self._strict = strict
        self.gates: list[Gate] = []
        self._measured: set[int] = set()
        self._written: set[int] = set()

    def gate(self, name: str, qubits: tuple[int, ...], params: tuple[float, ...]) -> None:
        """Append one standard gate (canonical name)."""
        if len(qubits) > 1 and len(set(qubits)) != len(qubits):
            refuse(REPEATED_QUBIT, f"gate '{name}' names the same qubit twice")
        for angle in params:
            if not math.isfinite(angle):
                refuse(NON_FINITE_ANGLE, f"an angle of '{name}' is not a finite number")
        self.checked_gate(Gate(name, qubits, params))

    def checked_gate(self, gate: Gate) -> None:
        """Append a gate whose angles are known to be finite and its qubits distinct."""
        if len(self.gates) >= self._limits.max_gates:
            refuse(TOO_MANY_GATES, f"more than {self._limits.max_gates} gates")
        if self._measured and self._strict:
            for qubit in gate.qubits:
                if qubit in self._measured:
                    refuse(
                        MID_CIRCUIT_MEASUREMENT,
                        f"gate '{gate.name}' acts on qubit {qubit} after its measurement; "
                        "measure last",
                    )
        self.gates.append(gate)

    def measure(self, qubit: int, bit: int) -> None:
        """Measure a qubit into a bit (both counted over all registers)."""
        if not self._strict:
            return
        if qubit in self._measured:
            refuse(MID_CIRCUIT_MEASUREMENT, f"qubit {qubit} is measured a second time")
        if bit in self._written:
            refuse(NOT_MEASURED, f"qubit {qubit} is measured into a bit that holds a result")
        self._measured.add(qubit)
        self._written.add(bit)

    def finish(self, num_qubits: int) -> Circuit:
        """The circuit, once all statements are in."""
        if num_qubits == 0:
            refuse(NO_QUBITS, "no qubits are declared; write e.g. 'qubit[4] q;'")
        if self._strict and len(self._measured) < num_qubits:
            missing = next(q for q in range(num_qubits) if q not in self._measured)
            refuse(
                NOT_MEASURED,
                f"qubit {missing} is not measured; measure every qubit at the end of the program",
            )
        return Circuit(num_qubits, tuple(self.gates))
