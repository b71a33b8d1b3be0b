"""The published definitions on small problems, where their numbers can be worked out by hand."""

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.errors import CircuitError
from quasar.evaluation.published import PublishedEvaluator
from quasar.problems import build_instance
from quasar.simulation import get_simulator
from quasar.verification.stages.published import read_lenient

# Z on qubit 0 only: reading the qubits in reverse order changes the energy of |01⟩.
PROBLEM = build_instance("made_up", {}, hamiltonian_text="1.0 * Z(0)", num_qubits=2)


def qasm(*gates: Gate, num_qubits: int = 2) -> str:
    return Circuit(num_qubits, gates).to_qasm()


UNIFORM = qasm(Gate("h", (0,)), Gate("h", (1,)))


def evaluator(reference: str) -> PublishedEvaluator:
    circuit = read_qasm(reference)
    return PublishedEvaluator(PROBLEM, circuit, Limits(), get_simulator("exact", 2).probabilities)


def test_the_reference_itself_hits_everything():
    row = evaluator(UNIFORM).grade(UNIFORM)
    assert row == {
        "published_scr": True,
        "published_re": pytest.approx(0.0, abs=1e-9),
        "published_srev": True,
        "published_hqcr": True,
    }


def test_relative_entropy_is_generated_against_reference_in_bits():
    row = evaluator(UNIFORM).grade(qasm(Gate("h", (0,))))
    assert row["published_re"] == pytest.approx(1.0)
    assert not row["published_hqcr"]


def test_energies_are_taken_in_reversed_bit_order():
    reference = qasm()  # |00⟩, energy 1
    flipped_0, flipped_1 = qasm(Gate("x", (0,))), qasm(Gate("x", (1,)))
    # Z(0) is read on qubit 1: flipping qubit 0 leaves the (published) energy as it is.
    assert evaluator(reference).grade(flipped_0)["published_srev"]
    assert not evaluator(reference).grade(flipped_1)["published_srev"]


def test_another_number_of_qubits_is_accepted_but_hits_nothing():
    row = evaluator(UNIFORM).grade(qasm(Gate("h", (0,)), num_qubits=3))
    assert row["published_scr"]
    assert row["published_re"] is None
    assert not row["published_srev"]
    assert not row["published_hqcr"]


def test_zero_probability_in_the_reference_is_infinite_without_rounding_error():
    row = evaluator(qasm()).grade(UNIFORM)
    assert row["published_re"] == np.inf
    assert not row["published_hqcr"]


@pytest.mark.parametrize(
    ("text", "scr"),
    [
        ('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\n', True),  # not measured
        ('OPENQASM 3;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\n', False),  # other header
        ('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[2];\n', False),
        # read there, but not simulated
        ('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nreset q[0];\nh q[0];\n', True),
        ("no program at all", False),
        ("", False),
    ],
)
def test_what_counts_as_accepted(text, scr):
    assert evaluator(UNIFORM).grade(text)["published_scr"] is scr


def test_the_lenient_reader_still_has_limits():
    huge = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[60] q;\nh q[0];\n'
    with pytest.raises(CircuitError, match="60 qubits"):
        read_lenient(huge, Limits(max_qubits=20))


def test_all_standard_gates_reach_the_published_simulator():
    gates = (
        Gate("u2", (0,), (0.3, 0.4)),
        Gate("u3", (1,), (0.3, 0.4, 0.5)),
        Gate("U", (0,), (0.1, 0.2, 0.3)),
        Gate("u1", (1,), (0.7,)),
        Gate("p", (0,), (0.2,)),
        Gate("sx", (0,)),
        Gate("cu", (0, 1), (0.1, 0.2, 0.3, 0.4)),
        Gate("id", (0,)),
        Gate("sdg", (1,)),
        Gate("crx", (1, 0), (0.9,)),
    )
    circuit = Circuit(2, gates)
    grader = PublishedEvaluator(PROBLEM, circuit, Limits(), get_simulator("exact", 2).probabilities)
    ours = get_simulator("exact", 2).probabilities(circuit)
    np.testing.assert_allclose(grader.reference_probabilities, ours, atol=1e-14)
