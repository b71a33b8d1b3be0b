"""A problem in words: which primitive a text names, and the graph that it holds.

Takes free text; gives a `Problem`, or a ProblemError that says what is missing or was not
understood. Every token of the text is read by the grammar or stands in its short list of words that
say nothing; a text of which anything else is left is refused. The graph stands in the text as JSON
(node-link, the short form, adjacency lists), as edges (`0-1`, `0-1:3`, `0->1:2`, `(0, 1)`) or by
name (`K4`, `a cycle on 5 nodes`).
"""

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any

from quasar.errors import ProblemError
from quasar.problems import get_problem, problem_names
from quasar.problems.base import GraphProblem
from quasar.schema.verify import Problem
from quasar.schema.words.grammar import find_names, read
from quasar.schema.words.own_prompts import read_own_prompt
from quasar.schema.words.parsed import ParsedText
from quasar.schema.words.tokens import CUT, HYPER, MAX_CUT, Token, tokens_of

ACCEPTED = (
    'write edges as 0-1 1-2, with weights 0-1:3, directed 0->1:2, or the graph as JSON: {"nodes": '
    '[0, 1], "edges": [[0, 1]]}, and attributes as source=0'
)
_MAX_OBJECTS = 50  # places where JSON may begin that are tried
_MAX_LITERAL = 20_000  # characters of a Python literal
_MAX_NESTING = 8
_MAX_TOKENS = 4000
_SHOWN = 5  # pieces that were not understood
_DECODER = json.JSONDecoder()
_PROBLEM_KEYS = {
    "primitive": "primitive",
    "problem_type": "primitive",
    "graph": "graph",
    "attributes": "attributes",
    "problem_specific_attributes": "attributes",
}


def read_problem(text: str) -> Problem:
    """The problem that a text states.

    Raises ProblemError where it names no primitive or several, holds no graph or several, or says
    anything that is not understood or not used.
    """
    text = text.removeprefix("\ufeff")  # a byte order mark
    own = read_own_prompt(text)
    if own is not None:
        name, graph, attributes = own
        return Problem(primitive=name, graph=graph, attributes=attributes)
    objects = list(_objects(text))
    tokens = tokens_of(text, objects)
    if len(tokens) > _MAX_TOKENS:
        raise ProblemError(
            f"the text has {len(tokens)} words and signs, the limit is {_MAX_TOKENS}; write the "
            "graph as JSON"
        )
    stated = [_stated(value) for _, _, value in objects]
    name = _primitive(tokens, stated, text)
    reading = read(tokens, get_problem(HYPER if name == CUT else name))
    if reading.unread:
        raise ProblemError(f"not understood: {_unread(reading.unread, text)}; {ACCEPTED}")
    for fault in reading.faults:
        raise ProblemError(fault)
    graph, attributes = _parts(reading, stated)
    if name == CUT:
        name = _which_cut(reading, graph)
    problem = get_problem(name)
    if graph is None:
        graph = _graph(problem, reading)
    else:
        _require_alone(reading)
        graph = _adjacency(graph, problem) if _is_adjacency(graph) else graph
    _require_flags(problem, reading, graph)
    for key, value in reading.attributes.items():
        if attributes.setdefault(key, value) != value:
            raise ProblemError(f"{key} is given twice: {attributes[key]!r} and {value!r}")
    return Problem(primitive=name, graph=graph, attributes=attributes)


# -- JSON in the text
def _objects(text: str) -> Iterator[tuple[int, int, dict[Any, Any]]]:
    """(start, end, value) of the objects that begin at a brace, outermost first."""
    place = text.find("{")
    for _ in range(_MAX_OBJECTS):
        if place < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            value, end = _literal(text, place)
        if isinstance(value, dict):
            yield place, end, value
        place = text.find("{", end)


