"""The adapters: the verifier's own reward, in the form of each library."""

import json
import subprocess
import sys

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import quasar
from quasar.errors import InputError, ProblemError
from quasar.integrations.grading import Grader, completion_text
from quasar.integrations.gymnasium import CircuitEnv
from quasar.integrations.trl import circuit_reward, circuit_row
from quasar.verification.reward import Failed

WORDS = "max cut of 0-1:3"
GOOD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc = measure q;\n'
POOR = GOOD.replace("x q[0];", "h q;")


@pytest.fixture(scope="module")
def grader():
    made = Grader()
    yield made
    made.close()


def test_the_reward_is_that_of_the_verifier(grader):
    problem = quasar.read_problem(WORDS)
    row = {
        "problem_type": "max_cut",
        "graph": {"nodes": [0, 1], "edges": [[0, 1, 3]]},
        "reference_circuit": None,
    }
    stated = [WORDS, problem, problem.model_dump(), json.dumps(problem.model_dump()), row]
    expected = quasar.verify(GOOD, WORDS).reward.value
    assert expected > quasar.verify(POOR, WORDS).reward.value
    assert grader.values([GOOD] * len(stated), stated) == [expected] * len(stated)
    assert grader.values(["nothing"], [WORDS]) == [-1.0]


def test_completions_are_texts_or_chats():
    assert completion_text(GOOD) == GOOD
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": GOOD}]
    assert completion_text(chat) == GOOD
    assert completion_text([{"role": "assistant", "content": None}]) == ""
    for wrong in (3, [], [3]):
        with pytest.raises(InputError, match="neither text nor a chat"):
            completion_text(wrong)


@pytest.mark.parametrize(
    ("stated", "part"),
    [
        (3, "holds a int"),
        ("{", "is no JSON"),
        ("nonsense", "names no problem"),
        ({"primitive": "max_cut", "graph": {"nodes": [0], "edges": [[0, 5]]}}, "names 5"),
    ],
)
def test_problems_that_are_none(grader, stated, part):
    with pytest.raises((ProblemError, InputError), match=part):
        grader.values([GOOD], [stated])


def test_a_fault_is_no_grade(grader, monkeypatch):
    with monkeypatch.context() as patch:
        fault = Failed("timeout", "the verification was ended at its time limit")
        patch.setattr(grader._open(), "verify", lambda requests: [fault] * len(requests))
        assert grader.values([GOOD], [WORDS]) == [None]
    assert grader.values([GOOD], [WORDS])[0] > 0


def test_a_row_for_trl_has_the_prompt_and_the_problem():
    row = circuit_row(WORDS)
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    reward = circuit_reward()
    try:
        found = reward(
            prompts=[row["prompt"]] * 2,
            completions=[[{"role": "assistant", "content": GOOD}], [{"content": POOR}]],
            problem=[row["problem"]] * 2,
            completion_ids=[[1], [2]],
            trainer_state=None,
        )
    finally:
        reward.grader.close()
    assert found == [quasar.verify(text, WORDS).reward.value for text in (GOOD, POOR)]
    assert reward.__name__ == "circuit_reward"


def test_the_environment_is_one_of_gymnasium():
    env = CircuitEnv([WORDS, "vertex cover of 0-1 1-2"], turns=2)
    try:
        check_env(env, skip_render_check=True)
        text, info = env.reset(seed=1, options={"problem": 0})
        assert "max_cut on 2 qubits" in text
        assert info == {"problem": 0, "turns_left": 2}
        told, first, terminated, truncated, info = env.step(POOR)
        assert (terminated, truncated, info["turns_left"]) == (False, False, 1)
        assert env.observation_space.contains(told)
        _, second, terminated, truncated, info = env.step(GOOD)
        assert (terminated, truncated) == (True, False)
        assert first + second == pytest.approx(quasar.verify(GOOD, WORDS).reward.value)
        assert info["report"].valid
        with pytest.raises(InputError, match="the episode is over"):
            env.step(GOOD)
        drawn = {env.reset(seed=seed)[1]["problem"] for seed in range(12)}
        assert drawn == {0, 1}
        with pytest.raises(InputError, match="problem 7"):
            env.reset(options={"problem": 7})
    finally:
        env.close()
    assert isinstance(env, gymnasium.Env)


def test_a_script_without_a_main_guard_works(tmp_path):
    """Trainers' scripts have none: a child must not run the script again."""
    script = tmp_path / "train.py"
    script.write_text(
        "from quasar.integrations.grading import Grader\n"
        "print('started')\n"
        f"print(Grader().values([{GOOD!r}], [{WORDS!r}]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("started") == 1
