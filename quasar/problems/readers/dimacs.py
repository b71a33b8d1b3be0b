"""DIMACS: graphs (.col, .edge: "p edge n m", "e u v [w]"), flows (.max: "p max n m", "a u v c") and
clauses (.cnf, .wcnf).

Nodes and variables are numbered from 1, and named by their numbers.
"""

import math
from collections.abc import Iterator
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.reading import (
    SourceReading,
    content_lines,
    read_count,
    read_node,
    read_number,
    short_graph,
)

_GRAPHS = ("edge", "edges", "col", "graph")


def read_dimacs(text: str) -> SourceReading:
    """By the line "p …"; a WCNF of the newer form has none."""
    rows = content_lines(text, ("c",))
    line, header = next(rows, (1, []))
    kind = header[1] if header[:1] == ["p"] and len(header) > 1 else None
    if kind in _GRAPHS:
        return _graph(line, header, rows)
    if kind == "max":
        return _flow(line, header, rows)
    if kind in ("cnf", "wcnf"):
        return _clauses(line, header, rows)
    if header and (header[0] == "h" or kind is None) and header[-1] == "0":
        return _newer_clauses([(line, header), *rows])
    raise ProblemError(
        f'line {line}: a DIMACS file begins with a line "p edge", "p max", "p cnf" or "p wcnf", '
        f"not {' '.join(header)[:40]!r}"
    )


def _sizes(line: int, header: list[str], lengths: tuple[int, ...]) -> list[int]:
    if len(header) not in lengths:
        raise ProblemError(f"line {line}: {' '.join(header)!r} has not the numbers that it needs")
    return [read_count(word, line, what="a size") for word in header[2:4]]


def _graph(line: int, header: list[str], rows: Iterator[tuple[int, list[str]]]) -> SourceReading:
    nodes, count = _sizes(line, header, (4,))
    edges: list[list[Any]] = []
    for line, words in rows:
        if words[0] != "e" or len(words) not in (3, 4):
            hint = "numbers of nodes are not read" if words[0] == "n" else "write e u v, or e u v w"
            raise ProblemError(f"line {line}: {' '.join(words)[:40]!r}: {hint}")
        ends = [read_node(word, line, nodes) for word in words[1:3]]
        edges.append([*ends, *(read_number(word, line) for word in words[3:])])
    if len({len(edge) for edge in edges}) > 1:
        raise ProblemError("some edges have a weight and others none; give it to all")
    notes: tuple[str, ...] = ()
    unique: dict[frozenset[int], list[Any]] = {}
    for edge in edges:
        unique.setdefault(frozenset(edge[:2]), edge)
    # many colouring files list every edge in both directions
    if len(edges) == 2 * len(unique) and all(
        [*edge[1::-1], *edge[2:]] in edges for edge in unique.values()
    ):
        edges = list(unique.values())
        notes = ("every edge stands in both directions and was taken once",)
    elif count != len(edges):
        raise ProblemError(f"the header says {count} edges, there are {len(edges)}")
    return SourceReading(
        "DIMACS graph",
        short_graph(range(1, nodes + 1), edges),
        directed=False,
        named=False,
        notes=notes,
    )


def _flow(line: int, header: list[str], rows: Iterator[tuple[int, list[str]]]) -> SourceReading:
    nodes, count = _sizes(line, header, (4,))
    ends: dict[str, int] = {}
    arcs: list[list[Any]] = []
    for line, words in rows:
        if words[0] == "n" and len(words) == 3 and words[2] in ("s", "t"):
            name = {"s": "source", "t": "sink"}[words[2]]
            if name in ends:
                raise ProblemError(f"line {line}: the {name} is given twice")
            ends[name] = read_node(words[1], line, nodes)
        elif words[0] == "a" and len(words) == 4:
            pair = [read_node(word, line, nodes) for word in words[1:3]]
            arcs.append([*pair, read_number(words[3], line)])
        else:
            raise ProblemError(f"line {line}: {' '.join(words)[:40]!r}: write n u s, or a u v c")
    if len(arcs) != count:
        raise ProblemError(f"the header says {count} arcs, there are {len(arcs)}")
    return SourceReading(
        "DIMACS flow network",
        short_graph(range(1, nodes + 1), arcs),
        usual="max_flow",
        attributes=ends,
        directed=True,
        named=False,
    )


