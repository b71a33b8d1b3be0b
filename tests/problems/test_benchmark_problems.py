"""The published test problems: Hamiltonians rebuilt term by term, ground states, decoding."""

import json
from collections import Counter
from pathlib import Path

import pytest

from quasar.datasets.hub.check import check_problems
from quasar.datasets.io import read_problems
from quasar.problems import build_instance, decoder_for, get_problem, problem_names
from quasar.problems.soundness import check_sound

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


# Rows, and how many of them are in text order where the orders differ.
ROWS = {
    "vertex_cover": (21, 0),
    "hypermaxcut": (23, 3),
    "min_cut": (13, 1),
    "connected_components": (9, 3),
    "max_flow": (7, 0),
    "graph_isomorphism": (2, 0),
    "community_detection": (2, 0),
    "edge_cover": (14, 0),
    "graph_coloring": (2, 0),
    "kclique": (8, 0),
    "matching": (9, 3),
}


def test_hamiltonians_are_rebuilt_from_graph_and_attributes(rows):
    found = Counter()
    for row in rows:
        if row["problem_type"] not in problem_names():
            continue
        instance = load(row)
        problem = decoder_for(instance)
        assert problem is not None, row["sample_index"]
        found[row["problem_type"], problem.order] += 1
        published = get_problem(row["problem_type"], "published")
        assert instance.encoding == published.encoding
        built = problem.polynomial(instance.graph, instance.attributes).to_ising()
        assert coefficients(built) == pytest.approx(coefficients(instance.hamiltonian), abs=1e-9)
    for name, (count, in_text_order) in ROWS.items():
        assert found[name, "text"] == in_text_order
        assert found[name, "natural"] + in_text_order == count


def test_check_counts_every_row_that_is_reproduced():
    result = check_problems(read_problems(DATA))
    assert {name: result[name].rows for name in ROWS} == {k: n for k, (n, _) in ROWS.items()}
    for name, found in result.items():
        assert found.exact == (found.rows if name in problem_names() else 0)
    assert result["connected_components"].by_form == {
        "published, natural order": 6,
        "published, text order": 3,
    }


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


def test_sound_encoding_mends_what_the_published_one_gets_wrong(rows):
    faulty = Counter()
    for row in rows:
        if row["problem_type"] not in ROWS:
            continue
        instance = load(row)
        faulty[row["problem_type"]] += check_sound(instance) is not None
        fixed = build_instance(row["problem_type"], instance.graph, instance.attributes)
        assert check_sound(fixed) is None, row["sample_index"]
    assert {name for name, count in faulty.items() if count} == {
        "connected_components",
        "hypermaxcut",
    }
