"""Problems whose 2**n energies are not enumerated: sampled where the small ones are exact."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.errors import ProblemError
from quasar.problems import build_instance, get_problem
from quasar.verification import facts as facts_module
from quasar.verification.verifier import Verifier

N = 6
SHOTS = 20_000
PATH = {"nodes": [{"id": k} for k in range(N)]} | {
    "edges": [{"source": k, "target": k + 1} for k in range(N - 1)] + [{"source": 0, "target": 4}]
}
COVER = build_instance("vertex_cover", PATH)
# A distance of five standard errors: none of the draws, which have a fixed seed, comes near it.
SIGMAS = 5.0


def ladder(n: int, angles) -> Circuit:
    gates = [Gate("ry", (q,), (float(angles[q]),)) for q in range(n)]
    gates += [Gate("cx", (q, q + 1)) for q in range(n - 1)]
    return Circuit(n, tuple(gates))


def verified(problem, circuit, *, largest_enumerated: int, **config):
    with pytest.MonkeyPatch.context() as patch:
        for module in ("facts", "diagnostics", "stages.optimisation"):
            name = f"quasar.verification.{module}.MAX_ENUMERATED_QUBITS"
            patch.setattr(name, largest_enumerated)
        verifier = Verifier(VerificationConfig(shots=SHOTS, **config))
        return verifier.verify(problem, circuit.to_qasm(), diagnose=True)


@pytest.mark.parametrize("simulator", ["exact", "mps"])
@settings(max_examples=15)
@given(st.lists(st.floats(-3, 3), min_size=N, max_size=N))
def test_a_sampled_report_is_the_exact_one_within_its_errors(simulator, angles):
    if simulator == "mps":
        pytest.importorskip("qiskit_aer")
    circuit = ladder(N, angles)
    exact = verified(COVER, circuit, largest_enumerated=20)
    sampled = verified(COVER, circuit, largest_enumerated=N - 1, simulator=simulator)
    assert sampled.expectation.energy == pytest.approx(exact.expectation.energy, abs=1e-8)
    assert sampled.expectation.minimum == exact.expectation.minimum
    assert sampled.expectation.maximum == exact.expectation.maximum
    d, e = sampled.distribution, exact.distribution
    assert (d.shots, e.shots) == (SHOTS, None)
    assert d.uniform_optimum_probability == e.uniform_optimum_probability
    for name in ("optimum_probability", "feasible_probability"):
        near(getattr(d, name), getattr(e, name), SHOTS)
    near(d.uniform_feasible_probability, e.uniform_feasible_probability, 4096)
    expected = Verifier(VerificationConfig()).probabilities(circuit)
    for outcome in d.most_probable:
        state = sum(1 - int(x) << q for q, x in enumerate(outcome.bitstring))
        near(outcome.probability, float(expected[state]), SHOTS)
    exact_terms = {t.wires: t.expectation_value for t in exact.diagnosis.violated_terms}
    for term in sampled.diagnosis.violated_terms:
        if term.wires in exact_terms:
            near((1 + term.expectation_value) / 2, (1 + exact_terms[term.wires]) / 2, SHOTS)


def near(share: float, probability: float, shots: int) -> None:
    probability = min(1.0, max(0.0, probability))
    width = SIGMAS * math.sqrt(probability * (1 - probability) / shots)
    assert share == pytest.approx(probability, abs=width + 1.0 / shots)


def cycle(n: int) -> dict:
    nodes = [{"id": k} for k in range(n)]
    return {"nodes": nodes, "edges": [{"source": k, "target": (k + 1) % n} for k in range(n)]}


@pytest.mark.parametrize("num_qubits", [22, 30, 40])
def test_the_best_independent_set_of_a_long_cycle(num_qubits):
    """Every other node. The state is prepared with certainty, and its neighbour breaks an edge."""
    pytest.importorskip("qiskit_aer")
    problem = build_instance("maximum_independent_set", cycle(num_qubits))
    verifier = Verifier(VerificationConfig(max_qubits=40))
    off = tuple(Gate("x", (q,)) for q in range(0, num_qubits, 2))  # x = 1 where 0 is measured
    report = verifier.verify(problem, Circuit(num_qubits, off).to_qasm(), diagnose=True)
    (outcome,) = report.distribution.most_probable
    assert outcome.bitstring == "01" * (num_qubits // 2)
    assert (outcome.optimal, outcome.feasible, outcome.probability) == (True, True, 1.0)
    assert outcome.answer == list(range(1, num_qubits, 2))
    assert report.distribution.optimum_probability == 1.0
    assert report.distribution.uniform_optimum_probability == 2.0 ** (1 - num_qubits)
    assert report.expectation.approximation_ratio == pytest.approx(1.0)
    assert report.diagnosis.violated_terms == ()
    assert "optimisation" in report.skipped
    worse = verifier.verify(problem, Circuit(num_qubits, off[1:]).to_qasm(), diagnose=True)
    assert worse.distribution.feasible_probability == 0.0
    assert worse.diagnosis.violated_terms
    assert worse.diagnosis.nearest_optimum == "01" * (num_qubits // 2)


def test_a_sampled_report_is_the_same_each_time():
    pytest.importorskip("qiskit_aer")
    problem = build_instance("maximum_independent_set", cycle(22))
    text = ladder(22, np.linspace(0.2, 2.0, 22)).to_qasm()
    first, second = (
        Verifier(VerificationConfig(max_qubits=22)).verify(problem, text) for _ in range(2)
    )
    assert first.distribution == second.distribution
    assert first.expectation == second.expectation
    assert first.distribution.shots == VerificationConfig().shots


def test_facts_of_a_large_problem_take_no_arrays():
    problem = get_problem("vertex_cover")
    graph, attributes = problem.generate(np.random.default_rng(0), 28)
    facts = facts_module.ProblemFacts(
        build_instance("vertex_cover", graph, attributes), limits=None, probabilities=None
    )
    best = int(facts.extremes.optimal[0])
    assert facts.is_optimal(best)
    assert facts.is_feasible(best)
    assert not facts.is_optimal(best ^ 1)
    assert 0.0 <= facts.uniform_feasible_probability <= 1.0
    assert "spectrum" not in vars(facts.problem)


def test_the_published_formula_says_how_far_it_goes():
    problem = build_instance("maximum_independent_set", cycle(22))
    verifier = Verifier(VerificationConfig(max_qubits=22), "published")
    with pytest.raises(ProblemError, match="up to 20 qubits; use formula: hierarchical"):
        verifier.verify(problem, Circuit(22, ()).to_qasm())
