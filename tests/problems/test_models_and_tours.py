"""Ising, QUBO, TSP, portfolio, MAX-SAT: optima by hand and of all tried, labels, bad input."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quasar.datasets.prompts import graph_text
from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem
from quasar.problems.soundness import check_sound
from quasar.schema.verify import to_instance
from quasar.schema.words.reader import read_problem

NEW = ("ising", "qubo", "tsp", "portfolio", "max_sat")


def answers_of(instance):
    problem = decoder_for(instance)
    found = {
        str(problem.decode(instance.graph, instance.attributes, instance.assignment(int(state))))
        for state in instance.spectrum.optimal
    }
    return sorted(found)


@pytest.mark.parametrize("name", NEW)
def test_generated_ones_are_sound(name):
    problem = get_problem(name)
    for seed in range(8):
        for size in problem.possible_qubits(9):
            graph, attributes = problem.generate(np.random.default_rng(seed), size)
            instance = build_instance(name, graph, attributes)
            assert instance.num_qubits == size
            assert check_sound(instance) is None
            assert instance.spectrum.minimum < instance.spectrum.maximum or name == "tsp"


def test_coefficients_of_an_ising_model_are_those_of_the_hamiltonian():
    nodes = [{"id": "a", "weight": -0.5}, {"id": "b"}, {"id": "c", "weight": 2}]
    edges = [["a", "b", 1.25], ["b", "c", -3]]
    instance = build_instance("ising", {"nodes": nodes, "edges": edges})
    assert sorted(instance.hamiltonian.interactions(), key=str) == [
        (-0.5, (0,)), (-3.0, (1, 2)), (1.25, (0, 1)), (2.0, (2,)),
    ]  # fmt: skip
    assert answers_of(instance) == ["['a']"]  # spins + - -: -0.5 - 2 - 1.25 - 3
    assert decoder_for(instance).optimum(instance.graph, {}) == -6.75


coefficients = st.integers(-50, 50) | st.floats(-9, 9).map(lambda w: round(w, 2))


@settings(max_examples=40)
@given(st.data(), st.sampled_from(["ising", "qubo"]))
def test_any_coefficients_have_the_optima_of_all_tried(data, name):
    labels = data.draw(
        st.sampled_from([[0, 1, 2, 3], ["x1", "x10", "x2", "y"], ["ä", "b c", 7, "-"]])
    )
    single = data.draw(st.lists(coefficients, min_size=4, max_size=4))
    pairs = [(u, v) for v in range(4) for u in range(v)]
    double = data.draw(st.lists(coefficients, min_size=6, max_size=6))
    if not any(single + double):
        return
    nodes = [{"id": label, "weight": w} for label, w in zip(labels, single, strict=True)]
    edges = [[labels[u], labels[v], w] for (u, v), w in zip(pairs, double, strict=True)]
    instance = build_instance(name, {"nodes": nodes, "edges": edges})
    values = (-1, 1) if name == "ising" else (0, 1)
    cost = {}
    for x in product(values, repeat=4):
        total = sum(w * s for w, s in zip(single, x, strict=True))
        total += sum(w * x[u] * x[v] for (u, v), w in zip(pairs, double, strict=True))
        cost[frozenset(label for label, s in zip(labels, x, strict=True) if s == 1)] = total
    best = min(cost.values())
    problem = decoder_for(instance)
    found = {
        frozenset(problem.decode(instance.graph, {}, instance.assignment(int(state))))
        for state in instance.spectrum.optimal
    }
    assert found == {chosen for chosen, value in cost.items() if value < best + 1e-9}
    assert problem.optimum(instance.graph, {}) == pytest.approx(best)


def test_a_tour_by_hand_and_without_an_edge():
    distances = {(0, 1): 1, (0, 2): 4, (0, 3): 3, (1, 2): 2, (1, 3): 5, (2, 3): 1}
    edges = [[u, v, w] for (u, v), w in distances.items()]
    graph = {"nodes": [0, 1, 2, 3], "edges": edges}
    instance = build_instance("tsp", graph)
    assert instance.num_qubits == 9
    assert answers_of(instance) == ["[0, 1, 2, 3]", "[0, 3, 2, 1]"]  # 1 + 2 + 1 + 3
    assert decoder_for(instance).optimum(instance.graph, {}) == 7.0
    assert check_sound(instance) is None
    sparse = build_instance("tsp", graph | {"edges": [e for e in edges if e[:2] != [0, 1]]})
    assert answers_of(sparse) == ["[0, 2, 1, 3]", "[0, 3, 1, 2]"]  # 4 + 2 + 5 + 3
    assert check_sound(sparse) is None
    star = build_instance("tsp", graph | {"edges": [[0, 1, 1], [0, 2, 1], [0, 3, 1]]})
    assert check_sound(star) == "no feasible answer"
    moved = build_instance("tsp", graph, {"start_node": 2})
    assert answers_of(moved) == ["[2, 1, 0, 3]", "[2, 3, 0, 1]"]


@settings(max_examples=30)
@given(st.lists(st.floats(0, 9).map(lambda w: round(w, 1)), min_size=6, max_size=6).filter(any))
def test_tours_of_four_nodes_are_the_shortest(lengths):
    names = ["Ulm", "Rom", "Nizza", "Bern"]
    pairs = [(u, v) for v in range(4) for u in range(v)]
    length = {frozenset(pair): w for pair, w in zip(pairs, lengths, strict=True)}
    edges = [[names[u], names[v], w] for (u, v), w in zip(pairs, lengths, strict=True)]
    instance = build_instance("tsp", {"nodes": names, "edges": edges})
    start = names.index(decoder_for(instance).start(instance.graph, {}))
    tours = {}
    for rest in permutations([v for v in range(4) if v != start]):
        tour = [start, *rest]
        steps = zip(tour, [*rest, start], strict=True)
        tours[str([names[v] for v in tour])] = sum(length[frozenset(step)] for step in steps)
    best = min(tours.values())
    assert answers_of(instance) == sorted(t for t, w in tours.items() if w < best + 1e-9)


PORTFOLIO = {
    "nodes": [
        {"id": "A", "variance": 4, "return": 3},
        {"id": "B", "variance": 1, "return": 1},
        {"id": "C", "variance": 1, "return": 0.5},
    ],
    "edges": [["A", "B", 0.5], ["A", "C", -1.5]],
}


def test_a_portfolio_by_hand():
    """AB: 4+1+1-4 = 2; AC: 4+1-3-3.5 = -1.5; BC: 1+1-1.5 = 0.5."""
    instance = build_instance("portfolio", PORTFOLIO, {"budget": 2})
    assert answers_of(instance) == ["['A', 'C']"]
    assert decoder_for(instance).optimum(instance.graph, instance.attributes) == -1.5
    bold = build_instance("portfolio", PORTFOLIO, {"budget": 2, "risk_aversion": 0})
    assert answers_of(bold) == ["['A', 'B']"]
    assert check_sound(bold) is None
    assert instance.graph["edges"][0] == {"covariance": 0.5, "source": "A", "target": "B"}


@settings(max_examples=40)
@given(st.data())
def test_any_portfolio_is_sound(data):
    numbers = st.floats(-5, 5).map(lambda w: round(w, 2))
    nodes = [
        {"id": v, "variance": abs(data.draw(numbers)), "return": data.draw(numbers)}
        for v in range(4)
    ]
    edges = [[u, v, data.draw(numbers)] for v in range(4) for u in range(v)]
    given_attributes = {
        "budget": data.draw(st.integers(1, 4)),
        "risk_aversion": data.draw(st.sampled_from([0, 0.25, 1, 7])),
    }
    count = [n["return"] for n in nodes]
    if given_attributes["risk_aversion"]:
        count += [n["variance"] for n in nodes] + [w for *_, w in edges]
    assume(any(count))
    instance = build_instance("portfolio", {"nodes": nodes, "edges": edges}, given_attributes)
    assert check_sound(instance) is None


def test_risks_that_count_nothing_do_not_stand_in_the_way():
    nodes = [{"id": 0, "variance": 0.3, "return": 2}, {"id": 1, "variance": 0, "return": 1}]
    instance = build_instance("portfolio", {"nodes": nodes}, {"budget": 1, "risk_aversion": 0})
    assert answers_of(instance) == ["[0]"]


CLAUSES = [
    {"nodes": [0, 1], "weight": 3},
    {"nodes": [0, 1], "negated": [0], "weight": 2},
    {"nodes": [0, 1, 2], "negated": [1, 2]},
    {"nodes": [2], "weight": 4},
]


def test_clauses_by_hand_and_in_words():
    instance = build_instance("max_sat", {"nodes": [0, 1, 2], "hyperedges": CLAUSES})
    assert answers_of(instance) == ["[0, 1, 2]"]
    assert decoder_for(instance).optimum(instance.graph, {}) == 0.0
    assert max(len(wires) for _, wires in instance.hamiltonian.interactions()) == 3
    text = "max sat of (0 or 1):3 and (not 0 or 1):2 and (0 or !1 or -2) and {2}:4"
    said = to_instance(read_problem(text), max_qubits=20)
    assert said.hamiltonian == instance.hamiltonian
    assert graph_text(said.graph) == "{0,1}:3 {!0,1}:2 {0,!1,!2} {2}:4"
    plain = build_instance("max_sat", {"nodes": ["a", "b"], "hyperedges": [["a", "b"], ["a"]]})
    assert plain.graph["hyperedges"] == [{"nodes": ["a", "b"]}, {"nodes": ["a"]}]


@settings(max_examples=40)
@given(st.data())
def test_any_clauses_are_satisfied_as_well_as_can_be(data):
    clauses, seen = [], set()
    for _ in range(data.draw(st.integers(1, 9))):
        nodes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True))
        negated = [v for v in nodes if data.draw(st.booleans())]
        if (key := (frozenset(nodes), frozenset(negated))) not in seen:
            seen.add(key)
            weight = data.draw(st.sampled_from([1, 2, 0.5, 1000]))
            clauses.append({"nodes": nodes, "negated": negated, "weight": weight})
    instance = build_instance("max_sat", {"nodes": list(range(5)), "hyperedges": clauses})
    lost = {
        x: sum(
            c["weight"] for c in clauses if not any(x[v] != (v in c["negated"]) for v in c["nodes"])
        )
        for x in product((0, 1), repeat=5)
    }
    best = min(lost.values())
    found = sorted(instance.assignment(int(state)) for state in instance.spectrum.optimal)
    assert found == sorted(x for x, value in lost.items() if value == best)
    assert check_sound(instance) is None


def test_numbers_of_nodes_and_edges_in_words():
    said = to_instance(read_problem("ising model with spins 0-1:1 1-2:-1.5 0:2 2:-1"), max_qubits=9)
    nodes = [{"id": 0, "weight": 2}, {"id": 1}, {"id": 2, "weight": -1}]
    built = build_instance("ising", {"nodes": nodes, "edges": [[0, 1, 1], [1, 2, -1.5]]})
    assert said.hamiltonian == built.hamiltonian
    lone = read_problem("qubo: 0:-1, 1:2")
    assert lone.graph == {"nodes": [{"id": 0, "weight": -1}, {"id": 1, "weight": 2}], "edges": []}
    tour = read_problem("travelling salesman 0-1:2 1-2:3 2-0:4")
    assert (tour.primitive, tour.graph["edges"]) == ("tsp", [[0, 1, 2], [1, 2, 3], [2, 0, 4]])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ising 0-1", 'edge 0-1 has no "weight"'),
        ("ising 0-1:1 0:2 0:3", "node 0 is given twice"),
        ("ising 0-1:1 0:x", "not understood"),
        ("tsp 0-1:2", "a tour needs three nodes, not 2"),
        ("tsp 0-1:2 1-2:-3 2-0:4", "a length must not be negative"),
        ("max sat of 0-1", "write clauses as (a or not b)"),
        ("max sat of (a or a)", "not understood"),
        ("max sat of (a or b):0", "weight must be above 0"),
        ("max sat of (a or b) and (b or a)", "repeats an earlier one"),
        ("max sat", "no clause"),
        ("portfolio budget 1: A-B:2", "node 'A' has no \"variance\""),
        ("vertex cover of 0-1 0:3", "not understood"),
    ],
)
def test_words_that_are_none_are_refused(text, part):
    with pytest.raises(ProblemError) as caught:
        to_instance(read_problem(text), max_qubits=20)
    assert part in str(caught.value)


LOOP = {"nodes": [0, 1], "edges": [[0, 0, 1]]}
BAD = [
    ("qubo", LOOP, {}, "self-loop"),
    ("qubo", {"nodes": [{"id": 0, "weight": 0}], "edges": []}, {}, "all weights are 0"),
    ("qubo", {"nodes": [{"id": 0, "weight": "3"}], "edges": []}, {}, "weight must be a number"),
    ("ising", {"nodes": [{"id": 0, "value": 3}], "edges": []}, {}, "'value'"),
    ("ising", {"nodes": [0, 1], "edges": [[0, 1, float("inf")]]}, {}, "weight must be a number"),
    ("ising", {"nodes": [0, 1], "edges": [[0, 1, 1]]}, {"field": 1}, "'field' is not used"),
    ("tsp", {"nodes": [0, 1, 2], "edges": [[0, 1, 1], [1, 2]]}, {}, '1-2 has no "weight"'),
    ("tsp", {"nodes": [0, 1, 2], "edges": [[0, 1, 1]]}, {"start_node": 5}, "is not a node"),
    ("portfolio", PORTFOLIO, {}, "'budget' is missing"),
    ("portfolio", PORTFOLIO, {"budget": 4}, "budget must be an integer from 1 to 3"),
    ("portfolio", PORTFOLIO, {"budget": 1, "risk_aversion": -1}, "risk_aversion must be a number"),
    ("portfolio", {"nodes": [{"id": 0, "variance": 0.3, "return": 0}]},
     {"budget": 1, "risk_aversion": 0}, "all returns are 0, and so is risk_aversion"),
    ("portfolio", {"nodes": [{"id": 0, "variance": -1, "return": 1}], "edges": []},
     {"budget": 1}, "variance must not be negative"),
    ("max_sat", {"nodes": [0], "hyperedges": [{"nodes": [0], "negated": [1]}]}, {}, "names 1"),
    ("max_sat", {"nodes": [0, 1], "hyperedges": [{"nodes": [0], "negated": [1]}]}, {},
     'outside its "nodes"'),
    ("max_sat", {"nodes": [0], "hyperedges": [{"nodes": [0], "foo": 1}]}, {}, "'foo'"),
    ("max_sat", {"nodes": [0], "hyperedges": [{"nodes": [0], "weight": -1}]}, {}, "above 0"),
    ("max_sat", {"nodes": [0], "hyperedges": [{"nodes": []}]}, {}, "write it as"),
    ("max_sat", {"nodes": [0], "hyperedges": []}, {}, "no hyperedges"),
    ("max_sat", {"nodes": [*range(11)], "hyperedges": [[*range(11)]]}, {}, "at most 10"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "graph", "attributes", "part"), BAD)
def test_what_makes_no_sense_is_refused(name, graph, attributes, part):
    with pytest.raises(ProblemError) as caught:
        build_instance(name, graph, attributes)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
