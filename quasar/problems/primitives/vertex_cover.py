"""Minimum vertex cover: 2·Σ_{uv∈E}(1−x_u)(1−x_v) + Σ_v x_v, x_v = 1 where v is in the cover."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.problems.base import Graph
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import SimpleGraphProblem

PENALTY = 2.0  # of an uncovered edge; above 1, the cost of covering it


class VertexCover(SimpleGraphProblem):
    """Answer: the list of nodes in the cover. Objective: their number."""

    name = "vertex_cover"
    summary = "Find the smallest set of nodes such that every edge has at least one end in the set."

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        polynomial = BinaryPolynomial(len(qubit))
        for edge in graph["edges"]:
            u, v = qubit[edge["source"]], qubit[edge["target"]]
            polynomial.add(PENALTY)
            polynomial.add(-PENALTY, u)
            polynomial.add(-PENALTY, v)
            polynomial.add(PENALTY, u, v)
        for q in qubit.values():
            polynomial.add(1.0, q)
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        cover = set(answer)
        return all(e["source"] in cover or e["target"] in cover for e in graph["edges"])

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return float(len(answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        return np.logical_and.reduce(
            [chosen[e["source"]] | chosen[e["target"]] for e in graph["edges"]]
        )

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        chosen = self.selections(graph).values()
        sizes = sum((array.astype(np.int64) for array in chosen), start=np.zeros(1, np.int64))
        return float(sizes[self.feasible_states(graph, attributes)].min())
