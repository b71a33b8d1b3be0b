"""Whatever of a graph its problem does not use is refused by its name; known forms are read."""

import json
from pathlib import Path

import numpy as np
import pytest

from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError, ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.schema.verify import Problem, to_instance

PAIR = {"nodes": [0, 1], "edges": [[0, 1]]}
UNUSED = [
    ("vertex_cover", PAIR | {"foo": 1}, {}, "graph has 'foo', which vertex_cover does not use"),
    ("vertex_cover", PAIR, {"nonsense": 1}, "attribute 'nonsense' is not used"),
    ("vertex_cover", {"nodes": [0, 1], "edges": [[0, 1, 5]]}, {}, "0-1 has 'weight'"),
    ("vertex_cover", {"nodes": [{"id": 0, "weight": 2}, 1], "edges": [[0, 1]]}, {}, "0 has 'weigh"),
    ("vertex_cover", {"nodes": [{"id": 0, "foo": 2}, 1], "edges": [[0, 1]]}, {}, "0 has 'foo'"),
    ("vertex_cover", PAIR | {"hyperedges": [[0, 1]]}, {}, 'has "hyperedges"'),
    ("vertex_cover", PAIR | {"multigraph": True}, {}, '"multigraph" is True'),
    ("vertex_cover", PAIR | {"graph": {"foo": 1}}, {}, "'foo'"),
    ("vertex_cover", PAIR | {"links": []}, {}, 'under "edges" and under "links"'),
    ("max_cut", {"nodes": [0, 1], "edges": [[0, 1, 5]], "wieghts": 1}, {}, "'wieghts'"),
    ("max_cut", {"nodes": [0, 1], "edges": [{"source": 0, "target": 1, "wieght": 5}]}, {},
     "did you mean 'weight'?"),
    ("max_cut", {"nodes": [0, 1], "edges": [{"source": 0, "target": 1, "capacity": 5}]}, {},
     "'capacity'"),
    ("hypermaxcut", {"nodes": [0, 1], "hyperedges": [[0, 1]], "weights": [3]}, {}, "'weights'"),
    ("hypermaxcut", {"nodes": [0, 1], "edges": [[0, 1, 3]]}, {}, "max_cut is the cut"),
    ("hypermaxcut", PAIR | {"directed": True}, {}, '"directed" is True'),
    ("exact_cover", {"nodes": [0], "hyperedges": [[0]], "edges": []}, {}, "'edges'"),
    ("knapsack", {"nodes": [{"id": 0, "weight": 1, "value": 1}, {"id": 1, "weight": 1, "value": 1}],
                  "edges": [[0, 1]]}, {"capacity": 1}, "has edges"),
    ("graph_isomorphism", PAIR, {"autoisomorphic_graph": PAIR | {"foo": 1}}, "'foo'"),
    ("hamiltonian_path", {"nodes": [0, 1, 2], "edges": [[0, 1, 2], [1, 2, 2]]},
     {"start_node": 0, "end_node": 2}, "'weight'"),
]  # fmt: skip


@pytest.mark.parametrize(("primitive", "graph", "attributes", "part"), UNUSED)
def test_every_door_refuses_it(primitive, graph, attributes, part):
    with pytest.raises(ProblemError) as caught:
        build_instance(primitive, graph, attributes)
    assert part in str(caught.value)
    with pytest.raises(ProblemError) as caught:
        to_instance(Problem(primitive=primitive, graph=graph, attributes=attributes), max_qubits=20)
    assert part in str(caught.value)
    row = {
        "sample_index": 0,
        "problem_type": primitive,
        "graph": graph,
        "problem_specific_attributes": attributes,
    }
    with pytest.raises(InputError) as caught:
        ProblemRecord.from_dict(row)
    assert part in str(caught.value)


