"""Community detection: modularity over K labels, with a one-hot penalty.

(1/20)·[10·Σ_v (Σ_c x_vc − 1)² − (1/m)·Σ_{u<v,c} (A_uv − k_u·k_v/2m)·x_uc·x_vc], x_vc = 1 where v
is in community c; A: edge weights, k: weighted degrees, m: total weight. Newman's modularity
(Phys. Rev. E 69, 026113) without the terms u = v, which are the same in every partition; 20 is
the largest coefficient but for the constant. Sound: giving a node one label where it has none or
several changes the modularity terms by at most 2 a label and saves a penalty of 10.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.problems.base import INTEGER, Graph
from quasar.problems.graphs import node_link, read_count, read_weight
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.labels import NodeLabelProblem, divisors
from quasar.problems.primitives.random_graphs import join_components, relabelled
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

PENALTY = 10.0
SCALE = 2 * PENALTY  # the largest coefficient: of x_vc·x_vd in the penalty
COMMUNITY_RANGE = (2, 5)  # published generator
P_INSIDE, P_BETWEEN = 0.7, 0.05  # published generator: edge probabilities of planted partitions


class CommunityDetection(NodeLabelProblem):
    """Answer: the nodes of each community (some may be empty). Objective: −modularity.

    Edges without "weight" weigh 1 where none has one. Attribute `communities_size` describes how
    the graph was made; it sets no bound.
    """

    name = "community_detection"
    summary = (
        "Divide the nodes into at most the given number of communities such that the modularity "
        "is largest: many edges inside communities, few between them."
    )
    attributes: ClassVar = {"number_of_communities": INTEGER, "communities_size": INTEGER}
    count_attribute = "number_of_communities"
    edge_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        if any("weight" in edge for edge in graph["edges"]):
            for edge in graph["edges"]:
                read_weight(edge, problem=self.name)
        name, most = "communities_size", len(graph["nodes"])
        read_count(attributes[name], name=name, problem=self.name, least=1, most=most)

    def modularity_matrix(self, graph: Graph) -> np.ndarray:
        """(A_uv − k_u·k_v/2m)/m, zero diagonal, (n, n) float64 in the order of `nodes`."""
        place = {node: i for i, node in enumerate(self.nodes(graph))}
        adjacency = np.zeros((len(place), len(place)))
        for edge in graph["edges"]:
            u, v = place[edge["source"]], place[edge["target"]]
            adjacency[u, v] = adjacency[v, u] = edge.get("weight", 1)
        degrees, total = adjacency.sum(axis=0), adjacency.sum() / 2
        matrix = (adjacency - np.outer(degrees, degrees) / (2 * total)) / total
        np.fill_diagonal(matrix, 0.0)
        return matrix

    def energy_unit(self, graph: Graph) -> float:
        return 1.0 / (SCALE * sum(edge.get("weight", 1) for edge in graph["edges"]))

    def objective_tolerance(self, graph: Graph) -> float:
        """Modularity is of the order of 1, whatever the weights."""
        return 1e-13 * len(graph["edges"])

    def self_terms(self, graph: Graph) -> float:
        """Σ_v k_v²/4m²: what the terms u = v take from the modularity of any partition."""
        degrees: dict[Any, float] = {}
        for edge in graph["edges"]:
            for end in (edge["source"], edge["target"]):
                degrees[end] = degrees.get(end, 0.0) + edge.get("weight", 1)
        return sum(k * k for k in degrees.values()) / sum(degrees.values()) ** 2

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit, nodes = self.qubit_of(graph, attributes), self.nodes(graph)
        polynomial = BinaryPolynomial(len(qubit))
        self.add_one_hot(polynomial, graph, attributes, PENALTY / SCALE)
        gains = self.modularity_matrix(graph)
        for (i, u), (j, v) in combinations(enumerate(nodes), 2):
            for label in range(attributes["number_of_communities"]):
                polynomial.add(-float(gains[i, j]) / SCALE, qubit[u, label], qubit[v, label])
        return polynomial

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        place = {node: i for i, node in enumerate(self.nodes(graph))}
        gains = self.modularity_matrix(graph)
        inside = sum(
            gains[place[u], place[v]] for group in answer for u, v in combinations(group, 2)
        )
        return float(self.self_terms(graph) - inside)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all labellings."""
        labels, gains = self.labellings(graph, attributes), self.modularity_matrix(graph)
        inside = np.zeros(len(labels))
        for label in range(attributes["number_of_communities"]):
            members = (labels == label).astype(np.float64)
            inside += np.einsum("lv,lv->l", members @ gains, members) / 2
        return float(self.self_terms(graph) - inside.max())

    def label_counts(self, num_qubits: int) -> list[int]:
        return divisors(num_qubits, *COMMUNITY_RANGE, nodes_per_label=2) or divisors(
            num_qubits, *COMMUNITY_RANGE
        )

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published families, as far as n nodes allow: cavemen, ring of cliques, windmill, planted.

        A planted partition has edges with probability 0.7 inside its (balanced) communities and
        0.05 between them, components joined by single edges. Labels are shuffled.
        """
        k = self.draw_label_count(rng, num_qubits)
        n = num_qubits // k
        size = -(-n // k)
        families = [_planted]
        if n == k * size and size > 2:
            families += [_cavemen, _ring]
        if n == k * (size - 1) + 1 and size > 1:
            families.append(_windmill)
        pairs = families[int(rng.integers(len(families)))](rng, n, k, size)
        edges = [{"weight": 1, "source": u, "target": v} for u, v in relabelled(rng, n, pairs)]
        attributes = {"communities_size": size, "number_of_communities": k}
        return node_link(range(n), edges, directed=False), attributes


def _planted(rng: np.random.Generator, n: int, k: int, size: int) -> list[tuple[int, int]]:
    chosen = [
        (u, v)
        for u, v in combinations(range(n), 2)
        if rng.random() < (P_INSIDE if u % k == v % k else P_BETWEEN)
    ]
    return join_components(rng, n, chosen)


def _cavemen(rng: np.random.Generator, n: int, k: int, size: int) -> list[tuple[int, int]]:
    return list(nx.connected_caveman_graph(k, size).edges)


def _ring(rng: np.random.Generator, n: int, k: int, size: int) -> list[tuple[int, int]]:
    return list(nx.ring_of_cliques(k, size).edges)


def _windmill(rng: np.random.Generator, n: int, k: int, size: int) -> list[tuple[int, int]]:
    return list(nx.windmill_graph(k, size).edges)
