"""Graphs as users write them: node-link JSON and hypergraphs, checked once at the boundary.

Takes the JSON objects of a problem file; gives typed nodes and edges. Every fault is a
ProblemError of one line that names the primitive, the offending value and what to do. Whatever of
a graph its problem does not use is refused by name.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from quasar.errors import ProblemError

Node = int | str
_NUMBERS = {1: "one node", 2: "two nodes"}
MAX_CAPACITY = 1e9  # keeps energies well inside double precision
MAX_LABEL = 100  # characters of a node's label
# What a graph may have besides its nodes and edges. "graph" holds networkx's graph attributes.
_GRAPH_FIELDS = ("directed", "multigraph", "graph", "nodes", "edges")


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A simple graph: node ids in listing order and edges (source, target, data)."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node, Mapping[str, Any]], ...]


@lru_cache(maxsize=1 << 14)
def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorting key that puts 2 before 10: digit runs compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)


def read_node_link(
    graph: Any,
    *,
    problem: str,
    directed: bool,
    may_be_empty: bool = False,
    node_fields: Collection[str] = (),
    edge_fields: Collection[str] = (),
) -> NodeLink:
    """Check node-link JSON {"nodes": [{"id"}], "edges": [{"source", "target"}]}.

    node_fields, edge_fields: what the problem uses of a node and of an edge besides. Refuses: no
    nodes, no edges (unless the graph may be empty), repeated or ill-typed ids, self-loops, repeated
    edges, edges to nodes that are not listed, a "directed" flag other than the problem needs, and
    whatever the problem does not use.
    """
    where = f"{problem}: graph"
    _require_mapping(graph, where, example='{"nodes": [{"id": 0}], "edges": []}')
    if "hyperedges" in graph:
        raise ProblemError(f'{where} has "hyperedges", but {problem} takes a graph with "edges"')
    refuse_unknown(graph, _GRAPH_FIELDS, where=where, problem=problem)
    _require_plain_graph(graph, where, problem=problem, directed=directed)
    entries = _list(graph, "nodes", where)
    if not all(isinstance(entry, Mapping) and "id" in entry for entry in entries):
        raise ProblemError(f'{where}: each of "nodes" must be an object with an "id"')
    nodes = _node_ids([entry["id"] for entry in entries], where)
    for entry in entries:
        known = ("id", "bipartite", *node_fields)
        refuse_unknown(entry, known, where=f"{where}: node {entry['id']!r}", problem=problem)
    known, seen, edges = set(nodes), set(), []
    sides = {entry["id"]: entry["bipartite"] for entry in entries if "bipartite" in entry}
    for position, edge in enumerate(_list(graph, "edges", where)):
        if not isinstance(edge, Mapping) or "source" not in edge or "target" not in edge:
            raise ProblemError(
                f'{where}: edge {position} is not an object with "source" and "target"'
            )
        u, v = edge["source"], edge["target"]
        for end in (u, v):
            if not _is_node(end, known):
                raise ProblemError(f"{where}: edge {position} names {end!r}, not one of the nodes")
        name = f"{where}: edge {u!r}-{v!r}"
        if u == v:
            raise ProblemError(f"{where}: edge {position} is a self-loop on node {u!r}; remove it")
        pair = (u, v) if directed else frozenset((u, v))
        if pair in seen:
            raise ProblemError(f"{name} is listed twice; keep one")
        refuse_unknown(edge, ("source", "target", *edge_fields), where=name, problem=problem)
        if u in sides and v in sides and sides[u] == sides[v]:
            raise ProblemError(f'{name} joins two nodes whose "bipartite" is {sides[u]!r}')
        seen.add(pair)
        edges.append((u, v, edge))
    if not edges and not may_be_empty:
        raise ProblemError(f"{where} has no edges: nothing to optimise")
    return NodeLink(nodes, tuple(edges))


def read_items(graph: Any, *, problem: str, node_fields: Collection[str]) -> tuple[Node, ...]:
    """The nodes of a graph whose edges mean nothing: there must be none."""
    checked = read_node_link(
        graph, problem=problem, directed=False, may_be_empty=True, node_fields=node_fields
    )
    if checked.edges:
        u, v, _ = checked.edges[0]
        raise ProblemError(
            f"{problem}: graph has edges, the first {u!r}-{v!r}, which {problem} does not use; "
            "its numbers stand on the nodes"
        )
    return checked.nodes


def refuse_unknown(
    given: Mapping[str, Any], known: Collection[str], *, where: str, problem: str
) -> None:
    """Raise ProblemError for the first key that is not known, with the nearest one that is."""
    for name in given:
        if name in known:
            continue
        near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.75)
        hint = f"did you mean {near[0]!r}?" if near else "take it out"
        raise ProblemError(f"{where} has {name!r}, which {problem} does not use; {hint}")


def read_hypergraph(
    graph: Any, *, problem: str, fewest: int = 2
) -> tuple[tuple[Node, ...], tuple[tuple[Node, ...], ...]]:
    """Check {"nodes": [ids], "hyperedges": [[ids]]}; gives (nodes, hyperedges).

    fewest: nodes that a hyperedge must have at least, 1 or 2.
    """
    where = f"{problem}: graph"
    _require_mapping(graph, where, example='{"nodes": [0, 1], "hyperedges": [[0, 1]]}')
    refuse_unknown(graph, ("nodes", "hyperedges"), where=where, problem=problem)
    nodes = _node_ids(_list(graph, "nodes", where), where)
    known, seen = set(nodes), set()
    hyperedges = _list(graph, "hyperedges", where)
    for position, hyperedge in enumerate(hyperedges):
        name = f"{where}: hyperedge {position}"
        if not isinstance(hyperedge, (list, tuple)) or len(hyperedge) < fewest:
            raise ProblemError(f"{name} is {hyperedge!r}; list at least {_NUMBERS[fewest]}")
        for node in hyperedge:
            if not _is_node(node, known):
                raise ProblemError(f"{name} names {node!r}, not one of the nodes")
        if len(set(hyperedge)) < len(hyperedge):
            raise ProblemError(f"{name} lists a node twice (a self-loop): {list(hyperedge)}")
        if frozenset(hyperedge) in seen:
            raise ProblemError(f"{name} repeats an earlier one; keep one of them")
        seen.add(frozenset(hyperedge))
    if not hyperedges:
        raise ProblemError(f"{where} has no hyperedges: nothing to optimise")
    return nodes, tuple(tuple(h) for h in hyperedges)


def read_clauses(graph: Any, *, problem: str, most: int) -> None:
    """Check {"nodes": [ids], "hyperedges": [{"nodes": [ids], "negated": [ids], "weight": w}]}.

    most: literals of a clause. Weights are above 0; a clause stands once.
    """
    where = f"{problem}: graph"
    _require_mapping(graph, where, example='{"nodes": [0, 1], "hyperedges": [{"nodes": [0, 1]}]}')
    refuse_unknown(graph, ("nodes", "hyperedges"), where=where, problem=problem)
    nodes = _node_ids(_list(graph, "nodes", where), where)
    known, seen = set(nodes), set()
    clauses = _list(graph, "hyperedges", where)
    for position, clause in enumerate(clauses):
        name = f"{where}: clause {position}"
        if not isinstance(clause, Mapping) or not clause.get("nodes"):
            raise ProblemError(
                f'{name} is {clause!r:.60}; write it as {{"nodes": [0, 1], "negated": [1]}}'
            )
        refuse_unknown(clause, ("nodes", "negated", "weight"), where=name, problem=problem)
        ends, negated = _list(clause, "nodes", name), clause.get("negated", [])
        if not isinstance(negated, (list, tuple)):
            raise ProblemError(f'{name}: "negated" must be a list, not {negated!r:.40}')
        for node in (*ends, *negated):
            if not _is_node(node, known):
                raise ProblemError(f"{name} names {node!r:.60}, not one of the nodes")
        if len(ends) > most:
            raise ProblemError(f"{name} has {len(ends)} literals; at most {most} are taken")
        for listed in (ends, negated):
            if len(set(listed)) < len(listed):
                raise ProblemError(f"{name} lists a node twice: {list(listed)}")
        if not set(negated) <= set(ends):
            raise ProblemError(f'{name}: "negated" {list(negated)} has a node outside its "nodes"')
        if "weight" in clause and read_signed(clause, "weight", where=name) <= 0:
            raise ProblemError(f"{name}: weight must be above 0, not {clause['weight']}")
        literals = (frozenset(ends), frozenset(negated))
        if literals in seen:
            raise ProblemError(f"{name} repeats an earlier one; add their weights in one of them")
        seen.add(literals)
    if not clauses:
        raise ProblemError(f"{where} has no hyperedges: nothing to optimise")


def require_nodes(
    attributes: Mapping[str, Any], names: Iterable[str], nodes: Sequence[Node], *, problem: str
) -> None:
    """Check that these attributes name different nodes of the graph."""
    taken: dict[Node, str] = {}
    for name in names:
        node = attributes[name]
        if not _is_node(node, set(nodes)):
            listed = ", ".join(map(str, nodes[:12]))
            raise ProblemError(f"{problem}: {name} {node!r} is not a node; nodes: {listed}")
        if node in taken:
            raise ProblemError(f"{problem}: {taken[node]} and {name} are both {node!r}")
        taken[node] = name


def read_capacity(edge: Mapping[str, Any], *, problem: str) -> float:
    """The edge's "capacity": a number above 0 and at most MAX_CAPACITY."""
    return _positive_number(edge, "capacity", problem)


