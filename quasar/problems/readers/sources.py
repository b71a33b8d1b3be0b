"""Whatever people have, as a stated problem: which reader it is for, and which problem it is.

Takes a path or an object, and the problem that is asked for; gives primitive, graph and attributes
for `build_instance`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quasar.errors import InputError, ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.problems.readers.dimacs import read_dimacs
from quasar.problems.readers.dimod_models import read_bqm, read_cqm, read_cqm_file, read_lp
from quasar.problems.readers.edge_lists import read_edge_list
from quasar.problems.readers.graphml import read_graphml
from quasar.problems.readers.gset import is_gset, read_gset
from quasar.problems.readers.json_files import read_json, read_json_data
from quasar.problems.readers.matrix_market import read_matrix_market
from quasar.problems.readers.networks import network_reading, read_network
from quasar.problems.readers.pauli_operators import read_pauli_operator
from quasar.problems.readers.qiskit_programs import read_quadratic_program
from quasar.problems.readers.qubo_files import read_qubo
from quasar.problems.readers.reading import SourceReading

MAX_BYTES = 50_000_000
Text = Callable[[str], SourceReading]
# format: reader of its text
_TEXTS: dict[str, Text] = {
    "dimacs": read_dimacs,
    "edge-list": read_edge_list,
    "gset": read_gset,
    "json": read_json,
    "lp": read_lp,
    "qubo": read_qubo,
}
FORMATS = tuple(sorted((*_TEXTS, "cqm", "graphml", "matrix-market")))
_SUFFIXES = {
    **dict.fromkeys((".json", ".bqm"), "json"),
    **dict.fromkeys((".graphml", ".xml"), "graphml"),
    **dict.fromkeys((".gset", ".rud", ".rudy", ".mc"), "gset"),
    **dict.fromkeys((".edgelist", ".edges", ".el", ".csv", ".tsv"), "edge-list"),
    **dict.fromkeys((".col", ".edge", ".clq", ".dimacs", ".max", ".cnf", ".wcnf"), "dimacs"),
    **dict.fromkeys((".mtx", ".mm"), "matrix-market"),
    ".qubo": "qubo",
    ".lp": "lp",
    ".cqm": "cqm",
}


@dataclass(frozen=True, slots=True)
class Stated:
    """A problem as it may be built. form, notes: as in `SourceReading`."""

    primitive: str
    graph: Any
    attributes: dict[str, Any]
    form: str
    notes: tuple[str, ...] = ()


def state_file(
    path: Path,
    primitive: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    form: str | None = None,
) -> Stated:
    """The problem in a file. form: one of FORMATS; by default as its name and content say.

    Raises InputError, which names the file.
    """
    try:
        return state(_read_file(path, primitive, form), primitive, attributes)
    except ProblemError as error:
        raise InputError(f"{path}: {error}") from error


def state_object(
    given: Any, primitive: str | None = None, attributes: Mapping[str, Any] | None = None
) -> Stated:
    """The problem of an object: of networkx, dimod, qiskit-optimization, Qiskit, or plain JSON.

    Attributes of a networkx graph name its nodes as it does. Raises ProblemError.
    """
    kind = f"{type(given).__module__}.{type(given).__name__}"
    if _is_of(given, "networkx", "Graph"):
        reading = network_reading(given)
        found, named = read_network(given, attributes or {})
        return state(replace(reading, graph=found), primitive, named)
    if isinstance(given, Mapping):
        return state(read_json_data(dict(given)), primitive, attributes)
    if _is_of(given, "dimod", "ConstrainedQuadraticModel"):
        return state(read_cqm(given), primitive, attributes)
    if _is_of(given, "dimod", "BinaryQuadraticModel", "DictBQM", "Float32BQM"):
        return state(read_bqm(given), primitive, attributes)
    if _is_of(given, "qiskit_optimization", "QuadraticProgram"):
        return state(read_quadratic_program(given), primitive, attributes)
    if _is_of(given, "qiskit", "SparsePauliOp"):
        return state(read_pauli_operator(given), primitive, attributes)
    raise ProblemError(
        f"a {kind} is no problem; give words, a path, a networkx graph, a BQM or CQM of dimod, a "
        "QuadraticProgram, a SparsePauliOp or JSON"
    )


def state(
    reading: SourceReading, primitive: str | None, attributes: Mapping[str, Any] | None = None
) -> Stated:
    """Which problem the reading is; it is not built yet. Raises ProblemError."""
    given = dict(reading.attributes)
    for name, value in (attributes or {}).items():
        if name in given and given[name] != value:
            raise ProblemError(f"{name} is given twice: {given[name]!r} and {value!r}")
        given[name] = value
    if reading.primitive is not None and primitive not in (None, reading.primitive):
        raise ProblemError(
            f"it holds {reading.primitive} ({reading.form}), which is not read as {primitive}"
        )
    name = primitive or reading.primitive or reading.usual
    if name is None:
        fitting = ", ".join(possible_problems(reading)) or "none without attributes"
        raise ProblemError(
            f"it holds a graph ({reading.form}): say which problem it is, --as NAME or "
            f"primitive=NAME; it fits: {fitting}"
        )
    problem = get_problem(name)
    graph, notes = reading.graph, reading.notes
    if not reading.named:
        if reading.directed is not None and reading.directed is not problem.directed:
            has = "a direction" if reading.directed else "no direction"
            needs = "one" if problem.directed else "none"
            raise ProblemError(f"its edges have {has} ({reading.form}), those of {name} {needs}")
        graph = graph | {"directed": problem.directed}
        if problem.hypergraph:
            graph = {key: value for key, value in graph.items() if key != "directed"}
        ones = bool(graph["edges"]) and all(edge[2:] == [1] for edge in graph["edges"])
        if ones and not problem.edge_fields:
            graph = graph | {"edges": [edge[:2] for edge in graph["edges"]]}
            notes = (*notes, f"all weights are 1, and {name} has none")
    return Stated(name, graph, given, reading.form, notes)


def possible_problems(reading: SourceReading) -> list[str]:
    """The problems that the graph is without more being said."""
    found = []
    for name in problem_names():
        if get_problem(name).attributes:
            continue
        try:
            stated = state(reading, name)
            build_instance(name, stated.graph, stated.attributes)
        except ProblemError:
            continue
        found.append(name)
    return found


def read_file(path: Path, primitive: str | None = None, form: str | None = None) -> SourceReading:
    """What stands in a file. Raises InputError, which names it."""
    try:
        return _read_file(path, primitive, form)
    except ProblemError as error:
        raise InputError(f"{path}: {error}") from error


def _read_file(path: Path, primitive: str | None, form: str | None) -> SourceReading:
    if form is not None and form not in FORMATS:
        raise ProblemError(f"unknown format {form!r}; there are: {', '.join(FORMATS)}")
    data = _bytes_of(path)
    form = form or _SUFFIXES.get(path.suffix.lower())
    if form == "cqm" or (form is None and data.startswith(b"DIMODCQM")):
        return read_cqm_file(data)
    if form == "graphml":
        return read_graphml(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProblemError("it is not UTF-8 text") from None
    if not text.strip():
        raise ProblemError("it is empty")
    form = form or _form_of(text)
    if form == "graphml":
        return read_graphml(data)
    if form == "matrix-market":
        return read_matrix_market(text, as_matrix=primitive == "qubo")
    return _TEXTS[form](text)


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ProblemError(f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ProblemError(f"it has more than {MAX_BYTES // 10**6} MB")
    return data


def _form_of(text: str) -> str:
    """The format that the text begins like."""
    start = text.lstrip()
    if start[0] in "{[":
        return "json"
    if start.startswith("%%MatrixMarket"):
        return "matrix-market"
    if start.startswith("<"):
        return "graphml"
    match = re.search(r"^\s*p\s+(\w+)", text, re.MULTILINE)
    if match:
        return "qubo" if match[1] == "qubo" else "dimacs"
    if re.match(r"(?:\\[^\n]*\n\s*)*(?:min|max)(?:imi[sz]e|imum)?\b", start, re.IGNORECASE):
        return "lp"
    if re.match(r"(?:c[^\n]*\n)*h(?: -?\d+)+ 0\s", start):
        return "dimacs"
    gset = is_gset(text)
    if gset is None:
        raise ProblemError(
            "its first line may be an edge or the numbers of nodes and edges; say --format gset or "
            "--format edge-list"
        )
    return "gset" if gset else "edge-list"


def is_named_like_a_file(text: str) -> bool:
    """Whether one word ends like the files that are read: words of a problem do not."""
    return len(text.split()) == 1 and Path(text).suffix.lower() in (*_SUFFIXES, ".txt", ".jsonl")


def _is_of(given: Any, package: str, *names: str) -> bool:
    """Whether it is an instance of such a class, without importing the package."""
    return any(
        cls.__name__ in names and cls.__module__.split(".")[0] == package
        for cls in type(given).__mro__
    )
