"""Knapsack: A·(Σ_i w_i·x_i + s − W)² − Σ_i v_i·x_i with A = 1 + max v and the capacity W.

x_i = 1 where item i is taken. The slack s = Σ_{k<M} 2^k·y_k + (W + 1 − 2^M)·y_M, M = ⌊log2 W⌋,
takes exactly the values 0…W (Lucas, Front. Phys. 2, 5 (2014), section 5.2). An excess of D units of
weight costs A·D² at least, and no more than D items need be left out to fix it: less than A·D.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from quasar.problems.base import INTEGER, Graph, GraphProblem
from quasar.problems.graphs import Node, node_ids, read_items, read_whole, weighted_nodes
from quasar.problems.polynomial import BinaryPolynomial, bits_up_to
from quasar.problems.primitives.states import variable_values

MAX_VALUE = 10  # of a generated item
SLACK = "slack"


class Knapsack(GraphProblem):
    """Answer: the items taken. Objective: −(their value), their weight within the capacity.

    The items are the nodes; the graph has no edges. Variables: one an item, then the bits of the
    slack. An answer does not depend on the slack.
    """

    name = "knapsack"
    summary = (
        "Choose nodes such that the sum of their values is as large as possible while the sum of "
        "their weights is within the capacity."
    )
    variable = "node, or bit of the slack"
    attributes: ClassVar = {"capacity": INTEGER}
    answer_form = "nodes"
    node_fields = ("weight", "value")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        read_items(graph, problem=self.name, node_fields=self.node_fields)
        for node in graph["nodes"]:
            where = f"{self.name}: graph: node {node['id']!r}"
            read_whole(node, "weight", where=where)
            read_whole(node, "value", where=where)
        read_whole(attributes, "capacity", where=self.name)

    def items(self, graph: Graph) -> list[Node]:
        """Node ids in qubit order."""
        return self.in_order(node_ids(graph))

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        """E.g. "0", "1", "slack 0", "slack 1"."""
        num_bits = len(bits_up_to(int(attributes["capacity"])))
        names = [str(item) for item in self.items(graph)]
        return names + [f"{SLACK} {k}" for k in range(num_bits)]

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        items, capacity = self.items(graph), int(attributes["capacity"])
        data = {node["id"]: node for node in graph["nodes"]}
        weights = [(float(data[item]["weight"]), q) for q, item in enumerate(items)]
        slack = [(float(units), len(items) + k) for k, units in enumerate(bits_up_to(capacity))]
        polynomial = BinaryPolynomial(len(weights) + len(slack))
        penalty = 1.0 + max(node["value"] for node in graph["nodes"])
        polynomial.add_squared(weights + slack, -float(capacity), penalty)
        for q, item in enumerate(items):
            polynomial.add(-float(data[item]["value"]), q)
        return polynomial

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[Node]:
        """The items taken in qubit order."""
        return [item for item, x in zip(self.items(graph), assignment, strict=False) if x]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        return _total(graph, "weight", answer) <= attributes["capacity"]

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return -float(_total(graph, "value", answer))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        items = self.items(graph)
        values = variable_values(len(self.variables(graph, attributes)), problem=self.name)
        weight = {node["id"]: node["weight"] for node in graph["nodes"]}
        carried = np.array([weight[item] for item in items]) @ values[: len(items)]
        return carried <= attributes["capacity"]

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """By dynamic programming over (weight, best value) pairs."""
        best = {0: 0}
        for node in graph["nodes"]:
            for weight, value in list(best.items()):
                heavier = weight + node["weight"]
                if heavier <= attributes["capacity"]:
                    best[heavier] = max(best.get(heavier, 0), value + node["value"])
        return -float(max(best.values()))

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """From three: two items and a bit of slack."""
        return tuple(range(3, at_most + 1))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two items or more, each light enough to be taken alone; no more slack bits than items."""
        num_bits = min(int(rng.integers(1, num_qubits // 2 + 1)), num_qubits - 2)
        capacity = int(rng.integers(2 ** (num_bits - 1), 2**num_bits))
        items = [
            {
                "weight": int(rng.integers(1, capacity + 1)),
                "value": int(rng.integers(1, MAX_VALUE + 1)),
            }
            for _ in range(num_qubits - num_bits)
        ]
        return weighted_nodes(items), {"capacity": capacity}


def _total(graph: Graph, key: str, answer: Any) -> int:
    chosen = set(answer)
    return sum(node[key] for node in graph["nodes"] if node["id"] in chosen)
