"""The published reference circuits: recognised as what they are, and rebuilt byte for byte."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.problems.hamiltonian import IsingHamiltonian

DATA = Path(__file__).parents[3] / "shared" / "data" / "problems.jsonl"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="the benchmark's problems are not here")


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def of(rows, kind):
    """(row, Hamiltonian) of one optimisation type."""
    return [
        (row, IsingHamiltonian.from_text(row["cost_hamiltonian"], row["n_qubits"]))
        for row in rows
        if row["optimization_type"] == kind
    ]


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def test_every_reference_is_of_its_family(rows):
    counts = Counter(
        (row["optimization_type"], recognise(row["reference_circuit"]).family) for row in rows
    )
    assert counts == {
        ("qaoa", "qaoa"): 36,
        ("vqe", "hardware_efficient"): 40,
        ("adaptive_vqe", "adaptive"): 34,
    }


def test_qaoa_references(rows):
    chosen = of(rows, "qaoa")
    assert len(chosen) == 36
    for row, hamiltonian in chosen:
        text = row["reference_circuit"]
        found = recognise(text, hamiltonian)
        assert (found.family, found.layers) == ("qaoa", row["n_layers"])
        assert found.build().to_qasm() == text
        # The published γ is printed, rounded, in every angle: ours is as good where they agree.
        published = flat(row["solution"]["params"])
        strongest = max(abs(c) for c, _ in hamiltonian.terms)
        assert found.parameters == pytest.approx(published, abs=1.01e-4 / min(1.0, 2 * strongest))


def test_qaoa_references_without_their_hamiltonian(rows):
    for row, hamiltonian in of(rows, "qaoa"):
        text = row["reference_circuit"]
        found = recognise(text)
        assert (found.family, found.layers) == ("qaoa", row["n_layers"])
        mine, printed = found.build().parameters, read_qasm(text).parameters
        assert mine == pytest.approx(printed, abs=2.1e-4)
        if found.layers == 1:
            assert found.build().to_qasm() == text
        half = found.layers
        assert found.parameters[half:] == recognise(text, hamiltonian).parameters[half:]


def test_a_qaoa_reference_of_another_problem_is_not_qaoa_of_this_one(rows):
    chosen = of(rows, "qaoa")
    for (row, hamiltonian), (_, other) in pairwise(chosen):
        if other.terms != hamiltonian.terms:
            found = recognise(row["reference_circuit"], other)
            assert found is None or found.family == "ma_qaoa"


def test_vqe_references_are_of_exactly_one_template(rows):
    chosen = of(rows, "vqe")
    counts = Counter()
    for row, hamiltonian in chosen:
        text = row["reference_circuit"]
        found = recognise(text, hamiltonian)
        assert (found.family, found.layers) == ("hardware_efficient", row["n_layers"])
        assert found.build().to_qasm() == text
        counts[found.template] += 1
        published = Counter(round(x, 4) + 0.0 for x in flat(row["solution"]["params"]))
        assert Counter(x + 0.0 for x in found.parameters) <= published
        gates = [(g.name, g.qubits) for g in read_qasm(text).gates]
        others = [
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
        assert others == [found.template]
    assert len(chosen) == 40
    assert counts == {
        "sim_1": 7, "sim_3": 1, "sim_4": 2, "sim_5": 2, "sim_6": 5, "sim_7": 3, "sim_10": 1,
        "sim_11": 3, "sim_12": 2, "sim_13": 4, "sim_14": 2, "sim_15": 4, "sim_18": 4,
    }  # fmt: skip


def test_adaptive_references(rows):
    chosen = of(rows, "adaptive_vqe")
    assert len(chosen) == 34
    for row, hamiltonian in chosen:
        found = recognise(row["reference_circuit"], hamiltonian)
        assert found.family == "adaptive"
        assert found.build().to_qasm() == row["reference_circuit"]
