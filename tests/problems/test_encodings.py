"""The two encodings: registry, published faults, hand-made instances of the fixed primitives."""

import dataclasses
from itertools import permutations

import numpy as np
import pytest

from quasar.errors import ProblemError
from quasar.problems import build_instance, decoder_for, get_problem, problem_names
from quasar.problems.graphs import node_link
from quasar.problems.soundness import check_sound


def state_of(assignment) -> int:
    """The basis state whose variables have these values."""
    return sum((1 - x) << q for q, x in enumerate(assignment))


def graph_of(pairs, *, nodes):
    edges = [{"source": u, "target": v} for u, v in pairs]
    return node_link(range(nodes), edges, directed=False)


def network_of(arcs, *, nodes):
    edges = [{"capacity": c, "source": u, "target": v} for u, v, c in arcs]
    return node_link(range(nodes), edges, directed=True)


# Where the published polynomial of a primitive goes wrong.
STAR = graph_of([(0, 1), (1, 2), (1, 3), (1, 4)], nodes=5)  # f = 0 alone costs 3, its component 5
DETOUR = graph_of([(0, 1), (1, 2), (2, 3), (0, 3)], nodes=4)  # 0-2 and 1-3 are no edges
NESTED = {"nodes": [0, 1, 2, 3], "hyperedges": [[0, 1, 2, 3], [0, 1]]}
DEAD_END = network_of([(0, 1, 4), (1, 2, 3)], nodes=3)  # 4² − 1² > 3²
PATH = graph_of([(0, 1), (1, 2)], nodes=3)
MOVED = graph_of([(0, 2), (1, 2)], nodes=3)
FAULTS = {
    "connected_components": (STAR, {"node": 0}),
    "hamiltonian_path": (DETOUR, {"start_node": 0, "end_node": 3}),
    "hypermaxcut": (NESTED, {}),
    "max_flow": (DEAD_END, {"source": 0, "sink": 2}),
    "graph_isomorphism": (PATH, {"autoisomorphic_graph": MOVED}),
}


@pytest.mark.parametrize("primitive", FAULTS)
def test_sound_encoding_is_right_where_the_published_one_is_not(primitive):
    graph, attributes = FAULTS[primitive]
    published = build_instance(primitive, graph, attributes, encoding="published")
    assert published.encoding == "published"
    assert check_sound(published) is not None
    sound = build_instance(primitive, graph, attributes)
    assert sound.encoding == "sound"
    assert check_sound(sound) is None
    assert sound.key == published.key  # the same problem


@pytest.mark.parametrize("primitive", FAULTS)
def test_text_tells_the_encoding(primitive):
    graph, attributes = FAULTS[primitive]
    for encoding in ("sound", "published"):
        instance = build_instance(primitive, graph, attributes, encoding=encoding)
        text = instance.hamiltonian.to_text()
        again = build_instance(primitive, graph, attributes, hamiltonian_text=text)
        assert again == instance
        assert decoder_for(again) is get_problem(primitive, encoding)
        other = {"sound": "published", "published": "sound"}[encoding]
        stranger = build_instance(
            primitive, graph, attributes, hamiltonian_text=text, encoding=other
        )
        assert (stranger.encoding, stranger.variables) == (None, ())
        assert decoder_for(stranger) is None


def test_large_hyperedges_of_published_rows_are_read():
    """The sound encoding refuses them, so only the published one is tried."""
    graph = {"nodes": [*range(12)], "hyperedges": [[*range(12)]]}
    published = build_instance("hypermaxcut", graph, encoding="published")
    text = published.hamiltonian.to_text()
    assert build_instance("hypermaxcut", graph, hamiltonian_text=text) == published
    other = build_instance("hypermaxcut", graph, hamiltonian_text="1.0 * Z(0)")
    assert (other.num_qubits, other.encoding, other.variables) == (12, None, ())


def test_primitives_with_one_polynomial_are_one_object():
    for name in problem_names():
        sound, published = get_problem(name), get_problem(name, "published")
        assert (sound is published) == (sound.encodings == ("sound",))
    assert get_problem("vertex_cover").encodings == ("sound",)
    with pytest.raises(ProblemError, match="unknown encoding 'exact'; valid: sound, published"):
        get_problem("vertex_cover", "exact")
    with pytest.raises(ProblemError, match="unknown encoding"):
        build_instance("vertex_cover", PATH, encoding="exact")


def test_check_sound_names_the_fault():
    graph, attributes = PATH, {"start_node": 0, "end_node": 1}
    impossible = build_instance("hamiltonian_path", graph, attributes)
    assert check_sound(impossible) == "no feasible answer"
    cover = build_instance("vertex_cover", PATH)
    terms = cover.hamiltonian.terms

    def with_terms(*more):
        changed = dataclasses.replace(cover.hamiltonian, terms=(*terms, *more))
        return dataclasses.replace(cover, hamiltonian=changed)

    assert check_sound(cover) is None
    assert check_sound(with_terms((9.0, (1,)))).startswith("a ground state is not optimal: [0, 2]")
    assert check_sound(with_terms((-9.0, (0,)), (9.0, (1,)))).startswith("a ground state is not")
    square = build_instance("vertex_cover", graph_of([(0, 1), (1, 2), (2, 3), (0, 3)], nodes=4))
    tilted = dataclasses.replace(
        square.hamiltonian, terms=(*square.hamiltonian.terms, (-0.1, (0,)))
    )
    missing = check_sound(dataclasses.replace(square, hamiltonian=tilted))
    assert missing == "an optimal answer is no ground state: [1, 3]"


