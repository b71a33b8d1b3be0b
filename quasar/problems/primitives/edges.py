"""What the primitives with one binary variable an edge share: qubit order, decoding, enumeration.

Takes a checked undirected graph; gives its edges in qubit order, each with its lesser end first.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node, natural_key, read_node_link
from quasar.problems.primitives.states import variable_values
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

Edge = tuple[Node, Node]


class EdgeSubsetProblem(GraphProblem):
    """A problem whose answer is the list of selected edges [u, v] (x = 1), in qubit order."""

    variable = "edge"
    answer_form = "edges"

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_node_link(graph, problem=self.name, directed=False, edge_fields=self.edge_fields)

    def weights(self, graph: Graph) -> dict[Edge, Any]:
        """Edge -> its "weight" (None where it has none), in qubit order."""
        found = {_pair(e["source"], e["target"]): e.get("weight") for e in graph["edges"]}
        return {pair: found[pair] for pair in self.in_order(found)}

    def ordered_edges(self, graph: Graph) -> list[Edge]:
        """Edges in qubit order."""
        return list(self.weights(graph))

    def incident(self, graph: Graph) -> dict[Node, list[int]]:
        """Node -> qubits of its edges."""
        qubits: dict[Node, list[int]] = {entry["id"]: [] for entry in graph["nodes"]}
        for q, pair in enumerate(self.ordered_edges(graph)):
            for node in pair:
                qubits[node].append(q)
        return qubits

    def network(self, graph: Graph) -> "nx.Graph":
        """The graph for networkx, with "weight" on the edges that have one."""
        network = nx.Graph()
        network.add_nodes_from(entry["id"] for entry in graph["nodes"])
        for (u, v), weight in self.weights(graph).items():
            network.add_edge(u, v, **({} if weight is None else {"weight": weight}))
        return network

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        return [f"{u}-{v}" for u, v in self.ordered_edges(graph)]

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[list[Node]]:
        """The selected edges in qubit order."""
        return [list(e) for e, x in zip(self.ordered_edges(graph), assignment, strict=True) if x]

    def answer_edges(self, graph: Graph, answer: Any) -> set[Edge] | None:
        """The answer as a set of edges; None where one of them is not in the graph."""
        chosen = {_pair(*pair) for pair in answer}
        return chosen if chosen <= self.weights(graph).keys() else None

    def total_weight(self, graph: Graph, answer: Any) -> float:
        """Σ weights of the answer's edges."""
        weights = self.weights(graph)
        return float(sum(weights[_pair(*pair)] for pair in answer))

    def selections(self, graph: Graph) -> np.ndarray:
        """For each edge (qubit order), whether it is selected in each state: (m, 2**m) bool."""
        return variable_values(len(graph["edges"]), problem=self.name)


def _pair(u: Node, v: Node) -> Edge:
    first, second = sorted((u, v), key=lambda node: natural_key(str(node)))
    return first, second
