"""Sweeps: which trials a plan asks for, what Tune reserves for one, what is made of the results."""

import csv
import io
import itertools
import os
from types import SimpleNamespace

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.search.variant_generator import generate_variants
from rich.console import Console

from quasar.config import load_config
from quasar.errors import ConfigError
from quasar.reports.sweep_report import (
    MEASURES,
    gains_table,
    pareto_chart,
    pareto_front,
    points_of,
    sweep_table,
    write_sweep,
)
from quasar.training.rllib.grpo import GRPO, GRPOConfig
from quasar.training.sweep import PRESETS, Range, SweepPlan, Trial, TrialRuns, _scheduler

LAPTOP = load_config("laptop")


def asked_for(plan: SweepPlan, *, seed: int = 0) -> list[dict]:
    """The overrides of all trials, as Tune resolves them."""
    found = generate_variants({"overrides": plan.overrides(seed)})
    return [resolved["overrides"] for _, resolved in found]


def test_a_grid_is_every_combination_with_each_seed():
    plan = SweepPlan(
        space={"reward.weights.expectation": [0.2, 0.4], "grpo.iterations": [3, 4, 5]},
        num_samples=2,
    )
    found = asked_for(plan, seed=7)
    assert len(found) == 12
    combinations = {tuple(sorted(values.items())) for values in found}
    assert combinations == {
        (("grpo.iterations", i), ("reward.weights.expectation", w), ("run.seed", s))
        for i, w, s in itertools.product((3, 4, 5), (0.2, 0.4), (7, 8))
    }


def test_the_ablation_is_the_published_one():
    plan = SweepPlan(points=PRESETS["ablation"])
    plan.check(LAPTOP)
    found = asked_for(plan)
    assert [plan.name_of(values) for values in found] == [
        "full", "without-EV", "without-RE", "without-Opt", "validity-only",
    ]  # fmt: skip
    assert found[1] == {"reward.weights.expectation": 0.0, "run.seed": 0}


def test_only_the_same_plan_goes_on_with_a_sweep():
    space = {"grpo.iterations": [3, 4]}
    names = [
        SweepPlan(space=space).directory_name,
        SweepPlan(space=space, num_samples=2).directory_name,
        SweepPlan(space={"grpo.iterations": [3, 5]}).directory_name,
        SweepPlan(points=PRESETS["ablation"]).directory_name,
    ]
    assert len(set(names)) == 4
    assert names[0] == SweepPlan(space=dict(space)).directory_name


def test_a_random_search_draws_within_its_range():
    plan = SweepPlan(
        space={"grpo.learning_rate": Range(1e-5, 1e-3, log=True)}, search="random", num_samples=4
    )
    plan.check(LAPTOP)
    for _ in range(20):
        (values,) = asked_for(plan)
        assert 1e-5 <= values["grpo.learning_rate"] <= 1e-3
        assert plan.name_of(values).startswith("grpo.learning_rate = ")


def test_a_population_moves_within_its_range_and_along_its_list():
    plan = SweepPlan(
        space={"grpo.learning_rate": Range(1e-5, 1e-3, log=True), "grpo.clip_low": [0.1, 0.2, 0.3]},
        search="random",
        scheduler="pbt",
    )
    scheduler = _scheduler(LAPTOP, plan)
    values = {"grpo.learning_rate": 9.9e-4, "grpo.clip_low": 0.2}
    seen = set()
    for _ in range(100):
        moved, _ = scheduler._get_new_config(None, SimpleNamespace(config={"overrides": values}))
        assert 1e-5 <= moved["overrides"]["grpo.learning_rate"] <= 1e-3
        seen.add(moved["overrides"]["grpo.clip_low"])
    assert seen == {0.1, 0.2, 0.3}


class Running:
    """What the logger reads of a trial."""

    config: dict


def test_a_trial_that_begins_again_with_other_values_keeps_its_mlflow_run(tmp_path):
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    runs = TrialRuns(tracking_uri=store, experiment_name="sweep")
    named = os.environ.get("MLFLOW_TRACKING_URI")
    runs.setup()
    assert os.environ.get("MLFLOW_TRACKING_URI") == named  # a later run has its own store
    path = "grpo.learning_rate"
    trial = Running()
    for step, value in enumerate((1e-4, 2e-4), start=1):
        trial.config = {"overrides": {path: value, "run.seed": 0}}
        runs.log_trial_start(trial)
        runs.log_trial_result(step, trial, {"training_iteration": step, "quasar/reward": 0.5})
    client = mlflow.MlflowClient(store)
    (experiment,) = (e for e in client.search_experiments() if e.name == "sweep")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params[f"overrides/{path}"] == "0.0001"
    history = client.get_metric_history(run.info.run_id, f"swept/{path}")
    assert [(m.step, m.value) for m in history] == [(1, 1e-4), (2, 2e-4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1..0.9", Range(0.1, 0.9)),
        ("log:1e-5..1e-3", Range(1e-5, 1e-3, log=True)),
        ("1..8", Range(1.0, 8.0)),
        ("0.1,0.9", None),
        ("a..b", None),
    ],
)
def test_ranges_are_read(text, expected):
    assert Range.read(text) == expected


