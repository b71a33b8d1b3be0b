"""Files and objects that state no problem, and the line that says so."""

import io
from contextlib import suppress
from types import SimpleNamespace

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quasar
from quasar.cli.main import main
from quasar.errors import InputError, ProblemError, QuasarError
from quasar.problems.readers.sources import state_file
from tests.problems.readings import build, read

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
