"""What the primitives with one binary variable a node share: qubit order, decoding, enumeration.

Takes a checked graph; gives node ids in qubit order and, for exact classical optima, one boolean
array a node over all basis states.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node
from quasar.problems.states import variable_values


class NodeSubsetProblem(GraphProblem):
    """A problem whose answer is the list of selected nodes (x = 1), in qubit order."""

    @abstractmethod
    def nodes(self, graph: Graph) -> Sequence[Node]:
        """Node ids as listed in the graph."""

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
