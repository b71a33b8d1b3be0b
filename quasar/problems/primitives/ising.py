"""Ising model: Σ_v h_v·s_v + Σ_{uv∈E} J_uv·s_u·s_v with spins s = ±1, to be minimised.

s_v = 2·x_v − 1, so that s_v is the eigenvalue of Z on the node's qubit and the Hamiltonian's
coefficients are h and J themselves.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.quadratic import QuadraticProblem


class Ising(QuadraticProblem):
    """Answer: the nodes whose spin is +1. Objective: the energy Σ h·s + Σ J·s·s.

    h is the "weight" of a node (0 where it has none), J that of an edge.
    """

    name = "ising"
    summary = (
        "Give each node a spin of +1 or -1 such that the sum of weight times spin over the nodes "
        "and of weight times both spins over the edges is as small as possible."
    )
    answer_form = "side"

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for node, field in self.fields(graph).items():
            polynomial.add(2 * field, qubit[node])
        for u, v, coupling in self.couplings(graph):
            polynomial.add(4 * coupling, qubit[u], qubit[v])
            polynomial.add(-2 * coupling, qubit[u])
            polynomial.add(-2 * coupling, qubit[v])
        return polynomial

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        up = set(answer)
        single = (h if v in up else -h for v, h in self.fields(graph).items())
        pairs = (j if (u in up) == (v in up) else -j for u, v, j in self.couplings(graph))
        return float(sum(single) + sum(pairs))

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        spin = {v: 2.0 * up - 1.0 for v, up in self.selections(graph).items()}
        costs = np.zeros(1 << len(spin))
        for node, field in self.fields(graph).items():
            costs += field * spin[node]
        for u, v, coupling in self.couplings(graph):
            costs += coupling * spin[u] * spin[v]
        return costs
