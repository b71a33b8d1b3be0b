"""All jobs on a cluster of several nodes; one is killed while training, sweep or evaluation runs.

The learner is on the head, rollout workers and verifiers on the other nodes. What a run with a
killed node learns is what the same run learns on one undisturbed node, figure for figure.
"""

import csv
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from quasar.config import load_config
from quasar.evaluation.summary import read_summary
from quasar.pipeline.evaluate import evaluate_files
from quasar.pipeline.storage import Mirror
from quasar.system.run_paths import EvaluationPaths
from quasar.training.state import StepLog
from tests.jobs.nodes import Nodes, can_make_nodes
from tests.support import training_runs
from tests.support.machine import scaled
from tests.support.training_runs import assert_same, start, start_from

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.nodes,
    pytest.mark.timeout(2400),  # on the reference machine
    pytest.mark.skipif(not can_make_nodes(), reason="needs root and iproute2"),
]

STEPS, TRIAL_STEPS = 40, 8
LEARNERS, WORKERS = "learners", "workers"  # custom resources that mark the nodes
ACTORS = ("ray::RolloutRunner", "ray::_VerifierActor")
LEARNER = "ray::_WrappedExecutable"
EVALUATION = "python ray_jobs/evaluate.py"
DRAWS = 100_000  # of random angles: a second for each problem, so that there is time to kill
TIME_LIMIT_S = 1200.0  # on the reference machine


def write_config(directory: Path, *more: str) -> Path:
    marks = (f"learner.nodes={LEARNERS}", f"rollout.nodes={WORKERS}")
    marks += (f"verification.nodes={WORKERS}", f"grpo.iterations={STEPS}")
    return training_runs.write_config(directory, *marks, *more)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """The run that nothing disturbs, on one node."""
    directory = tmp_path_factory.mktemp("calm")
    log = directory / "log.txt"
    assert start(write_config(directory), log).wait(scaled(TIME_LIMIT_S)) == 0, log.read_text()[
        -3000:
    ]
    return directory


@pytest.fixture(scope="module")
def nodes(calm):
    # Sockets have short names only: Ray's directory must not lie deep.
    short = Path(tempfile.mkdtemp(prefix="quasar-nodes-", dir="/tmp"))
    try:
        with Nodes(short, mark_of_head=LEARNERS, mark_of_workers=WORKERS) as cluster:
            for _ in range(2):
                cluster.add_worker()
            yield cluster
    finally:
        shutil.rmtree(short, ignore_errors=True)


def wait_for(condition, job, log: Path) -> None:
    deadline = time.monotonic() + scaled(TIME_LIMIT_S)
    while not condition():
        assert job.poll() is None, f"the job ended early:\n{log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"waited too long:\n{log.read_text()[-3000:]}"
        time.sleep(0.2)


def kill_a_worker(cluster: Nodes) -> str:
    """Kill the worker node with the most actors of the run; what was on it."""
    count = {node: {kind: node.actors(kind) for kind in ACTORS} for node in cluster.all[1:]}
    victim = max(count, key=lambda node: sum(count[node].values()))
    assert sum(count[victim].values()) > 0, count
    died = victim.kill()
    told = ", ".join(f"{n} {kind.removeprefix('ray::')}" for kind, n in count[victim].items())
    return f"killed {victim.address}: {died} processes, among them {told}"


def ended(job, log: Path) -> str:
    """The log of a job that ended well."""
    code = job.wait(scaled(TIME_LIMIT_S))
    assert code == 0, f"exit {code}\n{log.read_text()[-4000:]}"
    return log.read_text()