@pytest.mark.parametrize("primitive", problem_names())
def test_no_primitive_takes_unknown_fields(primitive):
    problem = get_problem(primitive)
    graph, attributes = problem.generate(np.random.default_rng(1), problem.possible_qubits(9)[-1])
    build_instance(primitive, graph, attributes)
    with pytest.raises(ProblemError, match="'foo'"):
        build_instance(primitive, graph | {"foo": 1}, attributes)
    with pytest.raises(ProblemError, match="'nonsense'"):
        build_instance(primitive, graph, attributes | {"nonsense": 1})
    for part in ("nodes", "edges"):
        if graph.get(part) and isinstance(graph[part][0], dict):
            changed = [graph[part][0] | {"foo": 1}, *graph[part][1:]]
            with pytest.raises(ProblemError, match="'foo'"):
                build_instance(primitive, graph | {part: changed}, attributes)


def test_links_and_short_forms_are_the_graph():
    long = {"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]}
    links = {"nodes": long["nodes"], "links": long["edges"]}
    built = [build_instance("vertex_cover", graph) for graph in (long, links, PAIR)]
    assert len({instance.key for instance in built}) == 1
    assert built[1].graph == long


def test_numbers_of_numpy_are_numbers():
    graph = {"nodes": [np.int64(0), 1], "edges": np.array([[0, 1, 3]])}
    instance = build_instance("max_cut", graph)
    assert instance.graph["edges"] == [{"weight": 3, "source": 0, "target": 1}]
    json.dumps(instance.graph)


def test_two_sides_of_a_bipartite_graph_are_checked():
    nodes = [{"id": 0, "bipartite": 0}, {"id": 1, "bipartite": 1}]
    build_instance("vertex_cover", {"nodes": nodes, "edges": [[0, 1]]})
    nodes[1]["bipartite"] = 0
    with pytest.raises(ProblemError, match='0-1 joins two nodes whose "bipartite" is 0'):
        build_instance("vertex_cover", {"nodes": nodes, "edges": [[0, 1]]})


@pytest.mark.parametrize("labels", [("①", "②"), ("½", "x²"), ("٣", "3"), ("a b", "c-d")])
def test_labels_of_any_script_are_labels(labels):
    instance = build_instance("vertex_cover", {"nodes": list(labels), "edges": [list(labels)]})
    assert set(instance.variables) == set(labels)


@pytest.mark.parametrize("label", ["", " ", "a\nb", "\ud800", "x" * 101, "\x00"])
def test_labels_that_cannot_stand_in_a_line_are_refused(label):
    with pytest.raises(ProblemError, match="node id") as caught:
        build_instance("vertex_cover", {"nodes": [label, 1], "edges": [[label, 1]]})
    str(caught.value).encode()


def test_a_weight_of_a_published_path_is_read():
    """The published rows carry weights although their Hamiltonian has none."""
    edges = [{"weight": 3, "source": u, "target": v} for u, v in ((0, 1), (1, 2), (2, 3))]
    graph = {"nodes": [{"id": v} for v in range(4)], "edges": edges}
    ends = {"start_node": 0, "end_node": 3}
    published = build_instance("hamiltonian_path", graph, ends, encoding="published")
    text = published.hamiltonian.to_text()
    assert build_instance("hamiltonian_path", graph, ends, hamiltonian_text=text) == published


ROW = {"sample_index": 0, "problem_type": "vertex_cover", "graph": PAIR}


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_byte_order_mark_and_empty_fields_of_a_table_are_passed_over(tmp_path, suffix):
    path: Path = tmp_path / f"p{suffix}"
    if suffix == ".jsonl":
        path.write_text(json.dumps(ROW) + "\n", encoding="utf-8-sig")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        node = {"id": 0, "weight": None}
        edge = {"source": 0, "target": 1, "weight": None}
        graph = {"nodes": [node, node | {"id": 1}], "edges": [edge]}
        pq.write_table(pa.Table.from_pylist([ROW | {"graph": graph}]), path)
    (record,) = read_problems(path)
    assert record.problem.num_qubits == 2


def test_a_misspelt_field_of_a_row_is_refused():
    with pytest.raises(InputError, match="'cost_hamiltonain'; did you mean 'cost_hamiltonian'"):
        ProblemRecord.from_dict(ROW | {"cost_hamiltonain": "1.0 * Z(0)"})
    assert ProblemRecord.from_dict(ROW | {"note": "mine"}).extras == {"note": "mine"}
