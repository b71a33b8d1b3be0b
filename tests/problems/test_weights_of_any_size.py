"""Weights of any size: penalties follow them, and levels are told apart as far as numbers go."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for
from quasar.problems.extremes import find_extremes
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum
from quasar.problems.soundness import check_sound

# From a thousandth to a million: whole, typed with three decimals, or measured.
weights = (
    st.integers(1, 10**6)
    | st.floats(1e-3, 1e6).map(lambda w: round(w, 3))
    | st.floats(-3, 6).map(lambda exponent: 10.0**exponent)
)


def answers_of(instance):
    problem = decoder_for(instance)
    return [
        problem.decode(instance.graph, instance.attributes, instance.assignment(int(state)))
        for state in instance.spectrum.optimal
    ]


@st.composite
def weighted_graphs(draw, *, directed=False, whole=None):
    n = draw(st.integers(3, 5))
    pairs = [(u, v) for u in range(n) for v in range(n) if (u != v if directed else u < v)]
    count = draw(st.integers(n - 1, min(len(pairs), 8)))
    chosen = draw(st.permutations(pairs))[:count]
    given_weights = draw(st.lists(whole or weights, min_size=count, max_size=count))
    edges = [[u, v, w] for (u, v), w in zip(chosen, given_weights, strict=True)]
    return {"directed": directed, "nodes": list(range(n)), "edges": edges}


def require_right(primitive, graph, attributes):
    """Every ground state decodes to a feasible answer of the best objective of all 2**n."""
    try:
        instance = build_instance(primitive, graph, attributes)
    except ProblemError as error:
        assume("double precision" not in str(error))
        assume("no path joins" not in str(error))
        raise
    problem = decoder_for(instance)
    best, right = math.inf, []
    for state in range(1 << instance.num_qubits):
        answer = problem.decode(instance.graph, instance.attributes, instance.assignment(state))
        if problem.is_feasible(instance.graph, instance.attributes, answer):
            cost = problem.objective(instance.graph, instance.attributes, answer)
            best = min(best, cost)
            right.append((cost, answer))
    assert best == pytest.approx(problem.optimum(instance.graph, instance.attributes), rel=1e-12)
    scale = problem.objective_tolerance(instance.graph)
    optimal = [answer for cost, answer in right if cost <= best + scale]
    for answer in answers_of(instance):
        assert answer in optimal
    assert check_sound(instance) is None


@settings(max_examples=60)
@given(weighted_graphs())
def test_matchings(graph):
    require_right("matching", graph, {"matching": "maximum"})


@settings(max_examples=60)
@given(weighted_graphs(directed=True))
def test_cuts_of_networks(graph):
    require_right("min_cut", graph, {"source": 0, "sink": 2})


@settings(max_examples=40)
@given(weighted_graphs())
def test_steiner_trees(graph):
    require_right("steiner_tree", graph, {"terminal_nodes": [0, 2]})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 10**5)), min_size=2, max_size=4))
def test_knapsacks(items):
    nodes = [{"id": i, "weight": w, "value": v} for i, (w, v) in enumerate(items)]
    require_right("knapsack", {"nodes": nodes}, {"capacity": 100})


@settings(max_examples=40)
@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=8))
def test_partitions(numbers):
    nodes = [{"id": i, "weight": w} for i, w in enumerate(numbers)]
    require_right("number_partitioning", {"nodes": nodes}, {})


def test_a_perfect_matching_of_heavy_edges():
    """The empty set was the ground state under the published penalty."""
    edges = [[0, 1, 120], [1, 2, 95], [2, 3, 140], [0, 3, 210], [0, 2, 180], [1, 3, 160]]
    graph = {"nodes": [0, 1, 2, 3], "edges": edges}
    sound = build_instance("matching", graph, {"matching": "perfect"})
    assert answers_of(sound) == [[[0, 1], [2, 3]]]
    published = build_instance("matching", graph, {"matching": "perfect"}, encoding="published")
    assert answers_of(published) == [[]]


def test_light_edges_keep_the_published_penalty():
    graph = {"nodes": [0, 1, 2, 3], "edges": [[0, 1, 3], [1, 2, 4], [2, 3, 2]]}
    first, second = (
        build_instance("matching", graph, {"matching": "perfect"}, encoding=encoding)
        for encoding in ("sound", "published")
    )
    assert first.hamiltonian == second.hamiltonian


@pytest.mark.parametrize(("nodes", "colors"), [(3, 2), (4, 2), (4, 3), (5, 2)])
def test_colourings_of_graphs_with_too_few_colours(nodes, colors):
    """A node without a colour was as good as a conflict."""
    edges = [list(pair) for pair in combinations(range(nodes), 2)]
    graph, attributes = {"nodes": list(range(nodes)), "edges": edges}, {"number_of_colors": colors}
    assert check_sound(build_instance("graph_coloring", graph, attributes)) is None
    published = build_instance("graph_coloring", graph, attributes, encoding="published")
    assert "not feasible" in check_sound(published)


def test_a_knapsack_of_real_sizes_has_one_optimum():
    """59,140 alone; 58,990 was called optimal, as near as a billionth of the spectrum's width."""
    items = [(1200, 15000), (2300, 27990), (1700, 20100), (900, 11050), (2600, 31000)]
    nodes = [{"id": i, "weight": w, "value": v} for i, (w, v) in enumerate(items)]
    instance = build_instance("knapsack", {"nodes": nodes, "edges": []}, {"capacity": 5000})
    assert {tuple(answer) for answer in answers_of(instance)} == {(1, 2, 3)}
    assert check_sound(instance) is None
    assert find_extremes(instance.hamiltonian).num_optimal == instance.spectrum.num_optimal


