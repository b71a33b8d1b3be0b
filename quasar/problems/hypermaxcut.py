"""Maximum cut of a hypergraph, in the published quadratic form.

A hyperedge of size 2 adds −x_i −x_j + 2·x_i·x_j; one of size k > 2 adds
(2/C(k,2))·Σ_{i<j} x_i·x_j − (1/k)·Σ_i x_i. The latter is a surrogate of the cut function: its
ground states need not be maximum cuts, so generated instances are checked against the optimum.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.graphs import Node, read_hypergraph
from quasar.problems.nodes import NodeSubsetProblem
from quasar.problems.polynomial import BinaryPolynomial

MAX_DRAWS = 20  # redraws of a nested hyperedge before the generator goes on without it


class HyperMaxCut(NodeSubsetProblem):
    """Answer: the nodes of one side. Objective: −(number of hyperedges with nodes on both)."""

    name = "hypermaxcut"
    summary = (
        "Split the nodes of the hypergraph into two groups such that as many hyperedges as "
        "possible have nodes in both groups."
    )

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_hypergraph(graph, problem=self.name)

    def nodes(self, graph: Graph) -> Sequence[Node]:
        return graph["nodes"]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for hyperedge in graph["hyperedges"]:
            size = len(hyperedge)
            linear, quadratic = (-1.0, 2.0) if size == 2 else (-1.0 / size, 2.0 / comb(size, 2))
            for u, v in combinations(hyperedge, 2):
                polynomial.add(quadratic, qubit[u], qubit[v])
            for v in hyperedge:
                polynomial.add(linear, qubit[v])
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is a cut."""
        return set(answer) <= set(graph["nodes"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        side = set(answer)
        return -float(sum(0 < len(side.intersection(h)) < len(h) for h in graph["hyperedges"]))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        side = self.selections(graph)
        cut = np.zeros(1 << len(side), dtype=np.int64)
        for hyperedge in graph["hyperedges"]:
            inside = sum(side[v].astype(np.int64) for v in hyperedge)
            cut += (inside > 0) & (inside < len(hyperedge))
        return -float(cut.max())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: sizes uniform, nested hyperedges rejected, lone nodes get an edge."""
        n = num_qubits
        num_edges = int(rng.integers(1, max(2, n * (n - 1) // 2)))
        max_size = int(rng.integers(2, max(3, n)))
        found: list[frozenset[int]] = []
        for _ in range(num_edges):
            for _ in range(MAX_DRAWS):
                size = int(rng.integers(2, max_size + 1))
                new = frozenset(map(int, rng.choice(n, size=size, replace=False)))
                if not any(new <= old or old <= new for old in found):
                    found.append(new)
                    break
        for node in range(n):
            if not any(node in hyperedge for hyperedge in found):
                other = int(rng.choice([v for v in range(n) if v != node]))
                found.append(frozenset((node, other)))
        return {"nodes": list(range(n)), "hyperedges": sorted(sorted(h) for h in found)}, {}
