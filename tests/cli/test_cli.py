import argparse
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml

import quasar
from quasar.cli import settings
from quasar.cli.commands import jobs as commands
from quasar.cli.main import build_parser, main
from quasar.config import load_config
from quasar.problems import build_instance, problem_names
from quasar.system.run_paths import RunPaths
from tests.cli.refusals import ROW, refused

QUASAR = [sys.executable, "-m", "quasar"]
COMMANDS = (
    ["config", "show"],
    ["dataset", "generate"],
    ["problems", "list"],
    ["problems", "show"],
    ["problems", "check"],
    ["sft"],
    ["train"],
    ["generate"],
    ["verify"],
    ["convert"],
    ["mcp"],
    ["evaluate"],
    ["compare"],
    ["sweep"],
    ["serve"],
    ["ask"],
    ["plan"],
    ["doctor"],
)


def refused_by_parser(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_explains_itself_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "--config" in text
    assert "--set" in text
    assert f"quasar {' '.join(command)}" in " ".join(text.split("Example:")[1].split())


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]], ids=" ".join)
def test_without_a_command_all_are_listed(arguments):
    shown = subprocess.run([*QUASAR, *arguments], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "Start here: quasar doctor" in shown.stdout
    listed = set(re.findall(r"^    (\w+) ", shown.stdout, re.MULTILINE))
    assert {command for command, *_ in COMMANDS} <= listed


def test_help_of_a_command_is_its_own(capsys):
    texts = []
    for arguments in (["help", "problems", "show"], ["problems", "show", "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "usage: quasar problems show" in texts[0]


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"quasar {quasar.__version__}\n"


def test_help_is_fast():
    """0.3 s: it loads none of what takes seconds."""
    heavy = {"torch", "ray", "transformers", "qiskit", "numba", "scipy", "mlflow", "matplotlib"}
    program = f"""
import sys
from quasar.cli.main import main
try:
    main(["--help"])
finally:
    print(sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_config_show_prints_what_load_config_reads(capsys, tmp_path):
    assert main(["config", "show", "single-gpu", "--set", "grpo.iterations=7"]) == 0
    path = tmp_path / "shown.yaml"
    path.write_text(capsys.readouterr().out)
    assert load_config(path) == load_config("single-gpu", ["grpo.iterations=7"])


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


def test_an_evaluation_is_tracked_where_a_store_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    bell = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'
    problems, generations = tmp_path / "problems.jsonl", tmp_path / "generations.jsonl"
    problems.write_text(json.dumps(ROW | {"reference_circuit": bell}) + "\n")
    generations.write_text(json.dumps({"sample_index": 0, "completions": [bell]}) + "\n")
    files = ["--problems", str(problems), "--generations", str(generations)]
    settings = ["--set", "evaluation.device=none", "--set", "evaluation.random_draws=0"]
    assert main(["evaluate", *files, "--output", str(tmp_path / "alone"), *settings]) in (0, None)
    assert not (tmp_path / "alone" / "mlflow.db").exists()

    uri, output = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "tracked"
    settings += ["--set", f"tracking.uri={uri}", "--set", "run.seed=5"]
    assert main(["evaluate", *files, "--output", str(output), *settings]) in (0, None)
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("quasar").experiment_id])
    assert (run.info.run_name, run.info.status) == ("tracked", "FINISHED")
    assert run.data.params["seed"] == "5"
    summary = json.loads((output / "summary.json").read_text())
    for name in ("valid", "approximation_ratio", "optimum_probability"):
        logged = run.data.metrics[f"pass_1/corrected/{name}"]
        assert logged == summary["pass@1"]["corrected"][name]
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert artifacts >= {"config.yaml", "report.html", "summary.json"}


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


def test_resume_takes_over_configuration_and_place(tmp_path):
    run = tmp_path / "elsewhere" / "again"
    run.mkdir(parents=True)
    RunPaths(run).config_file.write_text(
        yaml.safe_dump({"run": {"name": "first", "seed": 7}, "grpo": {"iterations": 2}})
    )
    arguments = build_parser().parse_args(
        ["train", "--resume", str(run), "--set", "grpo.iterations=9"]
    )
    arguments.prepare = settings.unchanged
    config = settings.load(arguments, **commands._place_of(arguments))
    assert config.run_directory == run
    assert (config.run.seed, config.grpo.iterations) == (7, 9)


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


def test_interruption_exits_with_130(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "doctor", interrupted)
    assert main(["doctor"]) == 130


def test_problems_are_listed_and_shown(capsys):
    assert main(["problems", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert tuple(listed) == problem_names()
    assert main(["problems", "list"]) == 0
    assert all(summary in capsys.readouterr().out for summary in [listed["max_flow"]])
    for name in listed:
        assert main(["problems", "show", name, "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["summary"] == listed[name]
        assert shown["formula"]
        assert shown["answer"]
        example = shown["example"]
        instance = build_instance(name, example["graph"], example["attributes"])
        assert list(instance.variables) == example["variables"]
        assert instance.num_qubits in shown["qubits"]
        assert instance.num_qubits <= max(6, shown["qubits"][0])
    assert main(["problems", "show", "graph_isomorphism"]) == 0
    assert "qubits: [9, 16]\n" in capsys.readouterr().out
    assert "did you mean 'max_flow'" in refused(capsys, "problems", "show", "maxflow")


def test_check_fails_where_a_row_is_not_rebuilt(tmp_path, capsys):
    path = tmp_path / "p.jsonl"
    right = ROW | {"cost_hamiltonian": "0.5 * (Z(0) @ Z(1)) + 0.0 * Z(0) + 0.0 * Z(1)"}
    path.write_text(json.dumps(right))
    assert main(["problems", "check", "--problems", str(path), "--json"]) == 0
    counts = {"rows": 1, "exact": 1, "by_form": {"sound, natural order": 1}}
    assert json.loads(capsys.readouterr().out) == {"vertex_cover": counts}
    wrong = right | {"sample_index": 1, "cost_hamiltonian": "0.25 * (Z(0) @ Z(1))"}
    path.write_text(json.dumps(right) + "\n" + json.dumps(wrong))
    assert main(["problems", "check", "--problems", str(path)]) == 1
    assert capsys.readouterr().out == "vertex_cover  1 of 2 exact  1 sound, natural order\n"
    missing = str(tmp_path / "missing.jsonl")
    assert "no such file" in refused(capsys, "problems", "check", "--problems", missing)


def test_an_unexpected_error_keeps_its_traceback(monkeypatch):
    def broken(arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "doctor", broken)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_verbosity_sets_the_level(capsys):
    main(["config", "show"])
    assert logging.getLogger("quasar").level == logging.INFO
    main(["config", "show", "-v"])
    assert logging.getLogger("quasar").level == logging.DEBUG


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(
        f"{' '.join(QUASAR)} config show | head -1", shell=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("run:")
    assert "Traceback" not in done.stderr


def test_a_pipe_that_breaks_elsewhere_is_a_fault_and_leaves_the_output_alone(monkeypatch, capfd):
    def breaks(*given):
        raise BrokenPipeError("a worker's")

    monkeypatch.setattr("quasar.cli.commands.jobs.to_commented_yaml", breaks)
    with pytest.raises(BrokenPipeError, match="a worker's"):
        main(["config", "show"])
    print("still read")
    assert capfd.readouterr().out == "still read\n"


def test_a_verifier_alone_takes_no_model(capsys):
    assert main(["serve", "--verifier-only", "--set", "policy.model=some/where"]) == 2
    told = capsys.readouterr().err
    assert "--verifier-only: policy.model=some/where is not used" in told


def test_a_job_keeps_its_run_out_of_the_working_directory():
    relative = load_config("laptop")
    assert settings.in_job(relative).run_directory == settings.JOB_HOME / "runs" / "laptop"
    absolute = load_config("laptop", ["run.directory=/shared/runs"])
    assert settings.in_job(absolute) is absolute


def test_each_job_is_its_command():
    root = Path(__file__).parents[2]
    for job, command in {
        "train": "train",
        "sft": "sft",
        "evaluate": "evaluate",
        "sweep": "sweep",
        "serve": "serve",
        "dataset": "dataset generate",
    }.items():
        done = subprocess.run(
            [sys.executable, f"ray_jobs/{job}.py", "--set", "run.nonsense=1", "--help"],
            cwd=root,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: quasar {command} ")


def test_a_job_with_bad_input_fails():
    done = subprocess.run(
        [sys.executable, "ray_jobs/train.py", "--set", "run.nonsense=1"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("quasar: config: unknown key 'run.nonsense'")


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