def test_whole_coefficients_are_told_apart_whatever_their_size():
    """Two levels one unit apart in a spectrum 4·10¹² wide."""
    terms = ((1e12, (0,)), (1e12, (1,)), (0.5, (2,)))
    hamiltonian = IsingHamiltonian(3, terms)
    assert hamiltonian.is_exact
    for found in (Spectrum.of(hamiltonian), find_extremes(hamiltonian)):
        assert (found.num_optimal, found.optimal.tolist(), found.tolerance) == (1, [7], 0.25)


def test_small_coefficients_are_not_all_one_level():
    hamiltonian = IsingHamiltonian(2, ((1e-10, (0,)), (2e-10, (1,))))
    for found in (Spectrum.of(hamiltonian), find_extremes(hamiltonian)):
        assert found.optimal.tolist() == [3]


def test_sums_that_differ_by_rounding_alone_are_one_level():
    """0.1 + 0.2 and 0.3 differ as doubles and are equal to whoever typed them."""
    edges = [[0, 1, 0.1], [0, 2, 0.2], [0, 3, 0.3], [4, 1, 0.1], [4, 2, 0.2], [4, 3, 0.3]]
    edges += [[1, 2, 0.1], [2, 3, 0.2], [1, 3, 0.3]]
    graph = {"nodes": list(range(5)), "edges": edges}
    tenths = build_instance("max_cut", graph)
    whole = build_instance(
        "max_cut", graph | {"edges": [[u, v, round(10 * w)] for u, v, w in edges]}
    )
    assert tenths.spectrum.optimal.tolist() == whole.spectrum.optimal.tolist()


@pytest.mark.parametrize(
    ("primitive", "graph", "attributes"),
    [
        ("max_cut", {"nodes": [0, 1, 2], "edges": [[0, 1, 1e9], [1, 2, 1e-9]]}, {}),
        ("matching", {"nodes": [0, 1, 2, 3], "edges": [[0, 1, 1e9], [2, 3, 1e-9]]},
         {"matching": "perfect"}),
        ("knapsack", {"nodes": [{"id": 0, "weight": 1, "value": 10**9},
                                {"id": 1, "weight": 10**9, "value": 1}]}, {"capacity": 10**9}),
        ("number_partitioning", {"nodes": [{"id": i, "weight": 10**9 - i} for i in range(6)]}, {}),
        ("min_cut", {"nodes": [0, 1, 2], "edges": [[0, 1, 1e9], [1, 2, 1e-9]]},
         {"source": 0, "sink": 2}),
    ],
)  # fmt: skip
def test_what_double_precision_cannot_tell_apart_is_refused(primitive, graph, attributes):
    graph = graph | {"directed": primitive == "min_cut"}
    with pytest.raises(ProblemError, match="double precision cannot tell"):
        build_instance(primitive, graph, attributes)


def test_levels_of_random_couplings_do_not_move():
    rng = np.random.default_rng(5)
    terms = tuple((float(rng.normal()), pair) for pair in combinations(range(8), 2))
    for factor in (1e-6, 1.0, 1e6):
        scaled = IsingHamiltonian(8, tuple((factor * c, wires) for c, wires in terms))
        assert Spectrum.of(scaled).num_optimal == find_extremes(scaled).num_optimal == 2


def test_the_smallest_double_is_a_coefficient_too():
    hamiltonian = IsingHamiltonian(1, ((5e-324, (0,)),))
    assert hamiltonian.is_exact
    assert hamiltonian.tolerance == 0.0
