"""Portfolio: q·Σ_ij σ_ij·x_i·x_j − Σ_i μ_i·x_i + A·(Σ_i x_i − B)², x_i = 1 where asset i is chosen.

Markowitz (J. Finance 7, 77, 1952) with whole assets, as Brandhofer et al. (Quantum Inf. Process.
22, 25, 2023) have it: returns μ and variances σ_ii stand on the nodes, covariances σ_ij on the
edges (each pair counts twice in the sum), B is the budget and q the risk aversion.
A = M + m, where M bounds what one asset can change of the first two sums and m is the largest
number: D assets too many or too few cost A·D² and gain M·D at most.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import INTEGER, Graph
from quasar.problems.graphs import (
    MAX_CAPACITY,
    node_link,
    read_count,
    read_node_link,
    read_signed,
)
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.nodes import NodeSubsetProblem
from quasar.problems.primitives.states import count_selected

DAYS = 4  # returns a generated asset has, beyond one a node


class Portfolio(NodeSubsetProblem):
    """Answer: the assets chosen. Objective: risk_aversion·variance − return, in the budget's size.

    A pair without an edge has no covariance. "risk_aversion" is 1 where it is not given.
    """

    name = "portfolio"
    summary = (
        "Choose exactly as many nodes as the budget says such that the sum of their returns minus "
        "the risk aversion times the variance of that sum is as large as possible."
    )
    attributes: ClassVar = {"budget": INTEGER}
    optional_attributes = ("risk_aversion",)
    node_fields = ("variance", "return")
    edge_fields = ("covariance",)

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph,
            problem=self.name,
            directed=False,
            may_be_empty=True,
            node_fields=self.node_fields,
            edge_fields=self.edge_fields,
        )
        for node in graph["nodes"]:
            where = f"{self.name}: graph: node {node['id']!r}"
            for name in self.node_fields:
                read_signed(node, name, where=where)
            if node["variance"] < 0:
                raise ProblemError(f"{where}: variance must not be negative: {node['variance']}")
        for u, v, edge in checked.edges:
            where = f"{self.name}: graph: edge {u!r}-{v!r}"
            read_signed(edge, "covariance", where=where)
        n = len(checked.nodes)
        read_count(attributes["budget"], name="budget", problem=self.name, least=1, most=n)
        aversion = attributes.get("risk_aversion", 1)
        real = isinstance(aversion, (int, float)) and not isinstance(aversion, bool)
        if not real or not 0 <= aversion <= MAX_CAPACITY:
            raise ProblemError(
                f"{self.name}: risk_aversion must be a number from 0 to {MAX_CAPACITY:g}, not "
                f"{str(aversion)[:20]!r}"
            )
        if not any(self.numbers_that_count(graph, attributes)):
            what = "numbers are 0" if aversion else "returns are 0, and so is risk_aversion"
            raise ProblemError(f"{self.name}: graph: all {what}: nothing to optimise")

    def numbers_that_count(self, graph: Graph, attributes: Mapping[str, Any]) -> list[float]:
        """Without risk aversion the returns alone."""
        if attributes.get("risk_aversion", 1) == 0:
            return [node["return"] for node in graph["nodes"]]
        return self.numbers(graph)

    def terms(
        self, graph: Graph, attributes: Mapping[str, Any]
    ) -> tuple[dict[Any, float], list[tuple[Any, Any, float]]]:
        """Coefficients of the objective: of each asset, and (asset, asset, coefficient)."""
        q = float(attributes.get("risk_aversion", 1))
        single = {n["id"]: q * float(n["variance"]) - float(n["return"]) for n in graph["nodes"]}
        pairs = [(e["source"], e["target"], 2 * q * float(e["covariance"])) for e in graph["edges"]]
        return single, pairs

    def penalty(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """A of the formula."""
        single, pairs = self.terms(graph, attributes)
        most = {node: abs(value) for node, value in single.items()}
        for u, v, value in pairs:
            most[u] += abs(value)
            most[v] += abs(value)
        largest = max(abs(value) for value in (*single.values(), *(w for *_, w in pairs)))
        return max(most.values()) + (largest or 1.0)

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        qubit = self.qubit_of(graph)
        single, pairs = self.terms(graph, attributes)
        polynomial = BinaryPolynomial(len(qubit))
        for node, value in single.items():
            polynomial.add(value, qubit[node])
        for u, v, value in pairs:
            polynomial.add(value, qubit[u], qubit[v])
        polynomial.add_squared(
            [(1.0, q) for q in qubit.values()],
            -float(attributes["budget"]),
            self.penalty(graph, attributes),
        )
        return polynomial

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        return len(set(answer)) == attributes["budget"]

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        chosen = set(answer)
        single, pairs = self.terms(graph, attributes)
        return float(
            sum(value for node, value in single.items() if node in chosen)
            + sum(value for u, v, value in pairs if u in chosen and v in chosen)
        )

    def objective_tolerance(self, graph: Graph) -> float:
        """Beside the risk aversion, which the graph does not tell, rounding is of the numbers."""
        return 64 * super().objective_tolerance(graph)

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = list(self.selections(graph).values())
        return count_selected(chosen) == attributes["budget"]

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        chosen = self.selections(graph)
        single, pairs = self.terms(graph, attributes)
        costs = np.zeros(1 << len(chosen))
        for node, value in single.items():
            costs += value * chosen[node]
        for u, v, value in pairs:
            costs += value * (chosen[u] & chosen[v])
        costs[~self.feasible_states(graph, attributes)] = math.inf
        return costs

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By enumeration of all choices."""
        return float(self.costs(graph, attributes).min())

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Mean and covariance of normal daily returns in per cent, in hundredths; half are bought.

        The covariances are those of the drawn days, so that they are ones of some returns.
        """
        n = num_qubits
        market = rng.normal(0.2, 1.0, size=(n + DAYS, 1))
        days = market * rng.uniform(0.3, 1.2, size=n) + rng.normal(0.1, 0.8, size=(n + DAYS, n))
        mean = np.round(days.mean(axis=0), 2)
        covariance = np.round(np.atleast_2d(np.cov(days, rowvar=False)), 2)
        edges = [
            {"covariance": float(covariance[u, v]), "source": u, "target": v}
            for u in range(n)
            for v in range(u + 1, n)
        ]
        graph = node_link(range(n), edges, directed=False)
        nodes = [
            {"id": v, "variance": float(covariance[v, v]), "return": float(mean[v])}
            for v in range(n)
        ]
        return graph | {"nodes": nodes}, {"budget": max(1, n // 2)}
