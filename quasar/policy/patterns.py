"""Regular expressions of the programs that constrained decoding may write, in both styles.

The published one is the layout of `Circuit.to_qasm` with every gate of stdgates.inc on one or two
qubits: header, registers of the problem's size, one statement a line with indices below that size
and distinct operands, literal angles, and at the end the measurement of all qubits. The canonical
one adds comments of a plan and statements on the whole register, or is QAOA's program with angles
and cost terms left open. Whatever belongs to either is accepted by our reader.
"""

from collections.abc import Collection
from itertools import combinations

from quasar.circuits.canonical import HEADER, MEASURE_ALL, qaoa_program
from quasar.circuits.circuit import STANDARD_GATES
from quasar.datasets.plan import START
from quasar.policy.program_form import ProgramForm

_NUMBER = r"(0|[1-9][0-9]?)(\.[0-9]{1,8})?"
_ANGLE = rf"-?({_NUMBER}|([1-9][0-9]?\*)?pi(/[1-9][0-9]?)?)"
_COMMENTS = r"(// [ -~]*\n)*"
_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


def form_pattern(form: ProgramForm) -> str:
    """The pattern of a form's style."""
    if form.style == "canonical":
        return canonical_pattern(form)
    return program_pattern(form.num_qubits, form.gates, commented=form.instance is not None)


def alphabet(pattern: str) -> str:
    """Characters that the texts of a pattern of this module consist of, and a few more."""
    if _COMMENTS in pattern:
        return "".join(map(chr, [*b"\n", *range(ord(" "), ord("~") + 1)]))
    return "".join(sorted({*pattern, *"0123456789\n"}))  # its other classes are of digits alone


def program_pattern(
    num_qubits: int, gates: Collection[str] = (), *, commented: bool = False
) -> str:
    """Of all programs in the published style on `num_qubits` ≥ 1 qubits; gates: of these names
    alone, where some are given; commented: lines of comments behind the header, which show working.
    """
    comments = _COMMENTS if commented else ""
    bit_by_bit = r"\n".join(rf"c\[{i}\] = measure q\[{i}\];" for i in range(num_qubits))
    return (
        f"{_literal(HEADER)}{comments}{_literal(_registers(num_qubits))}"
        rf"({_gate(num_qubits, gates)};\n)*({MEASURE_ALL}|{bit_by_bit})"
    )


def canonical_pattern(form: ProgramForm) -> str:
    """Of canonical programs: QAOA's where the form names it, else gates behind a plan, which may
    be empty; either where it names no family. Terms and layers are those of the form, what the
    plan restates and coefficients are free.
    """
    if form.ansatz == "qaoa":
        return _qaoa(form)
    return (
        _planned(form.num_qubits) if form.ansatz else f"({_planned(form.num_qubits)}|{_qaoa(form)})"
    )


def _planned(num_qubits: int) -> str:
    one = f"({'|'.join(map(str, range(num_qubits)))})"
    wires = rf"( q{one}=[01])+| q{one}"
    line = rf"{_literal(START)}{one}:(({wires}) -?{_NUMBER})* = -?{_NUMBER} -> [01]\n"
    return (
        rf"{_literal(HEADER)}({line})*{_literal(_registers(num_qubits))}"
        rf"(({_gate(num_qubits)}|{_gates(1)} q);\n)*{MEASURE_ALL}"
    )


def _qaoa(form: ProgramForm) -> str:
    zeros = [0.0] * form.layers
    program = qaoa_program(form.num_qubits, form.terms, zeros, zeros)
    cost = program.index("gate cost(")
    first = program.index("{\n", cost) + len("{\n")
    last = program.index("}\n", first)
    angle = rf" = -?[0-3]\.[0-9]{{1,{form.decimals}}};"
    head = _literal(program[:first]).replace(_literal(" = 0.0;"), angle)
    orders = sorted({len(term.wires) for term in form.terms})
    terms = [rf"{_term(form, order)};\n" for order in orders]
    body = f"({'|'.join(terms)})*" if terms else ""
    return f"{head}{body}{_literal(program[last:])}"


def _term(form: ProgramForm, order: int) -> str:
    """One term of the cost gate: any wires up to two, else those of the problem's own terms."""
    name = "rz" if order == 1 else "z" * order
    if order <= 2:
        wires = list(combinations(range(form.num_qubits), order))
    else:
        wires = [term.wires for term in form.terms if len(term.wires) == order]
    operands = "|".join(", ".join(f"q{w}" for w in some) for some in wires)
    return rf"{name}\(g\*-?{_NUMBER}\) ({operands})"


def _gate(num_qubits: int, names: Collection[str] = ()) -> str:
    """A standard gate on one or two of the qubits; names: of these alone, some on each number."""
    indices = range(num_qubits)
    one = rf"{_gates(1, names)} q\[({'|'.join(map(str, indices))})\]"
    pairs = "|".join(rf"{a}\], q\[({'|'.join(str(b) for b in indices if b != a)})" for a in indices)
    two = rf"{_gates(2, names)} q\[({pairs})\]"
    return f"({one}|{two})" if num_qubits > 1 else one


def _gates(num_qubits: int, of: Collection[str] = ()) -> str:
    """Names of the standard gates on so many qubits, with their angles."""
    heads = []
    for num_params in sorted({params for params, _ in STANDARD_GATES.values()}):
        names = [
            name
            for name, arity in STANDARD_GATES.items()
            if arity == (num_params, num_qubits) and (not of or name in of)
        ]
        angles = rf"\({', '.join([_ANGLE] * num_params)}\)" if num_params else ""
        if names:
            heads.append(f"({'|'.join(names)}){angles}")
    return f"({'|'.join(heads)})"


def _registers(num_qubits: int) -> str:
    return f"bit[{num_qubits}] c;\nqubit[{num_qubits}] q;\n"


def _literal(text: str) -> str:
    """A pattern of this text alone."""
    escaped = "".join(f"\\{c}" if c in _SPECIAL else c for c in text)
    return escaped.replace("\n", r"\n")
