"""The references of the golden fixture: rebuilt byte for byte, recognised, read by everybody."""

import re
from itertools import pairwise

import pytest
from qiskit import qasm3

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import Limits, read_qasm
from quasar.circuits.qasm.fast_reader import read_plain
from quasar.circuits.qasm.semantics import read_complete
from quasar.errors import CircuitError
from quasar.policy.patterns import program_pattern
from tests.golden import data

LIMITS = Limits()
FAMILIES = {"qaoa": "qaoa", "vqe": "hardware_efficient", "adaptive_vqe": "adaptive"}


def of(kind: str):
    """(row, program, Hamiltonian) of one optimisation type."""
    found = [
        (row, data.reference_circuit(row).to_qasm(), data.hamiltonian(row))
        for row in data.rows()
        if row["optimization_type"] == kind
    ]
    assert len(found) >= 10
    return found


def test_every_primitive_family_and_template_of_the_benchmark_is_here():
    rows = data.rows()
    assert len(rows) == 37
    assert {row["problem_type"] for row in rows} == {
        "community_detection", "connected_components", "edge_cover", "graph_coloring",
        "graph_isomorphism", "hypermaxcut", "kclique", "matching", "max_flow", "min_cut",
        "vertex_cover",
    }  # fmt: skip
    assert {row["optimization_type"] for row in rows} == FAMILIES.keys()
    templates = {row["ansatz"] for row in rows} - {"qaoa", "adaptive"}
    assert templates == {f"sim_{k}" for k in (1, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 18)}


def test_references_are_rebuilt_byte_for_byte():
    for row in data.rows():
        text = data.reference_circuit(row).to_qasm()
        assert data.sha256(text) == row["program_sha256"], row["sample_index"]


def test_qaoa_references_from_their_published_angles():
    for row, text, hamiltonian in of("qaoa"):
        half = row["n_layers"]
        gammas, betas = row["parameters"][:half], row["parameters"][half:]
        assert qaoa_circuit(hamiltonian, gammas, betas).to_qasm() == text


def test_references_are_recognised_with_layers_and_parameters():
    for kind, family in FAMILIES.items():
        for row, text, hamiltonian in of(kind):
            found = recognise(text, hamiltonian)
            assert (found.family, found.ansatz.name) == (family, row["ansatz"])
            assert found.layers == (1 if kind == "adaptive_vqe" else row["n_layers"])
            assert found.build().to_qasm() == text
            # The published γ is printed, rounded, in every angle: as good where they agree.
            strongest = max(abs(c) for c, _ in hamiltonian.terms)
            off = 1.01e-4 / min(1.0, 2 * strongest) if kind == "qaoa" else 1e-12
            assert found.parameters == pytest.approx(row["parameters"], abs=off)


def test_templates_are_told_apart():
    for row, text, hamiltonian in of("vqe"):
        gates = [(g.name, g.qubits) for g in read_qasm(text).gates]
        same = [
            name
            for name in ansatz_names()
            if get_ansatz(name).family == "hardware_efficient"
            and gates
            == [
                (g.name, g.qubits)
                for g in get_ansatz(name)
                .circuit(hamiltonian, layers=row["n_layers"])
                .structure.gates
            ]
        ]
        assert same == [row["ansatz"]]


def test_qaoa_references_without_their_hamiltonian():
    for row, text, hamiltonian in of("qaoa"):
        found = recognise(text)
        assert (found.family, found.layers) == ("qaoa", row["n_layers"])
        printed = read_qasm(text).parameters
        assert found.build().parameters == pytest.approx(printed, abs=2.1e-4)
        half = found.layers
        assert found.parameters[half:] == recognise(text, hamiltonian).parameters[half:]


def test_a_qaoa_reference_of_another_problem_is_not_qaoa_of_this_one():
    for (_, text, hamiltonian), (_, _, other) in pairwise(of("qaoa")):
        assert other.terms != hamiltonian.terms
        found = recognise(text, other)
        assert found is None or found.family == "ma_qaoa"


def test_references_are_in_the_language_of_constrained_sampling():
    for kind in FAMILIES:
        for row, text, _ in of(kind):
            assert re.fullmatch(program_pattern(row["n_qubits"]), text.strip())


def outcome(read, text):
    try:
        return read(text, LIMITS)
    except CircuitError as error:
        return error.kind, error.line


def test_both_readers_agree_on_references_and_answers():
    declined = 0
    for row in data.rows():
        circuit = data.reference_circuit(row)
        assert read_plain(circuit.to_qasm(), LIMITS) == circuit
        for make in data.RULES.values():
            text = make(row)
            plain, complete = outcome(read_plain, text), outcome(read_complete, text)
            declined += plain is None
            assert plain is None or plain == complete
    assert declined == 2 * len(data.rows())  # loops, and what is no program


def test_qiskit_takes_and_refuses_the_same_answers():
    """But the loop, which a measured circuit may not have here."""
    rows = [row for row in data.rows() if row["n_qubits"] <= 4]
    assert rows
    for row in rows:
        for rule, make in data.RULES.items():
            try:
                qasm3.loads(make(row))
                reads = True
            except Exception:
                reads = False
            ours = not isinstance(outcome(read_qasm, make(row)), tuple)
            assert ours == (reads and rule != "loop"), rule
