"""Minimum s–t cut of a directed graph with capacities.

Σ_{(u,v)} c_uv·(x_u − x_u·x_v) − B·x_s + B·x_s·x_t with B = 1 + Σ capacities leaving s;
x_v = 1 where v is on the source's side.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.problems.base import NODE, Graph
from quasar.problems.graphs import (
    node_link,
    read_capacity,
    read_node_link,
    require_nodes,
)
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem
from quasar.problems.primitives.random_graphs import is_flow_network
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

DENSITY_RANGE = (0.2, 0.4)  # published generator
MOST_CAPACITY_RANGE = (2, 7)  # published generator


class MinCut(NodeSubsetProblem):
    """Answer: the nodes on the source's side. Objective: capacity that leaves that side."""

    name = "min_cut"
    summary = (
        "Separate the source from the sink: split the nodes into two sides such that the total "
        "capacity of the edges from the source's side to the sink's side is smallest."
    )
    attributes: ClassVar = {"source": NODE, "sink": NODE}
    answer_form = "side"
    directed = True
    edge_fields = ("capacity",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph, problem=self.name, directed=True, edge_fields=self.edge_fields
        )
        for _, _, edge in checked.edges:
            read_capacity(edge, problem=self.name)
        require_nodes(attributes, self.attributes, checked.nodes, problem=self.name)

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        source, sink = qubit[attributes["source"]], qubit[attributes["sink"]]
        polynomial = BinaryPolynomial(len(qubit))
        bonus = 1.0
        for edge in graph["edges"]:
            u, v, capacity = qubit[edge["source"]], qubit[edge["target"]], edge["capacity"]
            polynomial.add(float(capacity), u)
            polynomial.add(-float(capacity), u, v)
            if u == source:
                bonus += capacity
        polynomial.add(-bonus, source)
        polynomial.add(bonus, source, sink)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        return attributes["source"] in answer and attributes["sink"] not in answer

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        side = set(answer)
        return float(
            sum(
                e["capacity"]
                for e in graph["edges"]
                if e["source"] in side and e["target"] not in side
            )
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        side = self.selections(graph)
        return side[attributes["source"]] & ~side[attributes["sink"]]

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        side = self.selections(graph)
        leaving = sum(
            e["capacity"] * (side[e["source"]] & ~side[e["target"]]) for e in graph["edges"]
        )
        return np.where(self.feasible_states(graph, attributes), leaving, np.inf)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        network = nx.DiGraph()
        network.add_nodes_from(self.nodes(graph))
        network.add_edges_from(
            (e["source"], e["target"], {"capacity": e["capacity"]}) for e in graph["edges"]
        )
        return float(nx.minimum_cut_value(network, attributes["source"], attributes["sink"]))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: no edge into 0 or out of n−1, redrawn until connected with a flow."""
        n = num_qubits
        pairs = [(u, v) for u in range(n - 1) for v in range(1, n) if u != v]
        while True:
            density = rng.uniform(*DENSITY_RANGE)
            chosen = [pair for pair in pairs if rng.random() < density]
            if is_flow_network(n, chosen):
                break
        most = int(rng.integers(MOST_CAPACITY_RANGE[0], MOST_CAPACITY_RANGE[1] + 1))
        edges = [
            {"capacity": int(rng.integers(1, most + 1)), "source": u, "target": v}
            for u, v in chosen
        ]
        return node_link(range(n), edges, directed=True), {"source": 0, "sink": n - 1}
