"""Graph problems: one module a primitive, and the one registry that names them.

Installed packages may add primitives of their own (`quasar.problems.plugins`).

`build_instance` is the way from a graph (as JSON) to a checked `ProblemInstance`.
"""

import difflib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, get_args

from quasar.config.findings import plain
from quasar.errors import ProblemError
from quasar.problems.base import Encoding, Graph, GraphProblem, ProblemInstance, VariableOrder
from quasar.problems.forms import long_form
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.plugins import GROUP, installed_classes
from quasar.problems.primitives.community_detection import CommunityDetection
from quasar.problems.primitives.connected_components import ConnectedComponents
from quasar.problems.primitives.edge_cover import EdgeCover
from quasar.problems.primitives.exact_cover import ExactCover
from quasar.problems.primitives.graph_coloring import GraphColoring
from quasar.problems.primitives.graph_isomorphism import GraphIsomorphism
from quasar.problems.primitives.hamiltonian_path import HamiltonianPath
from quasar.problems.primitives.hypermaxcut import HyperMaxCut
from quasar.problems.primitives.ising import Ising
from quasar.problems.primitives.kclique import KClique
from quasar.problems.primitives.knapsack import Knapsack
from quasar.problems.primitives.matching import Matching
from quasar.problems.primitives.max_cut import MaxCut
from quasar.problems.primitives.max_flow import MaxFlow
from quasar.problems.primitives.max_sat import MaxSat
from quasar.problems.primitives.maximum_independent_set import MaximumIndependentSet
from quasar.problems.primitives.min_cut import MinCut
from quasar.problems.primitives.number_partitioning import NumberPartitioning
from quasar.problems.primitives.portfolio import Portfolio
from quasar.problems.primitives.qubo import Qubo
from quasar.problems.primitives.steiner_tree import SteinerTree
from quasar.problems.primitives.tsp import Tsp
from quasar.problems.primitives.vertex_cover import VertexCover

_CLASSES: tuple[type[GraphProblem], ...] = (
    MaxCut,
    VertexCover,
    HyperMaxCut,
    MinCut,
    ConnectedComponents,
    HamiltonianPath,
    MaxFlow,
    GraphIsomorphism,
    CommunityDetection,
    EdgeCover,
    GraphColoring,
    KClique,
    Matching,
    SteinerTree,
    MaximumIndependentSet,
    NumberPartitioning,
    Knapsack,
    ExactCover,
    Ising,
    Qubo,
    Tsp,
    Portfolio,
    MaxSat,
)
_ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
_ORDERS: tuple[VariableOrder, ...] = get_args(VariableOrder)
_SAME_COEFFICIENT = 1e-9
# Numbers of at most six decimals are taken to be typed: answers may differ by their last digit.
# Of others, by no less than a thousandth of the smallest one.
_TYPED, _MEASURED = 0.9e-6, 1e-3


def _registered(cls: type[GraphProblem]) -> dict[tuple[str, Encoding, VariableOrder], GraphProblem]:
    """The primitive by (name, encoding, order); one object for encodings that do not differ."""
    found = {}
    for order in _ORDERS:
        by_encoding = {encoding: cls(order, encoding) for encoding in cls.encodings}
        for encoding in _ENCODINGS:
            found[cls.name, encoding, order] = by_encoding.get(encoding, by_encoding["sound"])
    return found


@cache
def _problems() -> dict[tuple[str, Encoding | None, VariableOrder], GraphProblem]:
    """The registry: our own primitives, then those of installed packages."""
    # Built on first use, because a package's module imports this one.
    found: dict[tuple[str, Encoding | None, VariableOrder], GraphProblem] = {}
    for cls in _CLASSES:
        found |= _registered(cls)
    for cls in installed_classes():
        if (cls.name, "sound", "natural") in found:
            raise ProblemError(
                f"{GROUP}: {cls.name} is taken by Quasar itself; choose another name"
            )
        found |= _registered(cls)
    return found


__all__ = [
    "GraphProblem",
    "ProblemInstance",
    "build_instance",
    "decoder_for",
    "get_problem",
    "problem_names",
]


def problem_names() -> tuple[str, ...]:
    """The primitives that can be built, generated and decoded."""
    return tuple(dict.fromkeys(name for name, _, _ in _problems()))


