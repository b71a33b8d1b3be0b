"""Edge and label primitives by hand, their soundness on arbitrary graphs, and bad input."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem


def graph_of(edges, *, nodes=4, **fields):
    keys = ("source", "target", "weight")
    return {
        "nodes": [{"id": v} for v in range(nodes)],
        "edges": [dict(zip(keys, edge, strict=False)) for edge in edges],
    } | fields


SQUARE = [(0, 1, 1), (1, 2, 1), (2, 3, 1), (0, 3, 1)]
TRIANGLE = [(0, 1, 1), (1, 2, 1), (0, 2, 1)]
BARE_SQUARE, BARE_TRIANGLE = ([edge[:2] for edge in edges] for edges in (SQUARE, TRIANGLE))


def optimal_answers(instance):
    problem = decoder_for(instance)
    return [
        problem.decode(instance.graph, instance.attributes, instance.assignment(int(state)))
        for state in instance.spectrum.optimal
    ]


def solve(primitive, edges, attributes=None, *, nodes=4):
    return optimal_answers(build_instance(primitive, graph_of(edges, nodes=nodes), attributes))


def test_edge_cover_by_hand():
    # A path needs both ends' edges, the middle one is left out.
    assert solve("edge_cover", BARE_SQUARE[:3]) == [[[0, 1], [2, 3]]]
    instance = build_instance("edge_cover", graph_of(BARE_SQUARE[:3]))
    assert instance.variables == ("0-1", "1-2", "2-3")
    assert instance.spectrum.optimal.tolist() == [0b010]


def test_edge_cover_has_the_degree_of_the_graph():
    star = build_instance("edge_cover", graph_of([(0, v) for v in range(1, 6)], nodes=6))
    assert max(len(wires) for _, wires in star.hamiltonian.terms) == 5
    assert optimal_answers(star) == [[[0, v] for v in range(1, 6)]]


def test_matching_by_hand():
    # Both perfect matchings of a square: the light one is the optimum.
    edges = [(0, 1, 5), (1, 2, 1), (2, 3, 2), (3, 0, 2)]
    assert solve("matching", edges, {"matching": "perfect"}) == [[[0, 3], [1, 2]]]
    assert solve("matching", TRIANGLE, {"matching": "near_perfect"}, nodes=3) == [
        [[1, 2]],
        [[0, 2]],
        [[0, 1]],
    ]
    star = [(0, 1, 3), (0, 2, 1), (0, 3, 2)]
    assert solve("matching", star, {"matching": "maximum_bipartite"}) == [[[0, 2]]]


def test_the_published_penalty_of_a_matching_is_too_little_for_heavy_edges():
    """One edge of weight 2(n+1) is not worth its penalty: the bound in the docstring is sharp."""
    problem = get_problem("matching")
    for weight, matched in ((5, {1}), (6, {0, 1}), (7, {0})):
        graph = graph_of([(0, 1, weight)], nodes=2)
        published = build_instance("matching", graph, PERFECT, encoding="published")
        assert {len(answer) for answer in optimal_answers(published)} == matched
        assert optimal_answers(build_instance("matching", graph, PERFECT)) == [[[0, 1]]]
        assert problem.optimum(graph, {}) == weight


def test_kclique_by_hand():
    edges = [*BARE_TRIANGLE, (2, 3)]
    assert solve("kclique", edges, {"k": 3}) == [[0, 1, 2]]
    # No triangle in a square: any three nodes, one pair of which is not joined.
    problem = get_problem("kclique")
    assert problem.optimum(graph_of(BARE_SQUARE), {"k": 3}) == 1.0
    assert len(solve("kclique", BARE_SQUARE, {"k": 3})) == 4


def test_graph_coloring_by_hand():
    answers = solve("graph_coloring", BARE_SQUARE, {"number_of_colors": 2})
    assert sorted(answers) == [[[0, 2], [1, 3]], [[1, 3], [0, 2]]]
    problem, two = get_problem("graph_coloring"), {"number_of_colors": 2}
    assert problem.optimum(graph_of(BARE_TRIANGLE, nodes=3), two) == 1.0
    assert not problem.is_feasible(graph_of(BARE_SQUARE), two, [[0, 2, 1], [1, 3]])
    assert not problem.is_feasible(graph_of(BARE_SQUARE), two, [[0, 2], [1]])
    instance = build_instance("graph_coloring", graph_of(BARE_SQUARE), two)
    assert instance.variables[:3] == ("0:0", "0:1", "1:0")


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_community_objective_is_minus_the_modularity_of_networkx(seed):
    rng = np.random.default_rng(seed)
    edges = [(u, v, int(rng.integers(1, 4))) for u, v in combinations(range(6), 2)]
    edges = [edge for edge in edges if rng.random() < 0.5] or edges[:1]
    graph, attributes = graph_of(edges, nodes=6), {"number_of_communities": 3}
    labels = rng.integers(3, size=6)
    groups = [[v for v in range(6) if labels[v] == c] for c in range(3)]
    network = nx.Graph()
    network.add_nodes_from(range(6))
    network.add_weighted_edges_from(edges)
    problem = get_problem("community_detection")
    expected = -nx.community.modularity(network, [g for g in groups if g])
    assert problem.objective(graph, attributes, groups) == pytest.approx(expected, abs=1e-9)


def test_community_detection_by_hand():
    barbell = [*TRIANGLE, (3, 4, 1), (4, 5, 1), (3, 5, 1), (2, 3, 1)]
    attributes = {"number_of_communities": 2, "communities_size": 3}
    answers = solve("community_detection", barbell, attributes, nodes=6)
    assert sorted(answers) == [[[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]]
    unweighted = [edge[:2] for edge in barbell]
    assert solve("community_detection", unweighted, attributes, nodes=6) == answers


def brute_force_trees(graph, terminals):
    """Every minimum Steiner tree as a set of edges, by trying all edge sets with networkx."""
    edges = [(e["source"], e["target"], e["weight"]) for e in graph["edges"]]
    best, found = float("inf"), []
    for size in range(1, len(edges) + 1):
        for chosen in combinations(edges, size):
            network = nx.Graph()
            network.add_weighted_edges_from(chosen)
            if not set(terminals) <= set(network) or not nx.is_tree(network):
                continue
            weight = sum(w for _, _, w in chosen)
            if weight < best:
                best, found = weight, []
            if weight == best:
                found.append(frozenset(frozenset(edge[:2]) for edge in chosen))
    return best, set(found)


@settings(max_examples=60)
@given(data=st.data())
def test_steiner_ground_states_are_exactly_the_minimum_trees(data):
    """On any graph with up to 9 edges: sparse, dense, or with parts that hold no terminal."""
    n = data.draw(st.integers(2, 7))
    pairs = data.draw(
        st.lists(
            st.sampled_from(list(combinations(range(n), 2))), min_size=1, max_size=9, unique=True
        )
    )
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(pairs), max_size=len(pairs)))
    network = nx.Graph(pairs)
    part = max(nx.connected_components(network), key=len)
    terminals = data.draw(st.lists(st.sampled_from(sorted(part)), min_size=2, unique=True))
    graph = graph_of([(*p, w) for p, w in zip(pairs, weights, strict=True)], nodes=n)
    instance = build_instance("steiner_tree", graph, {"terminal_nodes": terminals})
    best, trees = brute_force_trees(graph, terminals)
    answers = {frozenset(frozenset(e) for e in answer) for answer in optimal_answers(instance)}
    assert answers == trees
    assert get_problem("steiner_tree").optimum(graph, {"terminal_nodes": terminals}) == best
    # The smallest value of the whole polynomial is the weight itself: no penalty is left.
    polynomial = get_problem("steiner_tree").polynomial(graph, instance.attributes)
    every = (1,) * instance.num_qubits  # all variables 1: basis state 0
    constant = polynomial.value(every) - instance.hamiltonian.energies[0]
    assert instance.spectrum.minimum + constant == pytest.approx(best, abs=1e-9)
    # An infeasible choice is at least 1 above.
    feasible = decoder_for(instance).feasible_states(graph, instance.attributes)
    if not feasible.all():
        assert instance.hamiltonian.energies[~feasible].min() + constant >= best + 1 - 1e-9


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_steiner_cuts_are_the_minimal_edge_sets_that_separate_terminals(seed, size):
    problem = get_problem("steiner_tree")
    graph, attributes = problem.generate(np.random.default_rng(seed), size)
    separating = []
    for number in range(1, size + 1):
        for removed in combinations(range(size), number):
            if any(set(found) <= set(removed) for found in separating):
                continue
            kept = [list(e) for q, e in enumerate(problem.ordered_edges(graph)) if q not in removed]
            if not problem.is_feasible(graph, attributes, kept):
                separating.append(removed)
    assert sorted(map(tuple, problem.cuts(graph, attributes))) == sorted(separating)


def test_steiner_cuts_of_sparse_graphs_are_small():
    for seed in range(20):
        graph, attributes = get_problem("steiner_tree").generate(np.random.default_rng(seed), 16)
        instance = build_instance("steiner_tree", graph, attributes)
        assert max(len(wires) for _, wires in instance.hamiltonian.terms) <= 4
        assert len(instance.hamiltonian.terms) < 400


def test_planted_solutions_are_not_given_away_by_the_labels():
    """The clique, and the light matching, are not always on the first nodes."""
    for primitive, size in (("kclique", 9), ("matching", 10)):
        answers = set()
        for seed in range(8):
            graph, attributes = get_problem(primitive).generate(np.random.default_rng(seed), size)
            found = optimal_answers(build_instance(primitive, graph, attributes))
            answers.add(str(found[0]))
        assert len(answers) > 4


def test_benchmark_order_sorts_variables_as_text():
    """(node, label) and (node, node) by the text of the pair: 10 before 2."""
    edges = [(2, 10), (3, 10), (2, 3), (1, 3)]
    graph = {"nodes": [{"id": v} for v in (1, 2, 3, 10)], "edges": graph_of(edges)["edges"]}
    two = {"number_of_colors": 2}
    for primitive, attributes, natural, text in (
        ("graph_coloring", two, "1:0 1:1 2:0 2:1 3:0", "1:0 1:1 10:0 10:1 2:0"),
        ("edge_cover", {}, "1-3 2-3 2-10 3-10", "1-3 2-10 2-3 3-10"),
    ):
        problem = get_problem(primitive)
        in_text_order = type(problem)("text")
        assert problem.variables(graph, attributes)[: len(natural.split())] == natural.split()
        assert in_text_order.variables(graph, attributes)[: len(text.split())] == text.split()
        chosen = [0, 0, 1, 0, 0, 0, 0, 0][: len(in_text_order.variables(graph, attributes))]
        answer = in_text_order.decode(graph, attributes, chosen)
        assert answer == {"graph_coloring": [[10], []], "edge_cover": [[2, 3]]}[primitive]
        hamiltonian = in_text_order.polynomial(graph, attributes).to_ising()
        instance = build_instance(
            primitive, graph, attributes, hamiltonian_text=hamiltonian.to_text()
        )
        assert decoder_for(instance).order == "text"


def test_possible_sizes_of_label_problems():
    for primitive in ("graph_coloring", "community_detection"):
        problem = get_problem(primitive)
        assert problem.possible_qubits(16) == (4, 6, 8, 9, 10, 12, 14, 15, 16)
        with pytest.raises(ProblemError, match=f"{primitive}: 13 qubits .*; use 14 qubits"):
            problem.generate(np.random.default_rng(0), 13)


PERFECT = {"matching": "perfect"}
TWO = {"number_of_colors": 2}
CLUSTERS = {"number_of_communities": 2, "communities_size": 2}
ENDS = {"terminal_nodes": [0, 2]}
FAULTS = [
    ("edge_cover", graph_of([]), {}, "no edges"),
    ("edge_cover", graph_of([(1, 1)]), {}, "self-loop on node 1"),
    ("edge_cover", graph_of(BARE_TRIANGLE), {}, "node 3 has no edge"),
    ("edge_cover", graph_of(BARE_SQUARE, directed=True), {}, '"directed" is True'),
    ("edge_cover", graph_of([(0, v) for v in range(1, 12)], nodes=12), {}, "node 0 has 11 edges"),
    ("matching", graph_of(SQUARE), {}, "attribute 'matching' is missing"),
    ("matching", graph_of(SQUARE), {"matching": "best"}, "'best' is not one of perfect, near_"),
    ("matching", graph_of(SQUARE), {"matching": ["perfect"]}, "is not one of"),
    ("matching", graph_of([(0, 1)], nodes=2), PERFECT, 'edge 0-1 has no "weight"'),
    ("matching", graph_of([(0, 1, "3")], nodes=2), PERFECT, "weight must be a number above 0"),
    ("matching", graph_of([(0, 1, -3)], nodes=2), PERFECT, "weight must be a number above 0"),
    ("matching", graph_of(TRIANGLE, nodes=3), PERFECT, "leaves out 1 of the 3 nodes, not 0"),
    ("matching", graph_of(SQUARE), {"matching": "near_perfect"}, "leaves out 0 of the 4 nodes"),
    ("matching", graph_of(TRIANGLE, nodes=3), {"matching": "maximum_bipartite"}, "an odd cycle"),
    ("matching", graph_of([(0, 0, 1)]), PERFECT, "self-loop"),
    (
        "matching",
        graph_of([(0, v, 1) for v in range(1, 202)], nodes=202),
        PERFECT,
        "201 edges, the limit is 200",
    ),
    ("kclique", graph_of(BARE_SQUARE), {}, "attribute 'k' is missing"),
    ("kclique", graph_of(BARE_SQUARE), {"k": 5}, "k must be an integer from 2 to 4, not '5'"),
    ("kclique", graph_of(BARE_SQUARE), {"k": 2.0}, "k must be an integer from 2 to 4"),
    ("kclique", graph_of(BARE_SQUARE), {"k": True}, "k must be an integer"),
    ("kclique", graph_of([]), {"k": 2}, "no edges"),
    ("graph_coloring", graph_of(BARE_SQUARE), {}, "attribute 'number_of_colors' is missing"),
    ("graph_coloring", graph_of(BARE_SQUARE), {"number_of_colors": 5}, "from 2 to 4, not '5'"),
    ("graph_coloring", graph_of(BARE_SQUARE), {"number_of_colors": 1}, "from 2 to 4, not '1'"),
    ("graph_coloring", graph_of(BARE_SQUARE), {"number_of_colors": "2"}, "must be an integer"),
    ("graph_coloring", graph_of([(0, 0)]), TWO, "self-loop"),
    ("graph_coloring", graph_of([], nodes=0), TWO, "no nodes"),
    ("community_detection", graph_of(SQUARE), {"number_of_communities": 2}, "'communities_size'"),
    ("community_detection", graph_of(SQUARE), CLUSTERS | {"number_of_communities": 9}, "2 to 4"),
    ("community_detection", graph_of(SQUARE), CLUSTERS | {"communities_size": 0}, "from 1 to 4"),
    ("community_detection", graph_of([(0, 1, 1), (1, 2)]), CLUSTERS, 'edge 1-2 has no "weight"'),
    ("community_detection", graph_of([(0, 1, float("nan"))]), CLUSTERS, "weight must be a number"),
    ("steiner_tree", graph_of(SQUARE), {}, "attribute 'terminal_nodes' is missing"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": 3}, "must be a list, not 3"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": [0, 9]}, "terminal_nodes: 9 is not a n"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": [0, [1]]}, "[1] is not a node"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": [0, True]}, "True is not a node"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": [0]}, "must be 2 to 10 different nodes"),
    ("steiner_tree", graph_of(SQUARE), {"terminal_nodes": [0, 0]}, "of which 1 differ"),
    ("steiner_tree", graph_of([(0, 1, 1), (2, 3, 1)]), ENDS, "no path joins the terminals 0 and 2"),
    ("steiner_tree", graph_of([(0, 1, 1), (1, 2, 0)]), ENDS, "weight must be a number above 0"),
    ("steiner_tree", graph_of([(0, 1, 1), (1, 2)]), ENDS, 'edge 1-2 has no "weight"'),
    (
        "steiner_tree",
        graph_of([(v, v + 1, 1) for v in range(17)], nodes=18),
        ENDS,
        "18 connected nodes, the limit is 17",
    ),
    (
        "steiner_tree",
        graph_of([(u, v, 1) for u, v in combinations(range(7), 2)], nodes=7),
        ENDS,
        "a cut has 12 edges, the limit is 10",
    ),
]


@pytest.mark.parametrize(("primitive", "graph", "attributes", "message"), FAULTS)
def test_faults_are_one_line_naming_the_value(primitive, graph, attributes, message):
    with pytest.raises(ProblemError) as caught:
        build_instance(primitive, graph, attributes)
    assert message in str(caught.value)
    assert str(caught.value).startswith(primitive)
    assert "\n" not in str(caught.value)
