"""Travelling salesman; x_{v,p} = 1 where node v is at place p = 1…n−1, the start being at place 0.

A·[Σ_v (Σ_p x_{v,p} − 1)² + Σ_p (Σ_v x_{v,p} − 1)²] + Σ_{uv} w_uv·(steps between u and v), where a
step without an edge adds A instead (Lucas, Front. Phys. 2, 5 (2014), section 7.2, with the start
fixed: (n−1)² variables instead of n²). A = L + max w with L = ½·Σ_v (the two largest weights at v),
which no tour exceeds; all weights are non-negative, so that what is no tour costs more than any.
"""

from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Attribute, Graph
from quasar.problems.graphs import (
    Node,
    node_ids,
    node_link,
    read_node_link,
    read_signed,
    require_nodes,
)
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.permutations import PermutationProblem

MAX_DISTANCE = 10  # between two nodes of a generated instance


class Tsp(PermutationProblem):
    """Answer: the nodes along the tour from its start, null where a place has no node.

    Objective: the tour's length, back to the start. Tours use edges of the graph alone. Every tour
    is found in both directions. "start_node" is the first node where it is not given: it makes no
    tour longer.
    """

    name = "tsp"
    summary = (
        "Find the shortest round trip along the edges that visits every node exactly once and "
        "returns to its start."
    )
    variable = "(node, place in the tour)"
    attributes: ClassVar[Mapping[str, Attribute]] = {}
    optional_attributes = ("start_node",)
    answer_form = "path"
    edge_fields = ("weight",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph, problem=self.name, directed=False, edge_fields=self.edge_fields
        )
        if len(checked.nodes) < 3:
            raise ProblemError(f"{self.name}: a tour needs three nodes, not {len(checked.nodes)}")
        if "start_node" in attributes:
            require_nodes(attributes, ["start_node"], checked.nodes, problem=self.name)
        weights = []
        for u, v, edge in checked.edges:
            where = f"{self.name}: graph: edge {u!r}-{v!r}"
            weights.append(read_signed(edge, "weight", where=where))
            if weights[-1] < 0:
                raise ProblemError(
                    f"{where}: weight is {weights[-1]}, a length must not be negative; add the "
                    "same number to all edges, which changes all tours alike"
                )
        if not any(weights):
            raise ProblemError(f"{self.name}: graph: all weights are 0: nothing to optimise")

    def start(self, graph: Graph, attributes: Mapping[str, Any]) -> Node:
        """Where the tour is told from."""
        return attributes.get("start_node", self.in_order(node_ids(graph))[0])

    def items(self, graph: Graph, attributes: Mapping[str, Any]) -> list[Node]:
        start = self.start(graph, attributes)
        return [v for v in node_ids(graph) if v != start]

    def places(self, graph: Graph, attributes: Mapping[str, Any]) -> range:
        return range(1, len(graph["nodes"]))

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        penalty, length = _penalty(graph), _lengths(graph)
        polynomial = self.one_place_each(graph, attributes)
        for key in polynomial.coefficients:
            polynomial.coefficients[key] *= penalty
        qubit, start = self.qubit_of(graph, attributes), self.start(graph, attributes)
        items, last = self.items(graph, attributes), len(graph["nodes"]) - 1
        for v in items:
            home = length.get(frozenset((start, v)), penalty)
            polynomial.add(home, qubit[v, 1])
            polynomial.add(home, qubit[v, last])
        for u, v in combinations(items, 2):
            step = length.get(frozenset((u, v)), penalty)
            for place in range(1, last):
                polynomial.add(step, qubit[u, place], qubit[v, place + 1])
                polynomial.add(step, qubit[v, place], qubit[u, place + 1])
        return polynomial

    def answer(
        self, graph: Graph, attributes: Mapping[str, Any], placed: list[Node | None]
    ) -> list[Node | None]:
        return [self.start(graph, attributes), *placed]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        edges = _lengths(graph)
        steps = (frozenset(pair) for pair in pairwise([*answer, answer[0]]))
        return set(answer) == set(node_ids(graph)) and all(step in edges for step in steps)

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        """Of the steps along edges."""
        length = _lengths(graph)
        steps = (frozenset(pair) for pair in pairwise([*answer, answer[0]]))
        return float(sum(length.get(step, 0.0) for step in steps))

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """(n − 1)² for n ≥ 3 nodes."""
        return tuple(k * k for k in range(2, at_most + 1) if k * k <= at_most)

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A complete graph, whole distances to 10."""
        if num_qubits not in self.possible_qubits(num_qubits):
            raise ProblemError(f"{self.name}: {num_qubits} qubits are no (n − 1)² of n ≥ 3 nodes")
        n = round(num_qubits**0.5) + 1
        edges = [
            {"weight": int(rng.integers(1, MAX_DISTANCE + 1)), "source": u, "target": v}
            for u, v in combinations(range(n), 2)
        ]
        return node_link(range(n), edges, directed=False), {"start_node": 0}


def _lengths(graph: Graph) -> dict[frozenset[Node], float]:
    return {frozenset((e["source"], e["target"])): float(e["weight"]) for e in graph["edges"]}


def _penalty(graph: Graph) -> float:
    """A of the formula."""
    at: dict[Node, list[float]] = {node: [] for node in node_ids(graph)}
    for ends, length in _lengths(graph).items():
        for end in ends:
            at[end].append(length)
    longest = sum(sum(sorted(lengths)[-2:]) for lengths in at.values()) / 2
    return longest + max(map(max, filter(None, at.values())))
