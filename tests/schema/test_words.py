"""Problems in words: what is read, and that nothing is read past."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.datasets.prompts import build_messages
from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem, problem_names
from quasar.schema.verify import to_instance
from quasar.schema.words.reader import read_problem
from quasar.schema.words.tokens import FILLERS


def answers(text):
    """(primitive, the optimal answers) of the problem that a text states."""
    instance = to_instance(read_problem(text), max_qubits=20)
    problem = decoder_for(instance)
    found = [
        problem.decode(instance.graph, instance.attributes, instance.assignment(int(state)))
        for state in instance.spectrum.optimal
    ]
    return instance.primitive, sorted(found)


def refusal(text):
    with pytest.raises(ProblemError) as caught:
        to_instance(read_problem(text), max_qubits=20)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "primitive", "edges", "attributes"),
    [
        ("minimum vertex cover of 0-1 1-2", "vertex_cover", [[0, 1], [1, 2]], {}),
        ("k-clique, k=3: (0,1), (1, 2), (0,2)", "kclique", [[0, 1], [1, 2], [0, 2]], {"k": 3}),
        (
            "Min cut with source=0 and sink: 2 on 0->1:2 1->2:1.5",
            "min_cut",
            [[0, 1, 2], [1, 2, 1.5]],
            {"source": 0, "sink": 2},
        ),
        ("graph colouring, number of colors 2: a-b", "graph_coloring", [["a", "b"]], None),
        ('edge cover {"nodes": [0, 1], "edges": [[0, 1]]}', "edge_cover", [[0, 1]], {}),
        ("vertex cover of 0-1-2-3 and 3-4", "vertex_cover", [[0, 1], [1, 2], [2, 3], [3, 4]], {}),
        ("vertex cover\n- 0-1\n- 1-2\n", "vertex_cover", [[0, 1], [1, 2]], {}),
        ("\ufeffvertex cover 0-1", "vertex_cover", [[0, 1]], {}),
        ("vertex cover of 0 – 1, 1 — 2", "vertex_cover", [[0, 1], [1, 2]], {}),
        ("vertex cover of A--B B--C", "vertex_cover", [["A", "B"], ["B", "C"]], {}),
        ("vertex cover of Ann--Bob", "vertex_cover", [["Ann", "Bob"]], {}),
        ("vertex cover of 'Ann'-\"Bob\"", "vertex_cover", [["Ann", "Bob"]], {}),
        ("vertex cover of ①-②", "vertex_cover", [["①", "②"]], {}),
        ("vertex cover, edges: [(0,1), (1,2)]", "vertex_cover", [[0, 1], [1, 2]], {}),
        ("vertex cover: V={0,1,2}, E={(0,1),(1,2)}", "vertex_cover", [[0, 1], [1, 2]], {}),
        (
            "vertex cover with an edge between 0 and 1, and an edge between 1 and 2",
            "vertex_cover",
            [[0, 1], [1, 2]],
            {},
        ),
        ("max flow from s to t: s->a:3 a=>t:2", "max_flow", [["s", "a", 3], ["a", "t", 2]],
         {"source": "s", "sink": "t"}),
        ("min cut s=0 t=2: 0<->1:3 2<-1:4", "min_cut", [[0, 1, 3], [1, 0, 3], [1, 2, 4]],
         {"source": 0, "sink": 2}),
        ("perfect matching 0-1:3 2-3:4", "matching", [[0, 1, 3], [2, 3, 4]],
         {"matching": "perfect"}),
        ("matching=maximum of 0-1:3", "matching", [[0, 1, 3]], {"matching": "maximum"}),
        ("steiner tree, terminals 0 and 2: 0-1 (weight 2), 1-2 w=3", "steiner_tree",
         [[0, 1, 2], [1, 2, 3]], {"terminal_nodes": [0, 2]}),
        ("3-colouring of a-b", "graph_coloring", [["a", "b"]], {"number_of_colors": 3}),
        ("connected component of 3: 0-1 2-3", "connected_components", [[0, 1], [2, 3]],
         {"node": 3}),
        ("hamiltonian path from 0 to 2: 0-1 1-2", "hamiltonian_path", [[0, 1], [1, 2]],
         {"start_node": 0, "end_node": 2}),
    ],
)  # fmt: skip
def test_a_text_is_read(text, primitive, edges, attributes):
    found = read_problem(text)
    assert (found.primitive, found.graph["edges"]) == (primitive, edges)
    assert attributes is None or found.attributes == attributes


HEAVY = "0-1:10 1-2:1 2-3:1 3-0:1 0-2:10 1-3:10"
ITEMS = "(1200,15000) (2300,27990) (1700,20100) (900,11050) (2600,31000)"


@pytest.mark.parametrize(
    ("text", "primitive", "found"),
    [
        (f"max cut of {HEAVY}", "max_cut", [[0, 3], [1, 2]]),
        ("weighted max cut of (0,1,8),(1,2,1),(2,0,2)", "max_cut", [[0], [1, 2]]),
        ("maxcut 0-1:1 1-2:-1", "max_cut", [[0], [1, 2]]),
        ("max cut {0: {1: 5}, 1: {2: -3}}", "max_cut", [[0], [1, 2]]),
        ("max cut of (0, 1, {'weight': 3})", "max_cut", [[0], [1]]),
        ("max_cut of 0-1", "max_cut", [[0], [1]]),
        ("max-cut of 0-1", "hypermaxcut", [[0], [1]]),
        ("min cut source=0 sink=2 of 0->1:1 2<-1:5", "min_cut", [[0]]),
        ('vertex cover {"0":[1,2],"1":[0],"2":[0]}', "vertex_cover", [[0]]),
        ("vertex cover {0: [1, 2], 1: [0]}", "vertex_cover", [[0]]),
        (f"knapsack (weight, value) {ITEMS}, capacity 5000", "knapsack", [[1, 2, 3]]),
        ("knapsack with capacity 5: weights 2 3 4, values 3, 4 and 5", "knapsack", [[0, 1]]),
        ("0-1 knapsack, capacity=5, weights [2, 3], values [3, 4]", "knapsack", [[0, 1]]),
        ("partition 3 1 1 1", "number_partitioning", [[0], [1, 2, 3]]),
        ("partition the numbers {2, 3, 5} into two sets", "number_partitioning", [[0, 1], [2]]),
        ("exact cover of {0,1}, {2}, {1,2}", "exact_cover", [[[0, 1], [2]]]),
        ("vertex cover of a star on 5 nodes", "vertex_cover", [[0]]),
        ("MIS of K3,2", "maximum_independent_set", [[0, 1, 2]]),
        ("independent set of a 4-cycle", "maximum_independent_set", [[0, 2], [1, 3]]),
        ("max cut of a square", "hypermaxcut", [[0, 2], [1, 3]]),
    ],
)
def test_a_text_has_its_answers(text, primitive, found):
    name, optimal = answers(text)
    assert name == primitive
    assert sorted(set(map(str, optimal))) == sorted(map(str, found))


def test_nodes_without_edges_and_cuts():
    assert read_problem("independent set, 4 nodes: 0-1").graph["nodes"] == [0, 1, 2, 3]
    assert read_problem("independent set of nodes 0 to 3: 0-1").graph["nodes"] == [0, 1, 2, 3]
    assert read_problem("independent set, nodes A, B, C: A-B").graph["nodes"] == ["A", "B", "C"]
    assert read_problem("MIS of the Petersen graph").graph["nodes"] == list(range(10))
    cut = read_problem("max-cut of {0,1,2} and 2-3")
    assert (cut.primitive, cut.graph["hyperedges"]) == ("hypermaxcut", [[0, 1, 2], [2, 3]])


@pytest.mark.parametrize("primitive", problem_names())
@pytest.mark.parametrize("style", ["structured", "free"])
def test_our_own_prompts_are_read(primitive, style):
    problem = get_problem(primitive)
    size = problem.possible_qubits(9)[-1]
    instance = build_instance(primitive, *problem.generate(np.random.default_rng(3), size))
    prompt = build_messages(instance, style=style)[1]["content"]
    found = to_instance(read_problem(prompt), max_qubits=20)
    assert sorted(map(str, found.hamiltonian.terms)) == sorted(map(str, instance.hamiltonian.terms))


@pytest.mark.parametrize("style", ["structured", "free"])
def test_a_prompt_of_ours_with_something_changed_is_refused(style):
    instance = build_instance("vertex_cover", {"nodes": [0, 1, 2], "edges": [[0, 1], [1, 2]]})
    prompt = build_messages(instance, style=style)[1]["content"]
    for old, new in (("3 qubits", "4 qubits"), ("3-qubit", "4-qubit"), ("0.25*Z0", "0.75*Z0")):
        if old in prompt:
            refusal(prompt.replace(old, new))
    refusal(prompt + " 5")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hello", "names no problem"),
        ("vertex cover", "holds no graph"),
        ("matching or vertex cover 0-1", "several problems (matching, vertex_cover)"),
        ('vertex cover {"graph": {"edges": []}, "attributes": 3}', '"attributes" must be'),
        ("{" * 20_000, "the limit is 4000"),
        ("vertex cover " + "(0," * 1000, "not understood: '(0'"),
        ("vertex cover 0-1 1-2 ??? 2-3", "not understood: '???'"),
        ("vertex cover 0-1 foo 1-2 bar", "'foo', 'bar'"),
        ("max ??? cut 0-1", "not understood: 'max ??? cut"),
        ("vertex cover of 0-1 5", "not understood: '5'"),
        ("vertex cover of 0-1 -2", "not understood: '-2'"),
        ("vertex cover of well-known 0-1", "well-known"),
        ("vertex cover without 0-1 of 1-2", "without"),
        ("maximum vertex cover of 0-1", "'maximum'"),
        ("vertex cover nodes 0-5", "'nodes'"),
        ("max cut of 0-1:3-4", "0-1"),
        ("max cut of 0-1:nan", "nan"),
        ("max cut 0-1-2:5", "of which edge the number is"),
        ("max cut of 0->1:2", "have no direction"),
        ("min cut source=0 sink=1 of 0-1:3", "have a direction; write 0->1"),
        ("vertex cover of 0-1:5", "has the weight 5, which vertex_cover does not use"),
        ("hypermaxcut of {0,1,2}:5", "not understood"),
        ("ising h0=1 h1=-1 J01=-1", "h0=1: write the number of a node as 0:1"),
        ("ising J_01=-1 J_12=2", "that of a pair as 0-1:-1"),
        ("qubo Q00=1 Q11=-2 Q01=3", "Q00=1"),
        ("weighted vertex cover of 0-1", "does not use weights"),
        ("weighted max cut of 0-1", "gives no weight"),
        ("unweighted max cut of 0-1:3", "unweighted but gives weights"),
        ("max cut of the directed graph 0-1", "'directed'"),
        ("steiner tree, terminals 0, 2: 0-1:5 1-2", 'has no "weight"'),
        ("vertex cover 3 nodes: 0-1 1-2 2-3", "3 nodes and names 4"),
        ("vertex cover 3 edges: 0-1 1-2", "3 edges and names 2"),
        ("vertex cover of a triangle 0-1", "keep one"),
        ('vertex cover 0-1 {"nodes": [0, 1], "edges": [[0, 1]]}', "keep one"),
        ('vertex cover {"nodes": [0, 1], "edges": [[0, 1]], "foo": 1}', "'foo'"),
        ('vertex cover {"graph": {"nodes": [0, 1], "edges": [[0, 1]]}, "foo": 1}', "'foo'"),
        ('vertex cover {"foo": 1} 0-1', 'not understood: {"foo": 1}'),
        ("min cut source=0 source=1 sink=2 of 0->2:1", "source is given twice"),
        ("knapsack capacity 3 (2,3) (4,5)", "not understood"),
        ("knapsack capacity 3 weights 2 3 values 4", "give each item one of each"),
        ("partition 3 1 1 into 3 parts", "not understood"),
        ("number partitioning of 0-1", "does not use"),
        ("graph isomorphism of 0-1 1-2", "'autoisomorphic_graph' is missing"),
    ],
)
def test_what_is_missing_or_not_understood_is_said(text, part):
    assert part in refusal(text)


RIGHT = [
    f"max cut of {HEAVY}",
    "please find the minimum vertex cover of the graph with edges 0-1 , 1-2 , 2-3 .",
    "min cut with source = 0 and sink = 2 of 0->1:1 2<-1:5",
    "vertex cover of nodes 0 1 2 3 and edges (0, 1) (1, 2)",
    "knapsack with capacity 10 : weights 2 3 4 , values 3 4 5",
    "partition the numbers 3 1 1 2 into two sets",
    "steiner tree with terminals 0 and 2 of 0-1:2 1-2:3",
    "max cut of {0,1,2} and 2-3",
]
JUNK = st.sampled_from(
    (
        *("foo", "not", "except", "without", "???", "@", "#", "$", "%", "~~", "1.5.2", "0x1"),
        *("<>", "==", "weightless", "no", "unless", "[", "(", "}"),
    )
) | st.text("abcdefghijklmnopqrstuvwxyzäß", min_size=2, max_size=7).map(
    "zq".__add__
)  # no word we know


def outcome(text):
    """The problem, or the refusal's text."""
    try:
        return read_problem(text)
    except ProblemError as error:
        return str(error)


