"""Answers that imitate the published references: what the script writes, and what is taught."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import HEADER, MEASURE_ALL, normalised_terms
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.config import load_config
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.imitation import GATES_A_QUBIT, imitated_answer, taught_program
from quasar.datasets.plan import worked_plan
from quasar.datasets.random_ising import random_ising
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import NotAccepted, solve
from quasar.evaluation.metrics import kl_bits
from quasar.policy.grammar import ScriptPath, TokenGrammar
from quasar.policy.program_form import record_form
from quasar.policy.tokenizer import train_tokenizer, whole_pieces
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities

MAX_QUBITS = 6
CONFIG = load_config("imitation", [f"dataset.max_qubits={MAX_QUBITS}"])
FAMILIES = [name for name in ansatz_names() if get_ansatz(name).family not in ("qaoa", "ma_qaoa")]
PROBLEMS = [
    make_candidate(Cell(primitive, size, "published"), seed=3, index=size)
    for primitive in ("vertex_cover", "hypermaxcut", "min_cut")
    for size in (3, 4, 6)
]


@pytest.fixture(scope="module")
def tokenizer():
    pieces = [piece.text for piece in whole_pieces(CONFIG.dataset)]
    return train_tokenizer(["0123456789 q = 4.2"], vocab_size=len(pieces) + 300, pieces=pieces)


@pytest.fixture(scope="module")
def grammar(tokenizer):
    return TokenGrammar(tokenizer, vocab_size=len(tokenizer))


def record(problem, ansatz, layers=1):
    return ProblemRecord(0, problem, "vqe", layers, {}, ansatz=ansatz)


def solved(problem, ansatz, layers):
    """The record of the published teacher's circuit; None where it drops the problem."""
    try:
        found = solve(
            problem, ansatz=ansatz, layers=layers, decimals=2, seed=0, teacher="published"
        )
    except NotAccepted:
        return None
    text = found.circuit.to_qasm(decimals=2)
    return record(replace(problem, reference_circuit=text), ansatz, layers)


@settings(max_examples=100)
@given(st.sampled_from(FAMILIES), st.integers(2, MAX_QUBITS), st.integers(1, 2), st.integers(0))
def test_whatever_is_chosen_is_a_circuit_of_the_family(grammar, tokenizer, name, n, layers, seed):
    family = get_ansatz(name)
    n = max(n, family.min_qubits)
    layers = 1 if name == "adaptive" else layers
    rng = np.random.default_rng(seed)
    problem = PROBLEMS[0]
    hamiltonian = random_ising(rng, n)
    form = record_form(record(problem, name, layers), CONFIG.dataset)
    form = replace(form, num_qubits=n, terms=tuple(normalised_terms(hamiltonian)))
    path, ids = grammar.path(form), []
    assert isinstance(path, ScriptPath)
    while not ids or ids[-1] != grammar.eos_id:
        (mask,) = grammar.masks([path.row(4000)])
        legal = mask.nonzero()[:, 0].tolist()
        ids.append(legal[int(rng.integers(len(legal)))])
        path.take(ids[-1])
    text = tokenizer.decode(ids[:-1])
    assert ids[:-1] == tokenizer.encode(text, add_special_tokens=False)
    circuit = read_qasm(text)
    assert circuit.num_qubits == n
    found = recognise(circuit, hamiltonian)
    if name == "adaptive":
        gates = [gate for gate in circuit.gates if gate.params]
        assert len(gates) <= GATES_A_QUBIT * n
        assert len({(gate.name, gate.qubits) for gate in gates}) == len(gates)
        assert found is None or found.family == "adaptive"  # of no gate at all: none
    else:
        assert found is not None
        assert found.family == family.family


@pytest.mark.parametrize("name", ["sim_1", "sim_5", "sim_12", "sim_15", "adaptive"])
def test_the_teachers_circuits_are_taught_as_they_are(grammar, tokenizer, name):
    layers = 1 if name == "adaptive" else 2
    rows = [row for p in PROBLEMS if (row := solved(p, name, layers)) is not None]
    taught = [(row, text) for row in rows if (text := taught_program(row, CONFIG.dataset))]
    assert len(taught) >= 3
    for row, text in taught:
        ids = [*tokenizer.encode(text, add_special_tokens=False), grammar.eos_id]
        assert grammar.follow(record_form(row, CONFIG.dataset), ids) is not None
        reference = read_qasm(row.problem.reference_circuit)
        angles = [gate for gate in reference.gates if gate.params]
        if name == "adaptive" and len(angles) > GATES_A_QUBIT * reference.num_qubits:
            continue  # the last ones are left out
        first, second = (probabilities(encode(c)) for c in (read_qasm(text), reference))
        assert kl_bits(first, second) < 1e-3


def test_the_plan_is_of_the_state_that_is_most_probable():
    gates = [Gate(name, (q,), (0.0,)) for q in (0, 1) for name in ("rx", "rz")]
    circuit = Circuit(2, (gates[0], gates[1], Gate("rx", (1,), (2.0,)), gates[3]))
    hamiltonian = IsingHamiltonian(2, ((1.0, (0,)), (0.5, (0, 1))))
    text = imitated_answer(hamiltonian, circuit, ansatz="sim_1", layers=1, decimals=2)
    plan = worked_plan(normalised_terms(hamiltonian), [0, 1])
    body = "rx(0.0) q[0];\nrz(0.0) q[0];\nrx(2.0) q[1];\nrz(0.0) q[1];\n"
    assert text == f"{HEADER}{plan}bit[2] c;\nqubit[2] q;\n{body}{MEASURE_ALL}"


def test_an_angle_that_no_piece_spells_is_not_taught():
    gates = (Gate("h", (0,)), Gate("h", (1,)), Gate("cry", (0, 1), (-3.9,)))
    hamiltonian = IsingHamiltonian(2, ((1.0, (0, 1)),))
    told = {"ansatz": "adaptive", "layers": 1, "decimals": 2}
    assert imitated_answer(hamiltonian, Circuit(2, gates), **told) is None
    # Of a rotation on its own a turn is a phase.
    gates = (*gates[:2], Gate("ry", (0,), (63.09,)), Gate("cry", (0, 1), (0.4,)))
    text = imitated_answer(hamiltonian, Circuit(2, gates), **told)
    assert "ry(0.26) q[0];\ncry(0.4) q[0], q[1];\nc = measure q;" in text


def test_other_teachers_teach_what_the_plan_prepares(grammar):
    settings = CONFIG.dataset.model_copy(update={"teacher": "solver"})
    form = record_form(record(PROBLEMS[0], "sim_1"), settings)
    script = grammar.path(form)
    assert not form.imitated
    assert isinstance(script, ScriptPath)
    row = record(PROBLEMS[0], "sim_1")
    assert taught_program(row, settings) == ""
