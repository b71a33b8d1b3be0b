"""Rollouts of real episodes graded anew: by parts and by the verifiers; what is told of it."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.cli.main import main
from quasar.config import to_commented_yaml, with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.log import Rollout, RolloutLog, write_rollouts
from quasar.episodes.replay import from_parts, reason_to_verify, saved_outcome, verified
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.system.run_paths import RunPaths
from quasar.tasks import get_task
from quasar.training.algorithm.batch import assign
from quasar.training.algorithm.step_rewards import StepRewards
from quasar.training.reward_change import StepChange, reward_change
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.report import Failed
from quasar.verification.request import request_of
from quasar.verification.reward import Scored, score

GROUPS, SAMPLES, STEPS = 3, 4, (1, 2)
TWO_TURNS = {
    "generation.constrained": True,
    "generation.max_turns": 2,
    "generation.turn_tokens": 60,
    "generation.max_response_tokens": 120,
    "generation.satisfied_at": 1.0,
}
OTHER_WEIGHTS = {
    "reward.weights.syntax": 0.5,
    "reward.weights.validity": 0.1,
    "reward.weights.expectation": 0.0,
    "reward.weights.optimum_probability": 0.7,
    "reward.weights.two_qubit_cost": 0.2,
    "reward.call_cost": 0.05,
}


def roll_out(config, policy, records) -> list:
    """Episodes of a policy that was not trained; the last one could not be verified."""
    tool = LocalVerifierPool(config.verification, "hierarchical").verify
    tools = verifying(tool, config.reward, config.generation)
    engine = CircuitGenerator.load(policy, device="cpu")
    tasks = [
        EpisodeTask(r.problem, build_messages(r.problem), g, s, (10 * g + s,))
        for g, r in enumerate(records)
        for s in range(SAMPLES)
    ]
    runner = EpisodeRunner(engine, tools, generation=config.generation)
    made = runner.run(tasks, weights_version=0)
    made[-1] = replace(made[-1], outcome=Failed("timeout", "after 20 s"), report=None)
    return made


@pytest.fixture(scope="module", params=["verify", "optimise"])
def graded(request, tiny_policy, tiny_config, tiny_dataset):
    """(configuration, problems by key, rollouts) with either tool."""
    tools = {"verify": ("verify",), "optimise": ("verify", "optimise")}[request.param]
    config = with_overrides(
        tiny_config,
        {**TWO_TURNS, "generation.tools": tools, "generation.optimise_evaluations": 5},
    )
    records = read_problems(tiny_dataset / "train.jsonl")[:GROUPS]
    made = roll_out(config, tiny_policy, records)
    rollouts = [Rollout.of(e, 0.0) for e in made]
    return config, {r.problem.key: r.problem for r in records}, rollouts


@pytest.fixture(scope="module")
def finished_run(tiny_policy, tiny_config, tiny_dataset, tmp_path_factory):
    """A run's directory with the rollouts of two steps."""
    directory = tmp_path_factory.mktemp("runs") / "mine"
    config = with_overrides(
        tiny_config, {**TWO_TURNS, "run.directory": str(directory.parent), "run.name": "mine"}
    )
    made = roll_out(config, tiny_policy, read_problems(tiny_dataset / "train.jsonl")[:GROUPS])
    batch = assign(
        made,
        weights_version=0,
        settings=config.grpo,
        reward=config.reward,
        max_response_tokens=120,
    )
    for step in STEPS:
        write_rollouts(RunPaths(directory).grpo.rollouts_of(step), made, batch.advantages.tolist())
    RunPaths(directory).config_file.write_text(to_commented_yaml(config))
    shutil.copytree(tiny_dataset, RunPaths(directory).dataset)
    return directory


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy to write into."""
    return shutil.copytree(finished_run, tmp_path / "mine")


def told(capsys, *arguments) -> dict:
    assert main(["rollouts", "rescore", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments) -> str:
    assert main(["rollouts", "rescore", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def anew(config, problems, rollouts):
    pool = LocalVerifierPool(config.verification, config.reward.formula)
    return verified(rollouts, lambda r: problems[r.problem_key], pool.verify, config)


# One rollout ------------------------------------------------------------------------------------


def test_verified_again_as_the_run_did_nothing_changes(graded):
    config, problems, rollouts = graded
    assert any(len(r.texts) == 2 for r in rollouts)
    again = anew(config, problems, rollouts[:-1])
    assert again == [saved_outcome(r) for r in rollouts[:-1]]


def test_the_parts_say_what_another_verification_would(graded):
    config, problems, rollouts = graded
    after = with_overrides(config, {**OTHER_WEIGHTS, "reward.optimise_cost": 0.3})
    assert {reason_to_verify(r, config, after) for r in rollouts} == {""}
    found = [from_parts(r, config, after) for r in rollouts]
    assert found[:-1] == anew(after, problems, rollouts[:-1])
    assert found[-1] == Failed("timeout", "after 20 s")
    assert found[:-1] != [saved_outcome(r) for r in rollouts[:-1]]


def test_what_the_rows_do_not_say_is_a_reason_to_verify(graded):
    config, _, rollouts = graded
    free = with_overrides(config, {"reward.call_cost": 0.0, "reward.optimise_cost": 0.0})
    reason = reason_to_verify(rollouts[0], free, config)
    several = "optimise" in config.generation.tools
    assert ("did not count" in reason) == several
    published = with_overrides(config, {"reward.formula": "published"})
    assert reason_to_verify(rollouts[0], config, published) == "reward.formula is another"
    limited = with_overrides(config, {"verification.gradient_evaluations": 2})
    assert "gradient_evaluations" in reason_to_verify(rollouts[0], config, limited)
    old = rollouts[0].model_copy(update={"parts": {"syntax": 1.0, "two_qubit_cost": 0.0}})
    assert "did not measure distribution" in reason_to_verify(old, config, config)


@pytest.mark.parametrize("name", ["ground_state", "state_preparation", "stabiliser"])
def test_other_tasks_are_graded_anew_by_their_own_parts(tiny_config, name):
    task = get_task(name)
    family = next(iter(task.families))
    size = next(n for n in task.possible_qubits(family, 4) if n > 1)
    instance = task.generate(np.random.default_rng(0), family=family, num_qubits=size)
    pool = LocalVerifierPool(tiny_config.verification)
    texts = [task.reference(instance, task.facts(instance)), "no program"]
    reports = pool.verify([request_of(instance, text) for text in texts])
    rows = []
    for i, (text, report) in enumerate(zip(texts, reports, strict=True)):
        grade = asdict(score(report, tiny_config.reward))
        rows.append(
            Rollout(
                group=0, sample=i, task=name, primitive=family, num_qubits=size,
                problem_key=instance.key, weights_version=0, texts=(text,), observations=(),
                turn_rewards=(grade["value"],), finished=True, tokens=9, advantage=0.0,
                reward=grade.pop("value"), **grade,
            )
        )  # fmt: skip
    part = next(iter(task.parts))
    weights = {f"reward.weights.{name}": {part: 0.125, "syntax": 2.0}}
    after = with_overrides(tiny_config, weights)
    assert {reason_to_verify(r, tiny_config, after) for r in rows} == {""}
    found = [from_parts(r, tiny_config, after) for r in rows]
    assert found == anew(after, {instance.key: instance}, rows)
    assert isinstance(found[0], Scored)
    assert found[0].weighted[part] == 0.125 * rows[0].parts[part]
    assert isinstance(found[1], Scored)
    assert found[1].value == -2.0


# A run ------------------------------------------------------------------------------------------


def test_a_run_is_graded_anew_and_the_advantages_before_are_the_saved_ones(run, capsys):
    found = told(capsys, run, "--set", "reward.weights.optimum_probability=1")
    assert (found["verified"], found["why"]) == (0, "")
    count = GROUPS * SAMPLES * len(STEPS)
    assert (found["rollouts"], found["not_graded_before"]) == (count, len(STEPS))
    assert found["graded"] == count - len(STEPS)
    assert found["mean_after"] >= found["mean_before"]
    same = told(capsys, run, "--verify")
    assert (same["verified"], same["changed"]) == (count, 0)
    # the fault of the run is none here: it is graded, and enters no comparison
    assert (same["not_graded_after"], same["graded"]) == (0, count - len(STEPS))


def test_an_interrupted_verification_goes_on_where_it_was(run, capsys, monkeypatch):
    change = ("--set", "reward.formula=published")
    whole = told(capsys, run, *change)
    assert whole["why"] == "reward.formula is another"
    (kept,) = RunPaths(run).grpo.rescored_as("x").parent.glob("*.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + len(STEPS)
    kept.write_text("".join(lines[:2]) + lines[2][:50])  # killed while it wrote the second step
    asked = []
    monkeypatch.setattr(
        "quasar.pipeline.rescore.verified",
        lambda rows, *rest: asked.append(len(rows)) or verified(rows, *rest),
    )
    assert told(capsys, run, *change) == whole
    assert asked == [GROUPS * SAMPLES]
    assert told(capsys, run, *change) == whole  # once more: all is there
    assert asked == [GROUPS * SAMPLES]
    assert kept.read_text() == "".join(lines)


def test_the_table_has_the_figures(run, capsys):
    assert main(["rollouts", "rescore", str(run), "--set", "reward.weights.syntax=2"]) == 0
    table = capsys.readouterr().out
    for line in ("mean reward", "groups whose winner flips", "correlation of advantages"):
        assert line in table


def test_bad_input_is_one_line(run, capsys):
    assert "nothing is another" in refused(capsys, run)
    assert "grpo.iterations is another" in refused(capsys, run, "--set", "grpo.iterations=9")
    line = refused(capsys, run, "--set", "reward.weights.expection=1")
    assert "did you mean 'reward.weights.expectation'" in line
    line = refused(capsys, run, "--step", 9, "--verify")
    assert "there are those of steps 1–2" in line
    problems = RunPaths(run).dataset / "train.jsonl"
    problems.write_text("".join(problems.read_text().splitlines(keepends=True)[GROUPS:]))
    line = refused(capsys, run, "--verify")
    assert "grpo/rollouts/step-000002.jsonl: problem " in line
    assert f"is not in {problems}" in line
    RunPaths(run).config_file.unlink()
    assert "no config.yaml" in refused(capsys, run, "--set", "reward.weights.syntax=2")


def test_advantages_are_those_that_the_run_wrote(run, tiny_config):
    rows = RolloutLog(run).read(1)
    step = StepRewards.of(
        [saved_outcome(row) for row in rows],
        groups=[row.group for row in rows],
        tasks=[row.task for row in rows],
        sampled=[row.tokens for row in rows],
        settings=tiny_config.grpo,
        reward=tiny_config.reward,
        max_response_tokens=120,
    )
    assert step.advantages(tiny_config.grpo).tolist() == [row.advantage for row in rows]


# The figures ------------------------------------------------------------------------------------


def change_of(before, after, groups) -> StepChange:
    before, after = np.array(before, float), np.array(after, float)
    return StepChange(np.array(groups), before, after, before - 1, after - 1)


def test_figures_in_closed_form():
    step = change_of(
        [0.0, 1.0, 2.0, 5.0, 3.0, np.nan, 7.0, 7.0],
        [0.5, 2.0, 1.0, 5.0, np.nan, 1.0, 7.0, 7.0],
        [0, 0, 0, 1, 1, 1, 2, 2],
    )
    found = reward_change([step])
    assert (found.rollouts, found.graded) == (8, 6)
    assert (found.not_graded_before, found.not_graded_after) == (1, 1)
    assert found.changed == 3
    assert found.change_quantiles[0] == -1.0
    assert found.change_quantiles[-1] == 1.0
    assert found.groups == 2  # group 1 has one rollout that both grade
    assert (found.order_flips, found.winner_flips) == (1, 1)
    assert (found.informative_before, found.informative_after) == (1, 1)
    assert found.pairs_flipped == pytest.approx(1 / 3)  # of (0, 1), (0, 2), (1, 2) the last
    assert found.within_groups == pytest.approx(0.5)  # ranks 1 2 3 against 1 3 2
    # advantages −1 0 1 4 6 6 against −0.5 1 0 4 6 6: none changes sides
    assert found.signs_flipped == 0.0


def test_what_is_not_defined_is_none():
    found = reward_change([change_of([np.nan, 1.0], [1.0, 1.0], [0, 0])])
    assert (found.rank_correlation, found.within_groups, found.pairs_flipped) == (None,) * 3
    assert found.groups == 0
    nothing = reward_change([change_of([np.nan], [np.nan], [0])])
    assert (nothing.mean_before, nothing.change_quantiles) == (None, ())


values = st.lists(st.integers(-5, 5), min_size=2, max_size=12)


@given(values, st.integers(1, 3))
def test_a_reward_that_keeps_the_order_flips_nothing_and_its_negative_all(rewards, num_groups):
    groups = [i % num_groups for i in range(len(rewards))]
    before = np.array(rewards, float)
    kept = reward_change([change_of(before, 3 * before + 1, groups)])
    assert (kept.order_flips, kept.winner_flips) == (0, 0)
    assert kept.pairs_flipped in (None, 0.0)
    assert kept.rank_correlation is None or kept.rank_correlation == pytest.approx(1)
    against = reward_change([change_of(before, -before, groups)])
    assert against.order_flips == against.winner_flips == against.informative_before
    assert against.pairs_flipped in (None, 1.0)
    assert against.rank_correlation is None or against.rank_correlation == pytest.approx(-1)
