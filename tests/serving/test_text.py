"""Problems in words."""

import numpy as np
import pytest

from quasar.datasets.prompts import build_messages
from quasar.errors import ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.serving.text import read_problem
from quasar.tool.schema import to_instance

# Their structured prompts list weights or another graph, not edges.
NOT_AS_EDGES = {"number_partitioning", "knapsack", "exact_cover"}
TWO_GRAPHS = {"graph_isomorphism"}


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
    ],
)
def test_a_text_is_read(text, primitive, edges, attributes):
    found = read_problem(text)
    assert (found.primitive, found.graph["edges"]) == (primitive, edges)
    assert attributes is None or found.attributes == attributes


def test_nodes_without_edges_and_cuts():
    assert read_problem("independent set, 4 nodes: 0-1").graph["nodes"] == [0, 1, 2, 3]
    cut = read_problem("max-cut of {0,1,2} and 2-3")
    assert (cut.primitive, cut.graph["hyperedges"]) == ("hypermaxcut", [[0, 1, 2], [2, 3]])


@pytest.mark.parametrize("primitive", sorted(set(problem_names()) - TWO_GRAPHS))
@pytest.mark.parametrize("style", ["structured", "free"])
def test_our_own_prompts_are_read(primitive, style):
    if style == "structured" and primitive in NOT_AS_EDGES:
        pytest.skip("states weights, not edges")
    problem = get_problem(primitive)
    size = problem.possible_qubits(9)[-1]
    instance = build_instance(primitive, *problem.generate(np.random.default_rng(3), size))
    prompt = build_messages(instance, style=style)[1]["content"]
    found = to_instance(read_problem(prompt), max_qubits=20)
    assert sorted(map(str, found.hamiltonian.terms)) == sorted(map(str, instance.hamiltonian.terms))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hello", "names no problem"),
        ("vertex cover", "holds no graph"),
        ("matching or vertex cover 0-1", "several problems (matching, vertex_cover)"),
        ('vertex cover {"graph": {"edges": []}, "attributes": 3}', '"attributes" must be'),
        ("{" * 20_000, "names no problem"),
        ("vertex cover " + "(0," * 6000, "holds no graph"),
    ],
)
def test_what_is_missing_is_said(text, part):
    with pytest.raises(ProblemError) as caught:
        read_problem(text)
    assert part in str(caught.value)