@pytest.mark.parametrize("text", ["0.9..0.1", "log:0..1", "1..1"])
def test_an_empty_range_is_refused(text):
    with pytest.raises(ConfigError, match=r"write low\.\.high"):
        Range.read(text)


def test_each_value_is_tried_against_the_configuration():
    with pytest.raises(ConfigError, match=r"grpo\.iteration"):
        SweepPlan(space={"grpo.iteration": [1]}).check(LAPTOP)
    with pytest.raises(ConfigError, match="clip_low"):
        SweepPlan(space={"grpo.clip_low": Range(0.1, 3.0)}, search="random").check(LAPTOP)


def trial(name: str, x: float, y: float, *, seed: int = 0) -> Trial:
    metrics = dict(zip(MEASURES, (x, y), strict=True))
    return Trial(name, {"run.seed": seed, "a": 1}, 5, metrics, dict.fromkeys(metrics, 0.01))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_the_front_is_what_nothing_beats(points):
    trials = [trial(str(k), float(x), float(y)) for k, (x, y) in enumerate(points)]
    front = {p.name for p in pareto_front(points_of(trials))}
    for k, (x, y) in enumerate(points):
        beaten = any((u >= x and v >= y) and (u > x or v > y) for u, v in points)
        assert (str(k) in front) is not beaten


def test_trials_are_written_with_the_front_and_the_failures(tmp_path):
    failed = Trial("broken", {"a": 2}, 0, {}, {}, "out of memory")
    trials = [trial("best", 0.5, 0.9), trial("worse", 0.4, 0.8), failed]
    table, figure = write_sweep(trials, tmp_path)
    rows = list(csv.DictReader(table.open()))
    assert [(row["trial"], row["pareto"]) for row in rows] == [
        ("best", "True"), ("worse", "False"), ("broken", "False"),
    ]  # fmt: skip
    assert rows[2]["failure"] == "out of memory"
    assert rows[0]["approximation_ratio"] == "0.9"
    assert "<svg" in figure.read_text()
    assert "No point beats best in both measures" in pareto_chart(points_of(trials)).title


def test_seeds_of_the_same_values_are_one_point_compared_seed_by_seed():
    full = [trial("full", 0.2, ratio, seed=k) for k, ratio in enumerate((0.70, 0.80, 0.90))]
    less = [trial("less", 0.2, ratio, seed=k) for k, ratio in enumerate((0.65, 0.76, 0.84))]
    lost = Trial("less", {"run.seed": 3, "a": 1}, 2, {}, {}, "out of memory")
    points = points_of([*full, *less, lost])
    first, second = points
    ratio = "approximation_ratio"
    assert (first.name, len(first.trials), first.gains) == ("full", 3, {})
    assert first.metrics[ratio] == pytest.approx(0.8)
    assert first.errors[ratio] == pytest.approx(0.1 / 3**0.5)
    # The spread over seeds is common to both; the differences are −0.05, −0.04 and −0.06.
    assert second.gains[ratio] == pytest.approx((-0.05, 0.01 / 3**0.5))
    assert second.gains["optimum_probability"] == (0.0, 0.0)
    assert second.title == "less (1 of 4 failed: out of memory)"
    text = printed(gains_table(points))
    assert "less full, seed by seed" in text
    assert "-0.050±0.006 −" in text
    assert "0.800±0.058" in printed(sweep_table(points))


def test_one_seed_has_the_error_of_its_last_steps_and_nothing_to_compare():
    points = points_of([trial("a", 0.2, 0.7), trial("b", 0.3, 0.6)])
    assert [point.errors["approximation_ratio"] for point in points] == [0.01, 0.01]
    assert gains_table(points) is None
    assert "means over the last steps" in printed(sweep_table(points))


def printed(table) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_a_trial_of_the_laptop_preset_can_start_on_two_cores():
    config = load_config("laptop")
    algorithm = GRPOConfig().run(config, model_directory="x", problems_file="y")
    cpus = [b["CPU"] for b in GRPO.default_resource_request(algorithm).bundles]
    # One bundle a process. Tune drops an empty first one and then puts the algorithm's process into
    # a learner's place, for which that learner waits for ever.
    learners, runners = config.learner.num_learners, config.rollout.num_workers
    assert len(cpus) == 1 + learners + runners + config.verification.num_workers
    assert sum(cpus) <= 2.0
