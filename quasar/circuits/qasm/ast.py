"""Syntax tree of the part of OpenQASM 3 that stands for circuits: what the parser gives.

Plain data, nothing evaluated and nothing looked up. `start` is a statement's place in the text.
An expression is a tuple of steps in postfix order, each (operation, argument): ("push", number),
("name", name), ("call", (function, number of arguments)), or an operator with argument None.
"""

from dataclasses import dataclass
from typing import Any

ExpressionStep = tuple[str, Any]
Expression = tuple[ExpressionStep, ...]


@dataclass(slots=True)
class SingleIndex:
    """An index `[e]`."""

    value: Expression


@dataclass(slots=True)
class IndexRange:
    """An index `[start:step:end]`, both ends included."""

    start: Expression | None
    end: Expression | None
    step: Expression | None


@dataclass(slots=True)
class IndexSet:
    """An index `[{e, e}]`."""

    values: tuple[Expression, ...]


@dataclass(slots=True)
class Operand:
    """A register, or what its indices take of it."""

    name: str
    indices: tuple[SingleIndex | IndexRange | IndexSet, ...] = ()


@dataclass(slots=True)
class Modifier:
    """`inv`, `pow(e)`, `ctrl(e)` or `negctrl(e)`."""

    kind: str
    argument: Expression | None


@dataclass(slots=True)
class Statement:
    """Any statement."""

    start: int


@dataclass(slots=True)
class Include(Statement):
    """`include "file";`"""

    file: str


@dataclass(slots=True)
class Declaration(Statement):
    """Qubits or bits; `measured` is the right side of `bit c = measure q;`."""

    unit: str  # "qubits" or "bits"
    name: str
    size: Expression | None
    measured: Operand | None = None


@dataclass(slots=True)
class Constant(Statement):
    """`const type name = e;`"""

    type: str
    name: str
    value: Expression


@dataclass(slots=True)
class Alias(Statement):
    """`let name = part ++ part;`"""

    name: str
    parts: tuple[Operand, ...]


@dataclass(slots=True)
class Application(Statement):
    """A gate on operands."""

    modifiers: tuple[Modifier, ...]
    name: str
    arguments: tuple[Expression, ...]
    operands: tuple[Operand, ...]


@dataclass(slots=True)
class Barrier(Statement):
    """`barrier q;`"""

    operands: tuple[Operand, ...]


@dataclass(slots=True)
class Definition(Statement):
    """`gate name(parameters) qubits { body }`"""

    name: str
    parameters: tuple[str, ...]
    qubits: tuple[str, ...]
    body: tuple[Application | Barrier, ...]


@dataclass(slots=True)
class Measurement(Statement):
    """`target = measure operand;`"""

    operand: Operand
    target: Operand | None


@dataclass(slots=True)
class RefusedStatement(Statement):
    """A statement that is OpenQASM 3 and no part of a circuit: why it is refused."""

    kind: str
    why: str
