"""Graph problems: one module a primitive, and the one registry that names them.

`build_instance` is the way from a graph (as JSON) to a checked `ProblemInstance`.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.base import Graph, GraphProblem, ProblemInstance
from quasar.problems.community_detection import CommunityDetection
from quasar.problems.edge_cover import EdgeCover
from quasar.problems.graph_coloring import GraphColoring
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.hypermaxcut import HyperMaxCut
from quasar.problems.kclique import KClique
from quasar.problems.matching import Matching
from quasar.problems.min_cut import MinCut
from quasar.problems.steiner_tree import SteinerTree
from quasar.problems.vertex_cover import VertexCover

_CLASSES = (
    VertexCover,
    HyperMaxCut,
    MinCut,
    CommunityDetection,
    EdgeCover,
    GraphColoring,
    KClique,
    Matching,
    SteinerTree,
)
_PROBLEMS = {(c.name, order): c(order) for c in _CLASSES for order in ("natural", "text")}
_SAME_COEFFICIENT = 1e-9

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
    return tuple(c.name for c in _CLASSES)


def get_problem(name: str) -> GraphProblem:
    """The primitive of that name; ProblemError with the nearest valid name otherwise."""
    try:
        return _PROBLEMS[name, "natural"]
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
    hamiltonian_text: str | None = None,
    num_qubits: int | None = None,
    reference_circuit: str | None = None,
    max_qubits: int | None = None,
) -> ProblemInstance:
    """A checked instance.

    Without `hamiltonian_text` the Hamiltonian is built (variables in natural order). With it the
    text is used as it is, primitives outside the registry are allowed, and `variables` is the
    order (natural or by text) in which the text's terms are reproduced; () if neither does, and
    then nothing can be decoded. Raises ProblemError, also above `max_qubits`.
    """
    attributes = {} if attributes is None else attributes
    if not isinstance(attributes, Mapping):
        raise ProblemError(f"{primitive}: attributes must be an object, not {attributes!r}")
    known = (primitive, "natural") in _PROBLEMS
    if hamiltonian_text is None or known:
        problem = get_problem(primitive)
        problem.validate(graph, attributes)
        variables = problem.variables(graph, attributes)
    if hamiltonian_text is None:
        _require_qubits(primitive, len(variables), max_qubits)
        if num_qubits not in (None, len(variables)):
            raise ProblemError(f"{primitive}: {num_qubits} qubits for {len(variables)} variables")
        hamiltonian = problem.polynomial(graph, attributes).to_ising()
    else:
        if num_qubits is None:
            num_qubits = len(variables) if known else _num_qubits(hamiltonian_text)
        _require_qubits(primitive, num_qubits, max_qubits)
        hamiltonian = IsingHamiltonian.from_text(hamiltonian_text, num_qubits)
        variables = _order_of(hamiltonian, primitive, graph, attributes) if known else []
    return ProblemInstance(
        primitive=primitive,
        graph=graph,
        attributes=attributes,
        num_qubits=hamiltonian.num_qubits,
        hamiltonian=hamiltonian,
        variables=tuple(variables),
        reference_circuit=reference_circuit,
    )


def decoder_for(instance: ProblemInstance) -> GraphProblem | None:
    """The primitive in the variable order of this instance; None where nothing can be decoded."""
    for order in ("natural", "text"):
        problem = _PROBLEMS.get((instance.primitive, order))
        if problem is None or not instance.variables:
            return None
        if problem.variables(instance.graph, instance.attributes) == list(instance.variables):
            return problem
    return None


def _order_of(
    hamiltonian: IsingHamiltonian, primitive: str, graph: Graph, attributes: Mapping[str, Any]
) -> list[str]:
    """The variable order in which the primitive's formula gives these terms; [] if none does."""
    for order in ("natural", "text"):
        problem = _PROBLEMS[primitive, order]
        variables = problem.variables(graph, attributes)
        if len(variables) != hamiltonian.num_qubits:
            return []
        if _same_terms(hamiltonian, problem.polynomial(graph, attributes).to_ising()):
            return variables
    return []


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


def _require_qubits(primitive: str, num_qubits: int, max_qubits: int | None) -> None:
    if num_qubits < 1:
        raise ProblemError(f"{primitive}: a problem needs at least one qubit, not {num_qubits}")
    if max_qubits is not None and num_qubits > max_qubits:
        raise ProblemError(
            f"{primitive}: the problem needs {num_qubits} qubits, the limit is {max_qubits}"
        )
