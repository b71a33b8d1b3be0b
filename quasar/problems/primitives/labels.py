"""What the primitives that give each node one of K labels share: one variable a (node, label).

Takes a checked undirected graph; gives variables, decoding, and all K**n labellings. The variables
of a node are one-hot: exactly one of them is 1 in a feasible assignment.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node, natural_key, read_count, read_node_link
from quasar.problems.polynomial import BinaryPolynomial
from quasar.problems.primitives.states import MAX_ENUMERATED, count_selected, variable_values


class NodeLabelProblem(GraphProblem):
    """A problem whose answer is K groups of nodes (lists in qubit order), group c with label c."""

    variable = "node:label"
    answer_form = "groups"

    count_attribute: str  # the attribute that holds K, an integer from 2 to the number of nodes

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph, problem=self.name, directed=False, edge_fields=self.edge_fields
        )
        name = self.count_attribute
        read_count(attributes[name], name=name, problem=self.name, least=2, most=len(checked.nodes))

    def nodes(self, graph: Graph) -> list[Node]:
        """Node ids, natural order (that of the columns of `labellings`)."""
        return sorted((e["id"] for e in graph["nodes"]), key=lambda v: natural_key(str(v)))

    def qubit_of(self, graph: Graph, attributes: Mapping[str, Any]) -> dict[tuple[Node, int], int]:
        """(node, label) -> qubit."""
        labels = range(attributes[self.count_attribute])
        pairs = [(node, label) for node in self.nodes(graph) for label in labels]
        return {pair: q for q, pair in enumerate(self.in_order(pairs))}

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        return [f"{node}:{label}" for node, label in self.qubit_of(graph, attributes)]

    def add_one_hot(
        self,
        polynomial: BinaryPolynomial,
        graph: Graph,
        attributes: Mapping[str, Any],
        weight: float,
    ) -> None:
        """Add weight·Σ_v (Σ_c x_vc − 1)²."""
        for qubits in self._qubits_of_nodes(graph, attributes):
            polynomial.add_squared([(1.0, q) for q in qubits], -1.0, weight)

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[list[Node]]:
        """The nodes of each label; a node may be in several groups or none (then infeasible)."""
        groups: list[list[Node]] = [[] for _ in range(attributes[self.count_attribute])]
        pairs = self.qubit_of(graph, attributes)
        for (node, label), x in zip(pairs, assignment, strict=True):
            if x:
                groups[label].append(node)
        return groups

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Whether every node is in exactly one of the K groups (a group may be empty)."""
        members = [node for group in answer for node in group]
        return (
            len(answer) == attributes[self.count_attribute]
            and len(members) == len(graph["nodes"])
            and set(members) == set(self.nodes(graph))
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        by_node = self._qubits_of_nodes(graph, attributes)
        chosen = variable_values(sum(map(len, by_node)), problem=self.name)
        return np.logical_and.reduce([count_selected(chosen[qubits]) == 1 for qubits in by_node])

    def labellings(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        """Every way to label the nodes: (K**n, n) uint8, columns in the order of `nodes`."""
        n, labels = len(graph["nodes"]), attributes[self.count_attribute]
        if labels**n > 1 << MAX_ENUMERATED:
            raise ProblemError(
                f"{self.name}: {labels} labels on {n} nodes; exact optima reach "
                f"2**{MAX_ENUMERATED} labellings"
            )
        return np.indices((labels,) * n, dtype=np.uint8).reshape(n, -1).T

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """The products of a number of labels and at least as many nodes."""
        return tuple(n for n in range(2, at_most + 1) if self.label_counts(n))

    @abstractmethod
    def label_counts(self, num_qubits: int) -> list[int]:
        """The K from which `generate` chooses at that size; empty where the size is impossible."""

    def draw_label_count(self, rng: np.random.Generator, num_qubits: int) -> int:
        """One of `label_counts`; ProblemError naming the next possible size where there is none."""
        counts = self.label_counts(num_qubits)
        if not counts:
            above = next(n for n in count(num_qubits + 1) if self.label_counts(n))
            raise ProblemError(
                f"{self.name}: {num_qubits} qubits are not a number of labels times as many nodes "
                f"or more; use {above} qubits"
            )
        return int(rng.choice(counts))

    def _qubits_of_nodes(self, graph: Graph, attributes: Mapping[str, Any]) -> list[list[int]]:
        qubit = self.qubit_of(graph, attributes)
        labels = range(attributes[self.count_attribute])
        return [[qubit[node, label] for label in labels] for node in self.nodes(graph)]


def divisors(num_qubits: int, least: int, most: int, *, nodes_per_label: int = 1) -> list[int]:
    """The K in least…most with num_qubits = K·n and n ≥ K·nodes_per_label."""
    return [
        k
        for k in range(least, most + 1)
        if num_qubits % k == 0 and num_qubits // k >= nodes_per_label * k
    ]
