"""Exact cover: Σ_v (Σ_{h∋v} x_h − 1)², x_h = 1 where hyperedge h is chosen.

Lucas, Front. Phys. 2, 5 (2014), section 4.1. Zero exactly on the exact covers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node, read_hypergraph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.states import variable_values

MAX_QUBITS_OF_TWO = 8  # up to which two hyperedges may be the whole planted cover
MAX_SIZE = 4  # nodes of a generated hyperedge


class ExactCover(GraphProblem):
    """Answer: the chosen hyperedges. Objective: nodes that are not in exactly one of them.

    It is 0 for every feasible answer.
    """

    name = "exact_cover"
    summary = "Choose hyperedges such that every node is in exactly one of them."
    variable = "place of the hyperedge in the list"
    answer_form = "hyperedges"
    hypergraph = True

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_hypergraph(graph, problem=self.name, fewest=1)

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        """Positions in the list of hyperedges."""
        return self.in_order(str(position) for position in range(len(graph["hyperedges"])))

    def _qubits(self, graph: Graph) -> list[int]:
        """Qubit of each hyperedge, as listed."""
        order = self.variables(graph, {})
        return [order.index(str(position)) for position in range(len(order))]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubits = self._qubits(graph)
        polynomial = BinaryPolynomial(len(qubits))
        for v in graph["nodes"]:
            around = [(1.0, q) for h, q in zip(graph["hyperedges"], qubits, strict=True) if v in h]
            polynomial.add_squared(around, -1.0, 1.0)
        return polynomial

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[list[Node]]:
        """The chosen hyperedges in listing order."""
        qubits = self._qubits(graph)
        return [list(h) for h, q in zip(graph["hyperedges"], qubits, strict=True) if assignment[q]]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        return self.objective(graph, attributes, answer) == 0

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(sum(sum(v in h for h in answer) != 1 for v in graph["nodes"]))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        qubits = self._qubits(graph)
        values = variable_values(len(qubits), problem=self.name)
        contains = np.array([[v in h for h in graph["hyperedges"]] for v in graph["nodes"]])
        chosen = values[qubits].astype(np.int64)
        return (contains.astype(np.int64) @ chosen == 1).all(axis=0)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """0 where there is an exact cover, by branching on the first node; infinite otherwise."""
        hyperedges = [frozenset(h) for h in graph["hyperedges"]]
        return 0.0 if _has_cover(frozenset(graph["nodes"]), hyperedges) else float("inf")

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """From three: a cover of two hyperedges and one more."""
        return tuple(range(3, at_most + 1))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A planted exact cover of 2 to n/2 hyperedges and, at random, others of 2 to 4 nodes."""
        # Two hyperedges may have four nodes only, which have no more than eleven subsets.
        fewest = 2 if num_qubits <= MAX_QUBITS_OF_TWO else 3
        planted = int(rng.integers(fewest, max(fewest, num_qubits // 2) + 1))
        sizes = rng.integers(2, MAX_SIZE + 1, size=planted)
        n = int(sizes.sum())
        nodes = list(map(int, rng.permutation(n)))
        ends = map(int, np.cumsum(sizes))
        found = {frozenset(nodes[e - k : e]) for k, e in zip(map(int, sizes), ends, strict=True)}
        while len(found) < num_qubits:
            size = int(rng.integers(2, MAX_SIZE + 1))
            found.add(frozenset(map(int, rng.choice(n, size=size, replace=False))))
        return {"nodes": list(range(n)), "hyperedges": sorted(sorted(h) for h in found)}, {}


def _has_cover(left: frozenset[Node], hyperedges: list[frozenset[Node]]) -> bool:
    if not left:
        return True
    first = next(iter(left))
    return any(
        _has_cover(left - h, [other for other in hyperedges if not other & h])
        for h in hyperedges
        if first in h
    )
