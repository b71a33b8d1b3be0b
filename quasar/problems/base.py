"""A graph problem, and one instance of it.

`GraphProblem` is the contract of a primitive (one module each): from a graph to a polynomial, and
from a bitstring back to an answer in the problem's own terms. `ProblemInstance` is the frozen
record that travels to the prompt, the verifier and the dataset.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.graphs import natural_key
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum
from quasar.problems.polynomial import BinaryPolynomial

Graph = Mapping[str, Any]  # node-link JSON (key "edges"), or {"nodes", "hyperedges"}
Encoding = Literal["sound", "published"]
VariableOrder = Literal["natural", "text"]
Variable = TypeVar("Variable")
# What an answer is made of: chosen nodes; the nodes of one side of two; chosen edges [u, v]; chosen
# hyperedges; groups of nodes; nodes in the order of a path; [source, target, flow] an edge;
# [node, node of a second graph]; or anything else.
AnswerForm = Literal[
    "nodes", "side", "edges", "hyperedges", "groups", "path", "flow", "pairs", "other"
]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What values an attribute takes: a node, a list of nodes, …, one of `choices`, a graph."""

    kind: Literal["node", "nodes", "integer", "choice", "graph"]
    choices: tuple[str, ...] = ()


NODE, NODES, INTEGER = Attribute("node"), Attribute("nodes"), Attribute("integer")


