"""Rollouts on disk, on the terminal and in the report, from real episodes of a tiny policy."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from quasar.cli.main import main
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.log import (
    RolloutLog,
    extremes,
    read_rollouts,
    write_rollouts,
)
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import InputError
from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.summary import METRICS
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.reports.html import main_report
from quasar.reports.rollout_view import report_rollouts
from quasar.system.run_paths import RunPaths
from quasar.training.state import StepLog
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.reward import Failed

GROUPS, SAMPLES = 3, 4


@pytest.fixture(scope="module")
def episodes(tiny_policy, tiny_config, tiny_dataset):
    """Two turns each; constrained, so that there are circuits. The last was not graded."""
    config = with_overrides(
        tiny_config,
        {
            "generation.constrained": True,
            "generation.max_turns": 2,
            "generation.turn_tokens": 60,
            "generation.max_response_tokens": 120,
            "generation.satisfied_at": 1.0,
        },
    )
    tool = LocalVerifierPool(config.verification, "hierarchical").verify
    generator = CircuitGenerator.load(tiny_policy, device="cpu")
    loop = EpisodeRunner(
        generator, verifying(tool, config.reward, config.generation), generation=config.generation
    )
    records = read_problems(tiny_dataset / "train.jsonl")[:GROUPS]
    tasks = [
        EpisodeTask(r.problem, build_messages(r.problem), g, s, (10 * g + s,))
        for g, r in enumerate(records)
        for s in range(SAMPLES)
    ]
    made = loop.run(tasks, weights_version=7)
    made[-1] = replace(made[-1], outcome=Failed("timeout", "after 20 s"), report=None)
    return made


@pytest.fixture
def run(episodes, tmp_path):
    """A run directory with rollouts of steps 1, 2 and 4."""
    directory = tmp_path / "runs" / "mine"
    for step in (1, 2, 4):
        path = RunPaths(directory).grpo.rollouts_of(step)
        write_rollouts(path, episodes, np.linspace(-1.0, 1.0, len(episodes)))
    StepLog(directory / "grpo" / "steps.jsonl").append(1, {"reward": 0.125})
    return directory


def printed(capsys, *arguments) -> str:
    assert main(["rollouts", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments) -> str:
    assert main(["rollouts", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_row_has_all_of_an_episode(run, episodes):
    rows = RolloutLog(run).read(1)
    assert [(r.group, r.sample) for r in rows] == [(e.group, e.sample) for e in episodes]
    for row, e, advantage in zip(rows, episodes, np.linspace(-1, 1, len(rows)), strict=True):
        assert row.prompt == e.prompt
        assert e.problem_key
        for name in ("texts", "observations", "turn_rewards", "problem_key", "finished"):
            assert getattr(row, name) == getattr(e, name), name
        assert row.advantage == advantage
        assert row.weights_version == 7
        assert row.tokens == e.counts.sampled
    graded, e = rows[0], episodes[0]
    assert graded.reward == e.outcome.value == pytest.approx(sum(graded.weighted.values()))
    assert graded.findings.num_gates == e.report.num_gates
    assert (rows[-1].reward, rows[-1].fault) == (None, "timeout: after 20 s")
    assert rows[-1].findings is None


def test_a_group_shares_its_prompt(run):
    lines = RolloutLog(run).path(1).read_text().splitlines()
    assert sum('"prompt"' in line for line in lines) == GROUPS
    longest = max(map(len, lines))
    assert longest < 6000


def test_best_median_and_worst_are_of_the_graded(run):
    rows = RolloutLog(run).read(1)
    found = extremes(rows)
    rewards = sorted(r.reward for r in rows if r.reward is not None)
    assert [found[n].reward for n in ("best", "median", "worst")] == [
        rewards[-1],
        rewards[len(rewards) // 2],
        rewards[0],
    ]
    assert list(extremes(rows[:1])) == ["best"]
    assert extremes(rows[-1:]) == {}


def test_show_prints_a_rollout_from_prompt_to_reward(run, capsys):
    row = RolloutLog(run).read(4)[5]
    text = printed(capsys, "show", run, "--step", 4, "--group", row.group, "--sample", row.sample)
    for part in (
        f"step 4, group {row.group}, sample {row.sample}",
        "prompt, user",
        "turn 1, reward",
        "turn 2, reward",
        "q_0:",
        f"{row.reward:.4f}",
        f"advantage {row.advantage:+.3f}",
        "optimum_probability",
    ):
        assert part in " ".join(text.split()), part
    assert row.texts[1].splitlines()[-1] in text
    assert row.observations[0].splitlines()[0][:60] in text


def test_show_without_numbers_takes_the_extremes(run, capsys):
    text = printed(capsys, "show", run, "--step", 1)
    assert re.findall(r"(best|median|worst): step 1, group", text) == ["best", "median", "worst"]
    rows = json.loads(printed(capsys, "show", run, "--step", 1, "--json"))
    assert [r["reward"] for r in rows] == sorted((r["reward"] for r in rows), reverse=True)
    group = json.loads(printed(capsys, "show", run, "--step", 1, "--group", 2, "--json"))
    assert [r["sample"] for r in group] == [*range(SAMPLES)]
    assert all(r["prompt"] for r in group)


def test_list_shows_steps_and_then_the_rollouts_of_one(run, capsys, monkeypatch):
    monkeypatch.chdir(run.parents[1])  # the run by its name
    steps = json.loads(printed(capsys, "list", "mine", "--json"))
    assert [s["step"] for s in steps] == [1, 2, 4]
    assert (steps[0]["reward"], steps[1]["reward"]) == (0.125, None)
    assert "0.125" in printed(capsys, "list", "mine")
    table = printed(capsys, "list", "mine", "--step", 2)
    assert len(re.findall(r"^ *[0-2] +[0-3] ", table, re.MULTILINE)) == GROUPS * SAMPLES
    assert "advantage" in table
    assert "timeout" in table


def test_terminal_codes_of_a_policy_are_not_obeyed(run, episodes, capsys):
    path = RolloutLog(run).path(1)
    evil = replace(episodes[0], texts=("\x1b[2J[red]x[/red]",), observations=())
    write_rollouts(path, [evil], [0.0])
    text = printed(capsys, "show", run, "--step", 1)
    assert "\x1b[2J" not in text
    assert "[red]x[/red]" in text


def test_bad_input_is_one_line(run, tmp_path, capsys):
    assert "there are those of steps 1–2, 4" in refused(capsys, "show", run, "--step", 3)
    assert "no such run directory" in refused(capsys, "show", "nothing", "--step", 1)
    assert "no rollouts in grpo/rollouts" in refused(capsys, "list", tmp_path)
    line = refused(capsys, "show", run, "--step", 1, "--group", 9)
    assert "groups go from 0 to 2, samples from 0 to 3" in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line[: len(line) // 2], "not JSON"),
        (lambda line: "[1]", "not a rollout"),
        (lambda line: line.replace('"texts": [', '"texts": [3, '), "texts.0"),
        (lambda line: line.replace('"group"', '"gruop"'), "'group' is missing"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(run, capsys, change, said):
    path = RolloutLog(run).path(2)
    lines = path.read_text().splitlines()
    lines[1] = change(lines[1])
    path.write_text("\n".join(lines))
    told = refused(capsys, "show", run, "--step", 2)
    assert f"{path} line 2: " in told
    assert said in told
    path.write_text("")
    with pytest.raises(InputError, match="no rows"):
        read_rollouts(path)


def test_the_report_shows_rollouts_of_three_steps(run, tiny_config, tmp_path):
    shown = report_rollouts(run, tiny_config.verification)
    assert [s["step"] for s in shown] == [1, 2, 4]
    nothing = {metric.column: None for metric in METRICS}
    aggregator = Aggregator()
    values = {"valid": True, "approximation_ratio": 0.5, "failure": None}
    aggregator.add([nothing | values], {"primitive": "min_cut", "num_qubits": 3, "uniform": 0.5})
    row = aggregator.finish()
    page = main_report(tmp_path, {"after": row}, {}, tiny_config, rollouts=shown).read_text()
    section = page[page.index("Rollouts in training") : page.index("<h2>Configuration")]
    assert len(re.findall(r"<summary>(?:Best|Median|Worst): ", section)) == 9
    assert section.count("<details") == section.count("</details>")
    assert "q_0:" in section
    assert "The tool answers:" in section
    assert report_rollouts(tmp_path, tiny_config.verification) == []
