"""Files and objects of others: what is read of each format, and what is refused by its line."""

import io
import json
from contextlib import suppress
from itertools import product
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

import quasar
from quasar.cli.main import main
from quasar.errors import InputError, ProblemError, QuasarError
from quasar.problems import build_instance, decoder_for
from quasar.problems.readers.programs import ConstrainedProgram, Constraint, program_reading
from quasar.problems.readers.sources import state, state_file, state_object
from quasar.schema.verify import to_instance


def read(tmp_path, text, primitive=None, name="file.txt", form=None, **attributes):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return state_file(path, primitive, attributes, form=form)


def build(stated):
    return build_instance(stated.primitive, stated.graph, stated.attributes)


def edges(stated):
    return [(e["source"], e["target"], e.get("weight")) for e in build(stated).graph["edges"]]


def answers(instance):
    decoder = decoder_for(instance)
    return {
        frozenset(decoder.decode(instance.graph, instance.attributes, instance.assignment(int(s))))
        for s in instance.spectrum.optimal
    }


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


def test_a_pauli_operator_is_the_hamiltonian():
    operator = SparsePauliOp(["ZIZ", "IZZ", "ZII", "ZIZ", "III"], [0.5, -1.25, 2, 0.25, 7])
    instance = build(state_object(operator))
    diagonal = operator.to_matrix().diagonal().real
    assert instance.hamiltonian.energies + 7 == pytest.approx(diagonal)


@pytest.mark.parametrize(
    ("labels", "coefficients", "part"),
    [
        (["XZ"], [1], "the term XZ is not diagonal"),
        (["ZZZ"], [1], "has 3 factors"),
        (["ZZ"], [1j], "is complex"),
        (["II"], [1], "all weights are 0"),
    ],
)
def test_other_operators_are_refused(labels, coefficients, part):
    with pytest.raises(ProblemError) as caught:
        build(state_object(SparsePauliOp(labels, coefficients)))
    assert part in str(caught.value)


def best_of(program):
    """All best assignments of the program's variables, tried one by one; None if none is left."""
    found, best = set(), None
    ranges = [range(low, high + 1) for low, high in program.bounds.values()]
    for x in product(*ranges):
        at = dict(zip(program.bounds, x, strict=True))
        sums = [
            (sum(c * at[v] for v, c in one.linear.items()), one.sense, one.bound)
            for one in program.constraints
        ]
        if not all(
            {"<=": s <= b + 1e-9, ">=": s >= b - 1e-9, "==": abs(s - b) < 1e-9}[sense]
            for s, sense, b in sums
        ):
            continue
        value = sum(c * at[v] for v, c in program.linear.items())
        value += sum(c * at[u] * at[v] for (u, v), c in program.quadratic.items())
        value *= -1 if program.maximise else 1
        if best is None or value < best - 1e-9:
            found, best = {x}, value
        elif abs(value - best) <= 1e-9:
            found.add(x)
    return found if best is not None else None


def values_of(program, reading):
    """The same of the QUBO's ground states, from its bits by name."""
    instance = build(state(reading, None))
    units = {name: [] for name in program.bounds}
    for name, (low, high) in program.bounds.items():
        if (low, high) == (0, 1):
            units[name] = [(1, name)]
            continue
        (told,) = [note for note in reading.notes if note.startswith(f"{name} = ")]
        for part in told.split(" + ")[1:]:
            unit, _, bit = part.partition("·")
            units[name].append((int(unit), f"{name} {bit}"))
    return {
        tuple(
            (low if (low, high) != (0, 1) else 0)
            + sum(u for u, bit in units[name] if bit in chosen)
            for name, (low, high) in program.bounds.items()
        )
        for chosen in answers(instance)
    }


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_qubo_of_a_program_has_its_best_answers(data):
    names = ["a", "b", "c"]
    whole = st.integers(-3, 3)
    program = ConstrainedProgram(maximise=data.draw(st.booleans()))
    program.bounds = {
        name: data.draw(st.sampled_from([(0, 1), (0, 1), (0, 3), (-1, 1)])) for name in names
    }
    program.linear = {name: float(data.draw(whole)) for name in names}
    program.quadratic = {(u, v): float(data.draw(whole)) for u in names for v in names if u <= v}
    program.constant = 2.5
    for k in range(data.draw(st.integers(0, 2))):
        scale = data.draw(st.sampled_from([1, 0.5]))
        linear = {name: scale * data.draw(st.integers(-2, 2)) for name in names}
        sense = data.draw(st.sampled_from(["<=", ">=", "=="]))
        program.constraints.append(Constraint(f"c{k}", linear, sense, data.draw(whole)))
    expected = best_of(program)
    refused = None
    try:
        reading = program_reading(program, "program")
    except ProblemError as error:
        refused = str(error)
    if refused is not None:
        assert refused.endswith("nothing satisfies it")
        assert expected is None
        return
    numbers = [e["weight"] for part in ("nodes", "edges") for e in reading.graph[part]]
    if any(numbers) and len(reading.graph["nodes"]) <= 14 and expected is not None:
        assert values_of(program, reading) == expected


