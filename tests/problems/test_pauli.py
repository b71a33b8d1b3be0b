"""Sums of Pauli strings: forms, groups and bases, against Qiskit's `SparsePauliOp`."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from quasar.errors import ProblemError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum
from quasar.simulation.eigensolver import matrix

N = 4


def words(num_qubits: int):
    """Pauli strings, the identity among them, with their factors in any order."""
    letters = st.tuples(*[st.sampled_from("IXYZ")] * num_qubits)
    chosen = letters.map(lambda found: [f"{p}{q}" for q, p in enumerate(found) if p != "I"])
    return chosen.flatmap(st.permutations).map(lambda factors: "*".join(factors) or "I")


def terms(num_qubits: int = N, *, max_size: int = 12):
    coefficient = st.floats(-3, 3).map(lambda c: round(c, 6))
    return st.lists(st.tuples(coefficient, words(num_qubits)), max_size=max_size)


def as_qiskit(given_terms, num_qubits: int = N) -> SparsePauliOp:
    found = []
    for coefficient, word in given_terms:
        factors = [] if word == "I" else word.split("*")
        letters, qubits = [f[0] for f in factors], [int(f[1:]) for f in factors]
        found.append(("".join(letters), qubits, coefficient))
    return SparsePauliOp.from_sparse_list([*found, ("", [], 0.0)], num_qubits=num_qubits)


@settings(max_examples=80)
@given(terms())
def test_matrix_is_that_of_qiskit(given_terms):
    observable = PauliSum.of(N, given_terms)
    expected = as_qiskit(given_terms).to_matrix()
    np.testing.assert_allclose(matrix(observable), expected, atol=1e-12)
    assert observable.is_real == (abs(expected.imag).max() == 0.0)
    assert observable.constant == pytest.approx(np.trace(expected).real / 2**N, abs=1e-12)


@settings(max_examples=60)
@given(terms(), st.randoms())
def test_equal_sums_are_equal_objects_in_every_form(given_terms, random):
    observable = PauliSum.of(N, given_terms)
    assert PauliSum.from_text(observable.to_text(), N) == observable
    assert PauliSum.from_dict(observable.to_dict()) == observable
    assert pickle.loads(pickle.dumps(observable)) == observable
    tidy = [(term.coefficient, term.word) for term in observable.terms]
    shuffled = random.sample(tidy, len(tidy))
    assert PauliSum.of(N, shuffled) == observable
    assert hash(PauliSum.of(N, shuffled)) == hash(observable)
    assert len({term[1:] for term in observable.terms}) == len(observable.terms)


@settings(max_examples=60)
@given(terms())
def test_groups_and_bases_hold_every_term_once(given_terms):
    observable = PauliSum.of(N, given_terms)
    assert sorted(t for group in observable.groups for t in group.terms) == sorted(observable.terms)
    assert [group.flips for group in observable.groups] == sorted(
        {t.flips for t in observable.terms}
    )
    measured = 0
    for basis in observable.bases:
        for coefficient, wires in basis.diagonal.terms:
            word = "*".join(f"{basis.letters[q]}{q}" for q in wires)
            assert (coefficient, word) in [(t.coefficient, t.word) for t in observable.terms]
            measured += 1
    assert measured == len([t for t in observable.terms if t.word != "I"])


def test_the_text_is_what_a_person_writes():
    observable = PauliSum.from_text("0.5*X1*Y0 + -1*Z2 + 0.25*I + 0.5*Y0*X1", 3)
    assert observable.to_text() == "0.25*I + -1*Z2 + 1*Y0*X1"
    assert PauliSum.from_text("", 2).terms == ()


def test_a_diagonal_hamiltonian_is_a_sum_of_pauli_strings():
    cost = IsingHamiltonian(3, ((0.5, (0, 1)), (-1.0, (2,)), (0.0, (1,)), (0.25, (0, 1, 2))))
    observable = PauliSum.from_ising(cost)
    np.testing.assert_allclose(observable.tables, [cost.energies])
    assert [basis.letters for basis in observable.bases] == ["ZZZ"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X0", "not a term: 'X0'"),
        ("0.5*X0 + Z1*0.5", "not a term: 'Z1"),
        ("0.5*X0+0.5*Z1", "'X0+0.5' is no X, Y or Z of a qubit"),
        ("0.5*A0", "'A0' is no X, Y or Z"),
        ("0.5*X", "'X' is no X"),
        ("0.5*X0*", "'' is no X"),
        ("0.5*X2", "X2 where there are 2 qubits"),
        ("0.5*X0*Z0", "qubit 0 is named twice"),
        ("1e999*X0", "coefficient of X0 is inf"),
        ("1e308*X0 + 1e308*Z0", "too large"),
        ("nan*X0", "not a term"),
    ],
)
def test_text_that_is_none_is_named(text, message):
    with pytest.raises(ProblemError, match="observable: ") as error:
        PauliSum.from_text(text, 2)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given_dict", "message"),
    [
        ([], "an object with num_qubits and terms"),
        ({"num_qubits": 2}, "an object with num_qubits and terms"),
        ({"num_qubits": 2, "terms": [], "more": 1}, "num_qubits and terms alone"),
        ({"num_qubits": 2, "terms": {}}, "'terms' must be a list"),
        ({"num_qubits": 2, "terms": [[1.0]]}, "terms[0] must be"),
        ({"num_qubits": 2, "terms": [["1", "X0"]]}, "coefficient of X0 is '1'"),
        ({"num_qubits": 2, "terms": [[True, "X0"]]}, "coefficient of X0 is True"),
        ({"num_qubits": 2, "terms": [[1.0, 5]]}, "5 is no Pauli string"),
        ({"num_qubits": True, "terms": []}, "num_qubits is True"),
        ({"num_qubits": 0, "terms": []}, "num_qubits is 0"),
        ({"num_qubits": "2", "terms": []}, "num_qubits is '2'"),
    ],
)
def test_data_that_are_none_are_named(given_dict, message):
    with pytest.raises(ProblemError) as error:
        PauliSum.from_dict(given_dict)
    assert message in str(error.value)
