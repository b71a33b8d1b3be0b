"""The forms in which people write a graph, and the one form that the primitives read.

Takes node-link JSON (edges under "edges" or "links"), its short form with nodes and edges as plain
values, or a hypergraph, with Python or numpy numbers; gives the same graph in the long form, as
plain JSON. Nothing is dropped: what the long form has no place for is passed on, and the check of
the primitive names it.
"""

from collections.abc import Mapping
from typing import Any

from quasar.config.findings import plain
from quasar.errors import ProblemError


def long_form(
    graph: Any, *, problem: str, value: str, hypergraph: bool, with_data: bool = False
) -> Any:
    """The graph in the long form; left as it is where it is in that form already.

    value: what the third entry of an edge in the short form is, "weight" or "capacity".
    hypergraph: edges of two nodes without data become hyperedges; with_data: which are objects with
    "nodes". Raises ProblemError.
    """
    if not isinstance(graph, Mapping):
        return graph
    graph = plain(graph)
    if "links" in graph:
        if "edges" in graph:
            raise ProblemError(
                f'{problem}: graph: the edges stand under "edges" and under "links"; keep one'
            )
        graph = {"edges" if k == "links" else k: v for k, v in graph.items()}
    if isinstance(graph.get("edges"), list):
        graph["edges"] = [_long_edge(edge, value) for edge in graph["edges"]]
    nodes = graph.get("nodes")
    if hypergraph:
        graph = _as_hypergraph(graph, problem)
        if with_data and isinstance(graph.get("hyperedges"), list):
            entries = graph["hyperedges"]
            graph["hyperedges"] = [{"nodes": e} if isinstance(e, list) else e for e in entries]
        return graph
    if isinstance(nodes, list) and "hyperedges" not in graph:
        graph["nodes"] = [node if isinstance(node, dict) else {"id": node} for node in nodes]
    return graph


def _long_edge(edge: Any, value: str) -> Any:
    if not isinstance(edge, list) or len(edge) not in (2, 3):
        return edge
    ends = {"source": edge[0], "target": edge[1]}
    return {value: edge[2], **ends} if len(edge) == 3 else ends


def _as_hypergraph(graph: dict[str, Any], problem: str) -> dict[str, Any]:
    """A plain graph is a hypergraph of pairs; nothing is changed where hyperedges are given."""
    if "hyperedges" in graph or not isinstance(graph.get("edges"), list):
        return graph
    for flag in ("directed", "multigraph"):
        if graph.get(flag, False) is not False:
            raise ProblemError(f'{problem}: graph: "{flag}" is {graph[flag]!r}; it must be false')
    pairs = []
    for position, edge in enumerate(graph["edges"]):
        if not isinstance(edge, dict) or not {"source", "target"} <= edge.keys():
            raise ProblemError(
                f'{problem}: graph: edge {position} is not an object with "source" and "target"'
            )
        for name in edge.keys() - {"source", "target"}:
            hint = "; max_cut is the cut of a weighted graph" if name == "weight" else ""
            raise ProblemError(
                f"{problem}: graph: edge {edge['source']!r}-{edge['target']!r} has {name!r}, which "
                f"{problem} does not use{hint}"
            )
        pairs.append([edge["source"], edge["target"]])
    nodes = [_bare(node) for node in graph.get("nodes") or ()]
    rest = {
        name: entry
        for name, entry in graph.items()
        if name not in ("nodes", "edges", "directed", "multigraph")
        and not (name == "graph" and not entry)
    }
    return {"nodes": nodes, "hyperedges": pairs} | rest


def _bare(node: Any) -> Any:
    return node["id"] if isinstance(node, dict) and node.keys() == {"id"} else node
