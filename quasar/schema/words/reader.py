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
from quasar.schema.words.stated_graph import graph_of
from quasar.schema.words.tokens import ACCEPTED, CUT, HYPER, MAX_CUT, Token, tokens_of

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
        graph = graph_of(problem, reading)
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
