"""Minimum Steiner tree: one variable an edge, and a penalty for each cut that is left open.

Σ_e w_e·x_e + B·Σ_C ∏_{e∈C}(1−x_e), x_e = 1 where e is chosen. C runs over the minimal cuts that
separate terminals, i.e. the edges between S and V∖S where both sides are connected and each holds
a terminal (other cuts contain one of these, so they add nothing). B = 1 + D, with D the dearest
edge in a minimum spanning tree of the terminals under shortest-path distances.

The ground states are exactly the minimum Steiner trees:
- Chosen edges connect all terminals if and only if no such cut is left open (Menger). Then the
  penalty is 0 and the value is the weight; as weights are positive, the least is that of a tree.
- If the terminals lie in p > 1 pieces, at least p − 1 cuts are open: shrink the pieces to nodes
  and take a spanning tree of what is left; removing one of its edges gives one minimal cut each,
  and p − 1 or more of those edges lie between terminals. But p − 1 paths of length at most D join
  the pieces, so the value exceeds that of a feasible choice by p − 1 or more.

No polynomial of bounded degree in the edges alone can say "connected", and the published encoding
needs variables for a depth-levelled tree, 17 qubits for a path of three nodes. Here a cut has at
most (edges − nodes + 2) edges, so the degree is low on sparse graphs, which the generator draws.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import NODES, Graph
from quasar.problems.graphs import Node, node_link, read_weight
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.edges import EdgeSubsetProblem
from quasar.problems.primitives.random_graphs import random_connected_pairs
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

MAX_NODES = 17  # all 2**(nodes − 1) divisions are looked at; a tree of 16 edges has 17
MAX_CUT = 10  # a cut of k edges adds up to 2**k terms
MAX_TERMINALS = 10  # the exact method takes 3**terminals steps
TERMINALS = (3, 7)  # published generator
WEIGHTS = (1, 10)  # published generator
MOST_CYCLES = 3  # of a generated graph: keeps its cuts at 4 edges or fewer


class SteinerTree(EdgeSubsetProblem):
    """Answer: the chosen edges. Objective: their weight. Feasible: they connect all terminals."""

    name = "steiner_tree"
    summary = (
        "Find the edges of the smallest total weight that connect all terminal nodes with each "
        "other, directly or through other nodes."
    )
    attributes: ClassVar = {"terminal_nodes": NODES}
    edge_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        for edge in graph["edges"]:
            read_weight(edge, problem=self.name)
        network, terminals = self.network(graph), attributes["terminal_nodes"]
        if not isinstance(terminals, (list, tuple)):
            raise ProblemError(f"{self.name}: terminal_nodes must be a list, not {terminals!r}")
        for node in terminals:
            if isinstance(node, bool) or not isinstance(node, (int, str)) or node not in network:
                raise ProblemError(f"{self.name}: terminal_nodes: {node!r} is not a node")
        if len(set(terminals)) < len(terminals) or not 2 <= len(terminals) <= MAX_TERMINALS:
            raise ProblemError(
                f"{self.name}: terminal_nodes must be 2 to {MAX_TERMINALS} different nodes, not "
                f"{len(terminals)} of which {len(set(terminals))} differ"
            )
        reached = nx.node_connected_component(network, terminals[0])
        for node in terminals:
            if node not in reached:
                raise ProblemError(
                    f"{self.name}: graph: no path joins the terminals {terminals[0]!r} and {node!r}"
                )
        if len(reached) > MAX_NODES:
            raise ProblemError(
                f"{self.name}: graph: {len(reached)} connected nodes, the limit is {MAX_NODES}"
            )
        largest = max(map(len, self.cuts(graph, attributes)))
        if largest > MAX_CUT:
            raise ProblemError(
                f"{self.name}: graph: a cut has {largest} edges, the limit is {MAX_CUT}: the "
                "Hamiltonian grows as 2**edges; take out edges"
            )

    def cuts(self, graph: Graph, attributes: Mapping[str, Any]) -> list[list[int]]:
        """The minimal cuts that separate terminals, each as the qubits of its edges."""
        # The first terminal is bit 0, so that every division is looked at from its side only.
        place = {v: i for i, v in enumerate(self.nodes_reached(graph, attributes))}
        edges = [
            (q, place[u], place[v])
            for q, (u, v) in enumerate(self.ordered_edges(graph))
            if u in place
        ]
        sides = _connected_divisions(len(place), [(u, v) for _, u, v in edges])
        among = sum(1 << place[v] for v in attributes["terminal_nodes"])
        sides = sides[sides & among != among]
        crossing = np.stack([(sides >> u ^ sides >> v) & 1 for _, u, v in edges], axis=1)
        qubits = np.array([q for q, _, _ in edges])
        return [qubits[row == 1].tolist() for row in crossing]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        polynomial = BinaryPolynomial(len(graph["edges"]))
        for q, weight in enumerate(self.weights(graph).values()):
            polynomial.add(float(weight), q)
        penalty = 1.0 + self.dearest_link(graph, attributes)
        for cut in self.cuts(graph, attributes):
            polynomial.add_product_of_complements(penalty, cut)
        return polynomial

    def dearest_link(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """D: the longest edge in a minimum spanning tree of the terminals under path lengths."""
        network, closure = self.network(graph), nx.Graph()
        terminals = attributes["terminal_nodes"]
        for u in terminals:
            lengths = nx.single_source_dijkstra_path_length(network, u)
            closure.add_weighted_edges_from((u, v, lengths[v]) for v in terminals if v != u)
        tree = nx.minimum_spanning_edges(closure, data=True)
        return float(max(data["weight"] for _, _, data in tree))

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = self.answer_edges(graph, answer)
        if chosen is None:
            return False
        first, *others = attributes["terminal_nodes"]
        network = nx.Graph(chosen)
        return first in network and set(others) <= nx.node_connected_component(network, first)

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return self.total_weight(graph, answer)

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        feasible = np.ones(chosen.shape[1], dtype=bool)
        for cut in self.cuts(graph, attributes):
            feasible &= chosen[cut].any(axis=0)
        return feasible

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By Dreyfus and Wagner's dynamic programme (Networks 1, 195, 1971).

        best[T][v]: least weight of a tree that connects the terminals T and node v; such a tree
        is two that meet in some node u, and a shortest path from u to v.
        """
        order = self.nodes_reached(graph, attributes)
        network = self.network(graph).subgraph(order)
        length = np.asarray(nx.floyd_warshall_numpy(network, nodelist=order))
        *sources, last = (order.index(v) for v in attributes["terminal_nodes"])
        best = {1 << i: length[source] for i, source in enumerate(sources)}
        for members in range(1, 1 << len(sources)):
            if members in best:
                continue
            joined = np.full(len(order), np.inf)
            part = (members - 1) & members
            while part > members ^ part:  # each split once
                joined = np.minimum(joined, best[part] + best[members ^ part])
                part = (part - 1) & members
            best[members] = (joined[:, None] + length).min(axis=0)
        return float(best[(1 << len(sources)) - 1][last])

    def nodes_reached(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        """The nodes connected with the terminals, the first terminal first."""
        first = attributes["terminal_nodes"][0]
        reached = nx.node_connected_component(self.network(graph), first)
        listed = (entry["id"] for entry in graph["nodes"])
        return [first, *(v for v in listed if v in reached and v != first)]

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random connected graph with few cycles, 3 to 7 terminals (fewer than nodes) at random.

        Weights and terminals as published; the published density on 10 to 20 nodes gives more
        edges than there are qubits.
        """
        # Cycles: as many as make the nodes fit, and n nodes have room for n(n−1)/2 edges.
        sizes = [num_qubits + 1 - cycles for cycles in range(1, MOST_CYCLES + 1)]
        fitting = [n for n in sizes if n <= MAX_NODES and num_qubits <= n * (n - 1) // 2]
        n = int(rng.choice(fitting)) if fitting else min(num_qubits + 1, MAX_NODES)
        low, high = TERMINALS
        most = max(2, min(high, n - 1))
        number = int(rng.integers(min(low, most), most + 1))
        terminals = sorted(int(v) for v in rng.choice(n, size=number, replace=False))
        pairs = random_connected_pairs(rng, n, num_qubits)
        edges = [
            {"weight": int(rng.integers(WEIGHTS[0], WEIGHTS[1] + 1)), "source": u, "target": v}
            for u, v in pairs
        ]
        return node_link(range(n), edges, directed=False), {"terminal_nodes": terminals}


def _connected_divisions(num_nodes: int, edges: Sequence[tuple[int, int]]) -> np.ndarray:
    """Node sets (bit masks, int64) that hold node 0, are connected, and so is the rest.

    edges: node pairs of a connected graph on 0…num_nodes−1. The rest is not empty.
    """
    neighbours = [0] * num_nodes
    for u, v in edges:
        neighbours[u] |= 1 << v
        neighbours[v] |= 1 << u
    everything = (1 << num_nodes) - 1
    sides = np.arange(1, everything, 2, dtype=np.int64)
    sides = sides[_is_connected(sides, neighbours)]
    return sides[_is_connected(everything ^ sides, neighbours)]


def _is_connected(masks: np.ndarray, neighbours: Sequence[int]) -> np.ndarray:
    """Whether each non-empty node set is connected: grow it from its least node."""
    reached = masks & -masks
    while True:
        grown = reached.copy()
        for v, around in enumerate(neighbours):
            grown |= np.where(grown >> v & 1, around, 0) & masks
        if np.array_equal(grown, reached):
            return reached == masks
        reached = grown
