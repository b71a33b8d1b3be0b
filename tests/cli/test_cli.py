"""What commands print, take over and leave behind, and the codes that they end with."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml

from quasar.cli import settings
from quasar.cli.commands import jobs as commands
from quasar.cli.main import build_parser, main
from quasar.config import load_config
from quasar.problems import build_instance, problem_names
from quasar.system.run_paths import RunPaths
from tests.cli.refusals import QUASAR, ROW, refused


def test_config_show_prints_what_load_config_reads(capsys, tmp_path):
    assert main(["config", "show", "single-gpu", "--set", "grpo.iterations=7"]) == 0
    path = tmp_path / "shown.yaml"
    path.write_text(capsys.readouterr().out)
    assert load_config(path) == load_config("single-gpu", ["grpo.iterations=7"])


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


def test_without_a_standard_output_a_broken_pipe_is_still_told(monkeypatch):
    def breaks(*given):
        raise BrokenPipeError("a worker's")

    monkeypatch.setattr("quasar.cli.commands.jobs.to_commented_yaml", breaks)
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(BrokenPipeError, match="a worker's"):
        main(["config", "show"])


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
