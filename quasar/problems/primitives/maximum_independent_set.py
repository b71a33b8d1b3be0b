"""Maximum independent set: 2·Σ_{uv∈E} x_u·x_v − Σ_v x_v, x_v = 1 where v is in the set.

Taking one end of a violated edge out of the set gains at least 2 and costs 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import SimpleGraphProblem

PENALTY = 2.0  # of an edge inside the set; above 1, the worth of a node


class MaximumIndependentSet(SimpleGraphProblem):
    """Answer: the list of nodes in the set. Objective: −(their number)."""

    name = "maximum_independent_set"
    summary = "Find the largest set of nodes such that no edge joins two of them."

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for edge in graph["edges"]:
            polynomial.add(PENALTY, qubit[edge["source"]], qubit[edge["target"]])
        for q in qubit.values():
            polynomial.add(-1.0, q)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        chosen = set(answer)
        return not any(e["source"] in chosen and e["target"] in chosen for e in graph["edges"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return -float(len(answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        return ~np.logical_or.reduce(
            [chosen[e["source"]] & chosen[e["target"]] for e in graph["edges"]]
        )

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        chosen = self.selections(graph).values()
        sizes = sum((array.astype(np.int64) for array in chosen), start=np.zeros(1, np.int64))
        return -float(sizes[self.feasible_states(graph, attributes)].max())
