"""Minimum edge cover: 2·Σ_v ∏_{e∋v}(1−x_e) + Σ_e x_e, x_e = 1 where e is in the cover.

A polynomial of the degree of the graph. Sound: covering one more node costs one edge (1) and
saves at least the penalty (2), so every ground state is a smallest cover.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Graph
from quasar.problems.graphs import node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.edges import EdgeSubsetProblem
from quasar.problems.primitives.random_graphs import random_connected_pairs
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

PENALTY = 2.0  # of an uncovered node; above 1, the cost of covering it
MAX_DEGREE = 10  # a node of degree d adds up to 2**d terms
DENSITY_RANGE = (0.2, 0.5)  # published generator


class EdgeCover(EdgeSubsetProblem):
    """Answer: the list of edges in the cover. Objective: their number."""

    name = "edge_cover"
    summary = "Find the smallest set of edges such that every node is an end of one of them."

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        for node, qubits in self.incident(graph).items():
            if not qubits:
                raise ProblemError(
                    f"{self.name}: graph: node {node!r} has no edge, nothing covers it; remove it"
                )
            if len(qubits) > MAX_DEGREE:
                raise ProblemError(
                    f"{self.name}: graph: node {node!r} has {len(qubits)} edges, the limit is "
                    f"{MAX_DEGREE}: the Hamiltonian grows as 2**edges"
                )

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        polynomial = BinaryPolynomial(len(graph["edges"]))
        for qubits in self.incident(graph).values():
            polynomial.add_product_of_complements(PENALTY, qubits)
        for q in range(polynomial.num_variables):
            polynomial.add(1.0, q)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = self.answer_edges(graph, answer)
        if chosen is None:
            return False
        return {entry["id"] for entry in graph["nodes"]} == {v for pair in chosen for v in pair}

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(len(answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        covered = np.ones(chosen.shape[1], dtype=bool)
        for qubits in self.incident(graph).values():
            covered &= chosen[qubits].any(axis=0)
        return covered

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """n − (edges of a largest matching), Gallai's identity for graphs without lone nodes."""
        matching = nx.max_weight_matching(self.network(graph), maxcardinality=True, weight=None)
        return float(len(graph["nodes"]) - len(matching))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random connected graph of num_qubits edges, density in 0.2…0.5 where that is possible.

        The published recipe draws the density and leaves the number of edges to chance.
        """
        sizes = [n for n in range(2, num_qubits + 2) if 2 * num_qubits <= n * (n - 1)]
        low, high = DENSITY_RANGE
        usual = [n for n in sizes if low <= 2 * num_qubits / (n * (n - 1)) <= high]
        n = int(rng.choice(usual or sizes))
        while True:
            pairs = random_connected_pairs(rng, n, num_qubits)
            if max(sum(v in pair for pair in pairs) for v in range(n)) <= MAX_DEGREE:
                edges = [{"source": u, "target": v} for u, v in pairs]
                return node_link(range(n), edges, directed=False), {}
