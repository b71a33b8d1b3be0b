"""A whole training run on all tasks at once: real Ray, real DeepSpeed, everything tiny."""

import json
import subprocess
import sys

import pytest

from quasar.datasets.io import read_records
from quasar.evaluation.summary import read_summary
from quasar.system.run_paths import RunPaths
from quasar.tasks import get_task
from quasar.tasks.base import task_of
from quasar.training.state import StepLog
from tests.support.machine import scaled
from tests.support.tiny import TINY

pytestmark = [pytest.mark.ray, pytest.mark.slow]
TASKS = ("ising", "ground_state", "state_preparation", "stabiliser")
SETTINGS = [
    *TINY,
    "dataset.primitives=[max_cut]",
    "dataset.instances=[ground_state/tfim_chain:2,state_preparation/ghz:3-5,"
    "state_preparation/known:1-2,stabiliser/state:2]",
    "dataset.num_examples=48",
    "dataset.test_fraction=0.2",
    "generation.max_response_tokens=160",
    "sft.batch_size=16",
    "sft.stream.examples=96",
    "grpo.iterations=2",
    "grpo.prompts_per_step=4",
    "grpo.samples_per_prompt=4",
    "grpo.validation={every: 2, num_problems: 4}",
    "evaluation.num_problems=12",
    "evaluation.samples=1",
    "rollout.num_workers=1",
    "learner.torch_threads=1",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Its directory, and what it printed."""
    directory = tmp_path_factory.mktemp("mixed")
    settings = [*SETTINGS, f"run.directory={directory}", "run.name=run"]
    command = [sys.executable, "-m", "quasar", "train", "--config", "laptop-tasks"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(300), check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return directory / "run", done.stdout + done.stderr


def test_every_task_is_trained_on_and_has_curves(run):
    steps = StepLog.read(run[0] / "grpo" / "steps.jsonl")
    assert [step["step"] for step in steps] == [0, 1, 2]
    for step in steps[1:]:  # balanced: a prompt of each task
        for task in TASKS:
            assert 0.0 <= step[f"{task}/success"] <= 1.0
            parts = [step[f"{task}/reward_weighted/{name}"] for name in get_task(task).parts]
            rest = step[f"{task}/reward_weighted/syntax"]
            cost = step[f"{task}/reward_weighted/two_qubit_cost"]
            assert sum(parts) + rest + cost == pytest.approx(step[f"{task}/reward"], abs=1e-6)
        mean = sum(step[f"{task}/reward"] for task in TASKS) / len(TASKS)
        assert mean == pytest.approx(step["reward"], abs=1e-6)
    rows = [json.loads(line) for line in (run[0] / "grpo/rollouts/step-000001.jsonl").open()]
    assert {row.get("task", "ising") for row in rows} == set(TASKS)
    for row in rows:  # held to the grammar of their task
        assert row["findings"]["reached"] != "none" or not row["finished"]


def test_curves_are_in_mlflow(run):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{run[0]}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'quasar'")
    (tracked,) = client.search_runs([experiment.experiment_id])
    for name in ("grpo/ground_state/reward", "grpo/state_preparation/success",
                 "evaluation/after_grpo/stabiliser/success"):  # fmt: skip
        assert name in tracked.data.metrics


def test_the_evaluation_has_each_task_with_teacher_and_best_trivial_answer(run):
    summary = read_summary(RunPaths(run[0]).evaluation("after GRPO").summary)
    held_out = read_records(RunPaths(run[0]).evaluation_problems)
    counts = {task: sum(task_of(r.problem) == task for r in held_out) for task in TASKS}
    assert {task: t.num_problems for task, t in summary.tasks.items()} == {
        task: count for task, count in counts.items() if count
    }
    assert len(summary.tasks) > 2
    teacher, trivial = (summary.baselines[n].tasks for n in ("references", "best trivial answer"))
    for task in set(summary.tasks) - {"ising"}:
        assert teacher[task].tables["pass@1"]["success"].value == 100.0
        assert teacher[task].tables["pass@1"]["part_mean"].value > 0.99
        assert trivial[task].tables["pass@1"]["success"].value == 0.0
        assert trivial[task].tables["pass@1"]["part_mean"].value == pytest.approx(0.0, abs=1e-6)
    assert "ising" not in trivial
    report = (run[0] / "report.html").read_text()
    for task in summary.tasks:
        assert f"Task: {task.replace('_', ' ')}" in report
    assert "By task" in run[1]
