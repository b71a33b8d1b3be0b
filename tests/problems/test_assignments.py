"""Greedy assignments and descent, on Hamiltonians whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.problems.assignments import (
    as_state,
    best_of,
    descend,
    greedy,
    greedy_by_strength,
    random_bits,
)
from quasar.problems.hamiltonian import IsingHamiltonian


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Without couplings each qubit goes against its own field: bit 1 where the coefficient is positive.
FIELDS = IsingHamiltonian(3, ((1.0, (0,)), (-2.0, (1,)), (0.5, (2,))))
# In index order qubit 0 follows its weak field; qubit 1 then pays for it. By strength it does not.
TRAP = IsingHamiltonian(2, ((0.5, (0,)), (2.0, (1,)), (1.0, (0, 1))))
# Both qubits want to change, either alone only loses: (0, 0) is a local minimum.
LOCAL = IsingHamiltonian(2, ((-1.0, (0, 1)), (0.25, (0,)), (0.25, (1,))))


@pytest.mark.parametrize("assign", [greedy, greedy_by_strength])
def test_without_couplings_every_qubit_goes_against_its_field(assign):
    assert assign(FIELDS, rng()) == (1, 0, 1)


def test_the_order_decides_where_fields_are_in_conflict():
    assert greedy(TRAP, rng()) == (1, 1)
    assert greedy(TRAP, rng(), order=[1, 0]) == greedy_by_strength(TRAP, rng()) == (0, 1)
    assert TRAP.energy(0b11) == -1.5
    assert TRAP.energy(0b10) == TRAP.energies.min() == -2.5


def test_terms_of_three_qubits_count_once_the_other_two_are_set():
    cubic = IsingHamiltonian(3, ((1.0, (0,)), (1.0, (1,)), (1.0, (0, 1, 2))))
    assert greedy(cubic, rng()) == (1, 1, 1)


def test_descent_flips_what_helps_most_and_ends_in_a_local_minimum():
    assert descend(TRAP, (1, 1)) == (0, 1)
    assert descend(FIELDS, (0, 1, 0)) == (1, 0, 1)
    assert descend(LOCAL, (0, 0)) == (0, 0)
    assert LOCAL.energies.min() == LOCAL.energy(0b11) < LOCAL.energy(0)


def test_a_qubit_without_a_field_is_drawn():
    coupling = IsingHamiltonian(2, ((1.0, (0, 1)),))
    found = {greedy(coupling, rng(seed)) for seed in range(20)}
    assert found == {(0, 1), (1, 0)}
    assert greedy(coupling, rng(7)) == greedy(coupling, rng(7))


def test_the_best_of_several_tries_is_the_lowest_and_of_equals_the_first():
    tries = [(1, 1), (0, 0), (0, 1), (1, 0)]
    assert best_of(TRAP, 2, tries.__getitem__) == (1, 1)
    assert best_of(TRAP, 4, tries.__getitem__) == (0, 1)
    flat = IsingHamiltonian(2, ())
    assert best_of(flat, 4, tries.__getitem__) == (1, 1)


@st.composite
def hamiltonians(draw):
    n = draw(st.integers(1, 6))
    wires = st.lists(st.integers(0, n - 1), min_size=1, max_size=3, unique=True).map(tuple)
    coefficients = st.floats(-2, 2).map(lambda c: round(c, 3))
    return IsingHamiltonian(n, tuple(draw(st.lists(st.tuples(coefficients, wires), max_size=12))))


@given(hamiltonians(), st.integers(0, 1000))
def test_descent_never_rises_and_no_flip_is_left_that_helps(hamiltonian, seed):
    start = random_bits(hamiltonian, rng(seed))
    state = as_state(descend(hamiltonian, start))
    energy = hamiltonian.energy(state)
    assert energy <= hamiltonian.energy(as_state(start)) + 1e-9
    flips = [hamiltonian.energy(state ^ 1 << q) for q in range(hamiltonian.num_qubits)]
    assert energy <= min(flips) + 1e-9


@given(hamiltonians(), st.integers(0, 1000))
def test_greedy_never_ends_above_the_mean(hamiltonian, seed):
    """Each step takes the side whose mean over what is not set yet is no higher."""
    for assign in (greedy, greedy_by_strength):
        energy = hamiltonian.energy(as_state(assign(hamiltonian, rng(seed))))
        assert energy <= 1e-9
