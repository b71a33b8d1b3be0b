"""A graph problem of one's own: the smallest dominating set.

Every node must be in the set or have a neighbour in it. One variable a node, x_v = 1 where v is in
the set: minimise Σ_v x_v + 2·Σ_v ∏_{u∈N[v]} (1 − x_u), where N[v] is v with its neighbours. A node
that nothing dominates costs 2, more than the node that would fix it, so that the ground states are
exactly the smallest dominating sets.

Install it beside Quasar with `pip install ./examples/own_problem` (its pyproject.toml names the
class in the entry-point group `quasar.problems`); from then on it is a problem like any other:

    quasar problems show dominating_set
    quasar dataset generate --output data --set 'dataset.primitives=[dominating_set]'
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np

from quasar.problems.base import Graph
from quasar.problems.graphs import Node, node_ids, node_link, read_node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem

PENALTY = 2.0  # of a node that is not dominated; above 1, the cost of fixing it


class DominatingSet(NodeSubsetProblem):
    """Answer: the list of nodes in the set. Objective: their number."""

    name = "dominating_set"
    summary = (
        "Find the smallest set of nodes such that every other node has a neighbour in the set."
    )

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_node_link(graph, problem=self.name, directed=False)

    def nodes(self, graph: Graph) -> Sequence[Node]:
        return node_ids(graph)

    def neighbourhoods(self, graph: Graph) -> list[set[Node]]:
        """Each node with its neighbours."""
        network = nx.Graph()
        network.add_nodes_from(self.nodes(graph))
        network.add_edges_from((edge["source"], edge["target"]) for edge in graph["edges"])
        return [{v, *network[v]} for v in network]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for q in qubit.values():
            polynomial.add(1.0, q)
        for around in self.neighbourhoods(graph):
            qubits = [qubit[u] for u in around]
            for size in range(len(qubits) + 1):  # ∏(1 − x) = Σ_S (−1)^|S| ∏_S x
                for subset in combinations(qubits, size):
                    polynomial.add(PENALTY * (-1) ** size, *subset)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        return all(around & set(answer) for around in self.neighbourhoods(graph))

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(len(answer))

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        nodes = self.nodes(graph)
        return next(
            float(size)
            for size in range(1, len(nodes) + 1)
            if any(self.is_feasible(graph, attributes, a) for a in combinations(nodes, size))
        )

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random tree and, with probability 0.2 each, the other edges."""
        joined = {(int(rng.integers(v)), v) for v in range(1, num_qubits)}
        pairs = [p for p in combinations(range(num_qubits), 2) if p in joined or rng.random() < 0.2]
        edges = [{"source": u, "target": v} for u, v in pairs]
        return node_link(range(num_qubits), edges, directed=False), {}
