"""Number partitioning: (Σ_i w_i·(2x_i − 1))², x_i = 1 where number i is in the first part.

Lucas, Front. Phys. 2, 5 (2014), section 2.1. The numbers are the weights of the graph's nodes; it
has no edges.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.graphs import node_ids, read_items, read_whole, weighted_nodes
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem

MAX_WEIGHT = 20  # of a generated number


class NumberPartitioning(NodeSubsetProblem):
    """Answer: the nodes of the first part. Objective: difference of the two parts' sums."""

    name = "number_partitioning"
    summary = (
        "Split the nodes into two parts such that the sums of their weights differ as little as "
        "possible."
    )
    answer_form = "side"
    node_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_items(graph, problem=self.name, node_fields=self.node_fields)
        for node in graph["nodes"]:
            read_whole(node, "weight", where=f"{self.name}: graph: node {node['id']!r}")

    def weights(self, graph: Graph) -> list[tuple[float, int]]:
        """(weight, qubit) of each node."""
        qubit = self.qubit_of(graph)
        return [(float(node["weight"]), qubit[node["id"]]) for node in graph["nodes"]]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        weights = self.weights(graph)
        polynomial = BinaryPolynomial(len(weights))
        total = sum(weight for weight, _ in weights)
        polynomial.add_squared([(2 * weight, q) for weight, q in weights], -total, 1.0)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is a part."""
        return set(answer) <= set(node_ids(graph))

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        first = set(answer)
        return float(
            abs(sum(n["weight"] * (1 if n["id"] in first else -1) for n in graph["nodes"]))
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        first = self.selections(graph)
        signed = (n["weight"] * (2.0 * first[n["id"]] - 1.0) for n in graph["nodes"])
        return np.abs(sum(signed))

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By the sums that subsets reach (Karp's dynamic programme)."""
        reached = {0}
        for node in graph["nodes"]:
            reached |= {total + node["weight"] for total in reached}
        whole = max(reached)
        return float(min(abs(whole - 2 * total) for total in reached))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Numbers uniform in 1…20."""
        weights = rng.integers(1, MAX_WEIGHT + 1, size=num_qubits)
        return weighted_nodes([{"weight": int(w)} for w in weights]), {}
