"""What a user may get wrong in a problem, and the line that says so."""

import numpy as np
import pytest

from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem
from quasar.problems.hamiltonian import IsingHamiltonian


def graph_of(edges, *, nodes=3, **fields):
    keys = ("source", "target", "capacity")
    return {
        "nodes": [{"id": v} for v in range(nodes)],
        "edges": [dict(zip(keys, edge, strict=False)) for edge in edges],
    } | fields


CUT = {"source": 0, "sink": 2}
ENDS = {"start_node": 0, "end_node": 1}
ITEM = {"id": 0, "weight": 1, "value": 1}
SECOND = "autoisomorphic_graph"
FAULTS = [
    ("vertex_cover", graph_of([], nodes=0), {}, "no nodes"),
    ("vertex_cover", graph_of([]), {}, "no edges"),
    ("vertex_cover", graph_of([(1, 1)]), {}, "self-loop on node 1"),
    ("vertex_cover", graph_of([(0, 7)]), {}, "names 7"),
    ("vertex_cover", graph_of([(0, 1), (1, 0)]), {}, "listed twice"),
    ("vertex_cover", graph_of([(0,)]), {}, "edge 0 is not an object"),
    ("vertex_cover", graph_of([(0, 1)], directed=True), {}, '"directed" is True'),
    ("vertex_cover", graph_of([(0, 1)]) | {"edges": None}, {}, '"edges" must be a list'),
    ("vertex_cover", {"nodes": [{"name": 0}, 1], "edges": []}, {}, '"id"'),
    ("vertex_cover", {"nodes": [{"id": 0}, {"id": "0"}], "edges": []}, {}, "node 0 is listed"),
    ("vertex_cover", {"nodes": [{"id": [0]}], "edges": []}, {}, "integer or a string"),
    ("vertex_cover", [1, 2], {}, "is a list"),
    ("vertex_cover", graph_of([(0, 1)]), [1], "attributes must be an object"),
    ("min_cut", graph_of([(0, 2, 1)]), {"source": 0}, "attribute 'sink' is missing"),
    ("min_cut", graph_of([(0, 2, 1)]), {"source": 0, "sink": 9}, "sink 9 is not a node"),
    ("min_cut", graph_of([(0, 2, 1)]), {"source": [], "sink": 2}, "source [] is not a node"),
    ("min_cut", graph_of([(0, 2, 1)]), {"source": 2, "sink": 2}, "are both 2"),
    ("min_cut", graph_of([(0, 2)]), CUT, 'no "capacity"'),
    ("min_cut", graph_of([(0, 2, -1)]), CUT, "capacity must be a number above 0"),
    ("min_cut", graph_of([(0, 2, float("nan"))]), CUT, "capacity must be a number"),
    ("min_cut", graph_of([(0, 2, 10**400)]), CUT, "capacity must be a number"),
    ("min_cut", graph_of([(0, 2, 1)], directed=False), CUT, '"directed" is False'),
    ("number_partitioning", {"nodes": [{"id": 0}], "edges": []}, {}, "node 0: weight must be a"),
    ("knapsack", {"nodes": [ITEM | {"value": 0}], "edges": []}, {"capacity": 3}, "0: value must"),
    ("knapsack", {"nodes": [ITEM], "edges": []}, {"capacity": 0}, "capacity must be a whole"),
    ("exact_cover", {"nodes": [0, 1], "hyperedges": [[0, 2]]}, {}, "names 2"),
    ("max_flow", graph_of([(0, 2, 1.5)]), CUT, "capacity must be a whole number"),
    ("max_flow", graph_of([(0, 2, 1)]), {"source": 0, "sink": 3}, "sink 3 is not a node"),
    ("connected_components", graph_of([(0, 1)]), {}, "attribute 'node' is missing"),
    ("connected_components", graph_of([(0, 1)]), {"node": True}, "node True is not a node"),
    ("hamiltonian_path", graph_of([(0, 1)], nodes=2), ENDS, "no node between"),
    ("hamiltonian_path", graph_of([(0, 1)]), {"start_node": 1, "end_node": 1}, "are both 1"),
    ("graph_isomorphism", graph_of([]), {SECOND: graph_of([], nodes=2)}, "3 nodes, but"),
    ("graph_isomorphism", graph_of([]), {SECOND: 5}, "autoisomorphic_graph: graph is a int"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": [[0, 5]]}, {}, "names 5"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": [[0]]}, {}, "at least two nodes"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": [[0, 0]]}, {}, "twice"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": []}, {}, "no hyperedges"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": [[0, 1], [1, 0]]}, {}, "repeats"),
    ("hypermaxcut", {"nodes": []}, {}, "no nodes"),
    ("hypermaxcut", {"nodes": [*range(11)], "hyperedges": [[*range(11)]]}, {}, "at most 10"),
    ("vertexcover", graph_of([(0, 1)]), {}, "did you mean 'vertex_cover'"),
]


@pytest.mark.parametrize(("primitive", "graph", "attributes", "message"), FAULTS)
def test_faults_are_one_line_naming_the_value(primitive, graph, attributes, message):
    with pytest.raises(ProblemError) as caught:
        build_instance(primitive, graph, attributes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_primitive_lists_the_valid_ones():
    with pytest.raises(ProblemError, match=r"'bin_packing'.*vertex_cover, hypermaxcut, min_cut"):
        get_problem("bin_packing")


def test_qubit_limit_is_checked_before_the_hamiltonian_is_built():
    large = {"nodes": list(range(3000)), "hyperedges": [[0, 1]]}
    with pytest.raises(ProblemError, match="needs 3000 qubits, the limit is 20"):
        build_instance("hypermaxcut", large, max_qubits=20)


def test_other_primitives_load_from_their_hamiltonian_only():
    instance = build_instance("bin_packing", {"any": 1}, hamiltonian_text="0.5 * (Z(0) @ Z(3))")
    assert (instance.num_qubits, instance.variables) == (4, ())
    assert decoder_for(instance) is None
    with pytest.raises(ProblemError, match="unknown primitive 'bin_packing'"):
        build_instance("bin_packing", {"any": 1})


@pytest.mark.parametrize(
    "text",
    ["1.0 * X(0)", "1.0 * (Z(0) @ X(1))", "1.0 * Z(0) +", "Z(0)", "1e999 * Z(0)", "1.0 * Z(9)"],
)
def test_hamiltonian_text_that_is_not_one_is_refused(text):
    with pytest.raises(ProblemError):
        IsingHamiltonian.from_text(text, 2)


def test_key_ignores_listing_order_but_not_weights():
    first = graph_of([(0, 1, 2), (1, 2, 3)])
    second = first | {"edges": first["edges"][::-1]}
    heavier = graph_of([(0, 1, 2), (1, 2, 4)])
    keys = [build_instance("min_cut", g, CUT).key for g in (first, second, heavier)]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_equal_problems_give_equal_hamiltonian_texts():
    first = graph_of([(0, 1), (1, 2)])
    second = first | {"edges": first["edges"][::-1]}
    texts = {build_instance("vertex_cover", g).hamiltonian.to_text() for g in (first, second)}
    assert len(texts) == 1
    text = texts.pop()
    assert IsingHamiltonian.from_text(text, 3).to_text() == text


def test_cancelled_terms_are_exactly_zero():
    graph = {"nodes": [0, 1, 2], "hyperedges": [[0, 1], [1, 2]]}
    singles = [c for c, w in build_instance("hypermaxcut", graph).hamiltonian.terms if len(w) == 1]
    assert np.array_equal(singles, [0.0, 0.0, 0.0])
