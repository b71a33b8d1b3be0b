"""Checks on an OpenQASM 3 syntax tree before anything in it is expanded or converted.

Takes statements in program order; raises CircuitError (without a line: the caller adds it) for
everything that is not a plain circuit, or that would grow beyond the limits when expanded.
"""

from dataclasses import fields, is_dataclass
from typing import Any

from openqasm3 import ast

from quasar.circuits.circuit import STANDARD_GATES
from quasar.circuits.rules import (
    BAD_INCLUDE,
    CONTROL_FLOW,
    NOT_MEASURED,
    RECURSIVE_GATE,
    RESET,
    SYNTAX,
    TOO_MANY_GATES,
    UNSUPPORTED,
    Limits,
    check_arity,
    check_index,
    check_size,
    refuse,
    refuse_gate,
)

# Gates that definitions and their uses may stand for in all; the converter copies definitions.
MAX_DEFINED_GATES = 3_000
MAX_MODIFIERS = 4
MAX_CONTROLS = 6  # of one gate's modifiers together; more are decomposed into very many gates
MAX_LITERAL = 10**12
_OPERATORS = {"+", "-", "*", "/"}
# Statements that people write and that have no place here: kind, and why in words.
_REFUSED = {
    "ForInLoop": (CONTROL_FLOW, "loops are not accepted; write the gates out"),
    "WhileLoop": (CONTROL_FLOW, "loops are not accepted; write the gates out"),
    "BranchingStatement": (CONTROL_FLOW, "conditions on measured bits are not accepted"),
    "SwitchStatement": (CONTROL_FLOW, "conditions on measured bits are not accepted"),
    "SubroutineDefinition": (UNSUPPORTED, "subroutines are not accepted; use a gate definition"),
    "IODeclaration": (UNSUPPORTED, "inputs are not accepted; write the angles as numbers"),
    "ConstantDeclaration": (UNSUPPORTED, "constants are not accepted; write numbers"),
}
_EXPRESSIONS = (
    ast.Identifier,
    ast.IntegerLiteral,
    ast.FloatLiteral,
    ast.UnaryExpression,
    ast.BinaryExpression,
    ast.IndexedIdentifier,
    ast.IndexExpression,
    ast.RangeDefinition,
    ast.DiscreteSet,
)