def test_training_over_nodes_with_one_killed_is_training_on_one(calm, nodes, tmp_path):
    directory = tmp_path
    start_from(calm, directory)
    steps = directory / "run" / "grpo" / "steps.jsonl"
    log = directory / "first.log"
    started = time.monotonic()
    config = write_config(directory, f"run.upload={directory}/copies")
    job = nodes.submit("train", "--config", str(config), log=log)
    # Both nodes that the run began on are killed, one after the other; a new one joins in between.
    for moment in (STEPS // 4, STEPS // 2):
        wait_for(lambda moment=moment: len(StepLog.read(steps)) >= moment, job, log)
        assert nodes.head.actors(LEARNER) == 1
        assert all(nodes.head.actors(kind) == 0 for kind in ACTORS)
        done = len(StepLog.read(steps))
        print(f"\nafter step {done}: {kill_a_worker(nodes)}")
        assert done < STEPS
        if moment < STEPS // 2:
            nodes.add_worker()
    text = ended(job, log)
    remade = sum(row.get("episodes_remade", 0) for row in StepLog.read(steps))
    print(f"train: exit 0 in {time.monotonic() - started:.0f} s, {remade:g} episodes made again")
    assert "succeeded" in text
    assert_same(directory, calm)
    copied = Mirror(tmp_path / "elsewhere", f"{directory}/copies/run")
    assert copied.fetch() > STEPS
    weights = "model/final/model.safetensors"
    assert (tmp_path / "elsewhere" / weights).read_bytes() == (calm / "run" / weights).read_bytes()


def test_a_sweep_goes_on_without_a_killed_node(calm, nodes, tmp_path):
    nodes.add_worker()
    directory = tmp_path
    start_from(calm, directory)
    config = write_config(directory, f"grpo.iterations={TRIAL_STEPS}", "grpo.checkpoint_every=2")
    log = directory / "first.log"
    started = time.monotonic()
    job = nodes.submit(
        *("sweep", "--config", str(config), "--param", "grpo.learning_rate=1e-3,2e-3"), log=log
    )
    results = directory / "run"

    def a_trial_has_learned() -> bool:
        return any(len(path.read_text().splitlines()) >= 2 for path in results.rglob("result.json"))

    wait_for(a_trial_has_learned, job, log)
    story = kill_a_worker(nodes)
    nodes.add_worker()  # as an autoscaler would: two trials do not fit on what is left
    text = ended(job, log)
    print(f"\n{story}\nsweep: exit 0 in {time.monotonic() - started:.0f} s\n{text[-2500:]}")
    client = mlflow.MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name == "quasar")
    runs = client.search_runs([experiment.experiment_id])
    parent = (results / "mlflow_run_id").read_text()
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]
    for run in runs:
        print(run.info.run_name, run.info.status, run.data.metrics.get("quasar/reward"))
    assert len(trials) == 2
    with open(results / "sweep-report" / "trials.csv") as file:
        assert [int(row["steps"]) for row in csv.DictReader(file)] == [TRIAL_STEPS] * 2
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_an_evaluation_whose_node_is_killed_goes_on_elsewhere(calm, nodes, tmp_path):
    problems, generations = calm / "run" / "dataset" / "train.jsonl", tmp_path / "answers.jsonl"
    rows = [json.loads(line) for line in problems.read_text().splitlines()]
    with generations.open("w") as file:
        for row in rows:
            answers = [row["reference_circuit"], "no circuit"]
            answered = {"sample_index": row["sample_index"], "completions": answers}
            print(json.dumps(answered), file=file)
    settings = ["evaluation.device=none", f"evaluation.random_draws={DRAWS}"]
    whole = evaluate_files(
        problems,
        generations,
        tmp_path / "undisturbed",
        config=load_config("laptop", settings),
        progress=False,
    )
    output, store = tmp_path / "out", f"sqlite:///{tmp_path / 'mlflow.db'}"
    command = ["evaluate", "--problems", problems, "--generations", generations]
    command += ["--output", output]
    for setting in (*settings, f"tracking.uri={store}"):
        command += ["--set", setting]

    nodes.add_worker()
    log = tmp_path / "first.log"
    job = nodes.submit(*map(str, command), log=log, mark=WORKERS)
    progress = EvaluationPaths(output).progress
    wait_for(lambda: progress.is_file() and progress.read_text().count("\n") > 3, job, log)
    (victim,) = (node for node in nodes.all[1:] if node.actors(EVALUATION))
    print(f"\nkilled {victim.address}: {victim.kill()} processes, among them the evaluation's")
    # `ray job submit` may end with 0 here: its log breaks off before the node counts as dead.
    job.wait(scaled(TIME_LIMIT_S))
    deadline = time.monotonic() + scaled(TIME_LIMIT_S)
    while "failed" not in (status := nodes.status("evaluate-first")):
        assert time.monotonic() < deadline, status
        time.sleep(1.0)
    print(status)
    assert progress.is_file()

    nodes.add_worker()
    log = tmp_path / "second.log"
    print(ended(nodes.submit(*map(str, command), log=log, mark=WORKERS), log)[-800:])
    summary = read_summary(output / "summary.json")
    assert summary.details["problems_taken_over"] >= 3
    assert replace(summary, details={}) == replace(
        read_summary(tmp_path / "undisturbed" / "summary.json"), details={}
    )
    assert summary.get("valid").value == whole.get("valid").value == 50.0
    client = mlflow.MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("quasar").experiment_id])
    print(run.info.run_name, run.info.status, run.data.metrics["pass_1/corrected/valid"])
    assert run.info.status == "FINISHED"


