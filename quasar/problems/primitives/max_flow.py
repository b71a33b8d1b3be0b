"""Maximum s–t flow of a directed graph with whole capacities; variables are bits of the flows.

The flow on edge e is z_e = Σ_{i<M} 2^i·b_{e,i} + (c_e + 1 − 2^M)·b_{e,M} with M = ⌊log2 c_e⌋, which
takes exactly the values 0…c_e (some by several bitstrings).
Sound: Σ_{v≠s,t} (Σ_in z − Σ_out z)² − α·(Σ_{from s} z − Σ_{into s} z) with α = ½. By flow
decomposition a flow that piles up D units at nodes carries at most D more than the maximum flow,
while its penalty is at least D: for α < 1 the ground states are exactly the maximum flows.
Published: −α·Σ_{from s} z_e² with α = 1/Σ capacities from s; squares reward uneven flows, and the
bonus of a pile-up can exceed its penalty.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quasar.problems.base import NODE, Graph, GraphProblem
from quasar.problems.graphs import (
    Node,
    node_ids,
    node_link,
    read_node_link,
    read_whole,
    require_nodes,
)
from quasar.problems.polynomial import BinaryPolynomial, bits_up_to
from quasar.problems.primitives.random_graphs import is_flow_network
from quasar.problems.primitives.states import variable_values
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

ALPHA = 0.5  # of a unit of flow, sound encoding; below 1, the penalty of a unit that piles up
DENSITY_RANGE = (0.2, 0.4)  # published generator
MAX_BITS = 3  # of a generated capacity: 7 at most, as published
MAX_NODES = 12  # published generator
Bit = tuple[Node, Node, int]  # bit i of the flow on edge (u, v)


class MaxFlow(GraphProblem):
    """Answer: [source, target, flow] for each edge. Objective: −(flow that leaves s)."""

    name = "max_flow"
    summary = (
        "Send as much flow as possible along the directed edges from the source to the sink, "
        "within the capacities and without loss at the other nodes."
    )
    variable = "(source, target, bit of the flow)"
    attributes: ClassVar = {"source": NODE, "sink": NODE}
    answer_form = "flow"
    directed = True
    edge_fields = ("capacity",)
    encodings = ("sound", "published")

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        super().validate(graph, attributes)
        checked = read_node_link(
            graph, problem=self.name, directed=True, edge_fields=self.edge_fields
        )
        for u, v, edge in checked.edges:
            read_whole(edge, "capacity", where=f"{self.name}: graph: edge {u!r}-{v!r}")
        require_nodes(attributes, self.attributes, checked.nodes, problem=self.name)

    def bits(self, graph: Graph) -> list[Bit]:
        """(source, target, i) in qubit order."""
        return self.in_order(
            (edge["source"], edge["target"], i)
            for edge in graph["edges"]
            for i in range(len(bits_up_to(int(edge["capacity"]))))
        )

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        """E.g. "(0, 2, 1)" for bit 1 of the flow from 0 to 2."""
        return [str(bit) for bit in self.bits(graph)]

    def energy_unit(self, graph: Graph) -> float:
        return ALPHA

    def flows(self, graph: Graph) -> dict[tuple[Node, Node], list[tuple[float, int]]]:
        """Of each edge: (units, qubit) of the bits that make up its flow."""
        qubit = {bit: q for q, bit in enumerate(self.bits(graph))}
        found = {}
        for edge in graph["edges"]:
            u, v = edge["source"], edge["target"]
            units = bits_up_to(int(edge["capacity"]))
            found[u, v] = [(float(unit), qubit[u, v, i]) for i, unit in enumerate(units)]
        return found

    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        flows, source = self.flows(graph), attributes["source"]
        polynomial = BinaryPolynomial(sum(map(len, flows.values())))
        for v in _between(graph, attributes):
            polynomial.add_squared(_balance(flows, v), 0.0, 1.0)
        if self.encoding == "sound":
            for units, qubit in _balance(flows, source):
                polynomial.add(ALPHA * units, qubit)
        else:
            leaving = {edge: bits for edge, bits in flows.items() if edge[0] == source}
            total = sum(units for bits in leaving.values() for units, _ in bits)
            for bits in leaving.values():
                polynomial.add_squared(bits, 0.0, -1.0 / total)
        return polynomial

    def decode(
        self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]
    ) -> list[list[Node]]:
        """[source, target, flow] in the order of the graph's edges."""
        return [
            [u, v, int(sum(units * assignment[q] for units, q in bits))]
            for (u, v), bits in self.flows(graph).items()
        ]

    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        capacity = {(e["source"], e["target"]): e["capacity"] for e in graph["edges"]}
        return all(0 <= flow <= capacity[u, v] for u, v, flow in answer) and all(
            _net_outflow(answer, v) == 0 for v in _between(graph, attributes)
        )

    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        return -float(_net_outflow(answer, attributes["source"]))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        flows = self.flows(graph)
        values = variable_values(sum(map(len, flows.values())), problem=self.name)
        feasible = np.ones(values.shape[1], dtype=bool)
        for v in _between(graph, attributes):
            balance = np.zeros(values.shape[1])
            for units, qubit in _balance(flows, v):
                balance += units * values[qubit]
            feasible &= balance == 0
        return feasible

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        network = nx.DiGraph()
        network.add_nodes_from(node_ids(graph))
        network.add_edges_from(
            (e["source"], e["target"], {"capacity": e["capacity"]}) for e in graph["edges"]
        )
        return -float(nx.maximum_flow_value(network, attributes["source"], attributes["sink"]))

    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Published recipe, redrawn until connected with a flow and of num_qubits bits in all."""
        while True:
            n = int(rng.integers(3, min(MAX_NODES, 3 + num_qubits // 3) + 1))
            density = rng.uniform(*DENSITY_RANGE)
            pairs = [(u, v) for u in range(n - 1) for v in range(1, n) if u != v]
            chosen = [pair for pair in pairs if rng.random() < density]
            if not len(chosen) <= num_qubits <= MAX_BITS * len(chosen):
                continue
            if is_flow_network(n, chosen):
                break
        # Bits of each capacity: one each, the rest shared out among places that are still free.
        places = np.repeat(np.arange(len(chosen)), MAX_BITS - 1)
        extra = rng.choice(places, size=num_qubits - len(chosen), replace=False)
        bits = 1 + np.bincount(extra, minlength=len(chosen))
        edges = [
            {"capacity": int(rng.integers(2 ** (k - 1), 2**k)), "source": u, "target": v}
            for (u, v), k in zip(chosen, map(int, bits), strict=True)
        ]
        return node_link(range(n), edges, directed=True), {"source": 0, "sink": n - 1}


def _between(graph: Graph, attributes: Mapping[str, Any]) -> Iterator[Node]:
    """The nodes at which flow is conserved."""
    ends = (attributes["source"], attributes["sink"])
    return (v for v in node_ids(graph) if v not in ends)


def _balance(
    flows: Mapping[tuple[Node, Node], list[tuple[float, int]]], node: Node
) -> list[tuple[float, int]]:
    """(units, qubit) of the flow into the node less the flow out of it."""
    found = []
    for (u, v), bits in flows.items():
        sign = (v == node) - (u == node)
        found += [(sign * units, qubit) for units, qubit in bits if sign]
    return found


def _net_outflow(answer: Any, node: Node) -> int:
    return sum(flow * ((u == node) - (v == node)) for u, v, flow in answer)