class TreeCheck:
    """Checks a program's statements one after the other; remembers declarations and gate costs."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._registers: dict[str, tuple[int, str]] = {}
        self._num = {"qubits": 0, "bits": 0}
        # gate -> ((angles, qubits), gates after expansion)
        self._gates: dict[str, tuple[tuple[int, int], int]] = {"U": (STANDARD_GATES["U"], 1)}
        self._defined_gates = 0
        self.included = False

    def statement(self, node: ast.Statement, *, room_from: int) -> None:
        """Check one top-level statement; `room_from` gates are already in the circuit."""
        if isinstance(node, ast.Include):
            self._include(node)
        elif isinstance(node, ast.QubitDeclaration):
            self._declare(node.qubit.name, node.size, "qubits")
        elif isinstance(node, ast.ClassicalDeclaration):
            self._classical(node)
        elif isinstance(node, ast.QuantumGateDefinition):
            self._define(node)
        elif isinstance(node, (ast.QuantumGate, ast.QuantumPhase)):
            cost = self._application(node)
            if room_from + cost > self._limits.max_gates:
                refuse(TOO_MANY_GATES, f"more than {self._limits.max_gates} gates")
        elif isinstance(node, ast.QuantumMeasurementStatement):
            if node.target is None:
                refuse(NOT_MEASURED, "assign the measurement to a bit, e.g. 'c[0] = measure q[0];'")
            self._expressions(node)
        elif isinstance(node, (ast.QuantumBarrier, ast.AliasStatement)):
            self._expressions(node)
        elif isinstance(node, ast.QuantumReset):
            refuse(RESET, "reset is not accepted; all qubits start in 0")
        else:
            name = type(node).__name__
            kind, why = _REFUSED.get(name, (UNSUPPORTED, f"a {name} is not accepted in a circuit"))
            refuse(kind, why)

    def _include(self, node: ast.Include) -> None:
        if node.filename != "stdgates.inc":
            refuse(BAD_INCLUDE, f"only \"stdgates.inc\" can be included, not '{node.filename}'")
        if self.included:
            refuse(BAD_INCLUDE, "stdgates.inc is included twice")
        self.included = True
        self._gates.update({name: (arity, 1) for name, arity in STANDARD_GATES.items()})

    def _classical(self, node: ast.ClassicalDeclaration) -> None:
        if not isinstance(node.type, ast.BitType):
            refuse(UNSUPPORTED, "only bits can be declared; write the angles as numbers")
        if node.init_expression is not None:
            if not isinstance(node.init_expression, ast.QuantumMeasurement):
                refuse(UNSUPPORTED, "bits cannot be given a value, only a measurement")
            self._expressions(node.init_expression)
        self._declare(node.identifier.name, node.type.size, "bits")

    def _declare(self, name: str, size: ast.Expression | None, unit: str) -> None:
        if name in self._gates:
            refuse(SYNTAX, f"'{name}' is the name of a gate; call the register something else")
        if size is None:
            count = 1
        elif isinstance(size, ast.IntegerLiteral) and size.value > 0:
            count = size.value
        else:
            refuse(UNSUPPORTED, f"the size of register '{name}' must be a positive number")
        limit = self._limits.max_qubits if unit == "qubits" else self._limits.max_bits
        self._num[unit] += count
        check_size(self._num[unit], limit=limit, unit=unit)
        if size is not None:
            self._registers[name] = (count, unit)

    def _define(self, node: ast.QuantumGateDefinition) -> None:
        name, cost = node.name.name, 0
        for inner in node.body:
            if isinstance(inner, (ast.QuantumGate, ast.QuantumPhase)):
                if isinstance(inner, ast.QuantumGate) and inner.name.name == name:
                    refuse(RECURSIVE_GATE, f"gate '{name}' is defined by itself")
                cost += self._application(inner)
            elif not isinstance(inner, ast.QuantumBarrier):
                refuse(UNSUPPORTED, f"gate '{name}' may hold gates only")
        self._gates[name] = ((len(node.arguments), len(node.qubits)), max(cost, 1))

    def _application(self, node: ast.QuantumGate | ast.QuantumPhase) -> int:
        """Check one gate application; returns its cost in gates (of one broadcast element)."""
        controls = self._modifiers(node)
        self._expressions(node)
        if isinstance(node, ast.QuantumPhase):
            return 1
        name = node.name.name
        if name not in self._gates:
            if name in STANDARD_GATES and not self.included:
                refuse(BAD_INCLUDE, f"gate '{name}' needs 'include \"stdgates.inc\";'")
            refuse_gate(name)
        if node.duration is not None:
            refuse(UNSUPPORTED, "gates with durations are not accepted")
        arity, cost = self._gates[name]
        given = (len(node.arguments), len(node.qubits) - controls)
        check_arity(name, expected=arity, given=given)
        if node.modifiers and name not in STANDARD_GATES:
            refuse(UNSUPPORTED, "modifiers are accepted on standard gates only")
        if cost > 1:
            self._defined_gates += cost
            if self._defined_gates > MAX_DEFINED_GATES:
                refuse(
                    TOO_MANY_GATES,
                    f"gate definitions stand for more than {MAX_DEFINED_GATES} gates in all",
                )
        return cost

    def _modifiers(self, node: ast.QuantumGate | ast.QuantumPhase) -> int:
        """Number of control qubits that the modifiers add."""
        controls = 0
        for modifier in node.modifiers:
            kind = modifier.modifier.name
            if kind in ("ctrl", "negctrl"):
                count = modifier.argument
                if count is not None and not isinstance(count, ast.IntegerLiteral):
                    refuse(UNSUPPORTED, "the number of controls must be a literal number")
                controls += 1 if count is None else count.value
            elif kind == "pow":
                self._expressions(modifier)
        if len(node.modifiers) > MAX_MODIFIERS or controls > MAX_CONTROLS:
            refuse(
                UNSUPPORTED,
                f"at most {MAX_MODIFIERS} modifiers and {MAX_CONTROLS} controls on a gate",
            )
        return controls

    def _expressions(self, node: ast.QASMNode) -> None:
        """Every expression below a statement is plain arithmetic or plain indexing."""
        stack: list[Any] = [
            getattr(node, field.name) for field in fields(node) if field.name not in _NOT_OPERANDS
        ]
        while stack:
            item = stack.pop()
            if isinstance(item, (list, tuple)):
                stack.extend(item)
            elif isinstance(item, ast.QASMNode) and is_dataclass(item):
                if isinstance(item, ast.Expression | ast.IndexedIdentifier | ast.DiscreteSet):
                    self._expression(item)
                stack.extend(
                    getattr(item, field.name)
                    for field in fields(item)
                    if field.name not in _NOT_OPERANDS
                )

    def _expression(self, node: ast.QASMNode) -> None:
        if not isinstance(node, _EXPRESSIONS):
            refuse(UNSUPPORTED, f"a {type(node).__name__} is not accepted here")
        if isinstance(node, ast.Identifier) and node.name.startswith("$"):
            refuse(UNSUPPORTED, "physical qubits are not accepted; declare 'qubit[n] q;'")
        if isinstance(node, ast.IntegerLiteral) and abs(node.value) > MAX_LITERAL:
            refuse(UNSUPPORTED, "an integer is too large")
        if isinstance(node, ast.BinaryExpression) and node.op.name not in _OPERATORS:
            refuse(UNSUPPORTED, f"operator '{node.op.name}' is not accepted")
        if isinstance(node, ast.IndexedIdentifier) and node.name.name in self._registers:
            size, unit = self._registers[node.name.name]
            for indices in node.indices:
                for index in indices if isinstance(indices, list) else ():
                    ends = (index.start, index.end) if isinstance(index, _RANGE) else (index,)
                    for end in ends:
                        if isinstance(end, ast.IntegerLiteral):
                            check_index(node.name.name, index=end.value, size=size, unit=unit)


_RANGE = ast.RangeDefinition
_NOT_OPERANDS = frozenset({"span", "annotations", "modifiers", "name", "modifier"})