class GraphProblem(ABC):
    """One primitive. Stateless; all methods take the instance's graph and attributes.

    All methods but `validate` may assume that `validate` has passed.

    An *assignment* is the tuple of binary variables in qubit order; variable i is 1 where qubit i
    is measured 0 (BENCHMARK convention). An *answer* is JSON in the problem's own terms.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  # one sentence of natural language for prompts and listings
    attributes: ClassVar[Mapping[str, Attribute]] = {}  # the required ones, by name
    optional_attributes: ClassVar[tuple[str, ...]] = ()  # others that may be given
    # What is used of a node and of an edge beside its name; all else is refused. The first edge
    # field is the third entry of an edge in the short form.
    node_fields: ClassVar[tuple[str, ...]] = ()
    edge_fields: ClassVar[tuple[str, ...]] = ()
    directed: ClassVar[bool] = False  # whether an edge has a direction
    hypergraph: ClassVar[bool] = False  # whether the graph is {"nodes", "hyperedges"}
    # Where there are some, a hyperedge is an object with "nodes" and these; else a list of nodes.
    hyperedge_fields: ClassVar[tuple[str, ...]] = ()
    answer_form: ClassVar[AnswerForm] = "other"  # how an answer may be shown on the graph
    variable: ClassVar[str] = "node"  # what the name of a binary variable says, for prompts
    # The polynomials that differ. With "sound" alone, the published one is sound already; with
    # both, `polynomial` (and `variables` where need be) looks at `self.encoding`.
    encodings: ClassVar[tuple[Encoding, ...]] = ("sound",)

    def __init__(self, order: VariableOrder = "natural", encoding: Encoding = "sound"):
        """order: how variables are sorted into qubits; "text" (1, 10, 2) is for benchmark rows.

        encoding: in "sound" the ground states are exactly the optimal answers wherever there is a
        feasible one; "published" is the benchmark's polynomial, faulty where it differs.
        """
        self.order = order
        self.encoding: Encoding = encoding

    @abstractmethod
    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        """Names of the binary variables in qubit order (sorted by `self.order`)."""

    @abstractmethod
    def polynomial(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        """The objective to minimise."""

    @abstractmethod
    def decode(self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]) -> Any:
        """The answer that an assignment stands for, e.g. the list of chosen nodes."""

    @abstractmethod
    def is_feasible(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> bool:
        """Whether the answer satisfies the problem's constraints."""

    @abstractmethod
    def objective(self, graph: Graph, attributes: Mapping[str, Any], answer: Any) -> float:
        """The answer's cost in the problem's own terms; smaller is better."""

    @abstractmethod
    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """Smallest objective of a feasible answer, by an exact classical method.

        Infinite where there is no feasible answer.
        """

    @abstractmethod
    def generate(
        self, rng: np.random.Generator, num_qubits: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random (graph, attributes) with exactly num_qubits variables.

        Of the sizes in `possible_qubits` only.
        """

    def possible_qubits(self, at_most: int) -> tuple[int, ...]:
        """The numbers of qubits that `generate` can hit, ascending: all from 2 unless overridden.

        A primitive with n² variables, say, has (4, 9, 16) up to 20.
        """
        return tuple(range(2, at_most + 1))

    def in_order(self, variables: Iterable[Variable]) -> list[Variable]:
        """Variables sorted into qubits by their text, in `self.order`; (0, 2) counts as text."""
        key = str if self.order == "text" else (lambda variable: natural_key(str(variable)))
        return sorted(variables, key=key)

    def numbers(self, graph: Graph) -> list[float]:
        """The weights, values and capacities that the graph gives."""
        nodes = () if self.hypergraph else graph["nodes"]
        given = [node[name] for node in nodes for name in self.node_fields if name in node]
        edges = graph.get("edges", ())
        return given + [edge[name] for edge in edges for name in self.edge_fields if name in edge]

    def numbers_that_count(self, graph: Graph, attributes: Mapping[str, Any]) -> list[float]:
        """Those of the numbers that two answers may differ by."""
        return self.numbers(graph)

    def energy_unit(self, graph: Graph) -> float:
        """What a difference of 1 between two answers' numbers is in the polynomial, at least."""
        return 1.0

    def objective_tolerance(self, graph: Graph) -> float:
        """Objectives closer than this are equal: the rounding error of a sum of the numbers."""
        numbers = self.numbers(graph)
        if not numbers:
            return 0.25  # objectives are counts
        return 4 * (8 + len(numbers)) * 2.0**-53 * sum(map(abs, numbers))

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        """Which basis states decode to a feasible answer: (2**n,) bool, index little-endian."""
        n = len(self.variables(graph, attributes))
        assignments = (tuple(1 - (s >> q & 1) for q in range(n)) for s in range(1 << n))
        answers = (self.decode(graph, attributes, a) for a in assignments)
        return np.fromiter((self.is_feasible(graph, attributes, a) for a in answers), bool, 1 << n)

    def costs(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        """Objective of each basis state's answer, infinite where it is not feasible.

        (2**n,) float64, index little-endian. Worth overriding where most states are feasible.
        """
        n = len(self.variables(graph, attributes))
        costs = np.full(1 << n, np.inf)
        for s in map(int, self.feasible_states(graph, attributes).nonzero()[0]):
            answer = self.decode(graph, attributes, tuple(1 - (s >> q & 1) for q in range(n)))
            costs[s] = self.objective(graph, attributes, answer)
        return costs

    def validate(self, graph: Graph, attributes: Mapping[str, Any]) -> None:
        """Raise ProblemError where graph or attributes are not well posed.

        Here: an attribute is missing, or one is given that nothing reads.
        """
        for name in self.attributes:
            if name not in attributes:
                raise ProblemError(f"{self.name}: attribute '{name}' is missing")
        known = (*self.attributes, *self.optional_attributes)
        for name in attributes:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise ProblemError(
                    f"{self.name}: attribute {name!r} is not used (it takes: {listed}); take it out"
                )


@dataclass(frozen=True)
class ProblemInstance:
    """One problem: graph, attributes, Hamiltonian. Immutable, picklable, hashable by content."""

    primitive: str
    graph: Graph
    attributes: Mapping[str, Any]
    num_qubits: int
    hamiltonian: IsingHamiltonian
    variables: tuple[str, ...] = ()
    encoding: Encoding | None = "sound"  # None: a Hamiltonian that is none of the primitive's own
    # Of a benchmark row only: the published reference circuit (OpenQASM text).
    reference_circuit: str | None = field(default=None, compare=False)

    @property
    def task(self) -> str:
        """The name that `quasar.tasks` has for graph problems."""
        return "ising"

    @cached_property
    def spectrum(self) -> Spectrum:
        """Exact diagonal spectrum, enumerated once."""
        return Spectrum.of(self.hamiltonian)

    @cached_property
    def key(self) -> str:
        """Hash of the whole weighted problem (primitive, graph, attributes): 16 hex digits.

        Two rows with the same key are the same problem, whatever the ansatz or the reference.
        """
        content = {
            "p": self.primitive,
            "g": _canonical(self.graph),
            "a": _canonical(self.attributes),
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.key)

    def __getstate__(self):
        # The cached spectrum (2**n floats) is rebuilt on the other side rather than shipped.
        names = (*self.__dataclass_fields__, "key")
        return {name: self.__dict__[name] for name in names if name in self.__dict__}

    def __setstate__(self, state):
        self.__dict__.update(state)

    def assignment(self, state: int) -> tuple[int, ...]:
        """Binary variables (qubit order) of a little-endian basis state: x_i = 1 − bit i."""
        return tuple(1 - (state >> q & 1) for q in range(self.num_qubits))


def _canonical(value: Any) -> Any:
    """JSON-able copy with edges and nodes in a fixed order, so that listing order has no weight."""
    if isinstance(value, Mapping):
        return {str(k): _canonical(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_canonical(v) for v in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, np.generic):
        return value.item()
    return value
