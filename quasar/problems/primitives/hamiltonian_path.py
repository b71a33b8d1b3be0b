"""Hamiltonian path from s to t; x_{v,p} = 1 where interior node v is at place p = 1…n−2.

Sound: Σ_v (Σ_p x_{v,p} − 1)² + Σ_p (Σ_v x_{v,p} − 1)², plus x_{u,p}·x_{v,p+1} for neighbouring
places whose nodes share no edge, plus x_{v,1} for v not adjacent to s and x_{v,n−2} for v not
adjacent to t. Zero exactly on the Hamiltonian paths.
Published: without the terms of the two ends, and with p + 1 up to n − 1, which gives variables
(v, n−1) that nothing else constrains. Edge weights are not used in either.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import NODE, Graph
from quasar.problems.graphs import Node, node_ids, node_link, read_node_link, require_nodes
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.permutations import Pair, PermutationProblem

MAX_CHORDS = 3  # published generator


class HamiltonianPath(PermutationProblem):
    """Answer: the nodes along the path, null where a place has no node. Objective: missing edges.

    Every feasible answer has objective 0.
    """

    name = "hamiltonian_path"
    summary = (
        "Find a path along the edges from the start node to the end node that visits every node "
        "exactly once."
    )
    variable = "(node, place in the path)"
    attributes: ClassVar = {"start_node": NODE, "end_node": NODE}
    answer_form = "path"
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        # The published rows carry weights although nothing reads them, theirs included.
        unread = ("weight",) if self.encoding == "published" else ()
        checked = read_node_link(graph, problem=self.name, directed=False, edge_fields=unread)
        require_nodes(attributes, self.attributes, checked.nodes, problem=self.name)
        if len(checked.nodes) < 3:
            raise ProblemError(f"{self.name}: no node between start_node and end_node; add one")

    def items(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        ends = (attributes["start_node"], attributes["end_node"])
        return [v for v in node_ids(graph) if v not in ends]

    def places(self, graph: Graph, attributes: Mapping[str, Any]) -> range:
        return range(1, len(graph["nodes"]) - 1)

    def unread_pairs(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Pair]:
        if self.encoding == "sound":
            return []
        apart, nodes = _strangers(graph), self.items(graph, attributes)
        beyond = len(graph["nodes"]) - 1
        return [(v, beyond) for v in nodes if any((u, v) in apart for u in nodes)]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        polynomial = self.one_place_each(graph, attributes)
        qubit, apart = self.qubit_of(graph, attributes), _strangers(graph)
        start, end = attributes["start_node"], attributes["end_node"]
        first, last = 1, len(graph["nodes"]) - 2
        for (u, p), i in qubit.items():
            for v in self.items(graph, attributes):
                if (u, v) in apart and (v, int(p) + 1) in qubit:
                    polynomial.add(1.0, i, qubit[v, int(p) + 1])
            if self.encoding == "sound" and p == first and (start, u) in apart:
                polynomial.add(1.0, i)
            if self.encoding == "sound" and p == last and (u, end) in apart:
                polynomial.add(1.0, i)
        return polynomial

    def answer(
        self, graph: Graph, attributes: Mapping[str, Any], placed: list[Node | None]
    ) -> list[Node | None]:
        return [attributes["start_node"], *placed, attributes["end_node"]]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        visited = set(answer) == set(node_ids(graph))
        return visited and self.objective(graph, attributes, answer) == 0

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        edges = {frozenset((edge["source"], edge["target"])) for edge in graph["edges"]}
        return float(sum(frozenset(pair) not in edges for pair in pairwise(answer)))

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """(n − 2)² for n ≥ 4 nodes."""
        return tuple(k * k for k in range(2, at_most + 1) if k * k <= at_most)

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A path and up to three chords, never all; start 0, end n − 1 as published.

        Unlike the published recipe the path visits the other nodes in random order (there it is
        always 0, 1, …, n−1) and there are no weights, which nothing reads.
        """
        if num_qubits not in self.possible_qubits(num_qubits):
            raise ProblemError(f"{self.name}: {num_qubits} qubits are no (n − 2)² of n ≥ 4 nodes")
        n = round(num_qubits**0.5) + 2
        path = [0, *map(int, rng.permutation(np.arange(1, n - 1))), n - 1]
        along = {frozenset(pair) for pair in pairwise(path)}
        chords = [
            (u, v) for u in range(n) for v in range(u + 1, n) if frozenset((u, v)) not in along
        ]
        count = int(rng.integers(1, min(MAX_CHORDS, len(chords) - 1) + 1))
        kept = [chords[i] for i in rng.choice(len(chords), size=count, replace=False)]
        pairs = [*(sorted(pair) for pair in along), *kept]
        edges = [{"source": u, "target": v} for u, v in pairs]
        return node_link(range(n), edges, directed=False), {"start_node": 0, "end_node": n - 1}


def _strangers(graph: Graph) -> set[tuple[Node, Node]]:
    """The ordered pairs of different nodes without an edge."""
    nodes = node_ids(graph)
    edges = {frozenset((edge["source"], edge["target"])) for edge in graph["edges"]}
    return {(u, v) for u in nodes for v in nodes if u != v and frozenset((u, v)) not in edges}
