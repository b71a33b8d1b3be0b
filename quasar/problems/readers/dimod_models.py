"""Models of dimod: binary quadratic ones (BQM), constrained ones (CQM), their files, LP files."""

import io
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.networks import plain_label
from quasar.problems.readers.pauli_operators import constant_note
from quasar.problems.readers.programs import (
    ConstrainedProgram,
    Constraint,
    Sense,
    program_reading,
    sum_pairs,
)
from quasar.problems.readers.reading import SourceReading, library, quadratic_graph

_SENSES: dict[str, Sense] = {"<=": "<=", ">=": ">=", "==": "=="}


def read_bqm(model: Any, *, form: str = "dimod BQM") -> SourceReading:
    """An Ising model where its variables are spins, else a QUBO; labels are kept."""
    spins = model.vartype.name == "SPIN"
    names = {v: _label(v) for v in model.variables}
    if len({str(name) for name in names.values()}) < len(names):
        raise ProblemError("two variables have the same text; relabel one")
    linear = {names[v]: float(c) for v, c in model.linear.items()}
    quadratic = {(names[u], names[v]): float(c) for (u, v), c in model.quadratic.items()}
    if not linear:
        raise ProblemError("the model has no variables")
    notes = (constant_note(float(model.offset)),) if model.offset else ()
    graph = quadratic_graph(linear, quadratic)
    primitive = "ising" if spins else "qubo"
    return SourceReading(form, graph, primitive=primitive, directed=False, notes=notes)


def read_bqm_json(data: dict[str, Any]) -> SourceReading:
    """What `BinaryQuadraticModel.to_serializable` gave."""
    dimod = library("dimod", what="a BQM as JSON")
    try:
        model = dimod.BinaryQuadraticModel.from_serializable(data)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ProblemError(f"no BQM of dimod: {type(error).__name__} {error}") from None
    return read_bqm(model, form="dimod BQM as JSON")


def read_cqm(model: Any, *, form: str = "dimod CQM") -> SourceReading:
    """As a QUBO. Raises ProblemError for real variables and quadratic constraints."""
    program = ConstrainedProgram()
    spins = set()
    for variable in model.variables:
        name, kind = str(_label(variable)), model.vartype(variable).name
        if kind == "REAL":
            raise ProblemError(f"the variable {name!r} is real; qubits are bits")
        if kind == "SPIN":
            spins.add(name)
            program.bounds[name] = (0, 1)
        else:
            program.bounds[name] = (model.lower_bound(variable), model.upper_bound(variable))
    if len(program.bounds) < len(model.variables):
        raise ProblemError("two variables have the same text; relabel one")
    objective = model.objective
    linear, quadratic, constant = _parts(objective, spins)
    program.linear, program.quadratic, program.constant = linear, quadratic, constant
    for label, comparison in model.constraints.items():
        weak = getattr(comparison.lhs, "is_soft", lambda: False)()
        if weak:
            raise ProblemError(f"the constraint {label!r} is soft; only hard ones are read")
        linear, quadratic, constant = _parts(comparison.lhs, spins)
        if any(quadratic.values()):
            raise ProblemError(f"the constraint {label!r} is quadratic; only linear ones are read")
        sense = _SENSES[comparison.sense.value]
        bound = float(comparison.rhs) - constant
        program.constraints.append(Constraint(str(label), linear, sense, bound))
    reading = program_reading(program, form)
    if not spins:
        return reading
    note = f"spins are 2x - 1 of bits of the same name: {', '.join(sorted(spins)[:8])}"
    return SourceReading(
        form, reading.graph, primitive="qubo", directed=False, notes=(note, *reading.notes)
    )


def read_cqm_file(data: bytes) -> SourceReading:
    """A file of `ConstrainedQuadraticModel.to_file`."""
    dimod = library("dimod", what="a CQM file")
    try:
        model = dimod.ConstrainedQuadraticModel.from_file(io.BytesIO(data))
    except Exception as error:  # another's reader of bytes may raise anything
        raise ProblemError(f"no CQM file of dimod: {type(error).__name__} {error}") from None
    return read_cqm(model)


def read_lp(text: str) -> SourceReading:
    """An LP file; its variables are binary or whole numbers with bounds."""
    dimod = library("dimod", what="an LP file")
    lp = library("dimod.lp", what="an LP file")
    try:
        model = lp.loads(text)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ProblemError(f"no LP file: {error}") from None
    assert isinstance(model, dimod.ConstrainedQuadraticModel)
    reading = read_cqm(model, form="LP file")
    if _maximises(text):  # dimod turns the sign of a maximised objective
        told = "maximised: the QUBO is the objective with the other sign"
        notes = (told, *(note for note in reading.notes))
        return SourceReading(
            "LP file", reading.graph, primitive="qubo", directed=False, notes=notes
        )
    return reading


def _maximises(text: str) -> bool:
    for line in text.splitlines():
        words = line.split("\\")[0].split()
        if words:
            return words[0].lower().startswith("max")
    return False


def _parts(
    model: Any, spins: set[str]
) -> tuple[dict[str, float], dict[tuple[str, str], float], float]:
    """(linear, quadratic, constant) by names; spins as 2x − 1."""
    linear: dict[str, float] = {}
    constant = float(model.offset)
    pairs: list[tuple[str, str, float]] = []

    def add(name: str, c: float) -> None:
        nonlocal constant
        linear[name] = linear.get(name, 0.0) + (2 * c if name in spins else c)
        constant -= c if name in spins else 0.0

    for variable, c in model.linear.items():
        add(str(_label(variable)), float(c))
    for (one, other), c in model.quadratic.items():
        u, v, number = str(_label(one)), str(_label(other)), float(c)
        twice = 2 if u in spins else 1
        pairs.append((u, v, number * twice * (2 if v in spins else 1)))
        if u in spins:  # −s_v of (2x_u − 1)·s_v
            add(v, -number)
        if v in spins:
            linear[u] = linear.get(u, 0.0) - number * twice
    return linear, sum_pairs(pairs), constant


def _label(label: Any) -> int | str:
    plain = plain_label(label)
    whole = isinstance(plain, int) and not isinstance(plain, bool)
    return plain if whole else str(plain)
