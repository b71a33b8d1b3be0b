"""Values of OpenQASM 3 expressions: numbers, constants, the angles of a gate definition.

Takes expressions from the syntax tree; `resolve` replaces names once, `evaluate` computes, as often
as a definition is used. Integers are Python's int, floats and angles its float; a quotient of two
integers is rounded down. Raises CircuitError for unknown names and for numbers that are not finite.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from quasar.circuits.qasm.ast import Expression, ExpressionStep
from quasar.circuits.qasm.rules import (
    NON_FINITE_ANGLE,
    UNKNOWN_NAME,
    UNSUPPORTED,
    WRONG_ARGUMENTS,
    quoted,
    refuse,
)

Number = int | float
CONSTANTS: dict[str, Number] = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
# The specification's functions of one number with a real value. `mod` and `%` are left out: their
# sign for negative numbers is not fixed; `pow(a, b)` is written `a ** b`.
FUNCTIONS = {
    "arccos": math.acos, "arcsin": math.asin, "arctan": math.atan, "ceiling": math.ceil,
    "cos": math.cos, "exp": math.exp, "floor": math.floor, "log": math.log, "sin": math.sin,
    "sqrt": math.sqrt, "tan": math.tan,
}  # fmt: skip
NONE: Mapping[str, int] = MappingProxyType({})  # no parameters
_MAX_BITS = 4_096  # of an integer on the way; a float has no more than 1,024


def resolve(
    expression: Expression, constants: Mapping[str, Number], parameters: Mapping[str, int] = NONE
) -> Expression:
    """The same expression without names: constants become numbers, parameters ("local", place)."""
    return tuple(_resolved(step, constants, parameters) for step in expression)


def _resolved(
    step: ExpressionStep, constants: Mapping[str, Number], parameters: Mapping[str, int]
) -> ExpressionStep:
    operation, argument = step
    if operation == "call":
        name, count = argument
        if name not in FUNCTIONS:
            refuse(UNSUPPORTED, f"function {quoted(name)} is not one of {', '.join(FUNCTIONS)}")
        if count != 1:
            refuse(WRONG_ARGUMENTS, f"function '{name}' takes one number, not {count}")
    if operation != "name":
        return step
    if argument in parameters:
        return ("local", parameters[argument])
    value = constants.get(argument)
    if value is None:
        refuse(UNKNOWN_NAME, f"{quoted(argument)} is not a number that has been defined")
    return ("push", value)


def evaluate(expression: Expression, values: Sequence[float] = ()) -> Number:
    """The value of a resolved expression; `values` are those of the parameters."""
    stack: list[Number] = []
    try:
        for operation, argument in expression:
            if operation == "push":
                stack.append(argument)
            elif operation == "local":
                stack.append(values[argument])
            elif operation == "neg":
                stack[-1] = -stack[-1]
            elif operation == "call":
                stack[-1] = FUNCTIONS[argument[0]](stack[-1])
            else:
                right = stack.pop()
                stack[-1] = _binary(operation, stack[-1], right)
    except (ZeroDivisionError, OverflowError, ValueError):
        refuse(NON_FINITE_ANGLE, "an expression has no finite value")
    return stack[0]


def angle(expression: Expression, values: Sequence[float] = ()) -> float:
    """The value as a float; infinite, to be refused by the circuit, where it is too large."""
    value = evaluate(expression, values)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def integer(expression: Expression, what: str) -> int:
    """The value of an expression that must be a whole number; `what` it is, for the message."""
    value = evaluate(expression)
    if not isinstance(value, int):
        refuse(UNSUPPORTED, f"{what} must be a whole number")
    return value


def _binary(operator: str, left: Number, right: Number) -> Number:
    whole = isinstance(left, int) and isinstance(right, int)
    if operator == "+":
        value = left + right
    elif operator == "-":
        value = left - right
    elif operator == "*":
        value = left * right
    elif operator == "/":
        return left // right if whole else left / right
    else:
        return _power(left, right)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise OverflowError
    return value


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if abs(base) > 1 and base.bit_length() * exponent > _MAX_BITS:
            raise OverflowError
        return base**exponent
    return math.pow(base, exponent)