def test_dataset_and_fine_tuning_jobs_make_what_one_node_makes(calm, nodes, tmp_path):
    config, log = str(write_config(tmp_path)), tmp_path / "first.log"
    output = tmp_path / "data"
    ended(nodes.submit("dataset", "--config", config, "--output", str(output), log=log), log)
    for split in ("train", "validation", "test"):
        made = (output / f"{split}.jsonl").read_bytes()
        assert made == (calm / "run" / "dataset" / f"{split}.jsonl").read_bytes()
    ended(nodes.submit("sft", "--config", config, log=log), log)
    (weights,) = (calm / "run" / "sft").rglob("model.safetensors")
    place = weights.relative_to(calm)
    assert (tmp_path / place).read_bytes() == weights.read_bytes()


def test_an_endpoint_job_answers_until_it_is_stopped(calm, nodes, tmp_path):
    log, url = tmp_path / "first.log", "http://127.0.0.1:28000"
    checkpoint = ("--checkpoint", str(calm / "run"), "--set", "serving.port=28000")
    job = nodes.submit("serve", *checkpoint, log=log)

    def answers(path: str, *more: str) -> str | None:
        """The body, from within the head's network; None where nothing answers with 200."""
        try:
            return nodes.head.run("curl", "--silent", "--fail", url + path, *more).stdout
        except subprocess.CalledProcessError:
            return None

    wait_for(lambda: answers("/readyz"), job, log)
    problem = {"primitive": "vertex_cover", "graph": {"nodes": [0, 1], "edges": [[0, 1]]}}
    body = json.dumps({"problem": problem, "constrained": True})
    answer = json.loads(
        answers("/v1/circuits", "--header", "Content-Type: application/json", "--data", body)
    )
    print(f"\nanswered: valid {answer['valid']}, {answer['candidates']}")
    assert answer["valid"]
    nodes.stop("serve-first")
    assert job.wait(scaled(TIME_LIMIT_S)) is not None
    assert answers("/healthz") is None
    assert "stopped" in nodes.status("serve-first").lower()


def test_a_job_with_bad_input_fails_with_one_line(nodes, tmp_path):
    log = tmp_path / "bad.log"
    files = ("--problems", "nowhere.jsonl", "--generations", "nowhere.jsonl")
    bad = nodes.submit("evaluate", *files, "--output", str(tmp_path / "out"), log=log)
    assert bad.wait(scaled(TIME_LIMIT_S)) != 0
    assert "quasar: --problems nowhere.jsonl: no such file" in log.read_text()
