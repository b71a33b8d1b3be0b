"""Each registered primitive: relabelling, and enumeration at 16 qubits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.problems import build_instance, decoder_for, get_problem, problem_names

NODE_ATTRIBUTES = {"source", "sink", "node", "start_node", "end_node", "terminal_nodes"}

every_primitive = pytest.mark.parametrize("primitive", problem_names())
seeds = st.integers(0, 2**32 - 1)


def generated(primitive, seed, size):
    graph, attributes = get_problem(primitive).generate(np.random.default_rng(seed), size)
    return build_instance(primitive, graph, attributes)


def draw_instance(data, primitive, at_most):
    size = data.draw(st.sampled_from(get_problem(primitive).possible_qubits(at_most)))
    return generated(primitive, data.draw(seeds, label="seed"), size)


def renamed(hyperedge, new):
    """A list of nodes, or an object with lists of nodes and numbers."""
    if isinstance(hyperedge, list):
        return [new[v] for v in hyperedge]
    return {k: renamed(v, new) if isinstance(v, list) else v for k, v in hyperedge.items()}


def answers_of(instance):
    """The decoded answer of every basis state, by the definition of an assignment."""
    problem = get_problem(instance.primitive)
    for state in range(1 << instance.num_qubits):
        yield problem.decode(instance.graph, instance.attributes, instance.assignment(state))


@every_primitive
@settings(max_examples=6)
@given(data=st.data())
def test_relabelling_permutes_the_spectrum_with_the_answers(primitive, data):
    """New names, listing order and edge direction: the same (objective, energy) pairs."""
    instance = draw_instance(data, primitive, 9)
    graph, attributes = instance.graph, instance.attributes
    shuffled = data.draw(st.permutations(range(len(graph["nodes"]))))
    new = {v: f"n{i}" for v, i in enumerate(shuffled)}
    if "hyperedges" in graph:
        other = {
            "nodes": [new[v] for v in graph["nodes"]],
            "hyperedges": [renamed(h, new) for h in graph["hyperedges"][::-1]],
        }
    else:
        ends = ("source", "target") if graph["directed"] else ("target", "source")
        other = graph | {
            "nodes": [entry | {"id": new[entry["id"]]} for entry in graph["nodes"]],
            "edges": [
                e | {"source": new[e[ends[0]]], "target": new[e[ends[1]]]}
                for e in graph["edges"][::-1]
            ],
        }
    moved = dict(attributes)
    for name in NODE_ATTRIBUTES & attributes.keys():
        old = attributes[name]
        moved[name] = [new[v] for v in old] if isinstance(old, list) else new[old]
    outcomes = []
    for each in (instance, build_instance(primitive, other, moved)):
        problem = decoder_for(each)
        feasible = problem.feasible_states(each.graph, each.attributes)
        outcomes.append(
            sorted(
                (
                    round(float(energy), 6),
                    bool(allowed),
                    round(problem.objective(each.graph, each.attributes, answer), 6) + 0.0,
                )
                for energy, allowed, answer in zip(
                    each.hamiltonian.energies, feasible, answers_of(each), strict=True
                )
            )
        )
    assert np.allclose(outcomes[0], outcomes[1], atol=1e-5)


@every_primitive
def test_sixteen_qubits_are_enumerated(primitive):
    instance = generated(primitive, 7, 16)
    problem = get_problem(primitive)
    feasible = problem.feasible_states(instance.graph, instance.attributes)
    assert feasible.shape == (1 << 16,)
    assert feasible.any()
    assert np.isfinite(problem.optimum(instance.graph, instance.attributes))


@every_primitive
def test_summaries_are_sentences(primitive):
    problem = get_problem(primitive)
    assert problem.summary.endswith(".")
    assert "\n" not in problem.summary