@settings(max_examples=400)
@given(st.sampled_from(RIGHT), JUNK, st.data())
def test_nothing_is_read_past(text, junk, data):
    """A further word is named in the refusal, or says nothing by the short list of such words."""
    words = text.split(" ")
    place = data.draw(st.integers(0, len(words)))
    changed = " ".join([*words[:place], junk, *words[place:]])
    found = outcome(changed)
    if isinstance(found, str):
        assert junk in found
    else:
        assert junk in FILLERS
        assert found == read_problem(text)


@settings(max_examples=200)
@given(st.sampled_from(RIGHT), st.sampled_from(sorted(FILLERS)), st.data())
def test_filling_words_change_nothing(text, word, data):
    words = text.split(" ")
    place = data.draw(st.integers(0, len(words)))
    changed = " ".join([*words[:place], word, *words[place:]])
    found = outcome(changed)
    assert isinstance(found, str) or found == read_problem(text)


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    for whole in (text, f"vertex cover 0-1 {text}"):
        assert outcome(whole)


def test_a_plain_edge_of_a_weighted_cut_counts_one():
    assert answers("max cut of 0-1 1-2 2-3 3-0 0-2:3") == answers(
        "max cut of 0-1:1 1-2:1 2-3:1 3-0:1 0-2:3"
    )
    problem = read_problem("max cut of 0-1 1-2 2-3 3-0 0-2:3")
    assert problem.graph["edges"] == [[0, 1, 1], [1, 2, 1], [2, 3, 1], [3, 0, 1], [0, 2, 3]]
