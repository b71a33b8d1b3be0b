"""What the primitives with one binary variable a node share: qubit order, decoding, enumeration.

Takes a checked graph; gives node ids in qubit order and, for exact classical optima, one boolean
array a node over all basis states.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node, node_ids, node_link, read_node_link
from quasar.problems.primitives.random_graphs import connected_pairs
from quasar.problems.primitives.states import variable_values


class NodeSubsetProblem(GraphProblem):
    """A problem whose answer is the list of selected nodes (x = 1), in qubit order."""

    answer_form = "nodes"

    def nodes(self, graph: Graph) -> Sequence[Node]:
        """Node ids as listed in the graph (node-link unless a problem says otherwise)."""
        return node_ids(graph)

    def ordered_nodes(self, graph: Graph) -> list[Node]:
        """Node ids in qubit order."""
        return self.in_order(self.nodes(graph))

    def qubit_of(self, graph: Graph) -> dict[Node, int]:
        """Node id -> qubit."""
        return {node: q for q, node in enumerate(self.ordered_nodes(graph))}

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        return [str(node) for node in self.ordered_nodes(graph)]

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[Node]:
        """The selected nodes in qubit order."""
        return [v for v, x in zip(self.ordered_nodes(graph), assignment, strict=True) if x]

    def selections(self, graph: Graph) -> dict[Node, np.ndarray]:
        """For each node, whether it is selected in each basis state: (2**n,) bool."""
        order = self.ordered_nodes(graph)
        return dict(zip(order, variable_values(len(order), problem=self.name), strict=True))


class SimpleGraphProblem(NodeSubsetProblem):
    """A node subset of an undirected graph without attributes, drawn by the published recipe."""

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_node_link(graph, problem=self.name, directed=False)

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Density uniform in 0.2…0.5, components joined by single edges."""
        edges = [{"source": u, "target": v} for u, v in connected_pairs(rng, num_qubits)]
        return node_link(range(num_qubits), edges, directed=False), {}
