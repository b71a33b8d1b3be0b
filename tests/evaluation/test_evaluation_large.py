"""A problem above the sizes that are enumerated, evaluated all the same."""

from dataclasses import replace

import pytest

from quasar.circuits.circuit import Gate
from quasar.config import with_overrides
from quasar.datasets.records import ProblemRecord
from quasar.evaluation.grade import Job, ProblemGrader
from quasar.problems import build_instance
from quasar.problems.base import ProblemInstance
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.verifier import Verifier
from tests.evaluation.known_answers import QUICK, qasm


def test_a_problem_above_the_enumerated_sizes_is_evaluated_without_enumeration(tmp_path):
    """22 qubits: what needs all 2**22 probabilities has no value, all else is graded."""
    n = 22
    path = {"nodes": list(range(n)), "edges": [[q, q + 1] for q in range(n - 1)]}
    graph = {
        "nodes": [{"id": q} for q in range(n)],
        "edges": [{"source": a, "target": b} for a, b in path["edges"]],
    }
    problem = build_instance("vertex_cover", graph, max_qubits=n)
    best = qasm(*(Gate("x", (q,)) for q in range(0, n, 2)), num_qubits=n)
    reference = qasm(*(Gate("x", (q,)) for q in range(1, n, 2)), num_qubits=n)
    record = ProblemRecord(0, replace(problem, reference_circuit=reference), "qaoa", 1, {})
    config = with_overrides(QUICK, {"verification.max_qubits": n, "verification.shots": 64})
    names = ("one optimal bitstring", "fixed-angle QAOA", "tuned QAOA p = 1", "references")
    job = Job(record.problem, (best, "x"), baselines=names)
    with GuardedVerifier(config.verification, verifier_factory=WithoutArrays) as verifiers:
        graded = ProblemGrader(verifiers, config).grade(job)
    valid, invalid = graded.rows
    assert (valid["failure"], valid["failure_detail"]) == (None, None)
    assert valid["decoded_correct"]
    assert valid["srev"]
    assert valid["approximation_ratio"] == pytest.approx(1.0)
    assert valid["reference_energy"] == pytest.approx(valid["energy"])
    assert valid["published_re"] is valid["js_distance"] is None
    assert invalid["valid"] is False
    assert invalid["optimum_enrichment_bits"] < 0.0
    assert invalid["js_distance"] is None
    assert graded.facts["uniform"] is not None
    assert set(graded.baselines) == {*names} - {"tuned QAOA p = 1"}  # which needs all energies
    assert all(row["valid"] for row in graded.baselines.values())
    assert graded.baselines["one optimal bitstring"]["decoded_correct"]


class WithoutArrays(Verifier):
    """A verifier in whose process nothing may enumerate the energies of a large problem."""

    def __init__(self, config, formula):
        super().__init__(config, formula)
        ProblemInstance.spectrum = property(refuse)


def refuse(problem):
    raise AssertionError("enumerated")
