"""The optimise tool's work: never worse, bounded, within the family, refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.adaptive import Adaptive
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import energy_scale, normalised_terms, qaoa_program
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.config import VerificationConfig
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.evaluation.baselines import build_baseline
from quasar.problems import build_instance
from quasar.schema.verify import expand_graph
from quasar.verification import optimiser
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.observation import observation_text
from quasar.verification.optimiser import (
    SKIPPED,
    Bounds,
    OptimisationRequest,
    descend,
    optimise_random_start,
)
from quasar.verification.request import VerificationRequest
from quasar.verification.verifier import Verifier
from tests.simulation.random_circuits import circuits

CONFIG = VerificationConfig()
VERIFIER = Verifier(CONFIG)
# The sound Hamiltonian has terms of one and two qubits.
PROBLEM = make_candidate(Cell("vertex_cover", 4), seed=3, index=1)
H, N = PROBLEM.hamiltonian, PROBLEM.num_qubits
SCALE = energy_scale(H)
POOL = (("ry", (0,)), ("cry", (0, 1)), ("ry", (2,)), ("cry", (3, 2)))


def at_random(ansatz, *, layers=1, decimals=4):
    size = ansatz.num_parameters(H, layers=layers)
    parameters = np.random.default_rng(7).uniform(-1, 1, size)
    return ansatz.build(H, parameters, layers=layers, decimals=decimals).to_qasm()


PROGRAMS = {
    "qaoa": at_random(get_ansatz("qaoa"), layers=2),
    "canonical qaoa": qaoa_program(N, normalised_terms(H), [0.4, 0.9], [-0.2, -0.1]),
    "ma_qaoa": at_random(get_ansatz("ma_qaoa")),
    "sim_2": at_random(get_ansatz("sim_2")),
    "tied sim_5": at_random(get_ansatz("sim_5"), layers=2),
    "adaptive": at_random(Adaptive(POOL)),
}


def asked(text, problem=PROBLEM, verifier=VERIFIER, **options):
    return OptimisationRequest(problem, text, **options).answer(verifier)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gets_better_and_stays_of_its_family(name):
    before = recognise(PROGRAMS[name], H)
    report = asked(PROGRAMS[name])
    found = report.optimised
    after = recognise(found.program, H)
    assert (after.ansatz, after.layers) == (before.ansatz, before.layers)
    assert found.improved
    assert found.family == before.family
    assert report.expectation.energy < found.energy_before - 0.05 * SCALE
    alone = VERIFIER.verify(PROBLEM, PROGRAMS[name])
    assert found.energy_before == pytest.approx(alone.expectation.energy)
    assert found.approximation_ratio_before == alone.expectation.approximation_ratio
    assert found.optimum_probability_before == pytest.approx(alone.distribution.optimum_probability)
    assert 2 <= found.evaluations <= 50


@pytest.mark.parametrize("name", ["qaoa", "canonical qaoa"])
def test_the_parameters_of_qaoa_are_told_in_the_programs_own_units(name):
    found = asked(PROGRAMS[name]).optimised
    scale = SCALE if name.startswith("canonical") else 1.0
    gammas, betas = np.split(np.array(recognise(found.program, H).parameters), 2)
    told = [found.parameters[key] for key in ("g1", "g2", "b1", "b2")]
    assert told == pytest.approx([*(gammas * scale), *betas], abs=0.006)
    if name.startswith("canonical"):
        assert f"const float g1 = {found.parameters['g1']:g};" in found.program
        assert len(found.program) < len(PROGRAMS[name]) + 20


def test_terms_without_a_coefficient_stay_at_rest_in_multi_angle_qaoa():
    terms = (*H.terms, (0.0, (0, 1, 2)))
    problem = replace(PROBLEM, hamiltonian=replace(H, terms=terms))
    layers = read_qasm(PROGRAMS["ma_qaoa"]).gates
    ladder = (Gate("cx", (2, 1)), Gate("cx", (1, 0)))
    idle = (*ladder, Gate("rz", (0,), (0.0,)), *reversed(ladder))
    text = Circuit(N, (*layers[:N], *idle, *layers[N:])).to_qasm()
    assert recognise(text, problem.hamiltonian).family == "ma_qaoa"
    found = asked(text, problem).optimised
    assert found.improved
    assert recognise(found.program, problem.hamiltonian).family == "ma_qaoa"
    assert len(found.parameters) == len(read_qasm(text).parameters) - 1


@settings(max_examples=25)
@given(circuit=circuits(N, max_gates=8), evaluations=st.integers(1, 12))
def test_no_program_gets_worse_and_no_call_spends_more(circuit, evaluations):
    text = circuit.to_qasm()
    report, alone = asked(text, evaluations=evaluations), VERIFIER.verify(PROBLEM, text)
    assert report.valid
    assert report.expectation.energy <= alone.expectation.energy + 1e-12
    assert report.optimised.evaluations <= evaluations
    if not report.optimised.improved:
        assert report.expectation == alone.expectation


@pytest.mark.parametrize("evaluations", [1, 2, 3, 7, 1000])
def test_evaluations_are_counted_and_bounded(evaluations):
    calls = []

    def valley(x):  # Rosenbrock's: L-BFGS takes a few dozen
        calls.append(x.copy())
        a, b = 1 - x[0], x[1] - x[0] ** 2
        return a * a + 100 * b * b, np.array([-2 * a - 400 * x[0] * b, 200 * b])

    best, where, spent = descend(valley, np.array([-1.2, 1.0]), evaluations=evaluations)
    assert spent == len(calls) <= evaluations
    values = [valley(x)[0] for x in list(calls)]
    assert best == min(values) == valley(where)[0]
    assert (spent == evaluations) == (evaluations < 1000)


def large(num_qubits):
    edges = [[q, q + 1] for q in range(num_qubits - 1)]
    graph = expand_graph({"nodes": list(range(num_qubits)), "edges": edges}, is_network=False)
    return build_instance("vertex_cover", graph, max_qubits=24)


def test_what_cannot_be_optimised_is_verified_as_it_is_with_one_line_that_says_why():
    bits = Circuit(N, (Gate("x", (0,)),)).to_qasm()
    flat = replace(PROBLEM, hamiltonian=replace(H, terms=((0.0, (0,)),)))
    wide = Verifier(VerificationConfig(max_qubits=24, shots=64, mps_bond_dimension=2))
    long = Circuit(N, (Gate("ry", (0,), (0.1,)),) * 200).to_qasm()
    hasty = Verifier(VerificationConfig(time_limit_s=1e-4))
    cases = [
        (asked("no program"), "the program is not valid"),
        (asked(bits), "the program has no angles"),
        (asked(PROGRAMS["sim_2"], flat), "all bitstrings have the same energy"),
        (
            asked(Circuit(21, (Gate("ry", (0,), (0.1,)),)).to_qasm(), large(21), wide),
            "the problem has 21 qubits; programs of up to 20 are optimised",
        ),
        (
            asked(long, verifier=hasty),
            "the circuit is too large for half of the time limit",
        ),
    ]
    for report, reason in cases:
        assert report.optimised is None
        assert report.skipped[SKIPPED] == reason
        told = observation_text(report, max_chars=400)
        assert told.startswith(f"not optimised: {reason}\n" if report.valid else "invalid (")
    assert cases[1][0].expectation == VERIFIER.verify(PROBLEM, bits).expectation


def test_a_small_program_that_expands_into_a_large_one_keeps_its_own_text():
    """Each angle is one of the expanded gates': printed, they would be over the limit of text."""
    body = "gate g(t) a { " + "ry(t) a; rz(t) a; " * 40 + "}\n"
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
        + body
        + f"bit[{N}] c;\nqubit[{N}] q;\n"
        + "g(0.1) q;\n" * 4
        + "c = measure q;"
    )
    verifier = Verifier(VerificationConfig(max_text_bytes=4000))
    found = asked(text, verifier=verifier).optimised
    assert not found.improved
    assert found.program == text
    assert asked(text).optimised.improved  # where there is room


