"""Complete reader for OpenQASM 3: what the statements of a syntax tree mean.

Takes program text within the size limit; gives the `Circuit`. What is read, the limits, and the
differences from other readers: docs/openqasm.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from quasar.circuits.circuit import STANDARD_GATES, Circuit
from quasar.circuits.qasm import ast as tree
from quasar.circuits.qasm.expand import (
    MAX_DEPTH,
    Applied,
    Expansion,
    GateDefinition,
    controls_of,
)
from quasar.circuits.qasm.expressions import CONSTANTS, Number, angle, evaluate, integer, resolve
from quasar.circuits.qasm.operands import Register, broadcast, pick
from quasar.circuits.qasm.parser import parse
from quasar.circuits.qasm.rules import (
    BAD_INCLUDE,
    CANONICAL_NAMES,
    MISSING_HEADER,
    NON_FINITE_ANGLE,
    NOT_MEASURED,
    RECURSIVE_GATE,
    REPEATED_QUBIT,
    SYNTAX,
    TOO_DEEP,
    UNKNOWN_NAME,
    UNSUPPORTED,
    WRONG_ARGUMENTS,
    Assembler,
    Limits,
    Modifiers,
    check_arity,
    check_size,
    missing_header,
    quoted,
    refuse,
    refuse_gate,
)
from quasar.errors import CircuitError

MAX_MODIFIERS = 4
MAX_CONTROLS = 6  # of one gate's modifiers together; more are decomposed into very many gates
_PHASE_ARITY = (1, 0)


def read_complete(text: str, limits: Limits, *, strict: bool = True) -> Circuit:
    """Read any program that stands for a circuit; raises CircuitError for all others.

    strict=False reads as the published system does: measurements, version and include are not
    required, constants and functions are not known; the limits still hold.
    """
    program = parse(text, limits, needs_version=strict)
    reader = _Reader(limits, strict=strict)
    if strict:
        _check_version(program.version)
    for statement in program.statements:
        try:
            reader.statement(statement)
        except CircuitError as error:
            raise program.tokens.place(error, statement.start) from None
    return reader.finish()


def _check_version(version: str | None) -> None:
    if version is None:
        raise missing_header()
    if version.split(".")[0] != "3":
        raise CircuitError(
            MISSING_HEADER, f"version {version[:20]} is not read; write 'OPENQASM 3.0;'", 1
        )


class _Scope(NamedTuple):
    """The names within a gate definition: each parameter's and each qubit's place."""

    gate: str
    parameters: dict[str, int]
    qubits: dict[str, int]


class _Reader:
    """The names of one program, and the circuit as far as it has been read."""

    def __init__(self, limits: Limits, *, strict: bool):
        self._limits, self._strict = limits, strict
        self._assembler = Assembler(limits, strict=strict)
        self._expansion = Expansion()
        self._num = {"qubits": 0, "bits": 0}
        self._registers: dict[str, Register] = {}
        self._constants: dict[str, Number] = dict(CONSTANTS)
        self._gates: dict[str, str | GateDefinition] = {"U": "U"}
        self._included = False

    def finish(self) -> Circuit:
        """The circuit, once all statements are in."""
        if self._strict and not self._included:
            refuse(BAD_INCLUDE, "write 'include \"stdgates.inc\";' after the header")
        return self._assembler.finish(self._num["qubits"])

    def statement(self, node: tree.Statement) -> None:
        """Take in one statement."""
        _STATEMENTS[type(node)](self, node)

    def _refused(self, node: tree.RefusedStatement) -> None:
        refuse(node.kind, node.why)

    def _include(self, node: tree.Include) -> None:
        if node.file != "stdgates.inc":
            refuse(BAD_INCLUDE, f'only "stdgates.inc" can be included, not {quoted(node.file)}')
        if self._included:
            refuse(BAD_INCLUDE, "stdgates.inc is included twice")
        self._included = True
        for name in STANDARD_GATES:
            if name != "U":
                self._check_new(name)
                self._gates[name] = CANONICAL_NAMES.get(name, name)

    def _check_new(self, name: str) -> None:
        if name in self._gates:
            refuse(SYNTAX, f"{quoted(name)} is the name of a gate; choose another")
        if name in self._registers or name in self._constants:
            refuse(SYNTAX, f"{quoted(name)} is defined already; choose another name")

    def _declaration(self, node: tree.Declaration) -> None:
        self._check_new(node.name)
        what = f"the size of register {quoted(node.name)}"
        size = 1 if node.size is None else self._whole(node.size, what)
        if size < 1:
            refuse(UNSUPPORTED, f"{what} must be a positive number")
        first, unit = self._num[node.unit], node.unit
        limit = self._limits.max_qubits if unit == "qubits" else self._limits.max_bits
        check_size(first + size, limit=limit, unit=unit)
        self._num[unit] += size
        places = tuple(range(first, first + size))
        self._registers[node.name] = Register(unit, places, node.size is None)
        if node.measured is not None:
            self._measure(node.measured, tree.Operand(node.name))

    def _constant(self, node: tree.Constant) -> None:
        if not self._strict:
            refuse(UNSUPPORTED, "constants are not accepted; write numbers")
        self._check_new(node.name)
        value: Number = evaluate(self._resolved(node.value))
        if node.type in ("int", "uint"):
            if not isinstance(value, int) or (node.type == "uint" and value < 0):
                refuse(UNSUPPORTED, f"constant {quoted(node.name)} is no {node.type}")
        else:
            value = angle((("push", value),))
        self._constants[node.name] = value

    def _alias(self, node: tree.Alias) -> None:
        self._check_new(node.name)
        parts = [self._operand(part) for part in node.parts]
        if any(part.single for part in parts):
            refuse(UNSUPPORTED, "an alias stands for a register; write e.g. 'q[0:0]' for one qubit")
        places = tuple(place for part in parts for place in part.places)
        if len({part.unit for part in parts}) > 1:
            refuse(UNSUPPORTED, "an alias cannot mix qubits and bits")
        if len(set(places)) != len(places):
            refuse(REPEATED_QUBIT, "an alias names the same place twice")
        self._registers[node.name] = Register(parts[0].unit, places)

    def _barrier(self, node: tree.Barrier) -> None:
        places = [place for operand in node.operands for place in self._qubits(operand).places]
        if len(set(places)) != len(places):
            refuse(REPEATED_QUBIT, "a barrier names the same qubit twice")

    def _measurement(self, node: tree.Measurement) -> None:
        if node.target is None:
            refuse(NOT_MEASURED, "assign the measurement to a bit, e.g. 'c[0] = measure q[0];'")
        self._measure(node.operand, node.target)

    def _measure(self, operand: tree.Operand, target: tree.Operand) -> None:
        qubits, bits = self._qubits(operand), self._operand(target)
        if bits.unit != "bits":
            refuse(UNSUPPORTED, f"{quoted(target.name)} is no bit and cannot hold a result")
        if len(qubits.places) != len(bits.places):
            refuse(
                WRONG_ARGUMENTS,
                f"{len(qubits.places)} qubits cannot be measured into {len(bits.places)} bits",
            )
        for qubit, bit in zip(qubits.places, bits.places, strict=True):
            self._assembler.measure(qubit, bit)

    def _application(self, node: tree.Application) -> None:
        target, modifiers = self._target(node)
        arguments = [self._resolved(argument) for argument in node.arguments]
        registers = [self._qubits(operand) for operand in node.operands]
        angles = tuple(angle(argument) for argument in arguments)
        for places in broadcast(registers):
            self._expansion.spend(1)
            self._expansion.apply(target, modifiers, angles, places, self._emit)

    def _emit(self, name: str, places: tuple[int, ...], angles: tuple[float, ...]) -> None:
        if name != "gphase":
            self._assembler.gate(name, places, angles)
        elif angles[0] - angles[0] != 0.0:
            refuse(NON_FINITE_ANGLE, "an angle of 'gphase' is not a finite number")

    def _definition(self, node: tree.Definition) -> None:
        self._check_new(node.name)
        names = node.parameters + node.qubits
        if len(set(names)) != len(names):
            refuse(
                SYNTAX, f"gate {quoted(node.name)} gives two of its angles or qubits the same name"
            )
        body, depth = [], 0
        scope = _Scope(node.name, _places(node.parameters), _places(node.qubits))
        for inner in node.body:
            if isinstance(inner, tree.RefusedStatement):
                refuse(inner.kind, inner.why)
            slots = _slots(inner, scope)
            if isinstance(inner, tree.Application):
                applied = self._applied(inner, scope, slots)
                body.append(applied)
                if isinstance(applied.target, GateDefinition):
                    depth = max(depth, applied.target.depth)
        if depth >= MAX_DEPTH:
            refuse(TOO_DEEP, f"gate definitions are nested more than {MAX_DEPTH} deep")
        arity = (len(node.parameters), len(node.qubits))
        self._gates[node.name] = GateDefinition(node.name, arity, tuple(body), depth + 1)

    def _applied(self, inner: tree.Application, scope: _Scope, slots: tuple[int, ...]) -> Applied:
        if inner.name == scope.gate:
            refuse(RECURSIVE_GATE, f"gate {quoted(scope.gate)} is defined by itself")
        if inner.name in scope.parameters or inner.name in scope.qubits:
            refuse(UNSUPPORTED, f"{quoted(inner.name)} is no gate within gate {quoted(scope.gate)}")
        target, modifiers = self._target(inner)
        arguments = tuple(self._resolved(argument, scope) for argument in inner.arguments)
        return Applied(target, modifiers, arguments, slots)

    def _target(self, node: tree.Application) -> tuple[str | GateDefinition, Modifiers]:
        """The gate and its modifiers; their numbers of angles and qubits agree."""
        name = node.name
        target = name if name == "gphase" else self._gates.get(name)
        if target is None:
            if name in STANDARD_GATES and not self._included:
                refuse(BAD_INCLUDE, f"gate {quoted(name)} needs 'include \"stdgates.inc\";'")
            refuse_gate(name)
        modifiers = tuple(self._modifier(modifier) for modifier in node.modifiers)
        controls = controls_of(modifiers)
        if len(modifiers) > MAX_MODIFIERS or controls > MAX_CONTROLS:
            refuse(
                UNSUPPORTED,
                f"at most {MAX_MODIFIERS} modifiers and {MAX_CONTROLS} controls on a gate",
            )
        if isinstance(target, GateDefinition):
            arity = target.arity
        else:
            arity = _PHASE_ARITY if name == "gphase" else STANDARD_GATES[name]
        given = (len(node.arguments), len(node.operands) - controls)
        check_arity(name, expected=arity, given=given)
        return target, modifiers

    def _modifier(self, modifier: tree.Modifier) -> tuple[str, float]:
        if modifier.kind == "pow":
            assert modifier.argument is not None  # the parser requires it
            exponent = angle(self._resolved(modifier.argument))
            if not math.isfinite(exponent):
                refuse(NON_FINITE_ANGLE, "a power is not a finite number")
            return ("pow", exponent)
        if modifier.kind == "inv" or modifier.argument is None:
            return (modifier.kind, 1)
        number = self._whole(modifier.argument, "the number of controls")
        if number < 0:
            refuse(UNSUPPORTED, "the number of controls cannot be negative")
        return (modifier.kind, number)

    def _resolved(self, value: tree.Expression, scope: _Scope | None = None) -> tree.Expression:
        self._expansion.spend(len(value))
        if not self._strict and any(operation in ("call", "**") for operation, _ in value):
            refuse(UNSUPPORTED, "functions and powers are not accepted; write numbers")
        for operation, name in value:
            if (
                operation == "name"
                and name in self._registers
                and (scope is None or name not in scope.parameters)
            ):
                refuse(UNSUPPORTED, f"{quoted(name)} is a register here, not a number")
        if scope is None:
            return resolve(value, self._constants)
        for operation, name in value:
            if operation == "name" and name in scope.qubits:
                refuse(UNSUPPORTED, f"{quoted(name)} is a qubit here, not a number")
        return resolve(value, self._constants, scope.parameters)

    def _whole(self, value: tree.Expression, what: str) -> int:
        return integer(self._resolved(value), what)

    def _operand(self, operand: tree.Operand) -> Register:
        register = self._registers.get(operand.name)
        if register is None:
            refuse(UNKNOWN_NAME, f"{quoted(operand.name)} is not a register that has been declared")
        return pick(register, operand, self._whole)

    def _qubits(self, operand: tree.Operand) -> Register:
        register = self._operand(operand)
        if register.unit != "qubits":
            refuse(UNSUPPORTED, f"{quoted(operand.name)} is no qubit")
        return register


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _slots(inner: tree.Application | tree.Barrier, scope: _Scope) -> tuple[int, ...]:
    """Which of a definition's qubits a statement in its body acts on."""
    slots = []
    for operand in inner.operands:
        slot = scope.qubits.get(operand.name)
        if slot is None:
            refuse(
                UNKNOWN_NAME, f"{quoted(operand.name)} is not a qubit of gate {quoted(scope.gate)}"
            )
        if operand.indices:
            refuse(
                UNSUPPORTED, f"{quoted(operand.name)} is one qubit within gate {quoted(scope.gate)}"
            )
        slots.append(slot)
    if len(set(slots)) != len(slots):
        refuse(
            REPEATED_QUBIT, f"a statement in gate {quoted(scope.gate)} names the same qubit twice"
        )
    return tuple(slots)


_STATEMENTS = {
    tree.RefusedStatement: _Reader._refused,
    tree.Include: _Reader._include,
    tree.Declaration: _Reader._declaration,
    tree.Constant: _Reader._constant,
    tree.Alias: _Reader._alias,
    tree.Barrier: _Reader._barrier,
    tree.Measurement: _Reader._measurement,
    tree.Application: _Reader._application,
    tree.Definition: _Reader._definition,
}
