"""Graphs as users write them: node-link JSON and hypergraphs, checked once at the boundary.

Takes the JSON objects of a problem file; gives typed nodes and edges. Every fault is a
ProblemError of one line that names the primitive, the offending value and the mend.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from quasar.errors import ProblemError

Node = int | str
_NUMBERS = {1: "one node", 2: "two nodes"}
MAX_CAPACITY = 1e9  # keeps energies well inside double precision


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A simple graph: node ids in listing order and edges (source, target, data)."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node, Mapping[str, Any]], ...]


@lru_cache(maxsize=1 << 14)
def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorting key that puts 2 before 10: digit runs compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdigit() else (1, p) for p in parts if p)


def read_node_link(
    graph: Any, *, problem: str, directed: bool, may_be_empty: bool = False
) -> NodeLink:
    """Check node-link JSON {"nodes": [{"id"}], "edges": [{"source", "target"}]}.

    Refuses: no nodes, no edges (unless the graph may be empty), repeated or ill-typed ids,
    self-loops, repeated edges, edges to nodes that are not listed, and a "directed" flag other than
    the problem needs.
    """
    where = f"{problem}: graph"
    _require_mapping(graph, where, example='{"nodes": [{"id": 0}], "edges": []}')
    flag = graph.get("directed", directed)
    if flag is not directed:
        raise ProblemError(f'{where}: "directed" is {flag!r}, {problem} needs {directed}')
    entries = _list(graph, "nodes", where)
    if not all(isinstance(entry, Mapping) and "id" in entry for entry in entries):
        raise ProblemError(f'{where}: each of "nodes" must be an object with an "id"')
    nodes = _node_ids([entry["id"] for entry in entries], where)
    known, seen, edges = set(nodes), set(), []
    for position, edge in enumerate(_list(graph, "edges", where)):
        if not isinstance(edge, Mapping) or "source" not in edge or "target" not in edge:
            raise ProblemError(
                f'{where}: edge {position} is not an object with "source" and "target"'
            )
        u, v = edge["source"], edge["target"]
        for end in (u, v):
            if not _is_node(end, known):
                raise ProblemError(f"{where}: edge {position} names {end!r}, not one of the nodes")
        if u == v:
            raise ProblemError(f"{where}: edge {position} is a self-loop on node {u!r}; remove it")
        pair = (u, v) if directed else frozenset((u, v))
        if pair in seen:
            raise ProblemError(f"{where}: edge {u!r}-{v!r} is listed twice; keep one")
        seen.add(pair)
        edges.append((u, v, edge))
    if not edges and not may_be_empty:
        raise ProblemError(f"{where} has no edges: nothing to optimise")
    return NodeLink(nodes, tuple(edges))


def read_hypergraph(
    graph: Any, *, problem: str, fewest: int = 2
) -> tuple[tuple[Node, ...], tuple[tuple[Node, ...], ...]]:
    """Check {"nodes": [ids], "hyperedges": [[ids]]}; gives (nodes, hyperedges).

    fewest: nodes that a hyperedge must have at least, 1 or 2.
    """
    where = f"{problem}: graph"
    _require_mapping(graph, where, example='{"nodes": [0, 1], "hyperedges": [[0, 1]]}')
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
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= MAX_CAPACITY or value != int(value):
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


def components(num_nodes: int, pairs: Sequence[tuple[int, ...]]) -> list[set[int]]:
    """Connected components of nodes 0…n−1 under the given (hyper)edges, by least node."""
    found = [{v} for v in range(num_nodes)]
    for pair in pairs:
        joined = [part for part in found if part & set(pair)]
        found = [part for part in found if not part & set(pair)] + [set().union(*joined)]
    return sorted(found, key=min)


def reachable(start: Node, pairs: Iterable[tuple[Node, Node]]) -> set[Node]:
    """The nodes to which directed edges lead from `start`, itself included."""
    reached, size = {start}, 0
    pairs = list(pairs)
    while len(reached) > size:
        size = len(reached)
        reached |= {v for u, v in pairs if u in reached}
    return reached


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


def _list(graph: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    value = graph.get(key)
    if not isinstance(value, (list, tuple)):
        raise ProblemError(f'{where}: "{key}" must be a list; its keys are {sorted(graph)}')
    return value


def _node_ids(ids: Sequence[Any], where: str) -> tuple[Node, ...]:
    if not ids:
        raise ProblemError(f"{where} has no nodes")
    for node in ids:
        if isinstance(node, bool) or not isinstance(node, (int, str)):
            raise ProblemError(f"{where}: node id {node!r} must be an integer or a string")
    names = [str(node) for node in ids]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ProblemError(f"{where}: node {twice} is listed twice")
    return tuple(ids)


def _is_node(value: Any, known: set[Node]) -> bool:
    # bool is an int and 1.0 == 1 to Python, but neither is how a node is named.
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value in known
