"""Graph colouring: A·Σ_v (Σ_c x_vc − 1)² + Σ_{uv∈E,c} x_uc·x_vc, x_vc = 1 where v has colour c.

Published: A = 1. On graphs that can be coloured with K colours the ground states are those of value
0, the proper colourings; on others a node without colour costs no more than a conflict, and a
ground state need not be a colouring.
Sound: A = 1 where the graph can be coloured, else 1 + max ⌊d_v/K⌋: the colour that is rarest among
its neighbours costs a node of degree d_v at most ⌊d_v/K⌋ conflicts, less than to have none.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.problems.base import INTEGER, Graph
from quasar.problems.graphs import node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.labels import NodeLabelProblem, divisors
from quasar.problems.primitives.random_graphs import is_connected, relabelled
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

COLOR_RANGE = (3, 6)  # published generator; 2 colours only where no other number fits
MAX_COLOURED, MAX_STEPS = 100, 100_000  # nodes, and trials, of the search for a colouring
DENSITIES = tuple(p / 10 for p in range(2, 10))  # published generator


class GraphColoring(NodeLabelProblem):
    """Answer: the nodes of each colour. Objective: edges whose ends have the same colour."""

    name = "graph_coloring"
    summary = (
        "Give each node one of the given number of colours such that as few edges as possible, at "
        "best none, join nodes of the same colour."
    )
    attributes: ClassVar = {"number_of_colors": INTEGER}
    count_attribute = "number_of_colors"
    encodings = ("sound", "published")

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph, attributes)
        polynomial = BinaryPolynomial(len(qubit))
        self.add_one_hot(polynomial, graph, attributes, self.penalty(graph, attributes))
        for edge in graph["edges"]:
            for color in range(attributes["number_of_colors"]):
                polynomial.add(1.0, qubit[edge["source"], color], qubit[edge["target"], color])
        return polynomial

    def penalty(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """A of the formula."""
        colors = attributes["number_of_colors"]
        network = nx.Graph((edge["source"], edge["target"]) for edge in graph["edges"])
        if self.encoding == "published" or _can_be_coloured(network, colors):
            return 1.0
        return 1.0 + max(degree for _, degree in network.degree) // colors

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        groups = [set(group) for group in answer]
        return float(
            sum(e["source"] in g and e["target"] in g for e in graph["edges"] for g in groups)
        )

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all colourings."""
        colors = self.labellings(graph, attributes)
        column = {node: i for i, node in enumerate(self.nodes(graph))}
        conflicts = np.zeros(len(colors), dtype=np.int64)
        for edge in graph["edges"]:
            conflicts += colors[:, column[edge["source"]]] == colors[:, column[edge["target"]]]
        return float(conflicts.min())

    def label_counts(self, num_qubits: int) -> list[int]:
        return divisors(num_qubits, *COLOR_RANGE) or divisors(num_qubits, 2, 2)

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: balanced colour classes, random edges between them; labels shuffled.

        Redrawn until connected, so that the graph can be coloured and every node has an edge.
        """
        num_colors = self.draw_label_count(rng, num_qubits)
        n = num_qubits // num_colors
        between = [
            pair for pair in combinations(range(n), 2) if len({v % num_colors for v in pair}) > 1
        ]
        while True:
            density = rng.choice(DENSITIES)
            chosen = [pair for pair in between if rng.random() < density]
            if is_connected(n, chosen):
                break
        edges = [{"source": u, "target": v} for u, v in relabelled(rng, n, chosen)]
        return node_link(range(n), edges, directed=False), {"number_of_colors": num_colors}


def _can_be_coloured(network: "nx.Graph", colors: int) -> bool:
    """Whether no edge need join two nodes of one colour; False where the search is given up.

    By trying colours node by node, those with the most neighbours first.
    """
    order = sorted(network, key=network.degree, reverse=True)
    given: dict[Any, int] = {}
    steps = 0

    def goes_on(place: int) -> bool:
        nonlocal steps
        steps += 1
        if place == len(order):
            return True
        node = order[place]
        taken = {given.get(other) for other in network[node]}
        # colours that no node has yet are all alike: one of them is enough
        for color in range(min(colors, len(set(given.values())) + 1)):
            if color not in taken and steps < MAX_STEPS:
                given[node] = color
                if goes_on(place + 1):
                    return True
                del given[node]
        return False

    return len(order) <= MAX_COLOURED and goes_on(0)
