"""What Ising models and QUBOs share: numbers of either sign on nodes and edges, and nothing else.

Takes a graph whose nodes and edges carry "weight"; a node without one has 0.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Graph
from quasar.problems.graphs import Node, node_ids, node_link, read_node_link, read_signed
from quasar.problems.primitives.nodes import NodeSubsetProblem
from quasar.problems.primitives.random_graphs import connected_pairs

MAX_WEIGHT = 10  # of a generated coefficient, in size


class QuadraticProblem(NodeSubsetProblem):
    """A quadratic form of one two-valued variable a node; every assignment is feasible."""

    node_fields = ("weight",)
    edge_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph,
            problem=self.name,
            directed=False,
            may_be_empty=True,
            node_fields=self.node_fields,
            edge_fields=self.edge_fields,
        )
        found = [
            read_signed(node, "weight", where=f"{self.name}: graph: node {node['id']!r}")
            for node in graph["nodes"]
            if "weight" in node
        ]
        for u, v, edge in checked.edges:
            found.append(read_signed(edge, "weight", where=f"{self.name}: graph: edge {u!r}-{v!r}"))
        if not any(found):
            raise ProblemError(f"{self.name}: graph: all weights are 0: nothing to optimise")

    def fields(self, graph: Graph) -> dict[Node, float]:
        """Node -> its number."""
        return {node["id"]: float(node.get("weight", 0)) for node in graph["nodes"]}

    def couplings(self, graph: Graph) -> list[tuple[Node, Node, float]]:
        """(end, end, number) of each edge."""
        return [(e["source"], e["target"], float(e["weight"])) for e in graph["edges"]]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is an answer."""
        return set(answer) <= set(node_ids(graph))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration."""
        return float(self.costs(graph, attributes).min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A connected graph of density 0.2…0.5, whole numbers of size 1…10 and either sign."""
        pairs = connected_pairs(rng, num_qubits)
        sizes = rng.integers(1, MAX_WEIGHT + 1, size=num_qubits + len(pairs))
        numbers = [int(w) for w in np.where(rng.random(len(sizes)) < 0.5, -sizes, sizes)]
        edges = [
            {"weight": w, "source": u, "target": v}
            for w, (u, v) in zip(numbers[num_qubits:], pairs, strict=True)
        ]
        graph = node_link(range(num_qubits), edges, directed=False)
        nodes = [{"id": v, "weight": numbers[v]} for v in range(num_qubits)]
        return graph | {"nodes": nodes}, {}
