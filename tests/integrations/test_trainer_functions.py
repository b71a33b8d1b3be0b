"""The reward functions that verl and OpenRLHF call, and the environments of OpenEnv and verifiers.

`benchmarks/trainers.py` runs them in those libraries' own code.
"""

import importlib.util
import json

import pytest

import quasar
from quasar.errors import InputError, VerificationError
from quasar.integrations import openrlhf, verl
from quasar.integrations.episode import CircuitEpisodes
from quasar.integrations.grading import Grader
from quasar.verification.reward import Failed

WORDS = "max cut of 0-1:3"
GOOD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc = measure q;\n'
POOR = GOOD.replace("x q[0];", "h q;")

# CONTRIBUTING.md has the commands.
_ELSEWHERE = "{} is in an environment of its own (CONTRIBUTING.md: Set-up)"


@pytest.fixture
def faulty(monkeypatch):
    """A verifier that fails."""
    failed = Failed("timeout", "ended at its time limit")

    def grade(self, texts, problems, **_):
        return [(failed, None)] * len(texts)

    monkeypatch.setattr(Grader, "grade", grade)


def by_path(module):
    """As the trainers load it: a file without its package."""
    spec = importlib.util.spec_from_file_location("reward_func", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_verl_gets_the_reward_and_what_it_logs():
    module = by_path(verl)
    row = module.circuit_row(WORDS)
    truth = row["reward_model"]["ground_truth"]
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    expected = quasar.verify(GOOD, WORDS).reward.value
    found = module.compute_score("quasar", GOOD, truth, {"num_turns": None})
    assert found == {"score": expected, "valid": 1.0, "fault": 0.0}
    batch = module.compute_scores(
        data_sources=["quasar"] * 2, solution_strs=[POOR, "none"], ground_truths=[truth] * 2
    )
    assert [one["score"] for one in batch] == [pytest.approx(0.0, abs=1e-12), -1.0]
    assert [one["valid"] for one in batch] == [1.0, 0.0]


def test_verl_is_told_of_a_fault(faulty):
    with pytest.raises(VerificationError, match=r"time limit; .*fault_score"):
        verl.compute_score("quasar", GOOD, WORDS)
    found = verl.compute_score("quasar", GOOD, WORDS, fault_score=-0.5)
    assert found == {"score": -0.5, "valid": 0.0, "fault": 1.0}


def test_openrlhf_grades_what_stands_behind_the_prompt():
    module = by_path(openrlhf)
    row = module.circuit_row(WORDS)
    prompt = f"<s>Write it, such as\n{POOR}\nNow you:"
    found = module.reward_func([prompt + GOOD, prompt], [prompt] * 2, [row["label"]] * 2)
    expected = quasar.verify(GOOD, WORDS).reward.value
    assert found["rewards"].tolist() == pytest.approx([expected, -1.0])
    assert found["extra_logs"]["valid"].tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match="does not hold its prompt"):
        module.reward_func([GOOD], [prompt], [row["label"]])


def test_openrlhf_has_no_grade_for_a_fault(faulty):
    with pytest.raises(VerificationError, match="ended at its time limit"):
        openrlhf.reward_func(["pq"], ["p"], [WORDS])


def test_an_episode_ends_with_a_fault(monkeypatch):
    episodes = CircuitEpisodes([WORDS], turns=3)
    failed = Failed("timeout", "ended at its time limit")
    monkeypatch.setattr(episodes.grader, "grade", lambda *_, **__: [(failed, None)])
    episodes.begin(0)
    found = episodes.answer(GOOD)
    assert (found.gained, found.done, episodes.turns_left) == (0.0, False, 0)
    assert found.fault == found.told == "The answer was not verified: ended at its time limit"
    with pytest.raises(InputError, match="the episode is over"):
        episodes.answer(GOOD)


def test_the_openenv_server_plays_an_episode():
    core = pytest.importorskip("openenv.core", reason=_ELSEWHERE.format("openenv-core"))
    import threading
    import time

    import uvicorn

    from quasar.integrations.openenv import circuit_server
    from tests.support.ports import free_port

    port = free_port()
    config = uvicorn.Config(circuit_server([WORDS], turns=2), port=port, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    with core.GenericEnvClient(base_url=f"http://127.0.0.1:{port}").sync() as client:
        assert "max_cut on 2 qubits" in client.reset(problem=0).observation["text"]
        first, second = (client.step({"answer": text}) for text in (POOR, GOOD))
        assert (first.done, second.done) == (False, True)
        expected = quasar.verify(GOOD, WORDS).reward.value
        assert first.reward + second.reward == pytest.approx(expected)
        assert second.observation["valid"]
    server.should_exit = True
    thread.join(20)


def test_the_taskset_of_verifiers_scores_a_reply(tmp_path):
    pytest.importorskip("verifiers.v1", reason=_ELSEWHERE.format("verifiers"))
    import asyncio
    from types import SimpleNamespace

    from quasar.integrations.verifiers import CircuitTaskset, CircuitTasksetConfig

    file = tmp_path / "problems.txt"
    stated = quasar.read_problem(WORDS).model_dump(mode="json")
    file.write_text(f"{WORDS}\n{json.dumps(stated)}\n")
    tasks = list(CircuitTaskset(CircuitTasksetConfig(id="quasar-circuits", problems=file)))
    assert len(tasks) == 2
    assert "max_cut on 2 qubits" in tasks[0].data.prompt
    parts = [
        asyncio.run(task.parts(SimpleNamespace(last_reply=text)))
        for task in tasks
        for text in (GOOD, "none")
    ]
    expected = quasar.verify(GOOD, WORDS).reward.value
    assert [sum(one.values()) for one in parts] == pytest.approx([expected, -1.0] * 2)
    generated = CircuitTaskset(CircuitTasksetConfig(id="quasar-circuits", count=3, qubits=5))
    assert len({task.data.problem for task in generated}) == 3