def test_lp_files_and_integers(tmp_path):
    pytest.importorskip("dimod")
    text = """Maximize
 obj: 3 x + 2 y + z
Subject To
 weight: 2 x + y + z <= 3
 pair: x + y <= 1
Bounds
 0 <= z <= 2
Binary
 x y
General
 z
End
"""
    stated = read(tmp_path, text, name="a.lp")
    assert stated.notes[0].startswith("maximised")
    assert any("bits of slack" in note for note in stated.notes)
    best = answers(build(stated))
    assert {chosen & {"x", "y"} for chosen in best} == {frozenset("x"), frozenset("y")}
    assert stated.primitive == "qubo"
    with pytest.raises(InputError, match="no LP file"):
        read(tmp_path, "maximize what", name="b.lp")


def test_programs_of_qiskit_and_dimod():
    optimization = pytest.importorskip("qiskit_optimization")
    dimod = pytest.importorskip("dimod")
    program = optimization.QuadraticProgram()
    program.binary_var("x")
    program.integer_var(-1, 2, "n")
    program.minimize(constant=3, linear={"x": -2, "n": 1}, quadratic={("n", "n"): 1, ("x", "n"): 1})
    program.linear_constraint({"x": 1, "n": 1}, ">=", 0, "c")
    model = dimod.ConstrainedQuadraticModel()
    x, n = dimod.Binary("x"), dimod.Integer("n", lower_bound=-1, upper_bound=2)
    model.set_objective(-2 * x + n + n * n + x * n + 3)
    model.add_constraint(x + n >= 0, label="c")
    found = [answers(build(state_object(given))) for given in (program, model)]
    assert found[0] == found[1]
    assert all("x" in chosen for chosen in found[0])  # x = 1, n = -1: -2 - 1 + 1 - 1
    program.continuous_var(name="r")
    with pytest.raises(ProblemError, match="'r' is continuous"):
        state_object(program)
    model.add_constraint(x * n <= 1, label="q")
    with pytest.raises(ProblemError, match="'q' is quadratic"):
        state_object(model)


def test_files_of_dimod(tmp_path):
    dimod = pytest.importorskip("dimod")
    spins = dimod.BinaryQuadraticModel({("a", 1): 0.5}, {(("a", 1), "b"): -1.5}, 2, "SPIN")
    stated = state_object(spins)
    assert (stated.primitive, build(stated).variables) == ("ising", ("('a', 1)", "b"))
    model = dimod.ConstrainedQuadraticModel()
    s, x = dimod.Spin("s"), dimod.Binary("x")
    model.set_objective(3 * s + x - 2 * s * x)
    model.add_constraint(s + 2 * x == 1, label="c")  # s = -1, x = 1 is worth 0; s = 1, x = 0 is 3
    with model.to_file() as file:
        (tmp_path / "m.cqm").write_bytes(file.read())
    stated = state_file(tmp_path / "m.cqm")
    assert answers(build(stated)) == {frozenset("x")}
    with pytest.raises(InputError, match="no CQM file"):
        read(tmp_path, b"DIMODCQM junk", name="b.cqm")


