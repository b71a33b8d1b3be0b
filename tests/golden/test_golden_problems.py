"""The problems of the golden fixture: Hamiltonians, ground states, decoding, files, the solver."""

import json
from collections import Counter

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.datasets.hub.check import check_problems
from quasar.datasets.io import read_problems, write_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import measure, solve
from quasar.problems import build_instance, decoder_for, get_problem
from quasar.problems.soundness import check_sound
from tests.golden import data


def problems():
    """(row, problem) of each."""
    return [(row, data.records()[row["sample_index"]].problem) for row in data.rows()]


def coefficients(hamiltonian):
    return {frozenset(w): c for c, w in hamiltonian.terms if abs(c) > 1e-12}


def test_hamiltonians_are_rebuilt_from_graph_and_attributes():
    orders = Counter()
    for row, instance in problems():
        problem = decoder_for(instance)
        assert problem is not None, row["sample_index"]
        assert instance.encoding == get_problem(row["problem_type"], "published").encoding
        built = problem.polynomial(instance.graph, instance.attributes).to_ising()
        published = coefficients(data.hamiltonian(row))
        assert coefficients(built) == pytest.approx(published, abs=1e-9)
        orders[problem.order] += 1
    assert orders == {"natural": 33, "text": 4}


def test_check_counts_every_problem_as_reproduced():
    found = check_problems(data.records().values())
    assert len(found) == 11
    assert all(check.exact == check.rows for check in found.values())
    assert sum(check.rows for check in found.values()) == 37


def test_ground_states_and_their_bitstrings_agree():
    for row, instance in problems():
        spectrum = instance.spectrum
        assert spectrum.minimum == pytest.approx(row["smallest_eigenvalue"], abs=1e-9)
        states = {"".join(map(str, instance.assignment(int(s)))) for s in spectrum.optimal}
        recorded = set(row["smallest_bitstrings"])
        assert len(recorded) == row["number_of_smallest_eigenvalues"]
        # Recorded degeneracy is by equality of floats: one problem has an optimum more.
        assert recorded == states or (row["sample_index"] == 46 and recorded < states)
        above = spectrum.energies[spectrum.energies > spectrum.minimum + spectrum.tolerance]
        if recorded == states:
            assert above.min() == pytest.approx(row["first_excited_energy"], abs=1e-9)


def test_references_have_their_recorded_expectation_value():
    """Up to the four decimals of the printed angles."""
    for row, instance in problems():
        energy = measure(instance, data.reference_circuit(row)).energy
        width = instance.spectrum.maximum - instance.spectrum.minimum
        assert energy == pytest.approx(row["expectation_value"], abs=1e-4 * width)


def test_sound_encoding_mends_what_the_published_one_gets_wrong():
    faulty = Counter()
    for row, instance in problems():
        if row["n_qubits"] <= 9:
            faulty[row["problem_type"]] += check_sound(instance) is not None
            fixed = build_instance(row["problem_type"], instance.graph, instance.attributes)
            assert check_sound(fixed) is None, row["sample_index"]
    assert {name for name, count in faulty.items() if count} <= {
        "connected_components",
        "hypermaxcut",
    }
    assert sum(faulty.values()) > 0


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_problem_files_hold_the_published_rows_unchanged(tmp_path, suffix):
    path = tmp_path / f"problems{suffix}"
    given = [data.benchmark_row(row) for row in data.rows()]
    write_problems(path, map(ProblemRecord.from_dict, given))
    read = read_problems(path)
    assert read == list(data.records().values())
    for record, row in zip(read, given, strict=True):
        written = record.to_dict()
        assert {name: written[name] for name in row} == json.loads(json.dumps(row))


def solved_rows():
    """Those that take a second or more are slow."""
    return [
        pytest.param(
            row,
            marks=[pytest.mark.slow] if row["n_qubits"] >= 10 or row["layers"] > 3 else [],
            id=f"{row['problem_type']}-{row['ansatz']}-{row['sample_index']}",
        )
        for row in data.rows()
    ]


@pytest.mark.parametrize("row", solved_rows())
def test_the_solver_is_at_or_below_the_reference(row):
    """With the reference's own family and layers, angles of four decimals as there."""
    problem = data.records()[row["sample_index"]].problem
    found = solve(problem, ansatz=row["ansatz"], layers=row["layers"], decimals=4)
    reference = measure(problem, read_qasm(problem.reference_circuit))
    assert found.quality.energy <= reference.energy + 1e-6
    assert found.quality == measure(problem, read_qasm(found.circuit.to_qasm()))
