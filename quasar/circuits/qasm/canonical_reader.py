"""Fast reader for QAOA in the canonical style (`quasar.circuits.canonical.qaoa_program`).

Takes exactly the lines that the style has: `const float` parameters, term gates, one cost gate, two
registers, and layers on the whole register; comments and blank lines anywhere. `read_canonical`
gives the circuit that the complete reader gives, and None for anything else, programs that break a
rule included: then another reader decides. Canonical programs without parameters are plain ones.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm.expand import MAX_STEPS
from quasar.circuits.qasm.fast_reader import PLAIN_HEADER, OutsideSubset, without_comments
from quasar.circuits.qasm.rules import Limits
from quasar.circuits.term_gates import definition

MAX_ORDER = 8  # of a term
_COST = "gate cost(g) "
_PARAMETER = r"[gb][1-9][0-9]{0,3}"
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,15})?"
_CONSTANT = re.compile(rf"const float ({_PARAMETER}) = ({_NUMBER});")
_TERM = re.compile(
    rf"(rz|z{{2,{MAX_ORDER}}})\(g\*({_NUMBER})\) "
    rf"(q(?:0|[1-9][0-9]{{0,3}})(?:, q(?:0|[1-9][0-9]{{0,3}})){{0,{MAX_ORDER - 1}}});"
)
_LAYER = re.compile(rf"(cost|rx)\(2\*({_PARAMETER})\) (.++)")
_DEFINITIONS = {definition(order): order for order in range(2, MAX_ORDER + 1)}
_LONGEST_TERM = 100  # characters; terms are kept, longer lines are none
# Bound of the complete reader's steps for one gate or one statement of this shape.
_MOST_STEPS = 8


class _Term(NamedTuple):
    """One line of the cost layer: gates before and after its rotation, which is on `wire`."""

    order: int
    coefficient: float
    before: tuple[Gate, ...]
    wire: tuple[int, ...]
    after: tuple[Gate, ...]
    highest: int


class _Register(NamedTuple):
    """What is said and done on the whole register of one size."""

    cost_head: str
    bits: str
    qubits: str
    operands: str
    uniform: tuple[Gate, ...]


def read_canonical(text: str, limits: Limits) -> Circuit | None:
    """Read canonical QAOA; None for any other text."""
    if _COST not in text:
        return None
    try:
        text = without_comments(text)
    except OutsideSubset:
        return None
    header = PLAIN_HEADER.match(text)
    if header is None:
        return None
    lines = [line.strip(" \t\r") for line in text[header.end() :].split("\n")]
    lines = [line for line in lines if line]
    # A line of each kind has as many semicolons as statements, but for the heads of definitions.
    statements = sum(line.count(";") + line.startswith("gate ") for line in lines) + 1
    if statements > limits.max_statements:
        return None
    return _read(lines, limits, statements)


def _read(lines: list[str], limits: Limits, statements: int) -> Circuit | None:
    lines.append("")  # so that there is always a next one
    at, parameters, orders = 0, {}, {1}
    while (constant := _CONSTANT.fullmatch(lines[at])) is not None:
        if constant[1] in parameters:
            return None
        parameters[constant[1]] = float(_number(constant[2]))
        at += 1
    while (order := _DEFINITIONS.get(lines[at])) is not None:
        if order in orders:
            return None
        orders.add(order)
        at += 1
    num_qubits = lines[at].count(",") + 1
    if num_qubits > limits.max_qubits:
        return None
    register = _register(num_qubits)
    if lines[at] != register.cost_head:
        return None
    end = at + 1
    terms: list[_Term] = []
    while lines[end] != "}":
        term = _term(lines[end]) if len(lines[end]) <= _LONGEST_TERM else None
        if term is None or term.order not in orders or term.highest >= num_qubits:
            return None
        terms.append(term)
        end += 1
    if lines[end + 1 : end + 3] != [register.bits, register.qubits]:
        return None
    if lines[-2] != "c = measure q;":
        return None
    gates = _layers(lines[end + 3 : -2], parameters, terms, register, limits.max_gates)
    if gates is None or _MOST_STEPS * (len(gates) + statements) > MAX_STEPS:
        return None
    return Circuit(num_qubits, tuple(gates))


def _layers(
    lines: list[str],
    parameters: dict[str, float],
    terms: list[_Term],
    register: _Register,
    max_gates: int,
) -> list[Gate] | None:
    """The gates between declarations and measurement; None for a line that is no layer."""
    gates: list[Gate] = []
    for line in lines:
        if line == "h q;":
            gates += register.uniform
        else:
            layer = _LAYER.fullmatch(line)
            if layer is None or layer[2] not in parameters:
                return None
            angle = 2 * parameters[layer[2]]
            if layer[1] == "rx" and layer[3] == "q;":
                gates += [Gate("rx", gate.qubits, (angle,)) for gate in register.uniform]
            elif layer[1] == "cost" and layer[3] == register.operands:
                for term in terms:
                    gates += term.before
                    gates.append(Gate("rz", term.wire, (angle * term.coefficient,)))
                    gates += term.after
            else:
                return None
        if len(gates) > max_gates:
            return None
    return gates


@lru_cache(maxsize=64)
def _register(num_qubits: int) -> _Register:
    wires = range(num_qubits)
    return _Register(
        cost_head=f"{_COST}{', '.join(f'q{q}' for q in wires)} {{",
        bits=f"bit[{num_qubits}] c;",
        qubits=f"qubit[{num_qubits}] q;",
        operands=f"{', '.join(f'q[{q}]' for q in wires)};",
        uniform=tuple(Gate("h", (q,)) for q in wires),
    )


@lru_cache(maxsize=1 << 14)
def _term(line: str) -> _Term | None:
    """Answers to one problem repeat its terms."""
    found = _TERM.fullmatch(line)
    if found is None:
        return None
    name, coefficient, operands = found.groups()
    wires = tuple(int(operand[1:]) for operand in operands.split(", "))
    order = 1 if name == "rz" else len(name)
    if len(wires) != order or len(set(wires)) != order:
        return None
    before = tuple(Gate("cx", (wires[i], wires[i - 1])) for i in range(order - 1, 0, -1))
    return _Term(order, _number(coefficient), before, wires[:1], before[::-1], max(wires))


def _number(text: str) -> float:
    """As the complete reader has it: minus applied to a whole number or to a float."""
    digits = text.removeprefix("-")
    value = float(digits) if "." in digits else int(digits)
    return value if digits == text else -value
