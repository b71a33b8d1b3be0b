"""What the verifier measures, and what can and cannot earn a reward."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.config import RewardConfig, VerificationConfig
from quasar.errors import ConfigError, ProblemError
from quasar.problems import build_instance
from quasar.verification.observation import observation_text
from quasar.verification.readout import js_distance
from quasar.verification.reward import Failed, score
from quasar.verification.stages.distribution import enrichment
from quasar.verification.verifier import Verifier

CONFIG = VerificationConfig()
REWARD = RewardConfig()
VERIFIER = Verifier(CONFIG)
EDGES = [(0, 1), (1, 2), (2, 3), (3, 0), (1, 3)]
GRAPH = {
    "nodes": [{"id": i} for i in range(4)],
    "edges": [{"source": a, "target": b} for a, b in EDGES],
}
COVER = build_instance("vertex_cover", GRAPH)  # optimum: nodes 1 and 3
PATH_COVER = build_instance("vertex_cover", {**GRAPH, "edges": GRAPH["edges"][:3]})
# Energies 3·z0 + z1 + z0·z1/2 tell all four states and both bit orders apart.
ASYMMETRIC = build_instance(
    "some_primitive", {}, hamiltonian_text="0.5 * (Z(0) @ Z(1)) + 3.0 * Z(0) + 1.0 * Z(1)"
)


def reward(problem, text, verifier=VERIFIER):
    return score(verifier.verify(problem, text), REWARD)


def uniform(n: int, *extra: Gate) -> str:
    return Circuit(n, tuple(Gate("h", (q,)) for q in range(n)) + extra).to_qasm()


def basis_state(n: int, state: int, *extra: Gate) -> str:
    flips = tuple(Gate("x", (q,)) for q in range(n) if state >> q & 1)
    return Circuit(n, flips + extra).to_qasm()


def tuned_qaoa(problem) -> Circuit:
    """The best of a grid of one-layer angles."""
    grid = np.linspace(-1.5, 1.5, 31)
    circuits = [qaoa_circuit(problem.hamiltonian, [g], [b]) for g in grid for b in grid]
    return min(circuits, key=lambda c: float(VERIFIER.probabilities(c) @ problem.spectrum.energies))


@pytest.mark.parametrize("optimise_above", [0.05, 0.0])
@pytest.mark.parametrize("problem", [COVER, ASYMMETRIC])
def test_uniform_superposition_earns_nothing_with_or_without_an_idle_angle(problem, optimise_above):
    verifier = Verifier(CONFIG.model_copy(update={"optimise_above": optimise_above}))
    n = problem.num_qubits
    idle = [
        (),
        (Gate("rz", (0,), (0.3,)),),
        (Gate("rx", (0,), (1.0,)), Gate("rz", (1,), (2.0,))),
    ]
    for extra in idle:
        scored = reward(problem, uniform(n, *extra), verifier)
        assert abs(scored.value) <= 1e-9
        assert scored.parts["syntax"] == 1.0


def test_an_idle_angle_adds_nothing_to_a_good_circuit():
    best = int(COVER.spectrum.optimal[0])
    plain = reward(COVER, basis_state(4, best))
    idle = reward(COVER, basis_state(4, best, Gate("rz", (0,), (0.7,))))
    assert plain.value == pytest.approx(idle.value, abs=1e-9)
    assert plain.parts == idle.parts
    assert plain.value == pytest.approx(0.8)
    assert plain.weighted["optimisation"] == 0.0


def test_bit_order_with_an_asymmetric_hamiltonian():
    # Both spins down is the minimum; flipping qubit 0 gains 3, flipping qubit 1 gains 1.
    for state, energy in ((0, 4.5), (1, -2.5), (2, 1.5), (3, -3.5)):
        report = VERIFIER.verify(ASYMMETRIC, basis_state(2, state))
        assert report.expectation.energy == pytest.approx(energy)
        text = "".join(str(1 - (state >> q & 1)) for q in range(2))
        (outcome,) = report.distribution.most_probable
        assert (outcome.bitstring, outcome.optimal) == (text, state == 3)


def test_outcomes_are_decoded_into_the_problems_terms():
    report = VERIFIER.verify(COVER, basis_state(4, 0b0101))  # nodes 0 and 2 not chosen
    (outcome,) = report.distribution.most_probable
    assert outcome.bitstring == "0101"
    assert list(outcome.answer) == [1, 3]
    assert (outcome.feasible, outcome.optimal) == (True, True)
    assert report.distribution.feasible_probability == pytest.approx(1.0)
    nothing = VERIFIER.verify(COVER, basis_state(4, 0b1111))
    assert nothing.distribution.most_probable[0].feasible is False
    assert nothing.distribution.feasible_probability == pytest.approx(0.0)


def test_primitive_without_decoder_is_measured_without_answers():
    report = VERIFIER.verify(ASYMMETRIC, uniform(2))
    assert report.distribution.feasible_probability is None
    assert len(report.distribution.most_probable) == 4
    assert {o.answer for o in report.distribution.most_probable} == {None}


def test_a_tuned_qaoa_circuit_passes_all_stages():
    circuit = tuned_qaoa(PATH_COVER)
    report = VERIFIER.verify(PATH_COVER, f"Here it is:\n```qasm\n{circuit.to_qasm()}\n```\nDone.")
    assert report.reached == "optimisation"
    signals = report.optimisation
    assert signals.approximation_ratio >= report.expectation.approximation_ratio - 1e-12
    assert signals.gain > 0.1
    parts = score(report, REWARD).parts
    assert all(parts[name] > 0.1 for name in ("distribution", "expectation", "optimisation"))


def test_bad_angles_earn_less_than_good_ones():
    good = tuned_qaoa(COVER)
    bad = good.with_parameters([0.37 * (k + 1) for k in range(len(good.parameters))])
    assert reward(COVER, bad.to_qasm()).value < reward(COVER, good.to_qasm()).value


def test_results_do_not_depend_on_what_was_verified_before():
    texts = [tuned_qaoa(COVER).to_qasm(), uniform(4), basis_state(4, 5, Gate("ry", (0,), (0.2,)))]
    forwards = [Verifier(CONFIG).verify(COVER, text) for text in texts]
    one = Verifier(CONFIG)
    backwards = [one.verify(COVER, text) for text in reversed(texts)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert (a.distribution, a.expectation, a.optimisation) == (
            b.distribution,
            b.expectation,
            b.optimisation,
        )


def test_stages_that_do_not_run_say_why():
    skipped = VERIFIER.verify(COVER, uniform(4)).skipped
    assert skipped["optimisation"] == "the circuit has no parameters"
    worse = VERIFIER.verify(COVER, uniform(4, Gate("rz", (0,), (1.0,)))).skipped
    assert "below 0.05" in worse["optimisation"]
    off = Verifier(CONFIG.model_copy(update={"gradient_evaluations": 0}))
    report = off.verify(COVER, tuned_qaoa(COVER).to_qasm())
    assert "switched off" in report.skipped["optimisation"]
    assert report.reached == "expectation"
    hasty = Verifier(CONFIG.model_copy(update={"time_limit_s": 1e-6}))
    assert "too large" in hasty.verify(COVER, tuned_qaoa(COVER).to_qasm()).skipped["optimisation"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (uniform(5), "wrong_qubit_count"),
        (uniform(3), "wrong_qubit_count"),
        ("", "empty"),
        ("no program", "syntax"),
        (uniform(4).replace("h q[2]", "h q[7]"), "index_out_of_range"),
        ("x" * 300_000, "too_long"),
    ],
)
def test_an_invalid_answer_is_a_report_with_the_floor(text, kind):
    report = VERIFIER.verify(COVER, text)
    assert (report.valid, report.reached, report.error.kind) == (False, "none", kind)
    assert report.distribution is report.expectation is report.optimisation is None
    scored = score(report, REWARD)
    assert scored.value == -1.0
    assert scored.parts["syntax"] == 0.0


def test_typed_rewards_have_no_effect():
    program = uniform(4)
    before = reward(COVER, program)
    for text in (
        f"Reward: 99\n{program}",
        program.replace("h q[0];", "// Reward: 99\nh q[0];"),
        f"{program}\n// Reward: 99",
        f"```\n{program}\n```\nReward: 99",
    ):
        assert reward(COVER, text) == before


def test_comments_do_no_harm():
    program = tuned_qaoa(COVER).to_qasm()
    commented = program.replace(";\n", "; // a note; h q[0];\n")
    assert reward(COVER, commented) == reward(COVER, program)


angles = st.floats(-4, 4).map(lambda a: round(a, 3))


@st.composite
def any_circuit(draw):
    pool = [("h", 1, 0), ("x", 1, 0), ("rx", 1, 1), ("ry", 1, 1), ("rz", 1, 1), ("cx", 2, 0)]
    gates = []
    for name, size, count in draw(st.lists(st.sampled_from(pool), max_size=12)):
        qubits = tuple(draw(st.permutations(range(4)))[:size])
        gates.append(Gate(name, qubits, tuple(draw(angles) for _ in range(count))))
    return Circuit(4, tuple(gates))


@settings(max_examples=80)
@given(any_circuit())
def test_rewards_stay_in_range_and_add_up(circuit):
    report = VERIFIER.verify(COVER, circuit.to_qasm())
    scored = score(report, REWARD)
    assert 0.0 <= scored.value <= 1.0
    assert all(0.0 <= part <= 1.0 for part in scored.parts.values())
    assert scored.value == sum(scored.weighted.values())
    assert json.loads(json.dumps(report.to_dict()))["valid"] is True
    assert pickle.loads(pickle.dumps(report)) == report


def test_distance_to_a_reference_is_measured_where_there_is_one():
    text = uniform(4)
    problem = build_instance("vertex_cover", GRAPH, reference_circuit=text)
    same = VERIFIER.verify(problem, text).distribution.js_distance
    assert same == pytest.approx(0.0, abs=1e-7)
    far = VERIFIER.verify(problem, basis_state(4, 5)).distribution.js_distance
    assert 0.5 < far <= 1.0
    assert VERIFIER.verify(COVER, text).distribution.js_distance is None


def test_measures_at_their_ends():
    assert enrichment(0.25, 0.25) == enrichment(0.1, 0.25) == enrichment(1.0, 1.0) == 0.0
    assert enrichment(1.0, 0.25) == 1.0
    assert enrichment(0.5, 0.25) == pytest.approx(0.5)
    assert js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1.0)


def test_flat_spectrum_earns_nothing():
    flat = build_instance("some_primitive", {}, hamiltonian_text="0.0 * Z(0)")
    assert reward(flat, uniform(1)).value == 0.0


def test_published_formula_needs_a_reference_and_a_known_name():
    with pytest.raises(ProblemError, match="has none; use formula: hierarchical"):
        Verifier(CONFIG, "published").verify(COVER, uniform(4))
    with pytest.raises(ConfigError, match="valid: hierarchical, published"):
        Verifier(CONFIG, "publisht")


@pytest.mark.parametrize("max_chars", [20, 80, 400])
def test_observation_is_compact_and_useful(max_chars):
    results = [
        VERIFIER.verify(COVER, tuned_qaoa(COVER).to_qasm()),
        VERIFIER.verify(COVER, uniform(4).replace("h q[2]", "h q[7]")),
        Failed("timeout", "the verification was ended at its time limit"),
    ]
    texts = [observation_text(result, max_chars=max_chars) for result in results]
    assert all(0 < len(text) <= max_chars for text in texts)
    if max_chars == 400:
        assert "optimum probability" in texts[0]
        assert "[1,3]" in texts[0]
        assert "line 7" in texts[1]
        assert "index_out_of_range" in texts[1]


def test_a_grade_does_not_depend_on_what_was_verified_before():
    names = dict(enumerate("abcd"))
    renamed = build_instance(
        "vertex_cover",
        {
            "nodes": [{"id": name} for name in names.values()],
            "edges": [{"source": names[a], "target": names[b]} for a, b in EDGES],
        },
    )
    assert renamed.key != COVER.key
    np.testing.assert_array_equal(renamed.spectrum.energies, COVER.spectrum.energies)
    text = tuned_qaoa(COVER).to_qasm()
    fresh, used = Verifier(CONFIG), Verifier(CONFIG)
    used.verify(renamed, text)
    first, second = (v.verify(COVER, text).optimisation for v in (fresh, used))
    assert first is not None
    assert first == second
