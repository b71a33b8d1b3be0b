"""Branch and bound finds what enumeration finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.problems import build_instance, extremes, get_problem, problem_names
from quasar.problems.extremes import find_extremes
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum


@st.composite
def hamiltonians(draw):
    """Few distinct coefficients, so that levels are degenerate; any order of interaction."""
    n = draw(st.integers(1, 9))
    wires = st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True).map(tuple)
    coefficient = st.sampled_from((-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)) | st.floats(-3, 3)
    terms = draw(st.lists(st.tuples(coefficient, wires), max_size=14))
    return IsingHamiltonian(n, tuple(terms))


def agree(hamiltonian: IsingHamiltonian) -> None:
    found, expected = find_extremes(hamiltonian), Spectrum.of(hamiltonian)
    assert found.minimum == pytest.approx(expected.minimum, abs=1e-12)
    assert found.maximum == pytest.approx(expected.maximum, abs=1e-12)
    assert found.mean == pytest.approx(expected.mean, abs=1e-12)
    assert found.num_optimal == expected.num_optimal
    assert found.optimal.tolist() == expected.optimal.tolist()
    assert found.uniform_optimum_probability == expected.uniform_optimum_probability


@settings(max_examples=150)
@given(hamiltonians(), st.integers(0, 3))
def test_it_is_the_spectrum(hamiltonian, block):
    """Blocks so small that nearly all of the search is branches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extremes, "BLOCK_QUBITS", block)
        agree(hamiltonian)


@pytest.mark.parametrize("name", problem_names())
def test_it_is_the_spectrum_of_every_primitive(name):
    problem = get_problem(name)
    size = problem.possible_qubits(14)[-1]
    graph, attributes = problem.generate(np.random.default_rng(3), size)
    agree(build_instance(name, graph, attributes).hamiltonian)


def test_thirty_spins_of_a_ring():
    """An antiferromagnetic ring: two ground states, E = ∓30; the ferromagnet is the maximum."""
    ring = IsingHamiltonian(30, tuple((1.0, (q, (q + 1) % 30)) for q in range(30)))
    found = find_extremes(ring)
    alternating = sum(1 << q for q in range(0, 30, 2))
    assert (found.minimum, found.maximum, found.num_optimal) == (-30.0, 30.0, 2)
    assert found.optimal.tolist() == [alternating, alternating << 1]


def test_more_ground_states_than_are_listed_are_still_counted():
    """Only one of 14 spins matters: half of all states are ground states."""
    found = find_extremes(IsingHamiltonian(14, ((1.0, (5,)),)))
    assert found.num_optimal == 1 << 13
    assert found.optimal.size == extremes.MAX_LISTED
    assert all(state >> 5 & 1 for state in found.optimal.tolist())
