"""Graphs of networkx: numbers of any kind, labels of any kind, and what is refused."""

import json
from decimal import Decimal
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from quasar.errors import ProblemError
from quasar.schema.verify import Problem, to_instance


def built(primitive, graph, **attributes):
    problem = Problem.from_networkx(primitive, graph, **attributes)
    json.dumps(problem.model_dump())  # as a client sends it
    return to_instance(problem, max_qubits=20)


@pytest.mark.parametrize(
    "weight", [np.int64(2), np.float32(2), np.array(2), Fraction(2), Decimal(2), 2, 2.0]
)
def test_a_number_is_a_number_whoever_made_it(weight):
    graph = nx.Graph()
    graph.add_edge(np.int64(0), np.int32(1), weight=weight)
    instance = built("max_cut", graph)
    assert instance.graph["edges"][0]["weight"] == 2
    assert instance.variables == ("0", "1")


def test_attributes_name_nodes_as_the_graph_does():
    graph = nx.DiGraph()
    graph.add_edge((0, 0), (0, 1), capacity=np.float64(1.5))
    instance = built("min_cut", graph, source=(0, 0), sink=(0, 1))
    assert instance.attributes == {"source": "(0, 0)", "sink": "(0, 1)"}
    tree = nx.path_graph(3)
    nx.set_edge_attributes(tree, 1, "weight")
    terminals = built("steiner_tree", tree, terminal_nodes=[np.int64(0), 2]).attributes
    assert terminals == {"terminal_nodes": [0, 2]}


@pytest.mark.parametrize(
    ("graph", "names"),
    [
        (nx.grid_2d_graph(1, 2), ("(0, 0)", "(0, 1)")),
        (nx.Graph([((np.int64(0), 1), 5)]), ("(0, 1)", "5")),
        (nx.Graph([("①", "②")]), ("①", "②")),
        (nx.Graph([(0.5, True)]), ("0.5", "True")),
        (nx.Graph([(frozenset([1]), None.__class__)]), ("<class 'NoneType'>", "frozenset({1})")),
    ],
)
def test_labels_become_their_text(graph, names):
    assert sorted(built("vertex_cover", graph).variables) == sorted(names)


@pytest.mark.parametrize("primitive", ["hypermaxcut", "max_cut"])
def test_a_graph_is_cut(primitive):
    instance = built(primitive, nx.cycle_graph(4))
    assert sorted(instance.spectrum.optimal.tolist()) == [0b0101, 0b1010]


@pytest.mark.parametrize(
    "graph",
    [nx.petersen_graph(), nx.complete_bipartite_graph(2, 3), nx.star_graph(3), nx.cubical_graph()],
)
def test_graphs_of_networkx_itself_are_read(graph):
    assert built("vertex_cover", graph).num_qubits == len(graph)


@pytest.mark.parametrize(
    ("primitive", "graph", "part"),
    [
        ("vertex_cover", nx.Graph([(1, "1")]), "have the same text; relabel one"),
        ("vertex_cover", nx.MultiGraph([(0, 1)]), "is a multigraph"),
        ("vertex_cover", [(0, 1)], "a list is no networkx graph"),
        ("vertex_cover", nx.Graph([(0, 1, {"weight": 2})]), "'weight'"),
        ("hypermaxcut", nx.Graph([(0, 1, {"weight": 2})]), "max_cut is the cut of a weighted"),
        ("max_cut", nx.Graph([(0, 1, {"weight": object()})]), "not a number or text"),
        ("max_cut", nx.Graph([(0, 1, {"colour": 3})]), "'colour'"),
        ("vertex_cover", nx.random_geometric_graph(4, 1, seed=1), "node 0 has 'pos'"),
        ("vertex_cover", nx.DiGraph([(0, 1)]), "needs False: an undirected graph"),
        ("vertex_cover", nx.Graph(), "no nodes"),
    ],
)
def test_what_cannot_be_read_is_one_line(primitive, graph, part):
    with pytest.raises(ProblemError) as caught:
        built(primitive, graph)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
