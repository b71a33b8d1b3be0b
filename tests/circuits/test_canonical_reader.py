"""The fast reader of canonical programs gives what the complete one gives, or leaves it alone."""

from random import Random

import pytest
from fuzzing import change_number, change_tokens
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quasar.circuits.canonical import normalised_terms, qaoa_program
from quasar.circuits.qasm import Limits, read_qasm
from quasar.circuits.qasm.canonical_reader import MAX_ORDER, read_canonical
from quasar.circuits.qasm.semantics import read_complete
from quasar.circuits.term_gates import definition
from quasar.errors import CircuitError
from quasar.problems.hamiltonian import IsingHamiltonian

LIMITS = Limits()
COMMENTS = ("// a note; gate x\n", "/* cost(2*g1) q;\n */", "\n\n", " \t\n", "\r\n", "//\n")


def random_program(random: Random, *, max_qubits: int = 6) -> str:
    n = random.randint(1, max_qubits)
    terms = tuple(
        (
            round(random.uniform(-3, 3), 2),
            tuple(random.sample(range(n), random.randint(1, min(n, 4)))),
        )
        for _ in range(random.randint(0, 8))
    )
    layers = random.randint(0, 3)
    angles = [[random.uniform(-3, 3) for _ in range(layers)] for _ in range(2)]
    decimals = random.choice((0, 2, 6))
    program = qaoa_program(
        n,
        normalised_terms(IsingHamiltonian(n, terms)),
        *angles,
        decimals=decimals,
        comments=("plan: 1 // 2; 3 {",) * random.randint(0, 2),
    )
    return commented(random, program)


def commented(random: Random, program: str) -> str:
    """With a note behind some statements."""
    lines = program.split("\n")
    ends = [
        f" {random.choice(COMMENTS)}" if line.endswith(";") and random.random() < 0.1 else "\n"
        for line in lines
    ]
    return "".join(map("".join, zip(lines, ends, strict=True)))


def change_line(random: Random, text: str) -> str:
    """One line deleted, doubled, swapped with another, or said again elsewhere."""
    lines = text.split("\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(3)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    else:
        lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def change_character(random: Random, text: str) -> str:
    at = random.randrange(len(text))
    new = random.choice((*"qgz019-.;, (}", "", text[at]))
    return text[:at] + new + text[at + 1 :]


def outcome(read, text, limits=LIMITS):
    try:
        return read(text, limits)
    except CircuitError as error:
        return str(error)


@given(st.randoms(use_true_random=False))
def test_canonical_programs_are_read_as_the_complete_reader_reads_them(random):
    text = random_program(random)
    found = read_canonical(text, LIMITS)
    assert found is not None
    assert found == read_qasm(text)
    assert repr(found) == repr(read_complete(text, LIMITS))  # -0.0 is not 0.0


@settings(max_examples=500)
@given(st.randoms(use_true_random=False))
def test_a_changed_program_is_read_alike_or_left_alone(random):
    text = random_program(random)
    for _ in range(random.choice((1, 1, 2))):
        change = random.choice((change_line, change_character, change_tokens, change_number))
        text = change(random, text)
    found = read_canonical(text, LIMITS)
    expected = outcome(read_complete, text)
    assert found is None or repr(found) == repr(expected)
    assert repr(outcome(read_qasm, text)) == repr(expected)


def test_many_changed_programs_are_still_read_fast():
    random = Random(0)
    texts = [change_line(random, random_program(random)) for _ in range(300)]
    taken = sum(read_canonical(text, LIMITS) is not None for text in texts)
    valid = sum(not isinstance(outcome(read_complete, text), str) for text in texts)
    assert 30 < taken <= valid < 300


@settings(max_examples=50)
@given(st.randoms(use_true_random=False))
def test_at_the_limits_both_readers_agree(random):
    text = random_program(random)
    circuit = read_complete(text, LIMITS)
    n, gates = circuit.num_qubits, len(circuit.gates)
    assume(gates > 0)
    for max_qubits, max_gates in ((n, gates), (n, gates - 1), (n - 1, gates)):
        limits = Limits(max_qubits=max_qubits, max_gates=max_gates)
        found, expected = read_canonical(text, limits), outcome(read_complete, text, limits)
        assert found == (None if isinstance(expected, str) else expected)


def test_statements_are_counted_as_the_complete_reader_counts_them():
    limits = Limits(max_qubits=2, max_gates=12)
    terms = normalised_terms(IsingHamiltonian(2, ((0.5, (0, 1)), (0.2, (0,)))))
    refused = set()
    for layers in range(40, 60):
        text = qaoa_program(2, terms, [0.3] * layers, [0.2] * layers)
        lines = [line for line in text.split("\n") if not line.startswith(("cost(2", "rx"))]
        for some in (lines, [line for line in lines if "g1" not in line]):  # odd and even numbers
            text = "\n".join(some)
            expected = outcome(read_complete, text, limits)
            refused.add(isinstance(expected, str))
            assert read_canonical(text, limits) == (None if isinstance(expected, str) else expected)
    assert refused == {True, False}


@pytest.mark.parametrize("order", range(2, MAX_ORDER + 2))
def test_terms_of_any_order_are_read_and_large_ones_left_to_the_complete_reader(order):
    hamiltonian = IsingHamiltonian(order, ((0.5, tuple(range(order))), (0.2, (0,))))
    text = qaoa_program(order, normalised_terms(hamiltonian), [0.3], [0.2])
    assert definition(order) in text
    found = read_canonical(text, LIMITS)
    assert (found is None) == (order > MAX_ORDER)
    assert read_qasm(text) == read_complete(text, LIMITS)


def test_a_definition_on_any_number_of_wires_names_each_once():
    n = 20
    hamiltonian = IsingHamiltonian(n, ((1.0, tuple(range(n))),))
    circuit = read_qasm(qaoa_program(n, normalised_terms(hamiltonian), [0.5], [0.1]))
    assert sum(gate.name == "cx" for gate in circuit.gates) == 2 * (n - 1)


def test_a_program_that_takes_too_many_gates_is_given_up_at_once():
    call = "cost(2*g1) q[0], q[1];\n"
    term = "zz(g*0.5) q0, q1;\n"
    hamiltonian = IsingHamiltonian(2, ((1.0, (0, 1)),))
    text = qaoa_program(2, normalised_terms(hamiltonian), [0.5], [0.1])
    text = text.replace("zz(g*1) q0, q1;\n", term * 2000).replace(call, call * 2000)
    assert text.count(term) == text.count(call) == 2000
    assert read_canonical(text, LIMITS) is None
    with pytest.raises(CircuitError, match="more than 20000 gates"):
        read_qasm(text)
