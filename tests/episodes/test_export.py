"""Best answers and preference pairs of saved rollouts, in the layout that other trainers read."""

import json

import pyarrow.json
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.cli.main import main
from quasar.episodes.episode import Episode
from quasar.episodes.export import RankedAnswers, conversation
from quasar.episodes.log import Findings, Rollout, write_rollouts
from quasar.policy.sequence import TokenCounts
from quasar.system.run_paths import RunPaths
from quasar.verification.reward import Failed, Scored

PROMPT = ({"role": "system", "content": "Write a circuit."}, {"role": "user", "content": "cut 0-1"})


def rollout(text: str, reward: float | None, *, prompt=PROMPT, **more) -> Rollout:
    fields = dict(
        group=0, sample=0, primitive="max_cut", num_qubits=2, problem_key="k", weights_version=0,
        prompt=prompt, texts=(text,), observations=(), turn_rewards=(), finished=True, tokens=1,
        reward=reward, advantage=0.0, findings=Findings(reached="optimisation"),
    )  # fmt: skip
    return Rollout(**{**fields, **more})


def answers(*rollouts: Rollout, **more) -> RankedAnswers:
    return RankedAnswers([(i, r) for i, r in enumerate(rollouts, start=1)], **more)


def texts(rows, name="messages") -> list[str]:
    return [row[name][-1]["content"] for row in rows]


INVALID = Findings(reached="none", error="no program")
ALL = [
    rollout("good", 0.9),
    rollout("longer but as good", 0.9),
    rollout("good", 0.9),
    rollout("middling", 0.5),
    rollout("broken", -1.0, findings=INVALID),
    rollout("cut", 2.0, finished=False),
    rollout("not graded", None, findings=None, fault="timeout: after 20 s"),
]


def test_the_best_answers_of_a_prompt_are_valid_finished_and_each_there_once():
    found = list(answers(*ALL).best(9))
    assert texts(found) == ["good", "longer but as good", "middling"]
    assert texts(answers(*ALL).best(1)) == ["good"]
    assert texts(answers(*ALL, min_reward=0.6).best(9)) == ["good", "longer but as good"]
    assert found[0]["messages"] == [*PROMPT, {"role": "assistant", "content": "good"}]
    assert (found[0]["reward"], found[0]["problem_key"], found[0]["step"]) == (0.9, "k", 3)


def test_pairs_go_from_the_outside_in_as_far_as_the_gap_holds():
    found = list(answers(*ALL).pairs(9, least_gap=0.1))
    assert texts(found, "chosen") == ["good", "longer but as good"]
    assert texts(found, "rejected") == ["broken", "middling"]
    assert found[0]["prompt"] == list(PROMPT)
    assert (found[0]["chosen_reward"], found[0]["rejected_reward"]) == (0.9, -1.0)
    assert len(list(answers(*ALL).pairs(9, least_gap=0.5))) == 1
    assert len(list(answers(*ALL).pairs(1, least_gap=0.1))) == 1
    assert not list(answers(*ALL[:3]).pairs(9, least_gap=0.1))  # all earn the same
    assert not list(answers(*ALL, min_reward=0.95).pairs(9, least_gap=0.1))


def test_prompts_are_kept_apart():
    other = ({"role": "user", "content": "another"},)
    found = list(answers(rollout("a", 0.2), rollout("b", 0.8, prompt=other)).best(1))
    assert texts(found) == ["a", "b"]
    assert not list(
        answers(rollout("a", 0.2), rollout("b", 0.8, prompt=other)).pairs(1, least_gap=0.1)
    )


def test_a_conversation_has_the_observations_between_its_turns():
    said = rollout("x", 0.1, texts=("one", "two"), observations=("better so",))
    assert [m["role"] for m in conversation(said)] == ["assistant", "tool", "assistant"]