def read_weight(edge: Mapping[str, Any], *, problem: str) -> float:
    """The edge's "weight": a number above 0 and at most MAX_CAPACITY."""
    return _positive_number(edge, "weight", problem)


def read_signed_weight(edge: Mapping[str, Any], *, problem: str) -> float:
    """The edge's "weight": a number of either sign, at most MAX_CAPACITY in size."""
    where = f"{problem}: graph: edge {edge['source']!r}-{edge['target']!r}"
    if edge.get("weight") is None:
        raise ProblemError(f'{where} has no "weight", but other edges have one; give it to all')
    return read_signed(edge, "weight", where=where)


def read_signed(data: Mapping[str, Any], name: str, *, where: str) -> float:
    """The entry of that name: a number of either sign, at most MAX_CAPACITY in size."""
    value = data.get(name)
    if value is None:
        raise ProblemError(f'{where} has no "{name}", a number')
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not abs(value) <= MAX_CAPACITY:  # false for NaN too
        raise ProblemError(
            f"{where}: {name} must be a number from -{MAX_CAPACITY:g} to {MAX_CAPACITY:g}, not "
            f"{str(value)[:20]!r}"
        )
    return value


def read_count(value: Any, *, name: str, problem: str, least: int, most: int) -> int:
    """An attribute that counts something: an integer in least…most."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ProblemError(
            f"{problem}: {name} must be an integer from {least} to {most}, not {str(value)[:20]!r}"
        )
    return value


def read_whole(data: Mapping[str, Any], name: str, *, where: str) -> int:
    """The entry of that name: a whole number from 1 to MAX_CAPACITY."""
    value = data.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 < value <= MAX_CAPACITY
        or value != int(value)
    ):
        raise ProblemError(
            f"{where}: {name} must be a whole number from 1 to {MAX_CAPACITY:g}, "
            f"not {str(value)[:20]!r}"
        )
    return int(value)


def node_ids(graph: Mapping[str, Any]) -> list[Node]:
    """The nodes of a checked node-link graph, as listed."""
    return [entry["id"] for entry in graph["nodes"]]


def weighted_nodes(data: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Node-link JSON of nodes 0, 1, … with these data and no edges."""
    graph = node_link(range(len(data)), [], directed=False)
    return graph | {"nodes": [{"id": v} | dict(entry) for v, entry in enumerate(data)]}


