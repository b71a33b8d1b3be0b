"""Files and objects of others: what is read of each format."""

import json
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quasar
from quasar.cli.main import main
from quasar.errors import InputError, ProblemError
from quasar.problems import decoder_for
from quasar.problems.readers.sources import state_file
from quasar.schema.verify import to_instance
from tests.problems.readings import answers, build, read


def edges(stated):
    return [(e["source"], e["target"], e.get("weight")) for e in build(stated).graph["edges"]]


def test_edge_lists_keep_labels_and_weights(tmp_path):
    stated = read(tmp_path, "# a b\nUlm Rom 2.5\nRom Bern -1\nNizza\n", "max_cut")
    assert edges(stated) == [("Ulm", "Rom", 2.5), ("Rom", "Bern", -1)]
    assert build(stated).num_qubits == 4
    assert edges(read(tmp_path, "2,10\n10,3\n", "vertex_cover")) == [(2, 10, None), (10, 3, None)]
    leading = read(tmp_path, "01 2\n2 3\n", "vertex_cover")  # 01 is a name, so 2 is one, too
    assert edges(leading) == [("01", "2", None), ("2", "3", None)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("source,target,weight\na,b,2\n", [("a", "b", 2)]),
        ('"From","To"\n1,2\n', [(1, 2, None)]),
        ("u v\nv w\n", [("u", "v", None), ("v", "w", None)]),  # labels, not names of columns
        ("u v\n", [("u", "v", None)]),
    ],
)
def test_a_table_may_name_its_columns(tmp_path, text, found):
    stated = read(tmp_path, text, "max_cut" if "weight" in text else "vertex_cover")
    assert edges(stated) == found
    assert bool(stated.notes) == (len(found) < text.count("\n"))


def test_another_first_line_is_no_header(tmp_path):
    with pytest.raises(InputError, match="line 1: 'metres' is not a number"):
        read(tmp_path, "source,target,metres\na,b,2\n", "max_cut")


def test_an_edge_list_is_a_network_where_that_is_asked_for(tmp_path):
    stated = read(tmp_path, "0 1 3\n1 2 4\n", "min_cut", source=0, sink=2)
    network = build(stated).graph
    assert network["directed"] is True
    assert [edge["capacity"] for edge in network["edges"]] == [3, 4]


def test_weights_of_one_say_nothing_where_there_are_none(tmp_path):
    text = "3 2\n1 2 1\n2 3 1\n"
    stated = read(tmp_path, text, "vertex_cover")
    assert edges(stated) == [(1, 2, None), (2, 3, None)]
    assert stated.notes == ("all weights are 1, and vertex_cover has none",)
    with pytest.raises(ProblemError, match="'weight'"):
        build(read(tmp_path, text.replace("2 3 1", "2 3 2"), "vertex_cover"))


def test_dimacs_graphs_and_flows(tmp_path):
    both = "c colours\np edge 3 4\ne 1 2\ne 2 1\ne 2 3\ne 3 2\n"
    stated = read(tmp_path, both, "graph_coloring", "a.col", number_of_colors=2)
    assert edges(stated) == [(1, 2, None), (2, 3, None)]
    assert "once" in stated.notes[0]
    flow = "p max 3 2\nn 1 s\nn 3 t\na 1 2 5\na 2 3 4\n"
    stated = read(tmp_path, flow, name="a.max")
    assert (stated.primitive, stated.attributes) == ("max_flow", {"source": 1, "sink": 3})
    assert decoder_for(build(stated)).optimum(build(stated).graph, stated.attributes) == -4
    assert read(tmp_path, flow, "min_cut").primitive == "min_cut"


CNF = "c mine\np cnf 3 4\n1 -2 0 2 3\n0\n-1 0 1 -1 0\n%\n0\n"


def test_clauses(tmp_path):
    stated = read(tmp_path, CNF)
    assert stated.primitive == "max_sat"
    assert stated.graph["hyperedges"] == [
        {"nodes": [1, 2], "negated": [2]},
        {"nodes": [2, 3], "negated": []},
        {"nodes": [1], "negated": [1]},
    ]
    assert "1 clauses hold always" in stated.notes[0]
    old = read(tmp_path, "p wcnf 2 3 100\n100 1 2 0\n3 -1 0\n4 -2 0\n", name="a.wcnf")
    new = read(tmp_path, "h 1 2 0\n3 -1 0\n4 -2 0\n")
    for found in (old, new):
        assert [clause["weight"] for clause in found.graph["hyperedges"]] == [8, 3, 4]
        assert answers(build(found)) == {frozenset({1})}
        assert "1 hard clauses weigh 8 each" in found.notes[0]
    twice = read(tmp_path, "p cnf 2 2\n1 2 0\n2 1 0\n")
    assert twice.graph["hyperedges"] == [{"nodes": [1, 2], "negated": [], "weight": 2}]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=9, max_size=9).filter(any))