def test_component_is_the_only_ground_state():
    graph = graph_of([(0, 2), (1, 3), (3, 4)], nodes=5)
    instance = build_instance("connected_components", graph, {"node": 3})
    assert instance.variables == ("0", "1", "2", "4")
    assert instance.spectrum.optimal.tolist() == [0b0101]
    answer = decoder_for(instance).decode(graph, instance.attributes, (0, 1, 0, 1))
    assert answer == [1, 3, 4]


def test_hamiltonian_paths_of_a_square_with_one_diagonal():
    graph = graph_of([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)], nodes=4)  # 0-3 is missing
    attributes = {"start_node": 0, "end_node": 3}
    instance = build_instance("hamiltonian_path", graph, attributes)
    assert instance.variables == ("(1, 1)", "(1, 2)", "(2, 1)", "(2, 2)")
    problem = decoder_for(instance)
    paths = [
        problem.decode(graph, attributes, instance.assignment(int(s)))
        for s in instance.spectrum.optimal
    ]
    assert sorted(paths) == [[0, 1, 2, 3], [0, 2, 1, 3]]
    assert problem.decode(graph, attributes, (1, 1, 0, 0)) == [0, None, None, 3]


def test_published_path_has_unread_variables():
    """Interior nodes 1 and 2 without an edge: a variable each at the place of the end node."""
    attributes = {"start_node": 0, "end_node": 3}
    graph = graph_of([(0, 1), (0, 2), (1, 3), (2, 3)], nodes=4)
    instance = build_instance("hamiltonian_path", graph, attributes, encoding="published")
    assert [v for v in instance.variables if v.endswith(", 3)")] == ["(1, 3)", "(2, 3)"]
    assert build_instance("hamiltonian_path", graph, attributes).num_qubits == 4


def test_flow_bits_reach_each_whole_number_up_to_the_capacity():
    problem = get_problem("max_flow")
    for capacity in range(1, 8):
        graph = network_of([(0, 1, capacity)], nodes=2)
        instance = build_instance("max_flow", graph, {"source": 0, "sink": 1})
        states = range(1 << instance.num_qubits)
        flows = {
            problem.decode(graph, instance.attributes, instance.assignment(s))[0][2] for s in states
        }
        assert flows == set(range(capacity + 1))


def test_flow_that_returns_to_the_source_is_no_gain():
    graph = network_of([(0, 1, 2), (1, 0, 1), (1, 2, 1)], nodes=3)
    instance = build_instance("max_flow", graph, {"source": 0, "sink": 2})
    assert check_sound(instance) is None
    assert decoder_for(instance).optimum(graph, instance.attributes) == -1.0


def test_isomorphisms_of_the_complete_graph_are_all_permutations():
    pairs = [(u, v) for u in range(4) for v in range(u)]
    graph = graph_of(pairs, nodes=4)
    instance = build_instance("graph_isomorphism", graph, {"autoisomorphic_graph": graph})
    assert instance.num_qubits == 16
    assert instance.spectrum.optimal.size == len(list(permutations(range(4))))
    assert check_sound(instance) is None


def test_largest_grids_are_sound():
    for primitive in ("graph_isomorphism", "hamiltonian_path"):
        graph, attributes = get_problem(primitive).generate(np.random.default_rng(1), 16)
        assert check_sound(build_instance(primitive, graph, attributes)) is None


@pytest.mark.parametrize("primitive", ["graph_isomorphism", "hamiltonian_path"])
def test_size_that_does_not_exist_is_refused(primitive):
    problem = get_problem(primitive)
    with pytest.raises(ProblemError, match="10 qubits are no"):
        problem.generate(np.random.default_rng(0), 10)
    assert 10 not in problem.possible_qubits(20)
    assert problem.possible_qubits(16)[-1] == 16


def test_hand_made_knapsack_partition_cover_and_independent_set():
    items = [(0, 3, 4), (1, 2, 3), (2, 2, 2)]
    nodes = [{"id": i, "weight": w, "value": v} for i, w, v in items]
    cases = {
        "knapsack": ({"nodes": nodes, "edges": []}, {"capacity": 4}, [[1, 2]], -5.0),
        "number_partitioning": (
            {"nodes": [{"id": i, "weight": w} for i, w, _ in items], "edges": []},
            {},
            [[0], [1, 2]],
            1.0,
        ),
        "maximum_independent_set": (STAR, {}, [[0, 2, 3, 4]], -4.0),
        "exact_cover": (
            {"nodes": [0, 1, 2], "hyperedges": [[0, 1], [1, 2], [2], [0]]},
            {},
            [[[0, 1], [2]], [[1, 2], [0]]],
            0.0,
        ),
    }
    for primitive, (graph, attributes, expected, optimum) in cases.items():
        instance = build_instance(primitive, graph, attributes)
        problem = decoder_for(instance)
        answers = [
            problem.decode(graph, attributes, instance.assignment(int(state)))
            for state in instance.spectrum.optimal
        ]
        assert sorted(map(str, answers)) == sorted(map(str, expected)), primitive
        assert problem.optimum(graph, attributes) == optimum
        assert check_sound(instance) is None


def test_more_than_ten_hyperedges_keep_their_bits_in_every_order():
    rng = np.random.default_rng(0)
    graph, attributes = get_problem("exact_cover").generate(rng, 12)
    instance = build_instance("exact_cover", graph, attributes)
    in_text_order = type(get_problem("exact_cover"))("text")
    moved = in_text_order.variables(graph, attributes)
    for state in map(int, instance.spectrum.optimal):
        values = dict(zip(instance.variables, instance.assignment(state), strict=True))
        shuffled = [values[name] for name in moved]
        answer = decoder_for(instance).decode(graph, attributes, instance.assignment(state))
        assert in_text_order.decode(graph, attributes, shuffled) == answer
        assert in_text_order.feasible_states(graph, attributes)[state_of(shuffled)]
