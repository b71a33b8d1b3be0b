"""A problem from wherever it comes: words, a file, an object of another library.

The doors in Python and on the command line take what this takes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quasar.errors import InputError, ProblemError
from quasar.schema.verify import Problem

if TYPE_CHECKING:
    from quasar.problems.readers.sources import Stated


def read_problem_from(given: Any, /, primitive: str | None = None, **attributes: Any) -> Problem:
    """The problem that is given.

    given: a text is a problem in words ("max cut of 0-1:3 1-2"); a `pathlib.Path` a file (JSON,
    GraphML, edge list, Gset, DIMACS, MatrixMarket, QUBO, LP, dimod); else a networkx graph, a BQM
    or CQM of dimod, a `QuadraticProgram`, a `SparsePauliOp`, plain JSON, or a `Problem`.
    primitive: which problem a graph is, e.g. "max_cut". attributes: what it needs besides, e.g.
    source=0. Labels and weights are kept. Raises ProblemError, or InputError of a file.
    """
    if isinstance(given, Problem):
        _refuse_more(primitive, attributes, "it is stated already")
        return given
    if isinstance(given, str):
        from quasar.schema.words.reader import read_problem

        _refuse_more(primitive, attributes, "the words say it")
        return read_problem(given)
    from quasar.problems.readers.sources import state_file, state_object

    if isinstance(given, Path):
        return as_problem(state_file(given, primitive, attributes))
    return as_problem(state_object(given, primitive, attributes))


def as_problem(stated: "Stated") -> Problem:
    """The problem of the schema. Raises ProblemError for a graph that is no object."""
    if not isinstance(stated.graph, Mapping):
        raise ProblemError(f"the graph is a {type(stated.graph).__name__}, not an object")
    return Problem(
        primitive=stated.primitive, graph=dict(stated.graph), attributes=stated.attributes
    )


def read_argument(
    text: str, primitive: str | None = None, attributes: Mapping[str, Any] | None = None
) -> Problem | str:
    """An argument of the command line: the problem of a file, or the words as they are.

    Raises InputError, also for what is named like a file and is none.
    """
    from quasar.problems.readers.sources import is_named_like_a_file, state_file

    path = Path(text)
    try:
        there = len(text) < 1000 and path.is_file()
    except (OSError, ValueError):  # no path at all
        there = False
    if there:
        try:
            return as_problem(state_file(path, primitive, attributes))
        except ProblemError as error:
            raise InputError(f"{path}: {error}") from error
    if is_named_like_a_file(text):
        raise InputError(f"{text}: there is no such file")
    if primitive is not None or attributes:
        raise InputError("--as and --attribute go with a file; words say the problem themselves")
    return text


def read_attribute(text: str) -> tuple[str, Any]:
    """(name, value) of "name=value"; the value as JSON, or as text where it is none."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InputError(f"--attribute {text!r}: write NAME=VALUE, e.g. source=0")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _refuse_more(primitive: str | None, attributes: Mapping[str, Any], why: str) -> None:
    if primitive is not None or attributes:
        name = "primitive" if primitive is not None else next(iter(attributes))
        raise ProblemError(f"{name} is given besides the problem; leave it out: {why}")
