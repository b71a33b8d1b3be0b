"""Weighted maximum cut: weights of either sign, with and without weights, its place in the list."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem, problem_names
from quasar.problems.soundness import check_sound

HEAVY = [[0, 1, 10], [1, 2, 1], [2, 3, 1], [3, 0, 1], [0, 2, 10], [1, 3, 10]]


def answers_of(instance):
    problem = decoder_for(instance)
    return [
        problem.decode(instance.graph, instance.attributes, instance.assignment(int(state)))
        for state in instance.spectrum.optimal
    ]


def test_it_is_the_first_problem_of_the_list():
    assert problem_names()[0] == "max_cut"


def test_only_a_cut_of_31_is_optimal():
    instance = build_instance("max_cut", {"nodes": [0, 1, 2, 3], "edges": HEAVY})
    assert sorted(answers_of(instance)) == [[0, 3], [1, 2]]
    problem = decoder_for(instance)
    assert problem.optimum(instance.graph, {}) == -31.0
    assert problem.objective(instance.graph, {}, [0, 1]) == -22.0  # an optimum without the weights
    assert check_sound(instance) is None


def test_without_weights_it_is_the_cut_of_pairs():
    graph = {"nodes": [0, 1, 2, 3], "edges": [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]]}
    cut = build_instance("max_cut", graph)
    pairs = build_instance("hypermaxcut", graph)
    assert cut.hamiltonian.terms == pairs.hamiltonian.terms
    assert pairs.graph["hyperedges"] == graph["edges"]


def test_negative_weights_alone_are_best_not_cut():
    instance = build_instance("max_cut", {"nodes": [0, 1, 2], "edges": [[0, 1, -1], [1, 2, -2]]})
    assert sorted(answers_of(instance)) == [[], [0, 1, 2]]


weights = st.integers(-(10**6), 10**6) | st.floats(-1e3, 1e3).map(lambda w: round(w, 3))


@settings(max_examples=60)
@given(st.lists(weights, min_size=3, max_size=10).filter(any), st.data())
def test_ground_states_are_the_cuts_found_by_hand(given_weights, data):
    pairs = [(u, v) for v in range(5) for u in range(v)]
    chosen = data.draw(st.permutations(pairs))[: len(given_weights)]
    edges = [[u, v, w] for (u, v), w in zip(chosen, given_weights, strict=True)]
    instance = build_instance("max_cut", {"nodes": list(range(5)), "edges": edges})
    cuts = {
        sides: sum(w for u, v, w in edges if sides[u] != sides[v])
        for sides in product((0, 1), repeat=5)
    }
    best = max(cuts.values())
    expected = [sides for sides, cut in cuts.items() if cut > best - 1e-6]
    found = [instance.assignment(int(state)) for state in instance.spectrum.optimal]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("edges", "part"),
    [
        ([[0, 1, 2], [1, 2]], '1-2 has no "weight", but other edges have one'),
        ([[0, 1, 0], [1, 2, 0]], "all weights are 0"),
        ([[0, 1, True], [1, 2, 1]], "weight must be a number"),
        ([[0, 1, float("nan")], [1, 2, 1]], "weight must be a number"),
        ([[0, 1, -1e10], [1, 2, 1]], "weight must be a number from -1e+09"),
        ([[0, 1, "3"], [1, 2, 1]], "weight must be a number"),
    ],
)
def test_weights_that_are_none_are_refused(edges, part):
    with pytest.raises(ProblemError) as caught:
        build_instance("max_cut", {"nodes": [0, 1, 2], "edges": edges})
    assert part in str(caught.value)


def test_generated_ones_have_a_cut_worth_making():
    problem = get_problem("max_cut")
    for seed in range(40):
        graph, attributes = problem.generate(np.random.default_rng(seed), 2 + seed % 7)
        instance = build_instance("max_cut", graph, attributes)
        assert instance.num_qubits == 2 + seed % 7
        assert check_sound(instance) is None
        assert problem.optimum(graph, attributes) < 0
