"""Quadratic unconstrained binary optimisation: Σ_v q_v·x_v + Σ_{uv∈E} q_uv·x_u·x_v, x_v ∈ {0, 1}.

Every pair counts once: of a matrix Q, q_uv = Q_uv + Q_vu and q_v = Q_vv.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.quadratic import QuadraticProblem


class Qubo(QuadraticProblem):
    """Answer: the nodes chosen, x = 1. Objective: the sum of the coefficients that they switch on.

    The linear coefficients are the "weight" of the nodes (0 where one has none), the quadratic
    ones that of the edges.
    """

    name = "qubo"
    summary = (
        "Choose nodes such that the sum of the weights of the chosen nodes and of the edges with "
        "both ends chosen is as small as possible."
    )

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for node, weight in self.fields(graph).items():
            polynomial.add(weight, qubit[node])
        for u, v, weight in self.couplings(graph):
            polynomial.add(weight, qubit[u], qubit[v])
        return polynomial

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        chosen = set(answer)
        single = (w for v, w in self.fields(graph).items() if v in chosen)
        pairs = (w for u, v, w in self.couplings(graph) if u in chosen and v in chosen)
        return float(sum(single) + sum(pairs))

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        costs = np.zeros(1 << len(chosen))
        for node, weight in self.fields(graph).items():
            costs += weight * chosen[node]
        for u, v, weight in self.couplings(graph):
            costs += weight * (chosen[u] & chosen[v])
        return costs
