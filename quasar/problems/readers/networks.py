"""Graphs of networkx as the JSON that problems are stated in.

Takes a networkx graph with any labels; gives node-link JSON and attributes with the same labels.
"""

import numbers
from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any

from quasar.config.findings import plain
from quasar.errors import ProblemError
from quasar.problems.readers.reading import SourceReading


def read_network(graph: Any, attributes: Mapping[str, Any]) -> tuple[dict[str, Any], dict]:
    """(node-link JSON, attributes); labels other than whole numbers and texts become their text.

    Raises ProblemError.
    """
    from networkx import Graph, node_link_data

    if not isinstance(graph, Graph):
        raise ProblemError(f"a {type(graph).__name__} is no networkx graph; give a networkx.Graph")
    if graph.is_multigraph():
        raise ProblemError(
            "the networkx graph is a multigraph; join parallel edges and give a networkx.Graph or "
            "DiGraph"
        )
    names = _names(graph)
    data = node_link_data(graph, edges="edges")
    read: dict[str, Any] = {key: _plain_data(value, key) for key, value in data["graph"].items()}
    found = {
        "directed": data["directed"],
        "multigraph": data["multigraph"],
        "graph": read,
        "nodes": [_entry(node, ("id",), names) for node in data["nodes"]],
        "edges": [_entry(edge, ("source", "target"), names) for edge in data["edges"]],
    }
    return found, {key: _attribute(value, names) for key, value in attributes.items()}


def network_reading(graph: Any, *, form: str = "networkx graph") -> SourceReading:
    """The graph as a reading. Raises ProblemError."""
    found, _ = read_network(graph, {})
    return SourceReading(form, found, directed=found["directed"])


def _names(graph: Any) -> dict[Hashable, int | str]:
    names = {node: _name(node) for node in graph}
    if len({str(name) for name in names.values()}) < len(names):
        by_text: dict[str, Hashable] = {}
        for node, name in names.items():
            if str(name) in by_text:
                raise ProblemError(
                    f"the nodes {by_text[str(name)]!r} and {node!r} of the networkx graph have the "
                    "same text; relabel one"
                )
            by_text[str(name)] = node
    return names


def _name(label: Hashable) -> int | str:
    label = label if isinstance(label, (str, tuple, frozenset)) else plain(label)
    if isinstance(label, numbers.Integral) and not isinstance(label, bool):
        return int(label)
    return str(plain_label(label))


def plain_label(label: Any) -> Any:
    """A label whose parts are Python's own: numpy's have another text."""
    if isinstance(label, tuple):
        return tuple(plain_label(part) for part in label)
    return label if isinstance(label, (str, frozenset)) else plain(label)


def _entry(
    data: Mapping[str, Any], ends: tuple[str, ...], names: Mapping[Hashable, int | str]
) -> dict[str, Any]:
    return {k: names[v] if k in ends else _plain_data(v, k) for k, v in data.items()}


def _plain_data(value: Any, name: str) -> Any:
    """Numbers of any kind as Python's."""
    value = plain(value)
    if value is None or isinstance(value, (bool, int, float, str, list, dict)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, (numbers.Real, Decimal)):
        return float(value)
    raise ProblemError(f"{name!r} of the networkx graph is {value!r:.40}, not a number or text")


def _attribute(value: Any, names: Mapping[Hashable, int | str]) -> Any:
    """A node under its name, also within a list; a graph as JSON; else plain data."""
    from networkx import Graph

    if isinstance(value, Graph):
        return read_network(value, {})[0]
    if isinstance(value, Hashable) and value in names:
        return names[value]
    if isinstance(value, (list, set, frozenset)):
        return [_attribute(part, names) for part in value]
    return plain(value)