def node_link(nodes: Sequence[int], edges: Sequence[dict[str, Any]], *, directed: bool) -> dict:
    """Node-link JSON in the benchmark's layout, edges sorted by their ends."""
    return {
        "directed": directed,
        "multigraph": False,
        "graph": {},
        "nodes": [{"id": v} for v in nodes],
        "edges": sorted(edges, key=lambda edge: (edge["source"], edge["target"])),
    }


def _positive_number(edge: Mapping[str, Any], key: str, problem: str) -> float:
    value, name = edge.get(key), f"{edge['source']!r}-{edge['target']!r}"
    if value is None:
        raise ProblemError(f'{problem}: graph: edge {name} has no "{key}"')
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= MAX_CAPACITY:  # false for NaN too
        raise ProblemError(
            f"{problem}: graph: edge {name}: {key} must be a number above 0 and at most "
            f"{MAX_CAPACITY:g}, not {str(value)[:20]!r}"
        )
    return value


def _require_mapping(graph: Any, where: str, *, example: str) -> None:
    if not isinstance(graph, Mapping):
        raise ProblemError(f"{where} is a {type(graph).__name__}, not an object like {example}")


def _require_plain_graph(
    graph: Mapping[str, Any], where: str, *, problem: str, directed: bool
) -> None:
    """Check the flags, and that networkx's graph attributes hold no more than a name."""
    flag = graph.get("directed", directed)
    if flag is not directed:
        kind = "a directed" if directed else "an undirected"
        raise ProblemError(
            f'{where}: "directed" is {flag!r}, {problem} needs {directed}: {kind} graph'
        )
    if graph.get("multigraph", False) is not False:
        raise ProblemError(
            f'{where}: "multigraph" is {graph["multigraph"]!r}; join parallel edges and give a '
            "simple graph"
        )
    about = graph.get("graph", {})
    if not isinstance(about, Mapping):
        raise ProblemError(f'{where}: "graph" must be an object, not {about!r:.40}')
    refuse_unknown(about, ("name",), where=f'{where}: its "graph"', problem=problem)


