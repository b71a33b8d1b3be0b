"""Prompts: the same problem is asked in the same words."""

from quasar.datasets.prompts import build_messages
from quasar.problems import build_instance


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
