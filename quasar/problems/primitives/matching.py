"""Minimum-weight largest matching: A·Σ_v (Σ_{e∋v} x_e − 1)² + Σ_e w_e·x_e with n nodes.

Every ground state is a matching: taking away an edge at a node that has two of them never raises
the penalty and saves its weight. Among matchings M the energy is A·(n − 2|M|) + w(M), so the
ground states are exactly the largest matchings of least weight as long as one more edge never
costs 2A or more, i.e. the least weights c(k) of matchings with k edges satisfy
c(ν) − c(ν−1) < 2A (c is convex) with ν the size of a largest one.
Sound: A = n + 1 where that is enough, else c(ν) − c(ν−1). Published: A = n + 1, too little for
heavy edges.
"""

from collections.abc import Mapping
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Attribute, Graph
from quasar.problems.graphs import node_link, read_weight
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.edges import EdgeSubsetProblem
from quasar.problems.primitives.random_graphs import relabelled
from quasar.problems.primitives.states import count_selected
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

# kind -> (bipartite graph needed, most nodes that the largest matching may leave out)
KINDS: dict[str, tuple[bool, int | None]] = {
    "perfect": (False, 0),
    "near_perfect": (False, 1),
    "maximum": (False, None),
    "perfect_bipartite": (True, 0),
    "maximum_bipartite": (True, None),
}
MAX_EDGES = 200  # far beyond any simulator; keeps the check of the largest matching quick
LIGHT, HEAVY = (1, 10), (11, 20)  # published generator: weights of the planted edges, of others
MOST_PLANTED = 5  # published generator: up to 10 nodes
USUAL_EXTRA = 5  # published generator: edges beside the planted matching


class Matching(EdgeSubsetProblem):
    """Answer: the matching's edges. Objective: their weight; only largest matchings are feasible.

    Attribute `matching` (one of KINDS) says what a largest matching of this graph is: perfect (all
    nodes), near_perfect (all but one) or just maximum, and whether the graph is bipartite. The
    benchmark's attribute `extra` repeats what the graph says and is not read.
    """

    name = "matching"
    summary = (
        "Find a set of edges without common ends that has as many edges as possible and, among "
        "those, the smallest total weight. It leaves out no node where the attribute matching is "
        "perfect or perfect_bipartite, one where it is near_perfect; the graph is bipartite where "
        "it is perfect_bipartite or maximum_bipartite."
    )
    attributes: ClassVar = {"matching": Attribute("choice", tuple(KINDS))}
    optional_attributes = ("extra",)
    edge_fields = ("weight",)
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        if len(graph["edges"]) > MAX_EDGES:
            raise ProblemError(
                f"{self.name}: graph: {len(graph['edges'])} edges, the limit is {MAX_EDGES}"
            )
        for edge in graph["edges"]:
            read_weight(edge, problem=self.name)
        kind = attributes["matching"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise ProblemError(f"{self.name}: matching {kind!r} is not one of {', '.join(KINDS)}")
        bipartite, left_out = KINDS[kind]
        if bipartite and not nx.is_bipartite(self.network(graph)):
            raise ProblemError(f"{self.name}: matching is {kind!r}, but the graph has an odd cycle")
        alone = len(graph["nodes"]) - 2 * self.size(graph)
        if left_out is not None and alone != left_out:
            raise ProblemError(
                f"{self.name}: matching is {kind!r}, but a largest matching leaves out {alone} of "
                f"the {len(graph['nodes'])} nodes, not {left_out}"
            )

    def size(self, graph: Graph) -> int:
        """Number of edges of a largest matching."""
        return len(nx.max_weight_matching(self.network(graph), maxcardinality=True, weight=None))

    def dearest_edge(self, graph: Graph) -> float:
        """c(ν) − c(ν−1): what the last edge of a least largest matching adds to its weight."""
        network, size = self.network(graph), self.size(graph)
        # A perfect matching with n − 2(ν−1) further nodes, each free to take any node, leaves
        # ν − 1 edges of the graph.
        left_out = len(network) - 2 * (size - 1)
        fewer = network.copy()
        fewer.add_weighted_edges_from(
            (("left out", i), node, 0) for i in range(left_out) for node in network
        )
        weight = sum(fewer.edges[edge]["weight"] for edge in nx.min_weight_matching(fewer))
        return self.optimum(graph, {}) - float(weight)

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        polynomial = BinaryPolynomial(len(graph["edges"]))
        penalty = len(graph["nodes"]) + 1.0
        if self.encoding == "sound":
            last = self.dearest_edge(graph)
            penalty = penalty if last < 2 * penalty else last
        for qubits in self.incident(graph).values():
            polynomial.add_squared([(1.0, q) for q in qubits], -1.0, penalty)
        for q, weight in enumerate(self.weights(graph).values()):
            polynomial.add(float(weight), q)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = self.answer_edges(graph, answer)
        if chosen is None:
            return False
        ends = [node for pair in chosen for node in pair]
        return len(set(ends)) == len(ends) == 2 * self.size(graph)

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return self.total_weight(graph, answer)

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        feasible = count_selected(chosen) == self.size(graph)
        for qubits in self.incident(graph).values():
            if len(qubits) > 1:
                feasible &= count_selected(chosen[qubits]) <= 1
        return feasible

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        return self.total_weight(graph, nx.min_weight_matching(self.network(graph)))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe: a light largest matching hidden among heavier edges; labels shuffled.

        The planted matching is the one optimum (an exchange adds heavy edges for light ones), and
        a ground state: one more planted edge costs less than the 2(n+1) that it saves.
        """
        plans = _plans(num_qubits)
        kind, left, right, planted = plans[int(rng.integers(len(plans)))]
        n = left + right
        pairs = combinations(range(n), 2)
        if KINDS[kind][0]:
            pairs = product(range(left), range(left, n))
        base = [(v, left + v) for v in range(planted)]
        others = [pair for pair in pairs if pair not in base]
        extra = rng.choice(len(others), size=num_qubits - planted, replace=False)
        lightest, heaviest = LIGHT[0], min(LIGHT[1], 2 * n + 1)
        weights = [
            *rng.integers(lightest, heaviest + 1, size=planted),
            *rng.integers(HEAVY[0], HEAVY[1] + 1, size=len(extra)),
        ]
        ends = relabelled(rng, n, [*base, *(others[i] for i in extra)])
        edges = [
            {"weight": int(w), "source": u, "target": v}
            for w, (u, v) in zip(weights, ends, strict=True)
        ]
        return node_link(range(n), edges, directed=False), {"matching": kind}


def _plans(num_edges: int) -> list[tuple[str, int, int, int]]:
    """(kind, left nodes, right nodes, planted edges) of the graphs that have room for the edges.

    The planted edges join left to right one to one. As many edges beside them as published, where
    that is possible, else as near to it as there is room.
    """
    plans = []
    for planted in range(1, min(MOST_PLANTED, num_edges - 1) + 1):
        for kind, (bipartite, left_out) in KINDS.items():
            if bipartite:
                rights = [planted] if left_out == 0 else [planted, planted + 1, planted + 2]
            else:
                rights = [planted + left_out] if left_out is not None else [planted, planted + 1]
            for right in rights:
                n = planted + right
                room = planted * right if bipartite else n * (n - 1) // 2
                if num_edges <= room:
                    plans.append((kind, planted, right, planted))
    nearest = min(abs(num_edges - plan[3] - USUAL_EXTRA) for plan in plans)
    return [plan for plan in plans if abs(num_edges - plan[3] - USUAL_EXTRA) <= nearest + 1]