@pytest.mark.parametrize("angle", ["1e300", "-7e15", "0.1e-300"])
def test_angles_beyond_reason_do_no_harm(angle):
    gates = f"ry({angle}) q[0];\ncu({angle}, 1, 2, {angle}) q[0], q[1];\n"
    text = (
        f'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[{N}] c;\nqubit[{N}] q;\n{gates}c = measure q;'
    )
    report, alone = asked(text), VERIFIER.verify(PROBLEM, text)
    assert report.valid == alone.valid
    assert report.expectation.energy <= alone.expectation.energy + 1e-12


def test_a_guarded_process_gives_the_same_report():
    request = OptimisationRequest(PROBLEM, PROGRAMS["tied sim_5"], diagnose=True)
    with GuardedVerifier(CONFIG) as guarded:
        (far,) = guarded.verify([request])
    near = request.answer(VERIFIER)
    assert replace(far, seconds={}) == replace(near, seconds={})
    assert near.diagnosis is not None


def test_a_batchs_budget_leaves_the_optimised_program_and_optimises_once(monkeypatch):
    batch = [OptimisationRequest(PROBLEM, PROGRAMS[name]) for name in PROGRAMS]
    free = LocalVerifierPool(CONFIG).verify(batch)
    calls = []
    real = optimiser.optimise
    monkeypatch.setattr(optimiser, "optimise", lambda *a: calls.append(a) or real(*a))
    bounded = LocalVerifierPool(CONFIG.model_copy(update={"budget_s": 100.0})).verify(batch)
    assert len(calls) == len(batch)
    assert [replace(r, seconds={}) for r in bounded] == [replace(r, seconds={}) for r in free]


