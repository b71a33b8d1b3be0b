"""A batch's budget: planned from the cheap stages, spent on the promising, the same everywhere."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.config import NoiseConfig, RewardConfig, VerificationConfig
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.solver import solve
from quasar.verification.execution.budget import plan, run_within_budget
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.report import ExpectationSignals, VerificationReport
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import Failed, score
from quasar.verification.stages.costly import UPDATES_PER_S
from quasar.verification.verifier import Verifier

PROBLEM = make_candidate(Cell("vertex_cover", 4), seed=3, index=1)


def checks(count: int) -> list[VerificationRequest]:
    """QAOA circuits of falling quality, in a mixed order, and some that are not worth a try."""
    tuned = [(0.02 + 0.03 * k, -0.05 * (k + 1)) for k in range(count)]
    texts = [qaoa_circuit(PROBLEM.hamiltonian, [g], [b]).to_qasm() for g, b in tuned]
    n = PROBLEM.num_qubits
    texts[1::4] = [Circuit(n, tuple(Gate("h", (q,)) for q in range(n))).to_qasm()] * len(
        texts[1::4]
    )
    return [VerificationRequest(PROBLEM, text) for text in texts]


BATCH = checks(16)
FREE = LocalVerifierPool(VerificationConfig()).verify(BATCH)
PROMISING = [k for k, report in enumerate(FREE) if report.optimisation is not None]
COST_S = FREE[PROMISING[0]].estimated_s["optimisation"]


def with_budget(batch, budget_s: float):
    return LocalVerifierPool(VerificationConfig(budget_s=budget_s)).verify(batch)


def grades(results) -> list[float]:
    return [score(report, RewardConfig()).value for report in results]


def promise(report) -> float:
    signals = report.expectation
    return signals.approximation_ratio - signals.uniform_approximation_ratio


def test_costs_are_estimates_that_no_clock_enters():
    assert 4 <= len(PROMISING) <= 12
    circuit = qaoa_circuit(PROBLEM.hamiltonian, [0.1], [0.1])
    config = VerificationConfig()
    passes = 3 * config.gradient_evaluations * (config.random_starts + 1)
    assert passes * len(circuit.gates) * 2**4 / UPDATES_PER_S == COST_S


def test_the_budget_goes_to_the_most_promising_and_the_rest_is_explained():
    results = with_budget(BATCH, 3.5 * COST_S)
    ran = [k for k, report in enumerate(results) if report.optimisation is not None]
    assert ran == sorted(sorted(PROMISING, key=lambda k: -promise(FREE[k]))[:3])
    for k, report in enumerate(results):
        if k in ran:
            assert report.optimisation == FREE[k].optimisation
        elif k in PROMISING:
            assert "were not left in the batch's budget" in report.skipped["optimisation"]
            parts = score(report, RewardConfig()).parts
            assert parts == {**score(FREE[k], RewardConfig()).parts, "optimisation": 0.0}
        else:
            assert report.skipped == FREE[k].skipped
        assert report.expectation == FREE[k].expectation


def test_enough_budget_gives_the_grades_of_no_limit():
    assert grades(with_budget(BATCH, 1.01 * COST_S * len(PROMISING))) == grades(FREE)


def test_grades_do_not_depend_on_the_order_of_the_batch():
    budget = 2.5 * COST_S
    order = np.random.default_rng(0).permutation(len(BATCH))
    shuffled = grades(with_budget([BATCH[k] for k in order], budget))
    expected = grades(with_budget(BATCH, budget))
    assert shuffled == [expected[k] for k in order]


def test_faults_and_invalid_answers_cost_nothing():
    results = with_budget([VerificationRequest(PROBLEM, "no program"), *BATCH], 1.5 * COST_S)
    assert not results[0].valid
    assert sum(report.optimisation is not None for report in results) == 1
    fault = Failed("worker", "the verifier's process ended")
    assert plan([fault, FREE[PROMISING[0]]], 1.0)[0] == frozenset()


def test_a_fault_of_a_granted_stage_is_a_fault():
    def run(part):
        pool = LocalVerifierPool(VerificationConfig())
        results = pool.verify(part)
        fault = Failed("timeout", "the verification was ended at its time limit")
        return [fault if check.granted else r for check, r in zip(part, results, strict=True)]

    results = run_within_budget(run, BATCH, 1.5 * COST_S)
    assert [isinstance(result, Failed) for result in results].count(True) == 1


def wish(promised: float, seconds: dict[str, float]) -> VerificationReport:
    return VerificationReport(
        reached="expectation",
        valid=True,
        num_qubits_expected=2,
        expectation=ExpectationSignals(0.0, -1.0, 1.0, 0.0, promised, 0.0),
        estimated_s=seconds,
    )


seconds = st.dictionaries(st.sampled_from(("optimisation", "noise")), st.floats(0, 10), max_size=2)


@given(st.lists(st.tuples(st.floats(0, 1), seconds), max_size=20), st.floats(0.1, 30))
def test_a_plan_keeps_to_the_budget_and_leaves_nothing_that_fits(wishes, budget_s):
    reports = [wish(*one) for one in wishes]
    grants = plan(reports, budget_s)
    spent = sum(r.estimated_s[name] for r, g in zip(reports, grants, strict=True) for name in g)
    assert spent <= budget_s * (1 + 1e-12)
    for report, granted in zip(reports, grants, strict=True):
        assert granted <= report.estimated_s.keys()
        for name in report.estimated_s.keys() - granted:
            assert spent + report.estimated_s[name] > budget_s * (1 - 1e-12)


def test_a_noise_stage_is_gated_and_graded_like_the_other():
    noise = NoiseConfig(model="depolarizing", readout_mitigation=False)
    verifier = Verifier(VerificationConfig(noise=noise))
    config = RewardConfig(weights={"noise_aware_expectation": 0.5})
    good, flat = (verifier.verify(PROBLEM, BATCH[k].text) for k in (PROMISING[0], 1))
    scored = score(good, config)
    assert 0.0 < scored.parts["noise_aware_expectation"] < scored.parts["expectation"]
    assert scored.weighted["noise_aware_expectation"] == (
        0.5 * scored.parts["noise_aware_expectation"]
    )
    assert flat.noise is None
    assert "below 0.05" in flat.skipped["noise"]
    held = verifier.verify(PROBLEM, BATCH[PROMISING[0]].text, granted=frozenset({"optimisation"}))
    assert held.noise is None
    assert held.optimisation == good.optimisation
    assert held.estimated_s == good.estimated_s
    assert held.estimated_s.keys() == {"optimisation", "noise"}


def test_a_circuit_that_the_device_cannot_hold_has_no_noise_signals():
    """Six qubits on a device of five: the stage is skipped, the rest is graded."""
    problem = make_candidate(Cell("vertex_cover", 6), seed=3, index=1)
    text = solve(problem, decimals=4).circuit.to_qasm()
    config = VerificationConfig(noise=NoiseConfig(model="fake_manila"))
    report = Verifier(config).verify(problem, text)
    assert report.noise is None
    assert "has 5 qubits" in report.skipped["noise"]
    assert report.optimisation is not None


def test_mitigation_brings_the_energy_nearer_to_the_noiseless_one():
    text = solve(PROBLEM, decimals=4).circuit.to_qasm()

    def report(**options):
        noise = NoiseConfig(model="fake_torino", **options)
        return Verifier(VerificationConfig(noise=noise)).verify(PROBLEM, text)

    raw, mitigated = report(readout_mitigation=False), report(zero_noise="linear")
    exact = raw.expectation.energy
    assert exact < mitigated.noise.energy < raw.noise.energy


def test_a_negative_budget_is_refused():
    with pytest.raises(ValueError, match="budget_s"):
        VerificationConfig(budget_s=-1.0)


def test_checks_keep_their_other_fields_in_a_budget():
    check = dataclasses.replace(BATCH[0], granted=None)
    seen = []

    def run(part):
        seen.extend(part)
        return LocalVerifierPool(VerificationConfig()).verify(part)

    run_within_budget(run, [check], 1e-9)
    assert [dataclasses.replace(c, granted=None) for c in seen] == [check]
