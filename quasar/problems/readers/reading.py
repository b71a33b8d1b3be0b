"""What a reader found, and the small parts that readers of text share.

A reader takes what people have (a file's text, an object of another library) and gives a
`SourceReading`. Every fault is a ProblemError of one line; of a file it names the line. Nothing
that was read is left out: what a problem does not use is refused when it is built, by name.
"""

import importlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.graphs import Node

EXTRA = 'pip install "quasar-rl[formats]"'


@dataclass(frozen=True, slots=True)
class SourceReading:
    """A graph or a whole problem as it was read.

    form: the format's name. graph: as JSON, in the long or the short form. primitive: the problem
    that the format states; None for a graph, which may be several. usual: the problem that such
    graphs are for, where none is asked for. directed: whether the format gives edges a direction;
    None where an edge may be read either way. named: whether the graph's numbers have names; the
    others are what the problem reads from an edge. notes: what a reader should know besides.
    """

    form: str
    graph: Any
    primitive: str | None = None
    usual: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    directed: bool | None = None
    named: bool = True
    notes: tuple[str, ...] = ()


def short_graph(nodes: Iterable[Node], edges: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The graph in the short form: [u, v] or [u, v, number] an edge."""
    return {"nodes": list(nodes), "edges": [list(edge) for edge in edges]}


def quadratic_graph(
    linear: Mapping[Any, float], quadratic: Mapping[tuple[Any, Any], float]
) -> dict[str, Any]:
    """The graph of an Ising model or a QUBO: numbers on nodes and edges, zeros of pairs left out.

    linear: of every node. A pair in both directions is one edge with their sum. Raises
    ProblemError for a pair of one node.
    """
    sums: dict[tuple[Node, Node], float] = {}
    for (u, v), number in quadratic.items():
        if u == v:
            raise ProblemError(f"the pair {u!r}, {v!r} is one variable; give it a linear number")
        key = (v, u) if (v, u) in sums else (u, v)
        sums[key] = sums.get(key, 0) + number
    return {
        "nodes": [{"id": node, "weight": plain_number(w)} for node, w in linear.items()],
        "edges": [
            {"weight": plain_number(w), "source": u, "target": v}
            for (u, v), w in sums.items()
            if w != 0
        ],
    }


def content_lines(text: str, comments: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """(1-based line, words) of the lines that are neither blank nor comments.

    comments: what a comment's line begins with; a comment of one letter is a word of its own.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        begins = any(
            words[0] == mark if mark.isalpha() else line.lstrip().startswith(mark)
            for mark in comments
        )
        if not begins:
            yield number, words


def read_number(text: str, line: int) -> float:
    """A finite number; a whole one as int."""
    try:
        number = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            raise ProblemError(f"line {line}: {text[:30]!r} is not a number") from None
    if not math.isfinite(number):
        raise ProblemError(f"line {line}: {text[:30]!r} is not a finite number")
    return number


def read_count(text: str, line: int, *, what: str, least: int = 0) -> int:
    """A whole number from `least`."""
    if not text.isdecimal() or len(text) > 9 or int(text) < least:
        raise ProblemError(
            f"line {line}: {what} must be a whole number from {least}, not {text[:30]!r}"
        )
    return int(text)


def read_node(text: str, line: int, count: int) -> int:
    """A node of 1…count."""
    node = read_count(text, line, what="a node", least=1)
    if node > count:
        raise ProblemError(f"line {line}: node {node}, but the header says {count} nodes")
    return node


def plain_number(value: Any) -> float:
    """A number of any library as Python's, whole ones as int."""
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def library(name: str, *, what: str) -> Any:
    """The module. Raises ProblemError, which says what to install, where there is none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ProblemError(f"{what} needs the package {name.split('.')[0]}: {EXTRA}") from None