def _literal(text: str, start: int) -> tuple[Any, int]:
    """A Python dict, as `{0: [1, 2]}`; (None, next place) where none begins here."""
    depth = 0
    for end in range(start, min(len(text), start + _MAX_LITERAL)):
        depth += (text[end] in "{[(") - (text[end] in "}])")
        if depth > _MAX_NESTING:
            break
        if depth == 0:
            try:
                return ast.literal_eval(text[start : end + 1]), end + 1
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                break
    return None, start + 1


def _stated(value: dict[Any, Any]) -> dict[str, Any]:
    """What an object says: some of primitive, graph, attributes. {} for data of an edge."""
    if "graph" in value and isinstance(value["graph"], dict) and not _is_graph(value):
        found: dict[str, Any] = {}
        for key, entry in value.items():
            if key not in _PROBLEM_KEYS:
                raise ProblemError(
                    f"the JSON of the problem has {key!r}, which is not used; it may have: "
                    f"{', '.join(_PROBLEM_KEYS)}"
                )
            found[_PROBLEM_KEYS[key]] = entry
        own = found.get("attributes")
        if own is not None and not isinstance(own, dict):
            raise ProblemError(f'"attributes" must be an object, not {own!r:.40}')
        return found
    if _is_graph(value) or _is_adjacency(value):
        return {"graph": value}
    if value.keys() <= {"weight", "capacity"} and len(value) == 1:
        return {}
    raise ProblemError(
        f"not understood: {json.dumps(value, default=str):.60}; it is no graph with nodes and "
        "edges, no adjacency lists and no problem"
    )


def _is_graph(value: Mapping[Any, Any]) -> bool:
    return any(key in value for key in ("edges", "links", "hyperedges", "nodes"))


def _is_adjacency(value: Mapping[Any, Any]) -> bool:
    return (
        bool(value)
        and not _is_graph(value)
        and all(isinstance(around, (list, tuple, set, dict)) for around in value.values())
    )


def _adjacency(lists: Mapping[Any, Any], problem: GraphProblem) -> dict[str, Any]:
    """The graph of {node: [neighbours]} or {node: {neighbour: weight}}; JSON makes keys texts."""
    inside = [other for around in lists.values() for other in around]
    whole = all(_is_whole(key) for key in lists)
    numbers = whole and all(_is_whole(v) for v in inside)

    def label(value: Any) -> Any:
        return int(value) if numbers else value

    edges: dict[Any, tuple[Any, Any, Any]] = {}
    for key, around in lists.items():
        if not isinstance(around, dict) and len(set(map(str, around))) < len(around):
            raise ProblemError(f"node {key!r} names a neighbour twice: {list(around)}")
        for other in around:
            u, v = label(key), label(other)
            weight = around[other] if isinstance(around, dict) else None
            if isinstance(weight, dict):
                if weight.keys() - set(problem.edge_fields):
                    raise ProblemError(
                        f"edge {u!r}-{v!r} has {next(iter(weight))!r}, which {problem.name} does "
                        "not use; take it out"
                    )
                weight = next(iter(weight.values()), None)
            pair = (u, v) if problem.directed else frozenset((u, v))
            if pair in edges and edges[pair][2] != weight:
                raise ProblemError(f"edge {u!r}-{v!r} has two weights in the adjacency lists")
            edges.setdefault(pair, (u, v, weight))
    nodes = list(dict.fromkeys(map(label, [*lists, *inside])))
    return {
        "nodes": nodes,
        "edges": [[u, v] if w is None else [u, v, w] for u, v, w in edges.values()],
    }


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and (value == "0" or value[0] != "0")
    return isinstance(value, int) and not isinstance(value, bool)


# -- what is named
def _primitive(tokens: list[Token], stated: list[dict[str, Any]], text: str) -> str:
    names = {str(found["primitive"]) for found in stated if "primitive" in found}
    if not names:
        names = {name.primitive for name in find_names(tokens)}
        if names == {CUT, HYPER}:
            names = {HYPER}
        if names == {CUT, MAX_CUT}:
            names = {MAX_CUT}
    if len(names) == 1:
        return names.pop()
    what = f"several problems ({', '.join(sorted(names))})" if names else "no problem"
    valid = ", ".join(problem_names())
    unread = read(tokens, None).unread
    also = f"; not understood: {_unread(unread, text)}" if unread else ""
    raise ProblemError(f"the text names {what}; name one of: {valid}{also}")