def _clauses(line: int, header: list[str], rows: Iterator[tuple[int, list[str]]]) -> SourceReading:
    weighted = header[1] == "wcnf"
    nodes, count = _sizes(line, header, (4, 5) if weighted else (4,))
    top = read_number(header[4], line) if len(header) == 5 else math.inf
    found: list[tuple[float, list[int]]] = []
    weight, literals = None, []  # clauses end at 0, on whatever line
    for line, words in rows:
        if words[0] == "%":  # the end of SATLIB's files
            break
        for word in words:
            if weighted and weight is None:
                weight = read_number(word, line)
                continue
            literal = read_number(word, line)
            if not isinstance(literal, int) or abs(literal) > nodes:
                raise ProblemError(f"line {line}: {word!r} is no literal of {nodes} variables")
            if literal:
                literals.append(literal)
                continue
            hard = weight is not None and weight >= top
            found.append((math.inf if hard else 1 if weight is None else weight, literals))
            weight, literals = None, []
    if literals or weight is not None:
        raise ProblemError("the last clause does not end with 0")
    if len(found) != count:
        raise ProblemError(f"the header says {count} clauses, there are {len(found)}")
    return _max_sat("DIMACS WCNF" if weighted else "DIMACS CNF", nodes, found, weighted=weighted)


def _newer_clauses(rows: list[tuple[int, list[str]]]) -> SourceReading:
    """ "weight literals 0" or "h literals 0" a line, as in the MaxSAT Evaluation since 2022."""
    found = []
    for line, words in rows:
        if words[-1] != "0" or len(words) < 2:
            raise ProblemError(f"line {line}: the clause does not end with 0")
        weight = math.inf if words[0] == "h" else read_number(words[0], line)
        literals = [read_number(word, line) for word in words[1:-1]]
        if not all(isinstance(literal, int) and literal for literal in literals):
            raise ProblemError(f"line {line}: {' '.join(words)[:40]!r} are no literals")
        found.append((weight, [int(literal) for literal in literals]))
    nodes = max((abs(literal) for _, literals in found for literal in literals), default=0)
    return _max_sat("DIMACS WCNF", nodes, found, weighted=True)


def _max_sat(
    form: str, nodes: int, found: list[tuple[float, list[int]]], *, weighted: bool
) -> SourceReading:
    """Equal clauses are one with the sum of their weights; hard ones outweigh all others."""
    soft = sum(weight for weight, _ in found if math.isfinite(weight))
    hard = sum(math.isinf(weight) for weight, _ in found)
    sums: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    notes, always = [], 0
    for weight, literals in found:
        if not literals:
            raise ProblemError("there is a clause without literals, which nothing satisfies")
        if weight <= 0:
            raise ProblemError(f"a clause has the weight {weight}; it must be above 0")
        if any(-literal in literals for literal in literals):
            always += 1
            continue
        names = tuple(sorted({abs(literal) for literal in literals}))
        negated = tuple(sorted({-literal for literal in literals if literal < 0}))
        value = soft + 1 if math.isinf(weight) else weight
        sums[names, negated] = sums.get((names, negated), 0) + value
    if always:
        notes.append(f"{always} clauses hold always (a node and its negation) and were left out")
    if len(sums) < len(found) - always:
        notes.append("equal clauses are one, with the sum of their weights")
    if hard:
        notes.append(f"{hard} hard clauses weigh {soft + 1} each, more than all soft ones together")
    clauses: list[dict[str, Any]] = []
    for (names, negated), weight in sums.items():
        clauses.append({"nodes": list(names), "negated": list(negated)})
        if weighted or weight != 1:
            clauses[-1]["weight"] = weight
    graph = {"nodes": list(range(1, nodes + 1)), "hyperedges": clauses}
    return SourceReading(form, graph, primitive="max_sat", directed=False, notes=tuple(notes))
