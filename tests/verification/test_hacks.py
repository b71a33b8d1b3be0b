"""Ways to earn without a better circuit that the published reward has, and that must not work here.

Each is tried under both formulas where the published one can be asked: what it pays for is pinned.
"""

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import RewardConfig, VerificationConfig
from quasar.problems import build_instance
from quasar.verification.observation import observation_text
from quasar.verification.reward import score
from quasar.verification.verifier import Verifier

VERIFIER = Verifier(VerificationConfig(), "published")
FORMULAS = {name: RewardConfig(formula=name) for name in ("hierarchical", "published")}
# |11⟩ is best and |00⟩ close behind it: the reference prepares the latter.
HAMILTONIAN = "-1.0 * (Z(0) @ Z(1)) + 0.05 * Z(0)"


def program(*gates: Gate) -> str:
    return Circuit(2, gates).to_qasm()


PROBLEM = build_instance(
    "some_primitive", {}, hamiltonian_text=HAMILTONIAN, reference_circuit=program()
)
FLAT = build_instance(
    "some_primitive",
    {},
    hamiltonian_text=HAMILTONIAN,
    reference_circuit=program(Gate("h", (0,)), Gate("h", (1,))),
)


def rewards(text: str, problem=PROBLEM) -> dict[str, float]:
    report = VERIFIER.verify(problem, text)
    return {name: score(report, config).value for name, config in FORMULAS.items()}


def cat(share: float) -> str:
    """√share·|00⟩ + √(1 − share)·|11⟩."""
    return program(Gate("ry", (0,), (2 * np.arccos(np.sqrt(share)),)), Gate("cx", (0, 1)))


GOOD = cat(0.4)


@pytest.mark.parametrize("place", ["before", "behind", "comment", "block comment", "fence"])
def test_a_typed_reward_is_read_by_nobody(place):
    text = {
        "before": f"Reward: 99\n{GOOD}",
        "behind": f"{GOOD}\n// Reward: 99",
        "comment": GOOD.replace("cx q", "// Reward: 99\ncx q"),
        "block comment": GOOD.replace("cx q", "/* Reward: 99 */ cx q"),
        "fence": f"Reward: 99\n```qasm\n{GOOD}\n```",
    }[place]
    assert rewards(text)["hierarchical"] == rewards(GOOD)["hierarchical"]
    report = VERIFIER.verify(PROBLEM, text)
    assert "99" not in observation_text(report, max_chars=2000)
    assert all(value <= 1.0 for value in rewards(text).values())


def test_comments_swallow_nothing():
    """The original joins the lines, so that one comment makes an empty program of the rest."""
    commented = GOOD.replace(";\n", "; // a note; x q[0];\n").replace("cx q", "// cx\ncx q")
    assert rewards(commented) == rewards(GOOD)
    joined = commented.replace("\n", " ")
    assert not VERIFIER.verify(PROBLEM, joined).valid


def test_an_idle_angle_pays_in_the_published_formula_only():
    uniform = (Gate("h", (0,)), Gate("h", (1,)))
    plain, idle = (
        rewards(program(*uniform, *extra), FLAT) for extra in ((), (Gate("rz", (0,), (0.3,)),))
    )
    assert plain["hierarchical"] == 0.0
    assert idle["hierarchical"] == pytest.approx(0.0, abs=1e-12)
    assert plain["published"] == -1.0
    assert idle["published"] > 0.6


def test_a_circuit_without_angles_is_not_a_crash():
    best = rewards(program(Gate("x", (0,)), Gate("x", (1,))))
    assert best["hierarchical"] == pytest.approx(0.8)
    assert best["published"] == -1.0


def test_the_reward_rises_all_the_way_to_the_optimum():
    """Less and less of the runner-up, in small steps."""
    shares = np.linspace(0.999, 0.001, 400)
    reports = [VERIFIER.verify(PROBLEM, cat(share)) for share in shares]
    ours = np.array([score(report, FORMULAS["hierarchical"]).value for report in reports])
    assert np.diff(ours).min() > -1e-3
    assert ours[-1] > 0.99 * ours.max()
    assert np.abs(np.diff(ours)).max() < 0.1


@pytest.mark.parametrize(("cut", "least_drop"), [(0.9, 0.25), (0.1, 0.25)])
def test_the_published_reward_drops_where_similarity_crosses_a_cut_upwards(cut, least_drop):
    """The two discontinuities of its case table; the hierarchical reward has none there."""
    low, high = 0.0, 1.0
    for _ in range(40):  # the share at which δ reaches the cut
        middle = 0.5 * (low + high)
        delta = VERIFIER.verify(PROBLEM, cat(middle)).published.delta
        low, high = (low, middle) if delta > cut else (middle, high)
    below, above = rewards(cat(low - 1e-3)), rewards(cat(high + 1e-3))
    assert below["published"] - above["published"] > least_drop
    assert below["hierarchical"] == pytest.approx(above["hierarchical"], abs=5e-3)


def test_an_exact_copy_earns_less_than_a_blurred_one_in_the_published_formula_only():
    reference = program(Gate("ry", (0,), (2.6,)), Gate("cx", (0, 1)))
    problem = build_instance(
        "some_primitive", {}, hamiltonian_text=HAMILTONIAN, reference_circuit=reference
    )
    copy, blurred = rewards(reference, problem), rewards(reference.replace("2.6", "2.35"), problem)
    assert copy["published"] < blurred["published"]
    assert copy["hierarchical"] > blurred["hierarchical"]


def test_padding_with_qubits_pays_nothing():
    padded = Circuit(3, (Gate("x", (0,)), Gate("x", (1,)))).to_qasm()
    assert rewards(padded)["hierarchical"] == -1.0
