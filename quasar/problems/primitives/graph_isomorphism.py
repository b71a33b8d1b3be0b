"""Isomorphism of two graphs; x_{i,u} = 1 where node i of the graph is node u of the other one.

Sound: Σ_i (Σ_u x_{i,u} − 1)² + Σ_u (Σ_i x_{i,u} − 1)², plus x_{i,u}·x_{j,v} + x_{i,v}·x_{j,u} for
each pair {i, j} and pair {u, v} of which one is an edge and the other is not. Zero exactly on the
isomorphisms.
Published: only x_{i,u}·x_{j,v}, the edge in its stored orientation and the other pair ascending.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Attribute, Graph
from quasar.problems.graphs import Node, natural_key, node_ids, node_link, read_node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.permutations import PermutationProblem

OTHER = "autoisomorphic_graph"  # the benchmark's name of the second graph
DENSITIES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # published generator


class GraphIsomorphism(PermutationProblem):
    """Answer: [node, node of the second graph] for each of its nodes, null where none or several.

    Objective: pairs of nodes that are joined in one graph only; 0 for every feasible answer.
    """

    name = "graph_isomorphism"
    summary = (
        "Match each node of the graph with a node of the second graph such that two nodes are "
        "joined by an edge exactly where their matches are."
    )
    variable = "(node, node of the second graph)"
    attributes: ClassVar = {OTHER: Attribute("graph")}
    answer_form = "pairs"
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        first = read_node_link(graph, problem=self.name, directed=False, may_be_empty=True)
        second = read_node_link(
            attributes[OTHER], problem=f"{self.name}: {OTHER}", directed=False, may_be_empty=True
        )
        if len(first.nodes) != len(second.nodes):
            raise ProblemError(
                f"{self.name}: {len(first.nodes)} nodes, but {OTHER} has {len(second.nodes)}; "
                "both need the same number"
            )

    def items(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        return node_ids(graph)

    def places(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        return node_ids(attributes[OTHER])

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        polynomial = self.one_place_each(graph, attributes)
        qubit, other = self.qubit_of(graph, attributes), attributes[OTHER]
        clashes = [((i, j), edge) for i, j in _strangers(graph) for edge in _edges(other)]
        clashes += [(edge, (u, v)) for u, v in _strangers(other) for edge in _edges(graph)]
        for (i, j), (u, v) in clashes:
            polynomial.add(1.0, qubit[i, u], qubit[j, v])
            if self.encoding == "sound":
                polynomial.add(1.0, qubit[i, v], qubit[j, u])
        return polynomial

    def answer(
        self, graph: Graph, attributes: Mapping[str, Any], placed: list[Node | None]
    ) -> list[list[Node | None]]:
        return [[i, u] for i, u in zip(placed, self.places(graph, attributes), strict=True)]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        matches = [set(column) for column in zip(*answer, strict=True)]
        complete = matches == [set(node_ids(graph)), set(node_ids(attributes[OTHER]))]
        return complete and self.objective(graph, attributes, answer) == 0

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        first = {frozenset(edge) for edge in _edges(graph)}
        second = {frozenset(edge) for edge in _edges(attributes[OTHER])}
        return float(
            sum(
                (frozenset((i, j)) in first) != (frozenset((u, v)) in second)
                for (i, u), (j, v) in combinations(answer, 2)
            )
        )

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """n² for n ≥ 3 nodes."""
        return tuple(n * n for n in range(3, at_most + 1) if n * n <= at_most)

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: a random graph and a random relabelling of it.

        Redrawn where it is empty or complete: then every matching is right.
        """
        if num_qubits not in self.possible_qubits(num_qubits):
            raise ProblemError(f"{self.name}: {num_qubits} qubits are no n² of n ≥ 3 nodes")
        n = round(num_qubits**0.5)
        pairs = list(combinations(range(n), 2))
        density = DENSITIES[rng.integers(len(DENSITIES))]
        chosen: list[tuple[int, int]] = []
        while not 0 < len(chosen) < len(pairs):
            chosen = [pair for pair in pairs if rng.random() < density]
        label = list(map(int, rng.permutation(n)))
        moved = [tuple(sorted((label[u], label[v]))) for u, v in chosen]
        first, second = (
            node_link(range(n), [{"source": u, "target": v} for u, v in edges], directed=False)
            for edges in (chosen, moved)
        )
        return first, {OTHER: second}


def _edges(graph: Graph) -> list[tuple[Node, Node]]:
    return [(edge["source"], edge["target"]) for edge in graph["edges"]]


def _strangers(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """The pairs of nodes without an edge, each once, ascending."""
    edges = {frozenset(edge) for edge in _edges(graph)}
    ordered = sorted(node_ids(graph), key=lambda v: natural_key(str(v)))
    return (pair for pair in combinations(ordered, 2) if frozenset(pair) not in edges)