def _unread(tokens: list[Token], text: str) -> str:
    """The pieces of the text that were not understood, neighbours as one."""
    spans: list[list[int]] = []
    for token in tokens:
        if spans and not text[spans[-1][1] : token.start].strip():
            spans[-1][1] = token.end
        else:
            spans.append([token.start, token.end])
    shown = [repr(" ".join(text[a:b].split())[:60]) for a, b in spans[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else "")


def _which_cut(reading: ParsedText, graph: Any) -> str:
    """The cut of a graph with weights is max_cut; of pairs and of hyperedges, hypermaxcut."""
    if "weighted" in reading.flags:
        return MAX_CUT
    if graph is not None:
        return MAX_CUT if _has_weights(graph) else HYPER
    weighted = any(edge.weight is not None for edge in reading.edges)
    return MAX_CUT if weighted and not reading.groups else HYPER


def _has_weights(graph: Mapping[str, Any]) -> bool:
    if _is_adjacency(graph):
        return any(isinstance(around, dict) for around in graph.values())
    edges = graph.get("edges", graph.get("links"))
    return isinstance(edges, list) and any(
        "weight" in edge if isinstance(edge, dict) else isinstance(edge, list) and len(edge) == 3
        for edge in edges
    )


def _parts(
    reading: ParsedText, stated: list[dict[str, Any]]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """(the graph that JSON states, its attributes)."""
    graphs = [found for found in stated if "graph" in found]
    if len(graphs) > 1:
        raise ProblemError("the text holds several graphs; keep one")
    if not graphs:
        return None, {}
    return graphs[0]["graph"], dict(graphs[0].get("attributes") or {})


def _require_alone(reading: ParsedText) -> None:
    """Where the graph stands as JSON, the words hold none, nor a part of one."""
    other = [
        ("edges", reading.edges or reading.groups),
        ("clauses", reading.clauses),
        ("nodes", reading.fields or reading.nodes or reading.counts or reading.edge_counts),
        ("numbers", reading.lists),
        ("a named graph", reading.named),
    ]
    for what, found in other:
        if found:
            raise ProblemError(f"the text holds a graph as JSON and {what} besides; keep one")


# -- the graph of the words
def _graph(problem: GraphProblem, reading: ParsedText) -> dict[str, Any]:
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
        (name,) = problem.node_fields
        nodes = [
            {"id": v} | ({name: reading.fields[v]} if v in reading.fields else {}) for v in nodes
        ]
    return {"nodes": nodes, "hyperedges" if problem.hypergraph else "edges": parts}


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


def _require_flags(problem: GraphProblem, reading: ParsedText, graph: Mapping[str, Any]) -> None:
    """Check what the text says of its graph: weighted, unweighted, directed, undirected."""
    flags = reading.flags
    if "weighted" in flags and "unweighted" in flags:
        raise ProblemError("the text says both weighted and unweighted")
    if "weighted" in flags and not problem.node_fields:
        if not problem.edge_fields:
            raise ProblemError(
                f"the text says {flags['weighted']!r}, but {problem.name} does not use weights"
            )
        given = [*graph.get("edges", ()), *graph.get("links", ())]
        if not any(isinstance(edge, dict) or len(edge) == 3 for edge in given):
            raise ProblemError(
                f"the text says {flags['weighted']!r} but gives no weight; write 0-1:3"
            )
    if "unweighted" in flags and _has_weights(graph):
        raise ProblemError("the text says unweighted but gives weights")
    for flag, directed in (("directed", True), ("undirected", False)):
        if flag in flags and problem.directed is not directed:
            kind = "directed" if problem.directed else "undirected"
            raise ProblemError(f"the text says {flags[flag]!r}, but {problem.name} is {kind}")