@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=12), st.integers(1, 6))
def test_the_chosen_is_better_by_the_gap_and_no_answer_is_twice_in_pairs(rewards, number):
    rows = [rollout(f"text {i}", reward) for i, reward in enumerate(rewards)]
    found = list(answers(*rows).pairs(number, least_gap=0.25))
    for row in found:
        assert row["chosen_reward"] - row["rejected_reward"] >= 0.25 - 1e-6
    used = texts(found, "chosen") + texts(found, "rejected")
    assert len(used) == len(set(used)) <= 2 * number
    if found:
        assert found[0]["chosen_reward"] == pytest.approx(max(rewards), abs=1e-5)
        assert found[0]["rejected_reward"] == pytest.approx(min(rewards), abs=1e-5)
    else:
        assert max(rewards) - min(rewards) < 0.25 + 1e-5


# From a run's files ------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """Two steps with the same prompt; two turns in the second."""
    for step, rewards in ((1, [0.1, 0.4]), (2, [0.9, None])):
        made = [
            Episode(
                group=0,
                sample=i,
                weights_version=step,
                tokens=None,
                counts=TokenCounts(3, 4, 4, 4, 4, prompt_key=0),
                texts=(f"try {step}.{i}",) * step,
                observations=("not valid: line 1",) * (step - 1),
                outcome=Failed("timeout", "20 s") if r is None else Scored(r, {}, {}),
                report=None,
                finished=True,
                primitive="max_cut",
                num_qubits=2,
                problem_key="k",
                prompt=PROMPT,
            )
            for i, r in enumerate(rewards)
        ]
        write_rollouts(RunPaths(tmp_path).grpo.rollouts_of(step), made, [0.0, 0.0])
    return tmp_path


def export(run, *arguments) -> int:
    return main(["rollouts", "export", str(run), *map(str, arguments)])


def test_a_file_of_each_format_is_read_as_other_trainers_read_it(run, tmp_path, capsys):
    """By Arrow's reader of JSON lines, which is that of `datasets.load_dataset("json")`: one type a
    column, and a conversation a list of objects with role and content.
    """
    best, pairs = tmp_path / "best.jsonl", tmp_path / "pairs.jsonl"
    assert export(run, "--format", "sft", "--output", best, "--best", 2) == 0
    assert "2 answers to 1 problems, of 1 prompts" in capsys.readouterr().out
    message = pyarrow.struct({"role": pyarrow.string(), "content": pyarrow.string()})
    table = pyarrow.json.read_json(best)
    assert table.schema.field("messages").type == pyarrow.list_(message)
    assert [row["messages"][-1]["content"] for row in table.to_pylist()] == ["try 2.0", "try 1.1"]
    assert [m["role"] for m in table.to_pylist()[0]["messages"]] == [
        "system", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert export(run, "--format", "dpo", "--output", pairs, "--best", 9) == 0
    table = pyarrow.json.read_json(pairs)
    for name in ("prompt", "chosen", "rejected"):
        assert table.schema.field(name).type == pyarrow.list_(message)
    (row,) = table.to_pylist()
    assert (row["chosen_reward"], row["rejected_reward"]) == (0.9, 0.1)


def test_bad_input_is_one_line(run, tmp_path, capsys):
    def refused(*arguments) -> str:
        assert export(run, *arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    output = tmp_path / "o.jsonl"
    line = refused("--format", "sft", "--output", output, "--min-reward", 5)
    assert "none of the 1 prompts" in line
    assert "lower --min-reward" in line
    line = refused("--format", "sft", "--output", output, "--least-gap", 1)
    assert "goes with --format dpo" in line
    assert "above 0" in refused("--format", "dpo", "--output", output, "--least-gap", -1)
    assert "FILE.jsonl" in refused("--format", "dpo", "--output", tmp_path / "o.csv")
    assert "there are those of steps 1–2" in refused(
        "--format", "sft", "--output", output, "--step", 7
    )
    assert not output.exists()


def test_written_rows_are_json_lines(run, tmp_path):
    output = tmp_path / "best.jsonl"
    assert export(run, "--format", "sft", "--output", output, "--step", 1) == 0
    (row,) = map(json.loads, output.read_text().splitlines())
    assert row["step"] == 1
    assert row["reward"] == 0.4
