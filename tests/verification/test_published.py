"""The published formula's signals give the published rewards."""

import json
from pathlib import Path

import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import RewardConfig, VerificationConfig
from quasar.datasets.io import read_generations, read_problems
from quasar.problems import build_instance
from quasar.verification.reward import score
from quasar.verification.stages.published_utility import can_pin, updates
from quasar.verification.verifier import Verifier

DATA = Path(__file__).parents[3] / "shared" / "data"
PUBLISHED = RewardConfig(formula="published")
TWO_QUBITS = "1.0 * Z(0) + 2.0 * Z(1)"


def program(n: int, *gates: Gate) -> str:
    return Circuit(n, gates).to_qasm()


def published(reference: str, text: str):
    problem = build_instance(
        "some_primitive", {}, hamiltonian_text=TWO_QUBITS, reference_circuit=reference
    )
    report = Verifier(VerificationConfig(), "published").verify(problem, text)
    return score(report, PUBLISHED), report.published


def test_rewards_of_the_published_system_are_reproduced():
    if not DATA.is_dir():
        pytest.skip("the benchmark files are not beside this repository")
    if not can_pin():
        pytest.skip("the rounding of AVX2 linear algebra is needed")
    expected = {
        row["sample_index"]: -1.0 if row["reward"] is None else row["reward"]
        for row in map(
            json.loads,
            (DATA / "reference_rewards_deepseek_v3_pass1.jsonl").read_text().splitlines(),
        )
    }
    problems = {r.sample_index: r.problem for r in read_problems(DATA / "problems.jsonl")}
    verifier = Verifier(VerificationConfig(), "published")
    rewards = {
        row.sample_index: score(
            verifier.verify(problems[row.sample_index], row.completions[0]), PUBLISHED
        ).value
        for row in read_generations(DATA / "generations_deepseek_v3_pass1.jsonl")
    }
    assert len(rewards) == 110
    assert rewards == pytest.approx(expected, abs=1e-6)


HALF = program(2, Gate("h", (0,)), Gate("h", (1,)))


def test_errors_have_their_fixed_rewards():
    assert published(HALF, "no program at all")[0].value == -1.0
    assert published(HALF, HALF.replace("h q[0]", "h q[9]"))[0].value == -0.5
    # A circuit like the reference, but without parameters, crashes the last stage.
    assert published(HALF, HALF)[0].value == -1.0
    loop = HALF.replace("h q[0];", "for int i in [0:1] { h q[i]; }")
    assert published(HALF, loop)[0].value == -1.0


def test_programs_without_header_are_accepted_there():
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; ry(0.3) q[0]; // measure'
    scored, signals = published(program(2, Gate("x", (0,))), text)
    assert signals.error is None
    assert scored.value == pytest.approx(sum(scored.weighted.values()))


def test_middle_case_counts_similarity_only():
    reference = program(2, Gate("x", (0,)))
    scored, signals = published(reference, program(2, Gate("ry", (0,), (1.2,))))
    assert 0.1 <= signals.delta <= 0.9
    assert signals.utility is None
    assert scored.value == pytest.approx(signals.delta)


def test_dissimilar_case_counts_the_energy_and_the_warm_start():
    reference = program(2)  # |00⟩, the worst energy
    text = program(2, Gate("x", (0,)), Gate("rx", (1,), (3.1,)))
    scored, signals = published(reference, text)
    assert signals.delta < 0.1
    assert signals.energy_score > 0.9
    assert 0.2 < signals.utility < 0.3
    assert scored.value == pytest.approx(
        0.3 * signals.delta + 0.3 * signals.energy_score + 0.4 * signals.utility
    )


def test_extra_qubits_cost():
    text = program(3, Gate("ry", (0,), (1.2,)), Gate("x", (2,)))
    scored, signals = published(program(2, Gate("x", (0,))), text)
    assert signals.qubit_penalty == pytest.approx(-0.35)
    assert scored.value == pytest.approx(-0.35 + 0.5 * signals.delta)


def test_a_u2_gate_reaches_the_last_stage():
    """It has two angles of its own, and π/2 is none of them."""
    text = program(2, Gate("u2", (0,), (0.1, 0.2)), Gate("rx", (1,), (0.2,)))
    scored, signals = published(text, text)
    assert signals.delta > 0.9
    assert signals.utility > 0.0
    assert scored.value == pytest.approx(sum(scored.weighted.values()))


def test_the_last_stage_is_bounded_by_work_and_not_by_a_clock():
    """Its optimiser's work grows with the square of the angles that differ."""
    gates = tuple(Gate("rx", (k % 2,), (1e-5 * k,)) for k in range(2_000))
    assert updates(Circuit(2, gates)) > 2_000 * 2_000 * 300
    scored, signals = published(program(2, *gates), Circuit(2, gates).to_qasm(decimals=5))
    assert signals.delta > 0.9
    assert (signals.error, signals.utility) == (None, None)
    assert "too large" in signals.skipped
    assert scored.value == pytest.approx(0.6 * signals.delta)


def test_a_refused_program_is_read_once(monkeypatch):
    from quasar.verification.stages import published as module

    def read(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(module, "read_qasm", read)
    assert published(HALF, HALF.replace("h q[0]", "h q[9]"))[1].error == "parse"
    assert published(HALF, HALF.replace("h q[0]", "reset q"))[1].error == "crash"
