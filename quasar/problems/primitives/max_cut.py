"""Weighted maximum cut: Σ_{uv∈E} w_uv·(2·x_u·x_v − x_u − x_v), x_v = 1 where v is on one side.

An edge adds −w_uv where its ends are on different sides and nothing else, so the energy is minus
the weight of the cut, for weights of either sign (Barahona et al., Oper. Res. 36, 493, 1988).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Graph
from quasar.problems.graphs import node_ids, node_link, read_node_link, read_signed_weight
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem
from quasar.problems.primitives.random_graphs import connected_pairs

MAX_WEIGHT = 10  # of a generated edge, in size
NEGATIVE = 0.25  # share of the generated edges with a negative weight


class MaxCut(NodeSubsetProblem):
    """Answer: the nodes of one side. Objective: −(weight of the edges between the two sides).

    Edges without "weight" weigh 1 where none has one.
    """

    name = "max_cut"
    summary = (
        "Split the nodes into two groups such that the edges between the groups have the largest "
        "total weight."
    )
    answer_form = "side"
    edge_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph, problem=self.name, directed=False, edge_fields=self.edge_fields
        )
        if any("weight" in edge for _, _, edge in checked.edges):
            weights = [read_signed_weight(edge, problem=self.name) for _, _, edge in checked.edges]
            if not any(weights):
                raise ProblemError(f"{self.name}: graph: all weights are 0: nothing to optimise")

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for edge in graph["edges"]:
            u, v, weight = qubit[edge["source"]], qubit[edge["target"]], float(_weight(edge))
            polynomial.add(-weight, u)
            polynomial.add(-weight, v)
            polynomial.add(2 * weight, u, v)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is a cut."""
        return set(answer) <= set(node_ids(graph))

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        side = set(answer)
        return -float(
            sum(
                _weight(e) for e in graph["edges"] if (e["source"] in side) != (e["target"] in side)
            )
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        side = self.selections(graph)
        costs = np.zeros(1 << len(side))
        for edge in graph["edges"]:
            costs -= _weight(edge) * (side[edge["source"]] != side[edge["target"]])
        return costs

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all cuts."""
        return float(self.costs(graph, attributes).min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A connected graph of density 0.2…0.5, whole weights to 10, a quarter of them negative.

        Every edge has one; drawn again while all of them are negative, where nothing is cut.
        """
        pairs = connected_pairs(rng, num_qubits)
        while True:
            sizes = rng.integers(1, MAX_WEIGHT + 1, size=len(pairs))
            weights = np.where(rng.random(len(pairs)) < NEGATIVE, -sizes, sizes)
            if weights.max() > 0:
                break
        edges = [
            {"weight": int(w), "source": u, "target": v}
            for w, (u, v) in zip(weights, pairs, strict=True)
        ]
        return node_link(range(num_qubits), edges, directed=False), {}


def _weight(edge: Mapping[str, Any]) -> float:
    return edge.get("weight", 1)
