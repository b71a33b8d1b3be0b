"""Validations during GRPO, with its real actors: resume, early stopping, and what is measured."""

import json

import numpy as np
import pytest

from quasar.config import with_overrides
from quasar.datasets.io import read_problems, write_problems
from quasar.datasets.prompts import record_messages
from quasar.episodes.generate import generate_file
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.evaluation.evaluate import evaluate_rows
from quasar.pipeline.evaluate import evaluate_files
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.tool_calls import submitted_circuit
from quasar.training.state import read_state
from quasar.training.train import train_grpo
from quasar.training.validation import Validation
from quasar.verification.execution.pool import LocalVerifierPool
from tests.training.grpo_runs import timeless, weights

pytestmark = [pytest.mark.ray, pytest.mark.slow]


class Interrupted(Exception):
    """What ends a run in the middle."""


def validated(
    config, model, directories, *, resume=False, steps=None, metric=None, interrupt_at=None
):
    """Train with validations by the real evaluation; `metric` replaces what it finds, by step."""
    dataset, directory = directories
    settings = with_overrides(config, {"evaluation.device": "none", "evaluation.random_draws": 0})
    steps = {} if steps is None else steps

    def grade(answers, verifiers):
        summary = evaluate_rows(answers, config=settings, verifiers=verifiers)
        values = {name: summary.get(name).value for name in ("reward", "valid")}
        done = len([s for s in steps.values() if "validation/valid" in s])
        return values if metric is None else values | {"reward": metric[done]}

    def on_update(step, metrics, _):
        steps[step] = metrics
        if step == interrupt_at:
            raise Interrupted

    result = train_grpo(
        config,
        model_directory=model,
        problems_file=dataset / "train.jsonl",
        run_directory=directory,
        resume=resume,
        on_update=on_update,
        validation=Validation(config, dataset / "validation.jsonl", grade),
    )
    return steps, result


@pytest.fixture(scope="module")
def watched(grpo_config):
    """Validations every second update, a curriculum, and a checkpoint every third update."""
    return with_overrides(
        grpo_config,
        {
            "grpo.validation": {"every": 2, "num_problems": 2, "samples": 3},
            "grpo.curriculum": {"balance": ["primitive"], "start_qubits": 3, "widen_over": 0.8},
        },
    )


def test_a_watched_run_that_was_interrupted_ends_as_the_whole_one(
    watched, supervised_model, tiny_dataset, tmp_path
):
    steps, result = validated(watched, supervised_model, (tiny_dataset, tmp_path / "whole"))
    assert [k for k, v in steps.items() if "validation/reward" in v] == [0, 2, 4, 6]
    sizes = [steps[k]["curriculum_qubits"] for k in range(1, 7)]
    assert (sizes[0], sizes[-1]) == (3, 4)
    assert sizes == sorted(sizes)
    for line in (tmp_path / "whole" / "rollouts" / "step-000001.jsonl").read_text().splitlines():
        assert json.loads(line)["num_qubits"] <= 3

    place, again = (tiny_dataset, tmp_path / "parts"), {}
    with pytest.raises(Interrupted):  # after update 5 was reported, the last checkpoint is older
        validated(watched, supervised_model, place, steps=again, interrupt_at=5)
    _, resumed = validated(watched, supervised_model, place, steps=again, resume=True)
    assert again.keys() == steps.keys()
    for step, metrics in steps.items():
        assert timeless(again[step]) == timeless(metrics), step
    for a, b in ((result.last, resumed.last), (result.chosen, resumed.chosen)):
        assert (a.name, read_state(a)) == (b.name, read_state(b))
        expected, got = weights(a), weights(b)
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("turns", [1, 2])
def test_a_validation_is_the_evaluation_of_what_the_checkpoint_would_generate(
    watched, supervised_model, tiny_dataset, tmp_path, turns
):
    """With as many turns as are trained."""
    settings = with_overrides(
        watched,
        {
            "grpo.iterations": 1,
            "generation.max_turns": turns,
            "generation.turn_tokens": 96,
            "generation.max_response_tokens": 96 * turns,
            "generation.satisfied_at": 1.0,
        },
    )
    steps, result = validated(settings, supervised_model, (tiny_dataset, tmp_path))
    problems = tmp_path / "problems.jsonl"
    records = read_problems(tiny_dataset / "validation.jsonl")[:2]
    write_problems(problems, records)
    for source, metrics in ((supervised_model, steps[0]), (result.last / "huggingface", steps[1])):
        generations = tmp_path / f"{metrics is steps[0]}.jsonl"
        generate_file(source, problems, samples=3, output=generations, config=settings)
        summary = evaluate_files(
            problems,
            generations,
            tmp_path / generations.stem,
            config=settings,
            baselines=(),
            progress=False,
        )
        for name in ("reward", "valid"):
            assert metrics[f"validation/{name}"] == pytest.approx(summary.get(name).value)
        texts = [t for line in generations.open() for t in json.loads(line)["completions"]]
        assert texts == _last_submissions(source, records, settings)


def _last_submissions(model, records, config):
    """What whole episodes, verified to their ends, submit last under the evaluation's sampling."""
    pool = LocalVerifierPool(config.verification, config.reward.formula)
    generation = config.generation.model_copy(
        update={"temperature": config.evaluation.temperature, "top_p": config.evaluation.top_p}
    )
    runner = EpisodeRunner(
        CircuitGenerator.load(model, device="cpu", batch_size=generation.batch_size),
        verifying(pool.verify, config.reward, generation),
        generation=generation,
    )
    tasks = [
        EpisodeTask(r.problem, record_messages(r), g, s, (config.run.seed, r.sample_index, s))
        for g, r in enumerate(records)
        for s in range(3)
    ]
    episodes = runner.run(tasks, weights_version=0)
    assert {len(e.texts) for e in episodes} == {generation.max_turns}
    return [submitted_circuit(e.texts[-1]) for e in episodes]


def test_early_stopping_ends_training_and_a_resumed_run_does_not_train_on(
    watched, supervised_model, tiny_dataset, tmp_path
):
    settings = with_overrides(watched, {"grpo.validation.patience": 1, "grpo.keep_checkpoints": 1})
    place = (tiny_dataset, tmp_path)
    steps, result = validated(settings, supervised_model, place, metric=[0.1, 0.5, 0.4])
    assert max(steps) == 4
    assert result.stopped.startswith("validation/reward did not rise in 1 validations")
    assert (result.last.name, result.chosen.name) == ("step-000004", "step-000002")
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"step-000002", "step-000004"}
    assert read_state(result.last).best_step == 2

    more, again = validated(settings, supervised_model, place, resume=True)
    assert more == {}
    assert again == result
    last = with_overrides(settings, {"grpo.validation.result": "last"})
    assert validated(last, supervised_model, place, resume=True)[1].chosen == result.last
