"""GraphML files, by networkx."""

import io
from typing import Any
from xml.etree.ElementTree import ParseError

from quasar.errors import ProblemError
from quasar.problems.readers.networks import network_reading
from quasar.problems.readers.reading import SourceReading


def read_graphml(data: bytes) -> SourceReading:
    """Labels that are whole numbers become numbers where all are. Raises ProblemError."""
    import networkx as nx

    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise ProblemError("the GraphML holds a document type, which is not read; take it out")
    try:
        network: Any = nx.read_graphml(io.BytesIO(data))
    except (ParseError, nx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise ProblemError(f"no GraphML file: {error}") from None
    labels = [str(node) for node in network]
    if all(label == "0" or (label.isdecimal() and label[0] != "0") for label in labels):
        network = nx.relabel_nodes(network, {node: int(node) for node in network})
    for of_all, entries in (
        ("node_default", [entry for _, entry in network.nodes(data=True)]),
        ("edge_default", [entry for _, _, entry in network.edges(data=True)]),
    ):
        for name, value in network.graph.pop(of_all, {}).items():
            for entry in entries:  # networkx keeps the defaults aside
                entry.setdefault(name, value)
    for _, _, entry in network.edges(data=True):
        entry.pop("id", None)  # names of edges, which GraphML asks nobody to use
    return network_reading(network, form="GraphML")