def get_problem(name: str, encoding: Encoding = "sound") -> GraphProblem:
    """The primitive of that name, variables in natural order.

    Raises ProblemError with the nearest valid name where there is none, and for an unknown
    encoding. Where both encodings are one polynomial the same object answers to both.
    """
    _require_encoding(encoding)
    try:
        return _problems()[name, encoding, "natural"]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(str(name), problem_names(), n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ProblemError(
            f"unknown primitive {name!r}; {hint}(valid: {', '.join(problem_names())})"
        ) from None


def build_instance(
    primitive: str,
    graph: Graph,
    attributes: Mapping[str, Any] | None = None,
    *,
    encoding: Encoding | None = None,
    hamiltonian_text: str | None = None,
    num_qubits: int | None = None,
    reference_circuit: str | None = None,
    max_qubits: int | None = None,
) -> ProblemInstance:
    """A checked instance.

    Without `hamiltonian_text` the Hamiltonian is built: in the sound encoding unless another is
    asked for, variables in natural order. With it the text is used as it is, primitives outside
    the registry are allowed, and `encoding` and `variables` are those that reproduce the text's
    terms (published before sound, natural order before text; only `encoding` where it is given);
    None and () if none does, and then nothing can be decoded. Raises ProblemError, also above
    `max_qubits`.
    """
    attributes = {} if attributes is None else attributes
    if not isinstance(attributes, Mapping):
        raise ProblemError(f"{primitive}: attributes must be an object, not {attributes!r}")
    if encoding is not None:
        _require_encoding(encoding)
    graph, attributes = _in_long_form(primitive, graph, attributes)
    if hamiltonian_text is None:
        problem = get_problem(primitive, encoding or "sound")
        problem.validate(graph, attributes)
        variables = problem.variables(graph, attributes)
        _require_qubits(primitive, len(variables), max_qubits)
        if num_qubits not in (None, len(variables)):
            raise ProblemError(f"{primitive}: {num_qubits} qubits for {len(variables)} variables")
        hamiltonian = problem.polynomial(graph, attributes).to_ising()
        numbers = problem.numbers_that_count(graph, attributes)
        _require_resolution(problem, graph, numbers, hamiltonian)
    else:
        candidates = _candidates(primitive, encoding, graph, attributes)
        if num_qubits is None:
            named = _num_qubits(hamiltonian_text)
            sizes = [len(found.variables(graph, attributes)) for found in candidates]
            num_qubits = min((size for size in sizes if size >= named), default=named)
        _require_qubits(primitive, num_qubits, max_qubits)
        hamiltonian = IsingHamiltonian.from_text(hamiltonian_text, num_qubits)
        problem = _origin(hamiltonian, candidates, graph, attributes)
        variables = problem.variables(graph, attributes) if problem else []
    return ProblemInstance(
        primitive=primitive,
        graph=graph,
        attributes=attributes,
        num_qubits=hamiltonian.num_qubits,
        hamiltonian=hamiltonian,
        variables=tuple(variables),
        encoding=problem.encoding if problem else None,
        reference_circuit=reference_circuit,
    )


def decoder_for(instance: ProblemInstance) -> GraphProblem | None:
    """The primitive in the instance's encoding and variable order; None where none decodes it."""
    for order in _ORDERS:
        problem = _problems().get((instance.primitive, instance.encoding, order))
        if problem is None or not instance.variables:
            return None
        if problem.variables(instance.graph, instance.attributes) == list(instance.variables):
            return problem
    return None


def _in_long_form(
    primitive: str, graph: Graph, attributes: Mapping[str, Any]
) -> tuple[Graph, Mapping[str, Any]]:
    """Graph and attributes as the primitive reads them; as given for one that is not registered."""
    problem = _problems().get((str(primitive), "sound", "natural"))
    if problem is None:
        return graph, attributes

    def read(given: Any) -> Any:
        return long_form(
            given,
            problem=problem.name,
            value=next(iter(problem.edge_fields), "weight"),
            hypergraph=problem.hypergraph,
            with_data=bool(problem.hyperedge_fields),
        )

    kinds = problem.attributes
    found = {
        name: read(value) if name in kinds and kinds[name].kind == "graph" else plain(value)
        for name, value in attributes.items()
    }
    graph = read(graph)
    if problem.node_fields and isinstance(graph, dict) and "edges" not in graph:
        graph["edges"] = []  # numbers that stand on the nodes need none
    return graph, found


def _candidates(
    primitive: str, encoding: Encoding | None, graph: Graph, attributes: Mapping[str, Any]
) -> list[GraphProblem]:
    """The primitive in each encoding and order to try; none if it is not in the registry."""
    if (primitive, "sound", "natural") not in _problems():
        return []
    wanted: list[Encoding] = [encoding] if encoding else ["published", "sound"]
    get_problem(primitive, wanted[0]).validate(graph, attributes)
    found = [
        _problems()[primitive, name, order]
        for name in wanted
        if name == wanted[0] or _is_valid(get_problem(primitive, name), graph, attributes)
        for order in _ORDERS
    ]
    return list(dict.fromkeys(found))  # once where both encodings are one object


def _is_valid(problem: GraphProblem, graph: Graph, attributes: Mapping[str, Any]) -> bool:
    try:
        problem.validate(graph, attributes)
    except ProblemError:
        return False
    return True


def _origin(
    hamiltonian: IsingHamiltonian,
    candidates: list[GraphProblem],
    graph: Graph,
    attributes: Mapping[str, Any],
) -> GraphProblem | None:
    """The first whose polynomial gives these terms."""
    for problem in candidates:
        if len(problem.variables(graph, attributes)) == hamiltonian.num_qubits and _same_terms(
            hamiltonian, problem.polynomial(graph, attributes).to_ising()
        ):
            return problem
    return None


def _same_terms(first: IsingHamiltonian, second: IsingHamiltonian) -> bool:
    difference: dict[frozenset[int], float] = {}
    for sign, hamiltonian in ((1.0, first), (-1.0, second)):
        for coefficient, wires in hamiltonian.terms:
            key = frozenset(wires)
            difference[key] = difference.get(key, 0.0) + sign * coefficient
    return all(abs(value) <= _SAME_COEFFICIENT for value in difference.values())


def _num_qubits(text: str) -> int:
    """One above the highest qubit that the text names."""
    return max(_wires_of(text), default=-1) + 1


def _wires_of(text: str) -> list[int]:
    # No qubit limit is known yet, so read the terms first under the loosest one.
    unlimited = IsingHamiltonian.from_text(text, num_qubits=1 << 31)
    return [q for _, wires in unlimited.terms for q in wires]


def _require_encoding(encoding: Any) -> None:
    if encoding not in _ENCODINGS:
        raise ProblemError(f"unknown encoding {encoding!r}; valid: {', '.join(_ENCODINGS)}")


def _require_resolution(
    problem: GraphProblem, graph: Graph, numbers: Sequence[float], hamiltonian: IsingHamiltonian
) -> None:
    """Raise ProblemError where two answers may differ by less than energies are exact to."""
    numbers = [number for number in numbers if number]
    if not numbers or (hamiltonian.is_exact and hamiltonian.holds_exactly(numbers)):
        return
    unit = 10.0 ** -max(map(_decimals, numbers))
    if unit < _TYPED:  # measured rather than typed: no answers differ by the last digit alone
        unit = max(unit, _MEASURED * min(map(abs, numbers)))
    if 2 * hamiltonian.tolerance > unit * problem.energy_unit(graph):
        raise ProblemError(
            f"{problem.name}: the numbers of the graph, from {min(map(abs, numbers)):g} to "
            f"{max(map(abs, numbers)):g}, differ too much in size or are too large: double "
            "precision cannot tell the best answer from the next; scale or round them"
        )


def _decimals(number: float) -> int:
    """Digits after the point of the shortest text of the number."""
    return max(0, -int(Decimal(repr(number)).as_tuple().exponent))


def _require_qubits(primitive: str, num_qubits: int, max_qubits: int | None) -> None:
    if num_qubits < 1:
        raise ProblemError(f"{primitive}: a problem needs at least one qubit, not {num_qubits}")
    if max_qubits is not None and num_qubits > max_qubits:
        raise ProblemError(
            f"{primitive}: the problem needs {num_qubits} qubits, the limit is {max_qubits}"
        )
