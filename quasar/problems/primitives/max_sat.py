"""Weighted maximum satisfiability: Σ_C w_C·∏_{v positive in C} (1 − x_v)·∏_{v negated in C} x_v.

A clause adds its weight where none of its literals is true, and nothing else: the energy is the
weight that is not satisfied. A clause of k literals has products of up to k variables.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.graphs import Node, read_clauses
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem

MAX_LITERALS = 10  # of a clause: its polynomial has up to 2**k monomials
MAX_WEIGHT = 5  # of a generated clause
CLAUSES_PER_NODE = 3


class MaxSat(NodeSubsetProblem):
    """Answer: the nodes that are true. Objective: the weight of the clauses not satisfied.

    A clause is a hyperedge {"nodes": [0, 1, 2], "negated": [1], "weight": 3}; without "negated" all
    its nodes are wanted true, without "weight" it weighs 1. A plain list of nodes is such a clause.
    """

    name = "max_sat"
    summary = (
        "Make each node true or false such that the total weight of the clauses with at least one "
        "literal that holds is as large as possible."
    )
    hypergraph = True
    hyperedge_fields = ("negated", "weight")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_clauses(graph, problem=self.name, most=MAX_LITERALS)

    def nodes(self, graph: Graph) -> list[Node]:
        return graph["nodes"]

    def numbers(self, graph: Graph) -> list[float]:
        return [_weight(clause) for clause in graph["hyperedges"]]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for clause in graph["hyperedges"]:
            negated = set(clause.get("negated", ()))
            negative = [qubit[v] for v in clause["nodes"] if v in negated]
            positive = [qubit[v] for v in clause["nodes"] if v not in negated]
            for size in range(len(positive) + 1):
                for subset in combinations(positive, size):
                    polynomial.add((-1.0) ** size * float(_weight(clause)), *negative, *subset)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is an answer."""
        return set(answer) <= set(graph["nodes"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        true = set(answer)
        return float(
            sum(
                _weight(clause)
                for clause in graph["hyperedges"]
                if not any((v in true) != (v in clause.get("negated", ())) for v in clause["nodes"])
            )
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        true = self.selections(graph)
        costs = np.zeros(1 << len(true))
        for clause in graph["hyperedges"]:
            negated = clause.get("negated", ())
            holds = [true[v] != (v in negated) for v in clause["nodes"]]
            costs += _weight(clause) * ~np.logical_or.reduce(holds)
        return costs

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all assignments."""
        return float(self.costs(graph, attributes).min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Different clauses of two or three literals, at most three a node, whole weights to 5.

        Every node is in one; drawn again where all assignments satisfy as much.
        """
        n = num_qubits
        while True:
            found: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
            for k in range(CLAUSES_PER_NODE * n):
                size = int(rng.integers(2, min(n, 3) + 1))
                others = rng.choice([v for v in range(n) if v != k % n], size - 1, replace=False)
                nodes = tuple(sorted((k % n, *map(int, others))))
                negated = tuple(v for v in nodes if rng.random() < 0.5)
                found.setdefault((nodes, negated), int(rng.integers(1, MAX_WEIGHT + 1)))
            clauses = [
                {"nodes": list(nodes), "negated": list(negated), "weight": weight}
                for (nodes, negated), weight in sorted(found.items())
            ]
            graph = {"nodes": list(range(n)), "hyperedges": clauses}
            if np.ptp(self.costs(graph, {})) > 0:
                return graph, {}


def _weight(clause: Mapping[str, Any]) -> float:
    return clause.get("weight", 1)
