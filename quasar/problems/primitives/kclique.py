"""k-clique: (k+1)·(Σ_v x_v − k)² − Σ_{uv∈E} x_u·x_v, x_v = 1 where v is chosen.

Sound: j nodes beyond k can be taken away for at most j·k + j(j−1)/2 edges, less than the penalty
(k+1)·j² that they cost, and nodes that are missing only cost. So the ground states are the k-node
sets with the most edges: the k-cliques where there are any.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from quasar.problems.base import INTEGER, Graph
from quasar.problems.graphs import node_link, read_count, read_node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem
from quasar.problems.primitives.random_graphs import relabelled
from quasar.problems.primitives.states import count_selected

CLIQUE_SIZES = (3, 5)  # published generator
LINKS = 2  # published generator: random edges of a node outside the planted clique
SPARSE = 0.1  # published generator: or the probability of each edge outside it


class KClique(NodeSubsetProblem):
    """Answer: the list of k chosen nodes. Objective: the number of pairs of them without an edge.

    It is 0 for a clique; where the graph has none, the optimum is a set with the most edges.
    """

    name = "kclique"
    summary = "Find k nodes such that as many pairs of them as possible, at best all, are joined."
    attributes: ClassVar = {"k": INTEGER}

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        nodes = read_node_link(graph, problem=self.name, directed=False).nodes
        read_count(attributes["k"], name="k", problem=self.name, least=2, most=len(nodes))

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit, k = self.qubit_of(graph), attributes["k"]
        polynomial = BinaryPolynomial(len(qubit))
        polynomial.add_squared([(1.0, q) for q in qubit.values()], -float(k), k + 1.0)
        for edge in graph["edges"]:
            polynomial.add(-1.0, qubit[edge["source"]], qubit[edge["target"]])
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = set(answer)
        return chosen <= set(self.nodes(graph)) and len(chosen) == len(answer) == attributes["k"]

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        chosen = set(answer)
        inside = sum(e["source"] in chosen and e["target"] in chosen for e in graph["edges"])
        return float(len(chosen) * (len(chosen) - 1) // 2 - inside)

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        return count_selected(list(self.selections(graph).values())) == attributes["k"]

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all sets of k nodes."""
        chosen, k = self.selections(graph), attributes["k"]
        feasible = self.feasible_states(graph, attributes)
        kept = {node: array[feasible] for node, array in chosen.items()}
        inside = count_selected([kept[e["source"]] & kept[e["target"]] for e in graph["edges"]])
        return float(k * (k - 1) // 2 - int(inside.max()))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: a clique of 3 to 5 nodes and others, sparsely joined; labels shuffled.

        Every further node has two random edges to earlier ones, or every further pair is an edge
        with probability 0.1. Below 4 nodes the clique is all but one of them (two of two).
        """
        n = num_qubits
        low, high = CLIQUE_SIZES
        largest = max(2, min(high, n - 1))
        k = int(rng.integers(min(low, largest), largest + 1))
        pairs = list(combinations(range(k), 2))
        if rng.random() < 0.5:
            for v in range(k, n):
                pairs += [(int(u), v) for u in rng.choice(v, size=LINKS, replace=False)]
        else:
            outside = [(u, v) for v in range(k, n) for u in range(v)]
            pairs += [pair for pair in outside if rng.random() < SPARSE]
        edges = [{"source": u, "target": v} for u, v in relabelled(rng, n, pairs)]
        return node_link(range(n), edges, directed=False), {"k": k}
