"""What a command cannot use, and the one line that says so before anything starts."""

import argparse
import json

import pytest

from quasar.cli.main import build_parser, main
from tests.cli.refusals import ROW, refused


def refused_by_parser(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_config_show_takes_the_source_once(capsys):
    assert "once" in refused(capsys, "config", "show", "laptop", "--config", "single-gpu")


@pytest.mark.parametrize("command", [["config", "show"], ["train"], ["doctor"]], ids=" ".join)
def test_an_unknown_key_is_refused_with_the_nearest_one(command, capsys):
    message = refused(capsys, *command, "--set", "grpo.iteration=3")
    assert "did you mean 'grpo.iterations'?" in message


def test_a_missing_config_file_is_refused(capsys):
    assert "nowhere.yaml" in refused(capsys, "train", "--config", "nowhere.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["help", "nonsense"],
        ["serve", "--checkpoint", "a", "--verifier-only"],
        ["generate"],
        ["sweep", "--preset", "all"],
        ["generate", "--checkpoint", "a", "--problems", "b", "--output", "c", "--samples", "0"],
        ["evaluate", "--problems", "a", "--generations", "b", "--output", "c", "--workers", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    assert "usage: quasar" in refused_by_parser(capsys, *arguments)


def test_a_missing_problem_file_is_refused(capsys, tmp_path):
    arguments = ["--generations", "g.jsonl", "--output", str(tmp_path)]
    message = refused(capsys, "evaluate", "--problems", "nowhere.jsonl", *arguments)
    assert "--problems nowhere.jsonl: no such file" in message


def test_a_malformed_line_is_named(capsys, tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps(ROW) + "\n{broken\n")
    generations = tmp_path / "generations.jsonl"
    generations.write_text('{"sample_index": 0, "completions": ["x"]}\n')
    message = refused(
        capsys,
        "evaluate",
        "--problems",
        str(problems),
        "--generations",
        str(generations),
        "--output",
        str(tmp_path / "out"),
    )
    assert "problems.jsonl line " in message


@pytest.mark.parametrize(
    "command",
    [
        ["serve", "--checkpoint"],
        ["generate", "--problems", "FILE", "--samples", "1", "--output", "o.jsonl", "--checkpoint"],
    ],
    ids=["serve", "generate"],
)
def test_a_directory_without_a_model_is_refused(command, capsys, tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps(ROW) + "\n")
    command = [str(problems) if word == "FILE" else word for word in command]
    message = refused(capsys, *command, str(tmp_path))
    assert f"{tmp_path}: not a model directory" in message


@pytest.mark.parametrize(
    ("run", "reason"), [("nowhere", "no such run directory"), (".", "not a run directory")]
)
def test_resume_needs_a_run_directory(run, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert reason in refused(capsys, "train", "--resume", run)


@pytest.mark.parametrize(
    ("param", "reason"),
    [
        ("reward.weights.expectation", "section.key=value,value"),
        ("reward.weights.expectation=", "section.key=value,value"),
        ("reward.weights.expectations=1", "did you mean 'reward.weights.expectation'"),
        ("reward.weights.expectation=0.1,-2", "-2"),
    ],
)
def test_a_bad_sweep_parameter_is_refused_before_anything_starts(param, reason, capsys):
    assert reason in refused(capsys, "sweep", "--param", param)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "sweep: give values to try"),
        (("--preset", "ablation", "--param", "run.seed=1"), "and not both"),
        (("--param", "grpo.learning_rate=log:1e-5..1e-3"), "add --search random"),
        (("--param", "grpo.learning_rate=0.3..0.1"), "write low..high"),
        (("--preset", "ablation", "--scheduler", "pbt"), "a preset is fixed"),
    ],
)
def test_a_sweep_of_nothing_sensible_is_refused(arguments, reason, capsys):
    assert reason in refused(capsys, "sweep", *arguments)


def test_a_verifier_alone_takes_no_model(capsys):
    assert main(["serve", "--verifier-only", "--set", "policy.model=some/where"]) == 2
    told = capsys.readouterr().err
    assert "--verifier-only: policy.model=some/where is not used" in told


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_a_problem_over_the_qubit_limit_is_refused(command, tmp_path, capsys):
    problems, generations = tmp_path / "problems.jsonl", tmp_path / "generations.jsonl"
    problems.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | {"sample_index": 1}) + "\n")
    generations.write_text('{"sample_index": 0, "completions": [""]}\n')
    source = {
        "generate": ["--checkpoint", "x", "--samples", "1", "--output", str(tmp_path / "g.jsonl")],
        "evaluate": ["--generations", str(generations), "--output", str(tmp_path / "out")],
    }[command]
    line = refused(
        capsys, command, "--problems", str(problems), *source, "--set", "verification.max_qubits=1"
    )
    assert f"{problems} line 1" in line
    assert "needs 2 qubits, the limit is 1" in line


EVERY_COMMAND = {
    "config show": [],
    "dataset generate": ["--output", "o"],
    "dataset describe": ["FILE"],
    "dataset traces": ["--problems", "FILE", "--output", "o.jsonl"],
    "dataset import": ["FILE", "--output", "o.jsonl"],
    "dataset export": [".", "--output", "o"],
    "problems list": [],
    "problems show": ["max_flow"],
    "problems check": ["--problems", "FILE"],
    "problems read": ["FILE"],
    "tasks list": [],
    "tasks show": ["state_preparation"],
    "tasks check": [],
    "solve": ["--problems", "FILE", "--output", "o.jsonl"],
    "verify": ["FILE", "--problems", "FILE", "--index", "0"],
    "convert": ["FILE"],
    "mcp": [],
    "sft": [],
    "train": [],
    "improve": [],
    "rollouts list": ["here"],
    "rollouts show": ["here", "--step", "1"],
    "rollouts rescore": ["here"],
    "rollouts export": ["here", "--format", "sft", "--output", "o.jsonl"],
    "generate": ["--checkpoint", ".", "--problems", "FILE", "--samples", "1", "--output", "o"],
    "evaluate": ["--problems", "FILE", "--generations", "FILE", "--output", "o"],
    "compare": ["here", "there"],
    "bench": ["--output", "o"],
    "run": ["FILE", "max cut of 0-1", "--backend", "aer"],
    "sweep": ["--preset", "ablation"],
    "serve": ["--checkpoint", "."],
    "ask": ["vertex cover of 0-1", "--url", "http://127.0.0.1:9"],
    "keys new": ["--id", "me", "--file", "keys.txt"],
    "push": [".", "me/circuits"],
    "pull": ["me/circuits"],
    "plan": ["--gpus", "1", "--gpu-memory", "80", "--models", "config"],
    "doctor": [],
    "completion": ["bash"],
}


def test_the_list_has_every_command():
    def names(parser, prefix=""):
        groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not groups:
            return {prefix.strip()}
        return set().union(*(names(p, f"{prefix} {n}") for n, p in groups[0].choices.items()))

    assert names(build_parser()) - {"help"} == EVERY_COMMAND.keys()


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_command_refuses_settings_that_there_are_not(command, tmp_path, monkeypatch, capsys):
    """Also those that use none."""
    monkeypatch.chdir(tmp_path)
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps(ROW) + "\n")
    given = [str(problems) if word == "FILE" else word for word in EVERY_COMMAND[command]]
    words = [*command.split(), *given]
    assert "unknown key 'nonsense'" in refused(capsys, *words, "--set", "nonsense=1")
    assert "no such preset or file" in refused(capsys, *words, "--config", "nowhere.yaml")
    assert {path.name for path in tmp_path.iterdir()} == {"problems.jsonl"}
