"""The published test problems: Hamiltonians rebuilt term by term, ground states, decoding."""

import json
from pathlib import Path

import pytest

from quasar.problems import build_instance, decoder_for, problem_names

DATA = Path(__file__).parents[3] / "shared" / "data" / "problems.jsonl"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="the benchmark's problems are not here")


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def load(row):
    return build_instance(
        row["problem_type"],
        row["graph"],
        row["problem_specific_attributes"],
        hamiltonian_text=row["cost_hamiltonian"],
        num_qubits=row["n_qubits"],
    )


def coefficients(hamiltonian):
    return {frozenset(w): c for c, w in hamiltonian.terms if abs(c) > 1e-12}


def test_hamiltonians_are_rebuilt_from_graph_and_attributes(rows):
    ours = [row for row in rows if row["problem_type"] in problem_names()]
    assert len(ours) == 57 + 14 + 9 + 8 + 2 + 2
    orders = set()
    for row in ours:
        instance = load(row)
        problem = decoder_for(instance)
        assert problem is not None, row["sample_index"]
        orders.add(problem.order)
        built = problem.polynomial(instance.graph, instance.attributes).to_ising()
        assert coefficients(built) == pytest.approx(coefficients(instance.hamiltonian), abs=1e-9)
    assert orders == {"natural", "text"}


def test_ground_states_and_their_bitstrings_agree(rows):
    for row in rows:
        instance, exact = load(row), row["exact_solution"]
        assert instance.spectrum.minimum == pytest.approx(
            exact["smallest_eigenvalues"][0], abs=1e-9
        )
        states = instance.spectrum.optimal
        texts = {"".join(map(str, instance.assignment(int(state)))) for state in states}
        # The published lists decide degeneracy by equality of floats and may be too short.
        assert set(exact["smallest_bitstrings"]) <= texts


SOUND = {
    "vertex_cover",
    "min_cut",
    "community_detection",
    "edge_cover",
    "graph_coloring",
    "kclique",
    "matching",
}


def test_ground_states_of_sound_formulas_answer_the_question(rows):
    seen = set()
    for row in rows:
        if row["problem_type"] not in SOUND:
            continue
        seen.add(row["problem_type"])
        instance = load(row)
        problem, graph, attributes = decoder_for(instance), instance.graph, instance.attributes
        optimum = problem.optimum(graph, attributes)
        for state in instance.spectrum.optimal:
            answer = problem.decode(graph, attributes, instance.assignment(int(state)))
            assert problem.is_feasible(graph, attributes, answer)
            assert problem.objective(graph, attributes, answer) == pytest.approx(optimum, abs=1e-9)
    assert seen == SOUND
