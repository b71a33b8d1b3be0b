"""The connected component of a node f; one variable a node other than f, x_f fixed to 1.

Sound: n·Σ_{uv∈E} (x_u − x_v)² + Σ_v x_v with n nodes. A set with f that an edge leaves costs more
than n, the component of f at most n, and every other set without leaving edges has more nodes.
Published: Σ_v (d_v·x_v − Σ_{u∈N(v)} x_u)² + Σ_v x_v, in which {f} costs d_f² + d_f + 1 only: less
than a component of more nodes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.problems.base import NODE, Graph, GraphProblem
from quasar.problems.graphs import (
    Node,
    node_ids,
    node_link,
    read_node_link,
    require_nodes,
)
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.random_graphs import is_connected
from quasar.problems.primitives.states import variable_values
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

DENSITY = 0.5  # published generator, within a component
MAX_COMPONENTS = 8  # published generator


class ConnectedComponents(GraphProblem):
    """Answer: f and the selected nodes, sorted. Objective: their number, no edge leaving them."""

    name = "connected_components"
    summary = "Find all nodes that are connected with the given node, itself included."
    attributes: ClassVar = {"node": NODE}
    answer_form = "nodes"
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(graph, problem=self.name, directed=False)
        require_nodes(attributes, self.attributes, checked.nodes, problem=self.name)

    def others(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        """The nodes other than f in qubit order."""
        return self.in_order(v for v in node_ids(graph) if v != attributes["node"])

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        return [str(v) for v in self.others(graph, attributes)]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = {v: q for q, v in enumerate(self.others(graph, attributes))}
        polynomial = BinaryPolynomial(len(qubit))
        for coefficients, weight in self._squares(graph):
            linear = [(c, qubit[v]) for v, c in coefficients.items() if v in qubit]
            polynomial.add_squared(linear, coefficients.get(attributes["node"], 0.0), weight)
        polynomial.add(1.0)
        for q in qubit.values():
            polynomial.add(1.0, q)
        return polynomial

    def _squares(self, graph: Graph) -> list[tuple[dict[Node, float], float]]:
        """(coefficient of each node, weight) of the sums that are squared."""
        edges = [(edge["source"], edge["target"]) for edge in graph["edges"]]
        if self.encoding == "sound":
            return [({u: 1.0, v: -1.0}, float(len(graph["nodes"]))) for u, v in edges]
        network = nx.Graph(edges)
        return [
            ({v: float(degree)} | {u: -1.0 for u in network[v]}, 1.0)
            for v, degree in network.degree
        ]

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[Node]:
        """f and the selected nodes, sorted as the qubits are."""
        others = self.others(graph, attributes)
        chosen = [v for v, x in zip(others, assignment, strict=True) if x]
        return self.in_order([attributes["node"], *chosen])

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = set(answer)
        return attributes["node"] in chosen and all(
            (edge["source"] in chosen) == (edge["target"] in chosen) for edge in graph["edges"]
        )

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(len(answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        others = self.others(graph, attributes)
        values = variable_values(len(others), problem=self.name)
        chosen = dict(zip(others, values, strict=True))
        chosen[attributes["node"]] = np.ones(1 << len(others), dtype=bool)
        return np.logical_and.reduce(
            [chosen[edge["source"]] == chosen[edge["target"]] for edge in graph["edges"]]
        )

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        network = nx.Graph()
        network.add_nodes_from(node_ids(graph))
        network.add_edges_from((edge["source"], edge["target"]) for edge in graph["edges"])
        return float(len(nx.node_connected_component(network, attributes["node"])))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe for num_qubits + 1 nodes: components of two nodes or more, density ½.

        Two components or more wherever there are four nodes.
        """
        n = num_qubits + 1
        most = min(MAX_COMPONENTS, n // 2)
        count = int(rng.integers(min(2, most), most + 1))
        # Two nodes each, the rest shared out at random.
        sizes = 2 + np.bincount(rng.integers(count, size=n - 2 * count), minlength=count)
        edges, first = [], 0
        for size in map(int, sizes):
            edges += [
                {"source": first + u, "target": first + v} for u, v in _connected_pairs(rng, size)
            ]
            first += size
        return node_link(range(n), edges, directed=False), {"node": int(rng.integers(n))}


def _connected_pairs(rng: np.random.Generator, size: int) -> list[tuple[int, int]]:
    pairs = [(u, v) for u in range(size) for v in range(u + 1, size)]
    while True:
        chosen = [pair for pair in pairs if rng.random() < DENSITY]
        if is_connected(size, chosen):
            return chosen