BAD = [
    ("", None, "it is empty"),
    (b"\xff\xfe\x00", None, "not UTF-8"),
    ("1 2\n2 3\n", None, "say which problem it is, --as NAME"),
    ("1 2 3\n2 3\n", "max_cut", "line 2: the edge has no weight, that of line 1 one"),
    ("1 2 x\n", "max_cut", "line 1: 'x' is not a number"),
    ("1 2 nan\n", "max_cut", "line 1: 'nan' is not a finite number"),
    ("1 2 3 4\n", "max_cut", "line 1: '1 2 3 4' is no edge"),
    ("4 3\n1 2\n2 3\n3 4\n", "max_cut", "say --format gset or --format edge-list"),
    ("p edge 3 1\ne 1 4\n", "max_cut", "line 2: node 4, but the header says 3 nodes"),
    ("p edge 3 2\ne 1 2\n", "max_cut", "the header says 2 edges, there are 1"),
    ("p edge 3 1\nn 1 5\n", "max_cut", "line 2: 'n 1 5': numbers of nodes are not read"),
    ("p what 3 1\n", None, 'a DIMACS file begins with a line "p edge"'),
    ("p cnf 2 1\n1 2\n", None, "the last clause does not end with 0"),
    ("p cnf 2 1\n1 3 0\n", None, "line 2: '3' is no literal of 2 variables"),
    ("p cnf 2 1\n0\n", None, "a clause without literals"),
    ("p cnf 2 1\n1 2 0\n", "max_cut", "holds max_sat (DIMACS CNF), which is not read as max_cut"),
    ("p qubo 0 2 1 1\n0 0 1\n0 1 2\n1 0 2\n", None, "line 4: the pair 1, 0 is given twice"),
    ("p qubo 0 2 1 1\n0 0 1\n0 2 2\n", None, "line 3: node 2, but maxNodes is 2"),
    ("p qubo 0 2 2 1\n0 0 1\n0 1 2\n", None, "the header says 2 nodes, there are 1"),
    ("%%MatrixMarket matrix coordinate real general\n2 3 1\n1 2 1\n", "max_cut", "is 2 by 3"),
    ("%%MatrixMarket matrix coordinate real general\n2 2 1\n", "max_cut", "no MatrixMarket file"),
    ("%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 2 1 1\n", "max_cut", "complex"),
    ("<graphml", "max_cut", "no GraphML file"),
    ("<!DOCTYPE x><graphml/>", "max_cut", "document type"),
    ("{", None, "not JSON"),
    ("{}", None, "no problem and no graph in the JSON"),
    ("[1, 2]", None, "the JSON is a list"),
    ('{"primitive": "max_cut", "graph": {}, "foo": 1}', None, "'foo'"),
    ('{"nodes": [0, 1], "edges": [[0, 1]]}', "nothing", "unknown primitive 'nothing'"),
    ('{"type": "BinaryQuadraticModel"}', None, "no BQM of dimod"),
    ('[["ZZ", 1], ["Z", 1]]', None, "'Z' has 1 qubits, other terms have 2"),
    ('[["QQ", 1]]', None, "is no Pauli label"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "primitive", "part"), BAD)
def test_what_cannot_be_read_is_refused(tmp_path, text, primitive, part):
    if "BQM" in part:
        pytest.importorskip("dimod")
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, primitive)
    assert part in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="0123456789 .-pecnfhs{}[]\"':,\n<>%MatrixMrk", max_size=60),
    st.sampled_from([None, "dimacs", "edge-list", "gset", "json", "qubo", "matrix-market"]),
)
def test_no_text_is_more_than_refused(tmp_path_factory, text, form):
    path = tmp_path_factory.mktemp("t") / "x"
    path.write_text(text)
    with suppress(QuasarError):
        build(state_file(path, "max_cut" if form else None, form=form))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (3, "a builtins.int is no problem"),
        (nx.MultiGraph([(0, 1), (0, 1)]), "multigraph"),
        (nx.Graph([(0, 1)]), "say which problem it is"),
        ({"foo": 1}, "no problem and no graph"),
    ],
)
def test_objects_that_are_none(given, part):
    with pytest.raises(ProblemError, match=part):
        quasar.read_problem(given)


def test_what_is_said_twice_is_refused(tmp_path):
    with pytest.raises(ProblemError, match="primitive is given besides"):
        quasar.read_problem("max cut of 0-1", "max_cut")
    flow = "p max 2 1\nn 1 s\nn 2 t\na 1 2 5\n"
    with pytest.raises(InputError, match="source is given twice: 1 and 2"):
        read(tmp_path, flow, source=2)
    with pytest.raises(InputError, match="unknown format 'foo'; there are: cqm, dimacs"):
        read(tmp_path, flow, form="foo")


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


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["problems", "read", "nowhere.gset"], "nowhere.gset: cannot be read"),
        (["problems", "read", "{file}", "--as", "foo"], "unknown primitive 'foo'"),
        (["problems", "read", "{file}", "--as", "min_cut"], "edges have no direction"),
        (["problems", "read", "{file}", "--attribute", "x"], "write NAME=VALUE"),
        (["problems", "read", "{file}", "--attribute", "x=1"], "'x' is not used"),
        (["problems", "read", "{file}", "--format", "x"], "unknown format 'x'"),
        (["verify", "-", "nowhere.gset"], "nowhere.gset: there is no such file"),
        (["verify", "-"], "give the problem in words"),
        (["verify", "-", "max cut of 0-1", "--as", "ising"], "--as and --attribute go with a file"),
        (["verify", "-", "nonsense"], "the text names no problem"),
        (["verify", "-", "max cut of 0-1", "--problems", "{file}"], "give the problem in words"),
        (["verify", "-", "--problems", "{file}"], "--problems and --index go together"),
        (["ask", "nowhere.graphml"], "nowhere.graphml: there is no such file"),
        (["ask", "--problems", "{file}", "--index", "0", "--as", "max_cut"], "not with --problems"),
    ],
)
def test_bad_arguments(tmp_path, capsys, monkeypatch, arguments, part):
    path = tmp_path / "G.gset"
    path.write_text("2 1\n1 2 5\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert main([one.format(file=path) for one in arguments]) == 2
    told = capsys.readouterr().err
    assert part in told
    assert told.count("\n") == 1
