"""Prompts: the same problem is asked in the same words."""

import json

import numpy as np
import pytest

from quasar.datasets.prompts import build_messages, graph_text
from quasar.problems import build_instance, get_problem, problem_names


def prompt(primitive, graph, attributes=None):
    return build_messages(build_instance(primitive, graph, attributes))[1]["content"]


def ring(edges):
    return {
        "directed": False,
        "nodes": [{"id": i} for i in range(4)],
        "edges": [{"source": u, "target": v} for u, v in edges],
    }


def test_an_undirected_edge_reads_the_same_from_either_end():
    forward = prompt("vertex_cover", ring([(0, 1), (1, 2), (2, 3), (0, 3)]))
    backward = prompt("vertex_cover", ring([(1, 0), (1, 2), (3, 2), (3, 0)]))
    assert forward == backward
    assert "0-3" in forward
    assert "3-0" not in forward


def test_a_directed_edge_keeps_its_direction():
    graph = {
        "directed": True,
        "nodes": [{"id": i} for i in range(3)],
        "edges": [
            {"source": 2, "target": 0, "capacity": 3},
            {"source": 0, "target": 1, "capacity": 1},
        ],
    }
    assert "2>0:3 0>1:1" in prompt("min_cut", graph, {"source": 2, "sink": 1})


def test_members_of_a_hyperedge_read_the_same_in_any_order():
    graphs = [{"nodes": [0, 1, 2], "hyperedges": [edge, [0, 1]]} for edge in ([2, 0, 1], [0, 1, 2])]
    first, second = (prompt("hypermaxcut", graph) for graph in graphs)
    assert first == second


def test_the_second_graph_and_the_weights_of_nodes_are_told():
    path = {"nodes": [{"id": v} for v in range(3)]}
    path["edges"] = [{"source": 0, "target": 1}, {"source": 1, "target": 2}]
    moved = path | {"edges": [{"source": 0, "target": 2}, {"source": 1, "target": 2}]}
    problem = build_instance("graph_isomorphism", path, {"autoisomorphic_graph": moved})
    text = build_messages(problem)[1]["content"]
    assert "\nGraph: 0-1 1-2\nWith: autoisomorphic_graph=0-2 1-2\n" in text
    assert graph_text({"nodes": [{"id": 0, "weight": 3}, {"id": 1}], "edges": []}) == "0:3"
    items = [{"id": 0, "weight": 3, "value": 7}, {"id": 1, "weight": 2, "value": 1}]
    problem = build_instance("knapsack", {"nodes": items, "edges": []}, {"capacity": 4})
    assert "\nGraph: 0:3/7 1:2/1\nWith: capacity=4\n" in build_messages(problem)[1]["content"]


def test_qubit_order_is_told_where_variables_are_not_the_nodes_in_order():
    path = ring([(0, 1), (1, 2), (2, 3)])
    text = prompt("edge_cover", path)
    assert "\nQubit i holds variable i; " in text
    assert "\nVariables by edge: 0-1, 1-2, 2-3\n" in text
    assert "\nVariables by node: 0, 1, 3\n" in prompt("connected_components", path, {"node": 2})
    assert "Variables" not in prompt("vertex_cover", path)


@pytest.mark.parametrize("primitive", problem_names())
def test_free_wordings_tell_the_graph_and_the_size_and_no_more(primitive):
    problem_type = get_problem(primitive)
    texts = set()
    for seed in range(12):
        size = problem_type.possible_qubits(9)[-1]
        graph, attributes = problem_type.generate(np.random.default_rng(seed), size)
        problem = build_instance(primitive, graph, attributes)
        system, user = build_messages(problem, layers=3, style="free")
        assert (system, user) == tuple(build_messages(problem, layers=3, style="free"))
        text = user["content"]
        assert json.dumps(problem.graph, separators=(",", ":")) in text
        assert "3 layers" in text
        assert str(size) in text
        assert problem_type.summary in text
        for hidden in ("Z0", "qaoa", "Hamiltonian", "variable"):
            assert hidden not in text
        texts.add(text.split("{")[0][:12])
    assert len(texts) > 1
