"""A problem in words: which primitive a text names, and the graph that it holds.

Takes free text; gives a `Problem`, or a ProblemError that says what is missing. The graph stands in
the text as JSON (node-link or the short form) or as edges: `0-1`, `0-1:3`, `0->1:2`, `(0, 1)`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from quasar.errors import ProblemError
from quasar.problems import get_problem, problem_names
from quasar.tool.schema import Problem

# What people say besides the primitives' own names; longer ones are looked for first.
_OTHER_NAMES = {
    "max cut": "hypermaxcut",
    "maxcut": "hypermaxcut",
    "maximum cut": "hypermaxcut",
    "independent set": "maximum_independent_set",
    "graph colouring": "graph_coloring",
    "colouring": "graph_coloring",
    "coloring": "graph_coloring",
    "k clique": "kclique",
    "clique": "kclique",
    "maximum flow": "max_flow",
    "minimum cut": "min_cut",
    "isomorphism": "graph_isomorphism",
    "communities": "community_detection",
    "partitioning": "number_partitioning",
}
_NODE = r"[A-Za-z]?\d{1,6}|[A-Za-z]"
_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_LIST = r"\{[^{}]{0,400}\}|\[[^\[\]]{0,400}\]"
_ARROW = re.compile(
    rf"(?<![\w.-])({_NODE}) ?(?:<?-{{1,2}}>?|>|–|—) ?({_NODE})(?::({_NUMBER}))?(?![\w-])"
)
_PAIR = re.compile(rf"[(\[] ?({_NODE}) ?, ?({_NODE})(?: ?, ?({_NUMBER}))? ?[)\]]")
_GROUP = re.compile(rf"\{{ ?((?:{_NODE})(?: ?, ?(?:{_NODE}))+) ?\}}")
_COUNT = re.compile(r"(?<![\w.])(\d{1,4}) (?:nodes|vertices)\b")
_GRAPH_LINE = re.compile(r"^Graph: (.*)$", re.MULTILINE)
_MAX_OBJECTS = 50  # places where JSON may begin that are tried
_DECODER = json.JSONDecoder()


def read_problem(text: str) -> Problem:
    """The problem that a text states.

    Raises ProblemError where it names no primitive or several, or holds no graph.
    """
    for found in _objects(text):
        inner = found.get("graph")
        if isinstance(inner, dict) and _is_graph(inner):  # the problem as /v1/circuits takes it
            name = found.get("primitive") or found.get("problem_type") or _primitive(text)
            own = found.get("attributes", {})
            return Problem(primitive=str(name), graph=inner, attributes=_mapping(own))
        if _is_graph(found):
            name = _primitive(text)
            return Problem(primitive=name, graph=found, attributes=_attributes(name, text)[0])
    name = _primitive(text)
    attributes, rest = _attributes(name, " ".join(text.split()))
    line = _GRAPH_LINE.search(text)  # as our own prompts have it: the rest names qubits and terms
    if line is not None:
        rest = line[1]
    return Problem(primitive=name, graph=_graph(name, rest), attributes=attributes)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that begin at a brace, outermost first."""
    place = text.find("{")
    for _ in range(_MAX_OBJECTS):
        if place < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            if isinstance(value, dict):
                yield value
        place = text.find("{", end)


def _is_graph(value: dict[str, Any]) -> bool:
    return "edges" in value or "hyperedges" in value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProblemError(f'"attributes" must be an object, not {value!r:.40}')
    return value


def _primitive(text: str) -> str:
    said = re.sub(r"[\s_-]+", " ", text.lower())
    names = {name.replace("_", " "): name for name in problem_names()} | {
        other: name for other, name in _OTHER_NAMES.items() if name in problem_names()
    }
    found = set()
    for words in sorted(names, key=len, reverse=True):
        pattern = rf"\b{re.escape(words)}\b"
        if re.search(pattern, said):
            found.add(names[words])
            said = re.sub(pattern, " ", said)  # "min cut" within a longer name is not another one
    if len(found) == 1:
        return found.pop()
    what = f"several problems ({', '.join(sorted(found))})" if found else "no problem"
    raise ProblemError(f"the text names {what}; name one of: {', '.join(problem_names())}")


def _attributes(name: str, text: str) -> tuple[dict[str, Any], str]:
    """The attributes that the primitive needs, and the text without them."""
    found = {}
    for attribute in get_problem(name).attributes:
        words = rf"\b{re.escape(attribute).replace('_', '[_ ]')}"
        said = list(re.finditer(rf"{words} ?[=:] ?({_LIST}|[\w.]{{1,40}})", text, re.IGNORECASE))
        match = said[-1] if said else None  # the question, which comes first, may name it too
        match = match or re.search(rf"{words}(?: is)? ({_LIST}|{_NODE})(?!\w)", text, re.IGNORECASE)
        if match is not None:
            found[attribute] = _value(match[1])
            text = f"{text[: match.start()]} ; {text[match.end() :]}"
    return found, text


def _value(text: str) -> Any:
    if text[0] in "{[":
        return [_scalar(part.strip(" \"'")) for part in text[1:-1].split(",") if part.strip()]
    return _scalar(text.rstrip("."))


def _scalar(text: str) -> Any:
    if re.fullmatch(r"\d{1,12}", text):
        return int(text)
    return float(text) if re.fullmatch(_NUMBER, text) else text


def _graph(name: str, text: str) -> dict[str, Any]:
    groups = [_value(f"[{group}]") for group in _GROUP.findall(text)]
    edges = [
        [_scalar(u), _scalar(v), *([_scalar(weight)] if weight else [])]
        for pattern in (_ARROW, _PAIR)
        for u, v, weight in pattern.findall(text)
    ]
    hyper = name == "hypermaxcut"
    if not (groups and hyper) and not edges:
        raise ProblemError(
            f"the text names {name} but holds no graph; write its edges as 0-1 1-2 (weighted: "
            '0-1:3), or the graph as JSON: {"nodes": [0, 1], "edges": [[0, 1]]}'
        )
    parts = [*groups, *(edge[:2] for edge in edges)] if hyper else edges
    named = dict.fromkeys(node for part in parts for node in (part if hyper else part[:2]))
    count = _COUNT.search(text)
    if count is not None and all(isinstance(n, int) and n < int(count[1]) for n in named):
        named = dict.fromkeys(range(int(count[1])))
    numbers = all(isinstance(n, int) for n in named)
    nodes = sorted(named) if numbers else list(named)
    return {"nodes": nodes, "hyperedges" if hyper else "edges": parts}
