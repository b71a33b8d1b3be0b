"""The graph that a text states in words: edges, clauses, items with numbers, or a name.

Takes what the grammar has read; gives the graph as a `Problem` holds it, or a ProblemError.
"""

import re
from collections.abc import Mapping
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.base import GraphProblem
from quasar.schema.words.parsed import ParsedText
from quasar.schema.words.tokens import ACCEPTED, HYPER, MAX_CUT

_SYMBOL = re.compile(r"(?:[JQ]_?[0-9]+(?:_[0-9]+)*|h_?[0-9]+)")  # of a formula


def graph_of(problem: GraphProblem, reading: ParsedText) -> dict[str, Any]:
    if problem.node_fields and not problem.edge_fields:
        return _items(problem, reading)
    if problem.hyperedge_fields:
        return _clauses(problem, reading)
    if len(reading.named) + bool(reading.edges or reading.groups) > 1:
        raise ProblemError(f"the text holds a graph besides {reading.named[0][0]!r}; keep one")
    if reading.named:
        return _named(problem, reading)
    edges: list[list[Any]] = []
    # A plain pair counts 1 in a cut, beside weights too, as everyone reads it.
    plain = (
        1 if problem.name == MAX_CUT and any(e.weight is not None for e in reading.edges) else None
    )
    for edge in reading.edges:
        _require_direction(problem, edge)
        if edge.weight is not None and not problem.edge_fields:
            hint = "; max_cut is the cut of a weighted graph" if problem.name == HYPER else ""
            raise ProblemError(
                f"edge {edge.u}-{edge.v} has the weight {edge.weight}, which {problem.name} does "
                f"not use{hint}"
            )
        weight = plain if edge.weight is None else edge.weight
        edges.append([edge.u, edge.v] if weight is None else [edge.u, edge.v, weight])
    parts = [*reading.groups, *edges] if problem.hypergraph else edges
    if not parts and not reading.fields:
        raise ProblemError(f"the text names {problem.name} but holds no graph; {ACCEPTED}")
    for count in reading.edge_counts:
        if count != len(parts):
            raise ProblemError(f"the text says {count} edges and names {len(parts)}")
    named = dict.fromkeys(v for part in parts for v in (part if problem.hypergraph else part[:2]))
    nodes = _nodes(list(dict.fromkeys([*reading.fields, *named])), reading)
    if reading.fields:
        _require_no_symbol(reading.fields, named)
        (name,) = problem.node_fields
        nodes = [
            {"id": v} | ({name: reading.fields[v]} if v in reading.fields else {}) for v in nodes
        ]
    return {"nodes": nodes, "hyperedges" if problem.hypergraph else "edges": parts}


def _require_no_symbol(fields: Mapping[Any, Any], within_edges: Mapping[Any, Any]) -> None:
    """J01=2 is a coupling to whoever writes it, not a node of that name."""
    for label in fields:
        if label not in within_edges and _SYMBOL.fullmatch(str(label)):
            raise ProblemError(
                f"{label}={fields[label]}: write the number of a node as 0:1 and that of a pair as "
                "0-1:-1"
            )


def _clauses(problem: GraphProblem, reading: ParsedText) -> dict[str, Any]:
    """The clauses as hyperedges; plain groups and pairs are no clauses."""
    if reading.edges or reading.groups or reading.named or not reading.clauses:
        what = "edges, which it does not use" if reading.edges or reading.named else "no clause"
        raise ProblemError(
            f"the text names {problem.name} and holds {what}; write clauses as (a or not b), with "
            "weights (a or not b):3"
        )
    clauses: list[dict[str, Any]] = []
    for clause in reading.clauses:
        clauses.append({"nodes": list(clause.nodes), "negated": list(clause.negated)})
        if clause.weight is not None:
            clauses[-1]["weight"] = clause.weight
    named = dict.fromkeys(v for clause in reading.clauses for v in clause.nodes)
    return {"nodes": _nodes(list(named), reading), "hyperedges": clauses}


def _named(problem: GraphProblem, reading: ParsedText) -> dict[str, Any]:
    said, pairs, size = reading.named[0]
    if problem.directed:
        raise ProblemError(f"the edges of {said!r} have no direction; {ACCEPTED}")
    for what, counts, number in (
        ("nodes", reading.counts, size),
        ("edges", reading.edge_counts, len(pairs)),
    ):
        for count in counts:
            if count != number:
                raise ProblemError(f"{said!r} has {number} {what}, and the text says {count}")
    if reading.nodes:
        raise ProblemError(f"the nodes of {said!r} are 0 to {size - 1}; name no others")
    edges = [list(pair) for pair in pairs]
    return {"nodes": list(range(size)), "hyperedges" if problem.hypergraph else "edges": edges}


def _require_direction(problem: GraphProblem, edge: Any) -> None:
    if edge.arrow is True and not problem.directed:
        raise ProblemError(
            f"{edge.u}->{edge.v}: the edges of {problem.name} have no direction; write "
            f"{edge.u}-{edge.v}"
        )
    if edge.arrow is False and problem.directed:
        raise ProblemError(
            f"{edge.u}-{edge.v}: the edges of {problem.name} have a direction; write "
            f"{edge.u}->{edge.v}, or {edge.u}<->{edge.v} for both"
        )


def _nodes(named: list[Any], reading: ParsedText) -> list[Any]:
    """The nodes, those without an edge included: of a list or, by their number, 0…n−1."""
    nodes = list(dict.fromkeys([*reading.nodes, *named]))
    for count in reading.counts:
        if count == len(nodes):
            continue
        small = all(isinstance(node, int) and node < count for node in nodes)
        if reading.nodes or not small:
            raise ProblemError(
                f"the text says {count} nodes and names {len(nodes)}: "
                f"{', '.join(map(str, nodes[:12]))}"
            )
        nodes = list(range(count))
    return sorted(nodes) if all(isinstance(node, int) for node in nodes) else nodes


def _items(problem: GraphProblem, reading: ParsedText) -> dict[str, Any]:
    """Nodes with numbers: a partition's, or the weights and values of a knapsack."""
    if reading.edges or reading.groups or reading.named:
        raise ProblemError(f"the text holds edges, which {problem.name} does not use")
    fields = problem.node_fields
    single = len(fields) == 1
    lists = [reading.lists.get("numbers" if single else name, []) for name in fields]
    if not all(lists):
        missing = " and ".join(f for f, found in zip(fields, lists, strict=True) if not found)
        how = "3 1 1 2" if single else "weights 2 3, values 4 5, or (weight, value) (2, 4) (3, 5)"
        raise ProblemError(f"{problem.name}: no {missing} is given; write {how}")
    if len({len(found) for found in lists}) > 1:
        sizes = ", ".join(f"{len(v)} {f}s" for f, v in zip(fields, lists, strict=True))
        raise ProblemError(f"{problem.name}: {sizes}; give each item one of each")
    ids = reading.nodes or list(range(len(lists[0])))
    for count in (*reading.counts, len(ids)):
        if count != len(lists[0]):
            raise ProblemError(f"{problem.name}: {count} nodes and {len(lists[0])} numbers")
    rows = zip(ids, *lists, strict=True)
    nodes = [{"id": v} | dict(zip(fields, numbers, strict=True)) for v, *numbers in rows]
    return {"nodes": nodes, "edges": []}
