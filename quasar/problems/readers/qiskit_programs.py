"""Qiskit's `QuadraticProgram` (qiskit-optimization): binary and whole-number variables."""

from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.programs import (
    ConstrainedProgram,
    Constraint,
    Sense,
    program_reading,
    sum_pairs,
)
from quasar.problems.readers.reading import SourceReading

_SENSES: dict[str, Sense] = {"LE": "<=", "GE": ">=", "EQ": "=="}


def read_quadratic_program(given: Any) -> SourceReading:
    """As a QUBO. Raises ProblemError for continuous variables and quadratic constraints."""
    program = ConstrainedProgram(maximise=given.objective.sense.name == "MAXIMIZE")
    for variable in given.variables:
        kind = variable.vartype.name
        if kind not in ("BINARY", "INTEGER"):
            raise ProblemError(f"the variable {variable.name!r} is {kind.lower()}; qubits are bits")
        program.bounds[variable.name] = (variable.lowerbound, variable.upperbound)
    if given.get_num_quadratic_constraints():
        name = given.quadratic_constraints[0].name
        raise ProblemError(f"the constraint {name!r} is quadratic; only linear ones are read")
    program.constant = float(given.objective.constant)
    program.linear = {
        name: float(c) for name, c in given.objective.linear.to_dict(use_name=True).items()
    }
    pairs = given.objective.quadratic.to_dict(use_name=True).items()
    program.quadratic = sum_pairs((u, v, c) for (u, v), c in pairs)
    for constraint in given.linear_constraints:
        linear = constraint.linear.to_dict(use_name=True)
        sense = _SENSES[constraint.sense.name]
        program.constraints.append(Constraint(constraint.name, linear, sense, constraint.rhs))
    return program_reading(program, "QuadraticProgram")
