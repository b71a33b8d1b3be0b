"""Traces: real mistakes, the real observation, the right circuit, trained as rollouts read them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import load_config
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.traces import MISTAKES, make_trace, read_traces, write_traces
from quasar.datasets.io import write_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import solve
from quasar.errors import CircuitError, InputError
from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy
from quasar.training.examples import trace_sequence
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.observation import observation_text
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import score

CONFIG = load_config("published", ["dataset.angle_decimals=2"])


def record_of(index, ansatz="qaoa"):
    problem = make_candidate(Cell("min_cut", 4), seed=2, index=index)
    solution = solve(problem, ansatz=ansatz, decimals=2)
    solved = replace(problem, reference_circuit=solution.circuit.to_qasm(decimals=2))
    return ProblemRecord(index, solved, "qaoa", 1, {}, ansatz)


@pytest.fixture(scope="module")
def records():
    return [record_of(i, a) for i, a in enumerate(("qaoa", "sim_14", "adaptive", "qaoa") * 3)]


@pytest.fixture(scope="module")
def verifiers():
    with GuardedVerifier(CONFIG.verification) as verifiers:
        yield verifiers


def test_each_mistake_earns_less_and_gets_the_tools_own_answer(records, verifiers):
    kinds = set()
    for record in records:
        trace = make_trace(record, verifiers, CONFIG)
        roles = [message["role"] for message in trace.messages]
        assert roles == ["system", "user", "assistant", "tool", "assistant"]
        wrong, observed, right = (m["content"] for m in trace.messages[2:])
        assert right == record.problem.reference_circuit != wrong
        request = VerificationRequest(record.problem, wrong, diagnose=True)
        (report,) = verifiers.verify([request])
        assert observed == observation_text(
            report, max_chars=4 * CONFIG.generation.max_observation_tokens
        )
        assert trace.rewards[0] == score(report, CONFIG.reward).value < trace.rewards[1] - 0.01
        assert make_trace(record, verifiers, CONFIG) == trace
        kinds.add(trace.mistake)
    assert len(kinds) >= 3


@pytest.mark.parametrize("name", MISTAKES)
def test_each_kind_of_mistake_changes_the_program_as_it_says(records, name):
    circuit = read_qasm(records[0].problem.reference_circuit)
    for seed in range(20):
        wrong = MISTAKES[name](circuit, 2, np.random.default_rng(seed))
        assert wrong != circuit.to_qasm(decimals=2)
        try:
            read = read_qasm(wrong)
        except CircuitError:
            assert name in ("wrong_qubit", "broken_syntax")
            continue
        assert name != "broken_syntax" or len(read.gates) < len(circuit.gates)
        if name == "missing_term":
            lost = len(circuit.gates) - len(read.gates)
            assert lost in (1, 3, 5)  # a rotation, and the ladder around it
        if name in ("wrong_qubit", "wrong_angle"):
            pairs = list(zip(read.gates, circuit.gates, strict=True))
            (changed,) = [(a, b) for a, b in pairs if a != b]
            same = "params" if name == "wrong_qubit" else "qubits"
            assert getattr(changed[0], same) == getattr(changed[1], same)


def test_files_round_trip_and_hold_the_share_that_was_asked_for(records, tmp_path):
    write_problems(tmp_path / "p.jsonl", records)
    written = write_traces(
        tmp_path / "p.jsonl", tmp_path / "t.jsonl", CONFIG, share=0.5, progress=False
    )
    traces = read_traces(tmp_path / "t.jsonl")
    assert written == len(traces) == 6
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [trace.to_dict() for trace in traces] == rows


def test_a_file_that_holds_no_traces_is_refused(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"sample_index": 1}\n')
    with pytest.raises(InputError, match="line 1: not a trace"):
        read_traces(tmp_path / "t.jsonl")


def test_only_the_corrected_circuit_is_trained_on(records, verifiers, tiny_policy):
    chat = ChatFormat(load_policy(tiny_policy)[1])
    trace = make_trace(records[0], verifiers, CONFIG)
    sequence = trace_sequence(trace, chat, max_observation=96)
    trained = sequence.tokens.response_ids[sequence.tokens.mask == 1]
    assert chat.tokenizer.decode(trained[:-1]) == trace.messages[-1]["content"]
    assert trained[-1] == chat.eos_id
    # What comes before it is what a rollout would have read.
    context = [*chat.answer_ids(trace.messages[2]["content"])]
    context += chat.observation_ids(trace.messages[3]["content"], max_tokens=96)
    assert list(sequence.tokens.response_ids[sequence.tokens.mask == 0]) == context
