"""The prompts that Quasar writes itself, read back.

Takes a text; gives its problem where the text is one of our prompts. Each is proved by writing it
again: a prompt in which anything was changed is refused, with what it should be.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from quasar.datasets.prompts import ENCODING, build_messages
from quasar.datasets.wordings import WORDINGS, free_text
from quasar.errors import ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.problems.base import Encoding, GraphProblem, ProblemInstance

_STRUCTURED = re.compile(
    r"Problem: (?P<name>\w+) on (?P<qubits>\d+) qubits\.\nGraph: (?P<graph>[^\n]*)"
    r"(?:\nWith: (?P<given>[^\n]*))?"
    + re.escape(ENCODING)
    + r"(?:\nVariables by [^\n]*)?\nMinimise H = [^\n]*"
    r"\nAnsatz: (?P<ansatz>\S+) with (?P<layers>\d{1,3}) layers?\.\s*"
)
_NUMBER = r"-?[0-9.]+(?:e[+-]?[0-9]+)?"
_GROUP = re.compile(r"\{([^{}\s]+)\}")
_CLAUSE = re.compile(rf"\{{([^{{}}\s]+)\}}(?::({_NUMBER}))?")
_EDGE = re.compile(rf"([^\s:{{}}]+?)([->])([^\s:{{}}]+?)(?::({_NUMBER}))?")
_ITEM = re.compile(rf"([^\s:{{}}]+):({_NUMBER})(?:/({_NUMBER}))?")
_MORE_NODES = 20  # nodes without an edge are not told; so many are tried
_SLOTS = {
    "qubits": r"\d+",
    "layers": r"(?:1 layer|\d+ layers)",
    "name": r"[a-z0-9 ]+?",
    "question": r".+?",
    "details": r"(?: Given: .*)?",
    "graph": r"\{.*\}",
}
ProblemParts = tuple[str, Any, dict[str, Any]]  # primitive, graph, attributes


def read_own_prompt(text: str) -> ProblemParts | None:
    """The problem of a prompt of ours; None for any other text.

    Raises ProblemError where it has our form and says something else than we do.
    """
    text = text.strip()
    match = _STRUCTURED.fullmatch(text)
    if match is not None and match["name"] in problem_names():
        return _structured(text, match)
    for wording in WORDINGS:
        pattern = re.escape(wording)
        for slot, expression in _SLOTS.items():
            named = f"(?P<{slot}>{expression})"
            pattern = pattern.replace(re.escape(f"{{{slot}}}"), named)
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match is not None and match["name"].replace(" ", "_") in problem_names():
            return _free(text, match, wording)
    return None


def _structured(text: str, match: re.Match[str]) -> ProblemParts:
    problem = get_problem(match["name"])
    attributes = dict(_given(match["given"] or "", "=", ", ", problem))
    first: str | None = None
    for graph in _with_lone_nodes(_graph(match["graph"], problem)):
        for encoding in ("sound", "published"):
            instance = _built(problem.name, graph, attributes, encoding)
            if instance is None:
                continue
            ansatz, layers = match["ansatz"], int(match["layers"])
            written = build_messages(instance, ansatz=ansatz, layers=layers)[1]["content"]
            if written == text:
                _require_sound(encoding, instance)
                return problem.name, graph, attributes
            first = first or written
    raise ProblemError(_difference(text, first))


def _free(text: str, match: re.Match[str], wording: str) -> ProblemParts | None:
    problem = get_problem(match["name"].replace(" ", "_"))
    try:
        graph = json.loads(match["graph"])
    except (ValueError, RecursionError):
        return None
    details = match["details"].removeprefix(" Given: ").removesuffix(".")
    attributes = dict(_given(details, ": ", "; ", problem, spaced=True))
    layers = int(match["layers"].split()[0])
    first: str | None = None
    for encoding in ("sound", "published"):
        instance = _built(problem.name, graph, attributes, encoding)
        if instance is None:
            continue
        written = free_text(instance, wording, layers=layers)
        if written == text:
            return problem.name, graph, attributes
        first = first or written
    raise ProblemError(_difference(text, first))


def _built(
    name: str, graph: Any, attributes: Mapping[str, Any], encoding: Encoding
) -> ProblemInstance | None:
    try:
        return build_instance(name, graph, attributes, encoding=encoding)
    except ProblemError:
        return None


def _require_sound(encoding: Encoding, instance: ProblemInstance) -> None:
    if encoding == "published" and instance.encoding == "published":
        raise ProblemError(
            f"{instance.primitive}: the prompt is in the published encoding, but a text is "
            "answered in the sound one; send the problem as a row"
        )


def _difference(text: str, written: str | None) -> str:
    if written is None:
        return "the text has the form of our prompts, but its graph is none of its problem's"
    ours, theirs = written.split(), text.split()
    pairs = enumerate(zip(ours, theirs, strict=False))
    shorter = min(len(ours), len(theirs))
    place = next((i for i, (one, other) in pairs if one != other), shorter)
    said, should = " ".join(theirs[place : place + 4]), " ".join(ours[place : place + 4])
    return f"the text has the form of our prompts, but where it says {said!r} ours says {should!r}"


def _given(
    text: str, between: str, after: str, problem: GraphProblem, *, spaced: bool = False
) -> Iterator[tuple[str, Any]]:
    """The attributes of "name=value, name=value"."""
    names = {
        (name.replace("_", " ") if spaced else name): name
        for name in (*problem.attributes, *problem.optional_attributes)
    }
    pattern = "|".join(re.escape(said) for said in sorted(names, key=len, reverse=True))
    marks = (
        list(re.finditer(rf"(?:^|{re.escape(after)})({pattern}){between}", text)) if names else []
    )
    for k, mark in enumerate(marks):
        end = marks[k + 1].start() if k + 1 < len(marks) else len(text)
        name, value = names[mark[1]], text[mark.end() : end]
        kind = problem.attributes[name].kind if name in problem.attributes else None
        yield name, _graph(value, problem) if kind == "graph" and not spaced else _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        match = _GROUP.fullmatch(text)
        return [_label(part) for part in match[1].split(",")] if match else text


def _label(text: str) -> int | str:
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,17}", text) else text


def _number(text: str) -> float:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else float(text)


def _graph(text: str, problem: GraphProblem) -> dict[str, Any]:
    """The graph of `graph_text`, in the long form; empty where a word is none of its own."""
    nodes: dict[int | str, dict[str, Any]] = {}
    edges, groups = [], []
    for word in text.split():
        group, edge, item = (p.fullmatch(word) for p in (_GROUP, _EDGE, _ITEM))
        clause = _CLAUSE.fullmatch(word) if problem.hyperedge_fields else None
        if clause:
            groups.append(_clause(clause))
            for node in groups[-1]["nodes"]:
                nodes.setdefault(node, {})
        elif group and problem.hypergraph:
            groups.append([_label(part) for part in group[1].split(",")])
            for node in groups[-1]:
                nodes.setdefault(node, {})
        elif item and problem.node_fields and not (edge and problem.edge_fields):
            numbers = [_number(part) for part in item.groups()[1:] if part is not None]
            nodes[_label(item[1])] = dict(zip(problem.node_fields, numbers, strict=False))
        elif edge:
            ends = {"source": _label(edge[1]), "target": _label(edge[3])}
            weight = {} if edge[4] is None else {next(iter(problem.edge_fields), "weight"):
                                                  _number(edge[4])}  # fmt: skip
            edges.append(weight | ends)
            for node in ends.values():
                nodes.setdefault(node, {})
        else:
            return {}
    order = sorted(nodes) if all(isinstance(v, int) for v in nodes) else list(nodes)
    if problem.hypergraph:
        return {"nodes": order, "hyperedges": groups}
    listed = [{"id": node} | nodes[node] for node in order]
    flags = {"directed": problem.directed, "multigraph": False, "graph": {}}
    return flags | {"nodes": listed, "edges": edges}


def _clause(match: re.Match[str]) -> dict[str, Any]:
    """A clause of "{0,!1}:3"."""
    literals = match[1].split(",")
    found: dict[str, Any] = {
        "nodes": [_label(literal.removeprefix("!")) for literal in literals],
        "negated": [_label(literal[1:]) for literal in literals if literal.startswith("!")],
    }
    return found if match[2] is None else found | {"weight": _number(match[2])}


def _with_lone_nodes(graph: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The graph, and with nodes 0…n−1 for rising n where its nodes are such numbers."""
    yield graph
    if not graph:
        return
    bare = "hyperedges" in graph
    ids = [node if bare else node["id"] for node in graph["nodes"]]
    if not all(isinstance(node, int) for node in ids):
        return
    known = dict(zip(ids, graph["nodes"], strict=True))
    least = max(ids, default=-1) + 1
    for n in range(least, least + _MORE_NODES):
        if n > len(ids):
            nodes = [known.get(v, v if bare else {"id": v}) for v in range(n)]
            yield graph | {"nodes": nodes}
