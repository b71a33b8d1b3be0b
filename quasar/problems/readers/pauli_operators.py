"""Qiskit's `SparsePauliOp`, or its list of (label, coefficient): diagonal, an Ising model."""

from collections.abc import Iterable
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.reading import SourceReading, plain_number, quadratic_graph


def read_pauli_operator(operator: Any) -> SourceReading:
    """Node q is qubit q: the Hamiltonian is the operator without its identity.

    Raises ProblemError for terms with X or Y, of more than two Z, and complex coefficients.
    """
    return read_pauli_list(operator.simplify().to_list(), form="SparsePauliOp")


def read_pauli_list(
    terms: Iterable[tuple[str, Any]], *, form: str = "list of Pauli terms"
) -> SourceReading:
    """As `read_pauli_operator`; labels are little-endian, as Qiskit writes them."""
    linear: dict[int, float] = {}
    quadratic: dict[tuple[int, int], float] = {}
    constant = 0.0
    width: int | None = None
    for label, given in terms:
        coefficient = complex(given)
        width = len(label) if width is None else width
        if len(label) != width:
            raise ProblemError(f"{label!r} has {len(label)} qubits, other terms have {width}")
        if set(label) - set("IXYZ"):
            raise ProblemError(f"{label[:60]!r} is no Pauli label of I, X, Y, Z")
        if set(label) - set("IZ"):
            raise ProblemError(
                f"the term {label} is not diagonal: a problem is a sum of products of Z"
            )
        if coefficient.imag:
            raise ProblemError(f"the coefficient of {label} is complex: {given}")
        wires = [q for q, letter in enumerate(reversed(label)) if letter == "Z"]
        if len(wires) > 2:
            raise ProblemError(
                f"the term {label} has {len(wires)} factors; an Ising model has two at most"
            )
        number = coefficient.real
        if not wires:
            constant += number
        elif len(wires) == 1:
            linear[wires[0]] = linear.get(wires[0], 0.0) + number
        else:
            pair = (wires[0], wires[1])
            quadratic[pair] = quadratic.get(pair, 0.0) + number
    if not width:
        raise ProblemError("the operator has no terms")
    graph = quadratic_graph({q: linear.get(q, 0.0) for q in range(width)}, quadratic)
    notes = () if not constant else (constant_note(constant),)
    return SourceReading(form, graph, primitive="ising", directed=False, notes=notes)


def constant_note(constant: float) -> str:
    """What a constant does, which no problem keeps."""
    return f"the constant {plain_number(constant)} shifts every value and no answer; it is not kept"