def test_the_observation_tells_before_and_after_and_what_to_copy():
    report = asked(PROGRAMS["canonical qaoa"], diagnose=True)
    found = report.optimised
    roomy = observation_text(report, max_chars=10_000)
    assert roomy.startswith("optimised: energy ")
    assert f"ratio {found.approximation_ratio_before:.3f} -> " in roomy
    assert found.program in roomy
    tight = observation_text(report, max_chars=400)
    assert tight.splitlines()[1] == "now " + " ".join(
        f"{name}={found.parameters[name]:g}" for name in ("g1", "b1", "g2", "b2")
    )
    angles = asked(PROGRAMS["sim_2"])
    assert observation_text(angles, max_chars=400).splitlines()[1].startswith("angles now ")


def test_random_starts_spend_the_same_and_do_not_look_at_the_given_angles(monkeypatch):
    facts, bounds = VERIFIER.facts(PROBLEM), Bounds.of(CONFIG, VERIFIER.limits, 30)
    spent = []
    real = optimiser.descend

    def counted(*arguments, **options):
        found = real(*arguments, **options)
        spent.append(found[2])
        return found

    monkeypatch.setattr(optimiser, "descend", counted)
    for name in PROGRAMS:
        spent.clear()
        text = optimise_random_start(PROGRAMS[name], facts, bounds, np.random.default_rng(1))
        assert sum(spent) == 30
        before, after = recognise(PROGRAMS[name], H), recognise(text, H)
        assert (after.ansatz, after.layers) == (before.ansatz, before.layers)
        other = read_qasm(PROGRAMS[name])
        if before.family == "hardware_efficient":
            moved = other.with_parameters([0.5] * len(other.parameters)).to_qasm()
            again = optimise_random_start(moved, facts, bounds, np.random.default_rng(1))
            assert read_qasm(again).parameters == pytest.approx(
                read_qasm(text).parameters, abs=0.006
            )


def test_random_starts_are_a_seeded_baseline_of_the_references_family():
    problem = replace(PROBLEM, reference_circuit=PROGRAMS["adaptive"])
    made = [build_baseline("random starts", problem, seed=(seed, 4)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert recognise(made[0], H).family == "adaptive"
    without = replace(PROBLEM, reference_circuit=None)
    for family in ("qaoa", "ma_qaoa", "sim_5"):
        text = build_baseline("random starts", without, seed=(1,), ansatz=family, layers=2)
        assert recognise(text, H).ansatz.name == family
        assert recognise(text, H).layers == 2
    assert build_baseline("random starts", without, seed=(1,), ansatz="adaptive") is None


def test_a_verification_asked_again_is_itself():
    request = VerificationRequest(PROBLEM, PROGRAMS["sim_2"])
    assert request.settled(request.answer(VERIFIER)) is request
