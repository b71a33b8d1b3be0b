"""Minimum vertex cover: 2·Σ_{uv∈E}(1−x_u)(1−x_v) + Σ_v x_v, x_v = 1 where v is in the cover."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.graphs import Node, node_ids, node_link, read_node_link
from quasar.problems.nodes import NodeSubsetProblem
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.random_graphs import connected_pairs

PENALTY = 2.0  # of an uncovered edge; above 1, the cost of covering it


class VertexCover(NodeSubsetProblem):
    """Answer: the list of nodes in the cover. Objective: their number."""

    name = "vertex_cover"
    summary = "Find the smallest set of nodes such that every edge has at least one end in the set."

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_node_link(graph, problem=self.name, directed=False)

    def nodes(self, graph: Graph) -> Sequence[Node]:
        return node_ids(graph)

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for edge in graph["edges"]:
            u, v = qubit[edge["source"]], qubit[edge["target"]]
            polynomial.add(PENALTY)
            polynomial.add(-PENALTY, u)
            polynomial.add(-PENALTY, v)
            polynomial.add(PENALTY, u, v)
        for q in qubit.values():
            polynomial.add(1.0, q)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        cover = set(answer)
        return all(e["source"] in cover or e["target"] in cover for e in graph["edges"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(len(answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        return np.logical_and.reduce(
            [chosen[e["source"]] | chosen[e["target"]] for e in graph["edges"]]
        )

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        sizes = sum(array.astype(np.int64) for array in self.selections(graph).values())
        return float(sizes[self.feasible_states(graph, attributes)].min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: density uniform in 0.2…0.5, components joined by single edges."""
        edges = [{"source": u, "target": v} for u, v in connected_pairs(rng, num_qubits)]
        return node_link(range(num_qubits), edges, directed=False), {}
