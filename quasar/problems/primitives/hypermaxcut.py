"""Maximum cut of a hypergraph.

Sound: a hyperedge h adds ∏_{i∈h} x_i + ∏_{i∈h} (1 − x_i) − 1, i.e. −1 where it is cut. For a
hyperedge of size 2 that is −x_i −x_j + 2·x_i·x_j, as published.
Published: a hyperedge of size k > 2 adds (2/C(k,2))·Σ_{i<j} x_i·x_j − (1/k)·Σ_i x_i, a surrogate
whose ground states need not be maximum cuts.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Graph
from quasar.problems.graphs import Node, read_hypergraph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem

# The exact cut function of k nodes has 2**(k−1) products of Z.
MAX_HYPEREDGE = 10  # nodes, sound encoding
MAX_GENERATED = 5  # nodes; more make cost layers of thousands of gates
MAX_DRAWS = 20  # redraws of a nested hyperedge before the generator goes on without it


class HyperMaxCut(NodeSubsetProblem):
    """Answer: the nodes of one side. Objective: −(number of hyperedges with nodes on both)."""

    name = "hypermaxcut"
    summary = (
        "Split the nodes of the hypergraph into two groups such that as many hyperedges as "
        "possible have nodes in both groups."
    )
    answer_form = "side"
    hypergraph = True
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        _, hyperedges = read_hypergraph(graph, problem=self.name)
        largest = max(map(len, hyperedges))
        if self.encoding == "sound" and largest > MAX_HYPEREDGE:
            raise ProblemError(
                f"{self.name}: a hyperedge has {largest} nodes; the sound encoding takes at most "
                f"{MAX_HYPEREDGE}"
            )

    def nodes(self, graph: Graph) -> Sequence[Node]:
        return graph["nodes"]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for hyperedge in graph["hyperedges"]:
            qubits = [qubit[v] for v in hyperedge]
            if self.encoding == "sound" or len(qubits) == 2:
                _add_cut(polynomial, qubits)
            else:
                _add_surrogate(polynomial, qubits)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Every subset of the nodes is a cut."""
        return set(answer) <= set(graph["nodes"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        side = set(answer)
        return -float(sum(0 < len(side.intersection(h)) < len(h) for h in graph["hyperedges"]))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return np.ones(1 << len(graph["nodes"]), dtype=bool)

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        side = self.selections(graph)
        cut = np.zeros(1 << len(side), dtype=np.int64)
        for hyperedge in graph["hyperedges"]:
            inside = sum(side[v].astype(np.int64) for v in hyperedge)
            cut += (inside > 0) & (inside < len(hyperedge))
        return -cut.astype(np.float64)

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        return float(self.costs(graph, attributes).min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: sizes uniform, nested hyperedges rejected, lone nodes get an edge.

        Hyperedges have at most MAX_GENERATED nodes (published: n − 1).
        """
        n = num_qubits
        num_edges = int(rng.integers(1, max(2, n * (n - 1) // 2)))
        max_size = int(rng.integers(2, min(max(3, n), MAX_GENERATED + 1)))
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


def _add_cut(polynomial: BinaryPolynomial, qubits: Sequence[int]) -> None:
    """Add −1 where the qubits' variables are not all equal: ∏x + ∏(1 − x) − 1."""
    polynomial.add(1.0, *qubits)
    for size in range(1, len(qubits) + 1):
        for subset in combinations(qubits, size):
            polynomial.add((-1.0) ** size, *subset)


def _add_surrogate(polynomial: BinaryPolynomial, qubits: Sequence[int]) -> None:
    for i, j in combinations(qubits, 2):
        polynomial.add(2.0 / comb(len(qubits), 2), i, j)
    for i in qubits:
        polynomial.add(-1.0 / len(qubits), i)
