"""JSON: a problem, node-link data ("edges" or "links"), a hypergraph, a BQM, Pauli terms."""

import json
from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.dimod_models import read_bqm_json
from quasar.problems.readers.pauli_operators import read_pauli_list
from quasar.problems.readers.reading import SourceReading

_PROBLEM = {"primitive", "graph", "attributes"}
_ROW = {"problem_type": "primitive", "problem_specific_attributes": "attributes"}


def read_json(text: str) -> SourceReading:
    """By its keys. Raises ProblemError for JSON that is none of these."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(f"not JSON: {error}") from None
    return read_json_data(data)


def read_json_data(data: Any) -> SourceReading:
    """The same of what was parsed already."""
    if isinstance(data, list) and data and all(_is_term(term) for term in data):
        return read_pauli_list(data)
    if not isinstance(data, dict):
        raise ProblemError(
            f"the JSON is a {type(data).__name__}; it is read as a problem, a node-link graph, a "
            "BQM of dimod or a list of [Pauli label, coefficient]"
        )
    if data.get("type") == "BinaryQuadraticModel":
        return read_bqm_json(data)
    if isinstance(data.get("problem"), dict) and len(data) == 1:
        data = data["problem"]
    stated = {_ROW.get(key, str(key)): value for key, value in data.items()}
    if "primitive" in stated and "graph" in stated:
        return _problem(stated, row="problem_type" in data)
    if {"nodes", "edges", "links", "hyperedges"} & data.keys():
        form = "hypergraph" if "hyperedges" in data else "node-link graph"
        directed = data.get("directed")
        return SourceReading(form, data, directed=directed if isinstance(directed, bool) else None)
    raise ProblemError(
        f"no problem and no graph in the JSON; its keys: {', '.join(map(str, data))[:80] or 'none'}"
    )


def _problem(stated: dict[str, Any], *, row: bool) -> SourceReading:
    if row:
        raise ProblemError(
            "the JSON is a row of a problem file; keep it in a .jsonl file and give --problems "
            "FILE --index I"
        )
    unknown = stated.keys() - _PROBLEM
    if unknown:
        raise ProblemError(f"the JSON of the problem has {sorted(unknown)[0]!r}; take it out")
    attributes = stated.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise ProblemError(f'"attributes" must be an object, not {attributes!r:.40}')
    return SourceReading(
        "problem", stated["graph"], primitive=str(stated["primitive"]), attributes=attributes
    )


def _is_term(term: Any) -> bool:
    return (
        isinstance(term, list)
        and len(term) == 2
        and isinstance(term[0], str)
        and isinstance(term[1], (int, float))
        and not isinstance(term[1], bool)
    )