def test_a_matrix_is_its_qubo(tmp_path_factory, numbers):
    matrix = np.array(numbers).reshape(3, 3)
    lines = "".join(
        f"{i + 1} {j + 1} {matrix[i, j]}\n" for i in range(3) for j in range(3) if matrix[i, j]
    )
    text = f"%%MatrixMarket matrix coordinate real general\n3 3 {np.count_nonzero(matrix)}\n{lines}"
    value = {x: np.array(x) @ matrix @ np.array(x) for x in product((0, 1), repeat=3)}
    path = tmp_path_factory.mktemp("m")
    if set(value.values()) == {0}:
        with pytest.raises(ProblemError, match="all weights are 0"):
            build(read(path, text, "qubo", "q.mtx"))
        return
    instance = build(read(path, text, "qubo", "q.mtx"))
    best = min(value.values())
    expected = {frozenset(i + 1 for i in range(3) if x[i]) for x, v in value.items() if v == best}
    assert answers(instance) == expected


def test_a_matrix_is_a_graph(tmp_path):
    head = "%%MatrixMarket matrix coordinate pattern symmetric\n"
    assert edges(read(tmp_path, f"{head}3 3 2\n2 1\n3 2\n", "vertex_cover")) == [
        (1, 2, None), (2, 3, None),
    ]  # fmt: skip
    general = "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 4.5\n"
    with pytest.raises(InputError, match="have a direction"):
        read(tmp_path, general, "max_cut")
    arc = build(read(tmp_path, general, "min_cut", source=1, sink=2))
    assert arc.graph["edges"] == [{"capacity": 4.5, "source": 1, "target": 2}]


def test_graphml_has_labels_defaults_and_weights(tmp_path):
    graph = nx.Graph()
    graph.add_edge("Ulm", "Rom", weight=2)
    graph.add_edge("Rom", "Bern", weight=0.5)
    nx.write_graphml(graph, tmp_path / "g.graphml")
    stated = state_file(tmp_path / "g.graphml", "max_cut")
    assert edges(stated) == [("Ulm", "Rom", 2), ("Rom", "Bern", 0.5)]
    text = (tmp_path / "g.graphml").read_text().replace("<data", "<!--").replace("</data>", "-->")
    defaults = text.replace(
        'attr.type="double" />', 'attr.type="double"><default>3</default></key>'
    )
    assert edges(read(tmp_path, defaults, "max_cut")) == [("Ulm", "Rom", 3), ("Rom", "Bern", 3)]


def test_json_is_told_apart(tmp_path):
    hyper = {"nodes": [0, 1, 2], "hyperedges": [[0, 1, 2]]}
    assert read(tmp_path, json.dumps(hyper), "hypermaxcut").form == "hypergraph"
    row = {"problem_type": "max_cut", "graph": {"nodes": [0, 1], "edges": [[0, 1]]}}
    with pytest.raises(InputError, match="--problems"):
        read(tmp_path, json.dumps(row))
    stated = read(
        tmp_path, json.dumps({"problem": {"primitive": "max_cut", "graph": row["graph"]}})
    )
    assert stated.primitive == "max_cut"
    pauli = read(tmp_path, '[["ZZI", 1.5], ["IIZ", -1], ["III", 3]]')
    assert pauli.primitive == "ising"
    assert sorted(build(pauli).hamiltonian.interactions()) == [(-1.0, (0,)), (1.5, (1, 2))]
    assert "constant 3" in pauli.notes[0]


def test_labels_of_networkx_are_kept():
    grid = nx.grid_2d_graph(2, 2)
    nx.set_edge_attributes(grid, {edge: {"weight": k - 1.5} for k, edge in enumerate(grid.edges)})
    problem = quasar.read_problem(grid, "max_cut")
    assert to_instance(problem, max_qubits=9).variables[0] == "(0, 0)"
    arcs = nx.DiGraph()
    arcs.add_edge((0, 1), "t", capacity=2)
    cut = quasar.read_problem(arcs, "min_cut", source=(0, 1), sink="t")
    assert cut.attributes == {"source": "(0, 1)", "sink": "t"}


def test_the_command_shows_what_was_understood(tmp_path, capsys):
    path = tmp_path / "G.gset"
    path.write_text("4 3\n1 2 5\n2 3 -1\n3 4 2\n")
    assert main(["problems", "read", str(path)]) == 0
    told = capsys.readouterr().out
    assert "Gset (rudy)" in told
    assert "problem    max_cut" in told
    assert "4 nodes, 3 edges, undirected, weight of edges -1 to 5" in told
    assert "variables  1, 2, 3, 4" in told
    assert "2.5*Z0*Z1" in told
    assert "ising" in told
    graph = tmp_path / "g.json"
    graph.write_text('{"nodes": [0, 1], "edges": [[0, 1]]}')
    assert main(["problems", "read", str(graph)]) == 0
    assert "fits       max_cut, vertex_cover" in capsys.readouterr().out
    arguments = ["--as", "min_cut", "--attribute", "source=0", "--attribute", "sink=1"]
    graph.write_text('{"directed": true, "nodes": [0, 1], "edges": [[0, 1, 3]]}')
    assert main(["problems", "read", str(graph), *arguments]) == 0
    assert "attributes source=0, sink=1" in capsys.readouterr().out