def _list(graph: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    if key not in graph:
        there = ", ".join(map(str, graph)) or "none"
        raise ProblemError(f'{where}: "{key}" is missing, a list; its keys: {there}')
    value = graph[key]
    if not isinstance(value, (list, tuple)):
        raise ProblemError(f'{where}: "{key}" must be a list, not {value!r:.40}')
    return value


def _node_ids(ids: Sequence[Any], where: str) -> tuple[Node, ...]:
    if not ids:
        raise ProblemError(f"{where} has no nodes; list at least one")
    for node in ids:
        if isinstance(node, bool) or not isinstance(node, (int, str)):
            raise ProblemError(f"{where}: node id {node!r:.60} must be an integer or a string")
        if isinstance(node, str):
            _require_label(node, where)
    names = [str(node) for node in ids]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ProblemError(f"{where}: node {twice} is listed twice")
    return tuple(ids)


def _require_label(label: str, where: str) -> None:
    """A label must be writable in a line of text: no line ends, no halves of a character."""
    if not label.strip() or len(label) > MAX_LABEL:
        raise ProblemError(
            f"{where}: node id {label!r:.40} must be text of 1 to {MAX_LABEL} characters"
        )
    for character in label:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise ProblemError(
                f"{where}: node id {label!a:.60} has the character {character!a}, which cannot "
                "stand in a line of text; name the node otherwise"
            )


def _is_node(value: Any, known: set[Node]) -> bool:
    # bool is an int and 1.0 == 1 to Python, but neither is how a node is named.
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value in known
