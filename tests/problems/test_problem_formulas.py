"""Laws of every primitive: energies, decoding, optima, generators, texts."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.problems import build_instance, decoder_for, get_problem, problem_names
from quasar.problems.soundness import check_sound

MAX_QUBITS = 9
# One variable a node, named by it.
NODE_SUBSETS = ("vertex_cover", "hypermaxcut", "min_cut")
seeds = st.integers(0, 2**32 - 1)
encodings = st.sampled_from(["sound", "published"])


def state_of(assignment) -> int:
    """The basis state whose variables have these values."""
    return sum((1 - x) << q for q, x in enumerate(assignment))


def cells(names=None, at_most=MAX_QUBITS):
    """(primitive, size) of generated instances, each primitive as often as another."""
    return st.sampled_from(names or problem_names()).flatmap(
        lambda name: st.tuples(
            st.just(name), st.sampled_from(get_problem(name).possible_qubits(at_most))
        )
    )


def generated(cell, seed, encoding="sound"):
    primitive, size = cell
    graph, attributes = get_problem(primitive).generate(np.random.default_rng(seed), size)
    return build_instance(primitive, graph, attributes, encoding=encoding)


@settings(max_examples=100)
@given(cells(), seeds, encodings, st.data())
def test_energy_is_polynomial_value_without_its_constant(cell, seed, encoding, data):
    instance = generated(cell, seed, encoding)
    problem = decoder_for(instance)
    assert problem is get_problem(cell[0], encoding)
    polynomial = problem.polynomial(instance.graph, instance.attributes)
    size = instance.num_qubits
    bits = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    expected = polynomial.value(bits) - sum(
        c / 2 ** len(key) for key, c in polynomial.coefficients.items()
    )
    assert instance.hamiltonian.energies[state_of(bits)] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40)
@given(cells(NODE_SUBSETS, 7), seeds)
def test_polynomial_is_the_written_objective(cell, seed):
    primitive, size = cell
    instance = generated(cell, seed)
    graph, attributes = instance.graph, instance.attributes
    problem = get_problem(primitive)
    polynomial = problem.polynomial(graph, attributes)
    for bits in product((0, 1), repeat=size):
        answer = problem.decode(graph, attributes, bits)
        expected = problem.objective(graph, attributes, answer)
        if primitive == "vertex_cover":
            ends = [(bits[e["source"]], bits[e["target"]]) for e in graph["edges"]]
            expected += 2 * sum(not (x or y) for x, y in ends)
        elif primitive == "min_cut":
            leaving = sum(e["capacity"] for e in graph["edges"] if e["source"] == 0)
            expected -= (1 + leaving) * bits[0] * (1 - bits[-1])
        assert polynomial.value(bits) == pytest.approx(expected, abs=1e-9)


def test_large_hyperedge_uses_the_published_surrogate():
    graph = {"nodes": [0, 1, 2], "hyperedges": [[0, 1, 2]]}
    polynomial = get_problem("hypermaxcut", "published").polynomial(graph, {})
    for bits in product((0, 1), repeat=3):
        pairs = bits[0] * bits[1] + bits[0] * bits[2] + bits[1] * bits[2]
        assert polynomial.value(bits) == pytest.approx(2 / 3 * pairs - sum(bits) / 3)


@settings(max_examples=40)
@given(cells(NODE_SUBSETS, 7), seeds, st.randoms(use_true_random=False))
def test_relabelling_permutes_the_spectrum(cell, seed, random):
    primitive, size = cell
    instance = generated(cell, seed)
    new = list(range(size))
    random.shuffle(new)
    graph, attributes = instance.graph, dict(instance.attributes)
    if primitive == "hypermaxcut":
        relabelled = {
            "nodes": graph["nodes"],
            "hyperedges": [[new[v] for v in h] for h in graph["hyperedges"]],
        }
    else:
        relabelled = graph | {
            "edges": [
                e | {"source": new[e["source"]], "target": new[e["target"]]} for e in graph["edges"]
            ]
        }
        attributes = {name: new[node] for name, node in attributes.items()}
    other = build_instance(primitive, relabelled, attributes)
    for state in range(1 << size):
        moved = sum((state >> q & 1) << new[q] for q in range(size))
        assert other.hamiltonian.energies[moved] == pytest.approx(
            instance.hamiltonian.energies[state], abs=1e-9
        )


@settings(max_examples=80)
@given(cells(), seeds, encodings)
def test_optimum_and_feasibility_agree_with_enumeration(cell, seed, encoding):
    instance = generated(cell, seed, encoding)
    graph, attributes = instance.graph, instance.attributes
    problem = decoder_for(instance)
    states = range(1 << instance.num_qubits)
    answers = [problem.decode(graph, attributes, instance.assignment(state)) for state in states]
    feasible = [problem.is_feasible(graph, attributes, answer) for answer in answers]
    assert problem.feasible_states(graph, attributes).tolist() == feasible
    costs = [
        problem.objective(graph, attributes, answer)
        for answer, allowed in zip(answers, feasible, strict=True)
        if allowed
    ]
    assert problem.optimum(graph, attributes) == pytest.approx(min(costs))
    assert problem.costs(graph, attributes)[feasible] == pytest.approx(costs)
    assert np.isinf(problem.costs(graph, attributes)[np.logical_not(feasible)]).all()


@settings(max_examples=150)
@given(cells(), seeds)
def test_ground_states_are_exactly_the_optimal_answers(cell, seed):
    """By enumeration here: `check_sound` must not be the only judge of itself."""
    instance = generated(cell, seed)
    graph, attributes = instance.graph, instance.attributes
    problem = decoder_for(instance)
    optimum = problem.optimum(graph, attributes)
    right, ground = set(), set()
    optimal = set(map(int, instance.spectrum.optimal))
    for state in range(1 << instance.num_qubits):
        answer = problem.decode(graph, attributes, instance.assignment(state))
        is_right = problem.is_feasible(graph, attributes, answer) and (
            abs(problem.objective(graph, attributes, answer) - optimum) < 1e-9
        )
        right |= {str(answer)} if is_right else set()
        ground |= {str(answer)} if state in optimal else set()
    assert ground == right
    assert check_sound(instance) is None


@settings(max_examples=80)
@given(cells(at_most=12), seeds, encodings)
def test_generated_graphs_are_valid_and_of_the_asked_size(cell, seed, encoding):
    primitive, size = cell
    instance = generated(cell, seed, encoding)  # build_instance validates
    if (primitive, encoding) != ("hamiltonian_path", "published"):  # variables that none reads
        assert instance.num_qubits == size
    assert len(instance.variables) == instance.num_qubits
    assert instance.encoding == decoder_for(instance).encoding


@settings(max_examples=80)
@given(cells(), seeds, encodings)
def test_text_gives_back_the_instance(cell, seed, encoding):
    instance = generated(cell, seed, encoding)
    again = build_instance(
        cell[0],
        instance.graph,
        instance.attributes,
        hamiltonian_text=instance.hamiltonian.to_text(),
        encoding=instance.encoding,
    )
    assert again == instance


def test_decoders_by_hand():
    path = {"nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}
    path["edges"] = [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]
    cover = build_instance("vertex_cover", path)
    # Only the middle node: qubit 1 is measured 0, the others 1.
    assert cover.spectrum.optimal.tolist() == [0b101]
    assert decoder_for(cover).decode(path, {}, cover.assignment(0b101)) == ["b"]

    arcs = [(0, 1, 5), (1, 2, 2), (0, 2, 1)]
    network = {"nodes": [{"id": v} for v in range(3)]}
    network["edges"] = [{"source": u, "target": v, "capacity": c} for u, v, c in arcs]
    cut = build_instance("min_cut", network, {"source": 0, "sink": 2})
    assert cut.spectrum.optimal.tolist() == [0b100]
    answer = decoder_for(cut).decode(network, cut.attributes, cut.assignment(0b100))
    assert answer == [0, 1]
    assert decoder_for(cut).objective(network, cut.attributes, answer) == 3.0


def test_natural_order_beyond_ten_nodes():
    names = [f"v{i}" for i in (10, 2, 1, 11, 0)]
    graph = {"nodes": [{"id": v} for v in names], "edges": [{"source": "v0", "target": "v10"}]}
    assert build_instance("vertex_cover", graph).variables == ("v0", "v1", "v2", "v10", "v11")


def test_variable_order_is_found_from_the_hamiltonian_text():
    """A text-sorted Hamiltonian of 12 nodes must decode in text order, any other in none."""
    edges = [(0, 10), (2, 11), (1, 3), (4, 5), (6, 7), (8, 9), (2, 10)]
    graph = {"nodes": [{"id": v} for v in range(12)]}
    graph["edges"] = [{"source": u, "target": v} for u, v in edges]
    in_text_order = sorted(range(12), key=str)
    qubit = {v: q for q, v in enumerate(in_text_order)}
    moved = {"nodes": graph["nodes"]}
    moved["edges"] = [{"source": qubit[u], "target": qubit[v]} for u, v in edges]
    text = build_instance("vertex_cover", moved).hamiltonian.to_text()
    instance = build_instance("vertex_cover", graph, hamiltonian_text=text)
    assert instance.variables == tuple(map(str, in_text_order))
    chosen = [0] * 12
    chosen[2] = 1  # qubit 2 is node 10 in text order (0, 1, 10, 11, 2, …)
    assert decoder_for(instance).decode(graph, {}, chosen) == [10]

    other = build_instance("vertex_cover", graph, hamiltonian_text="1.0 * Z(0) + 2.0 * Z(11)")
    assert other.variables == ()
    assert decoder_for(other) is None
