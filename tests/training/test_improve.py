"""Self-improvement with its real actors: it learns what it kept, and goes on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from quasar.config import load_config, to_commented_yaml, with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.stream import ExampleStream
from quasar.errors import CheckpointError, ConfigError
from quasar.pipeline.improve import run_improvement
from quasar.policy.models import build_policy, load_chat, load_policy
from quasar.system.run_paths import RunPaths
from quasar.training.algorithm.packing import pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.training.examples import supervised_sequences
from quasar.training.round_answers import sampling
from quasar.training.state import CheckpointStore, StepLog, read_state
from tests.support.machine import scaled
from tests.support.tiny import TINY

ROUNDS = 2
SETTINGS = [
    *TINY,
    "dataset.prompts=compact",
    "dataset.style=canonical",
    "dataset.encoding=sound",
    "policy.vocab_size=300",
    "generation.constrained=true",
    "generation.max_response_tokens=256",
    "generation.batch_size=8",
    "sft.stream={examples: 64, ansatze: [adaptive]}",
    "sft.loss=choices",  # as models are trained that answer under the grammar
    "learner.torch_threads=1",
    "learner.cpus_per_learner=0.25",
    "verification.cpus_per_worker=0.25",
    "rollout.num_workers=1",
    "rollout.cpus_per_worker=0.25",
    f"improve.rounds={ROUNDS}",
    "improve.problems=12",
    "improve.samples=4",
    "improve.optimise_evaluations=10",
    "improve.epochs=8.0",
    "improve.batch_size=8",
    "improve.learning_rate=3e-3",
    "improve.checkpoint_every=3",
    "improve.validation={num_problems: 12}",
    "evaluation.device=none",
]
# Of the round's metrics, what the clock changes.
CHANGING = ("seconds",)
pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Untrained: held to the grammar, it writes QAOA at random angles."""
    config = load_config("laptop", SETTINGS)
    stream = ExampleStream(config, [])
    texts = [stream.example(k).answer for k in range(4)]
    return build_policy(config, texts, tmp_path_factory.mktemp("model") / "initial")


def configured(model, directory, *more):
    places = [f"policy.model={model}", f"run.directory={directory}", "run.name=run"]
    return load_config("laptop", [*SETTINGS, *places, *more])


@pytest.fixture(scope="module")
def improved(local_ray, model, tmp_path_factory):
    """A whole improvement that nothing disturbed: its run's paths and what came out."""
    directory = tmp_path_factory.mktemp("calm")
    found = run_improvement(configured(model, directory))
    return RunPaths(directory / "run"), found


def figures(run: RunPaths) -> list[dict]:
    rows = StepLog.read(run.improve.rounds)
    return [{k: v for k, v in row.items() if not k.startswith(CHANGING)} for row in rows]


def losses(run: RunPaths) -> list[tuple]:
    return [(row["step"], row["loss"]) for row in StepLog.read(run.improve.steps)]


def kept_of(run: RunPaths, number: int):
    """(record, text) of what a round kept."""
    records = read_problems(run.improve.problems(number))
    rows = [json.loads(line) for line in run.improve.samples(number).open()]
    return [
        (record, row["kept"])
        for record, row in zip(records, rows, strict=True)
        if row["kept"] is not None
    ]


def log_likelihood(config, model: Path, kept) -> float:
    """Mean log-probability of what was chosen in kept answers, over what was legal there."""
    network, tokenizer = load_policy(model)
    answered = [
        replace(record, problem=replace(record.problem, reference_circuit=text))
        for record, text in kept
    ]
    batch = pad(supervised_sequences(answered, load_chat(model), config),
                pad_id=tokenizer.pad_token_id)  # fmt: skip
    arrays = (batch.input_ids, batch.attention_mask, batch.trained)
    ids, mask, trained = (torch.from_numpy(a) for a in arrays)
    with torch.no_grad():
        log_probs, _ = TokenScorer(network)(ids, mask, trained, 1.0, legal=batch.legal)
    return float(log_probs.mean())


@pytest.mark.timeout(300)
def test_a_round_keeps_better_answers_than_the_policy_samples(improved):
    run, found = improved
    rows = figures(run)
    assert [row["step"] for row in rows] == [0, 1, 2]
    for row in rows[1:]:
        assert row["problems"] == 12
        assert row["valid_fraction"] == 1.0
        assert row["reward"] < row["best/reward"] <= row["chosen/reward"] + 1e-6
        assert 0 < row["kept"] <= 12
        assert row["approximation_ratio"] < row["chosen/approximation_ratio"]
        assert "trivial/reward" in row
        assert row["failed_fraction"] == 0.0
    assert "validation_trivial/approximation_ratio" in rows[0]
    assert found.result.rounds == ROUNDS
    assert not found.result.stopped
    best = max(range(3), key=lambda i: rows[i]["validation/reward"])
    assert found.result.chosen_round == best
    assert (found.model / "model.safetensors").read_bytes() == (
        found.result.chosen / "huggingface" / "model.safetensors"
    ).read_bytes()


def test_imitation_raises_the_likelihood_of_what_was_kept(improved, model):
    run, found = improved
    config = configured(model, run.directory.parent)
    kept = kept_of(run, 1)
    assert kept
    before = log_likelihood(config, model, kept)
    after = log_likelihood(config, found.result.last / "huggingface", kept)
    assert after > before + 0.5  # nats a token


def test_what_is_kept_is_of_the_family_and_in_the_style_that_was_asked_for(improved):
    from quasar.circuits.ansatz.recognition import recognise
    from quasar.circuits.convert import style_of

    run, _ = improved
    for record, text in kept_of(run, 1) + kept_of(run, 2):
        recognised = recognise(text, record.problem.hamiltonian)
        assert recognised is not None
        assert (recognised.ansatz.name, recognised.layers) == (record.ansatz, record.n_layers)
        assert style_of(text) == "canonical"


def test_started_again_it_does_nothing_and_more_rounds_go_on(improved, model, local_ray):
    run, found = improved
    before = figures(run)
    again = run_improvement(configured(model, run.directory.parent))
    assert again == found
    assert figures(run) == before
    with pytest.raises(ConfigError, match=r"improve.samples is 4, not 5"):
        run_improvement(configured(model, run.directory.parent, "improve.samples=5"))


@pytest.mark.timeout(400)
def test_killed_twice_it_gives_the_same_figures(improved, model, tmp_path):
    """Once while answers are made, once between two checkpoints of a round."""
    calm, _ = improved
    config = configured(model, tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(to_commented_yaml(config))
    run = RunPaths(tmp_path / "run")
    samples = run.improve.samples(1)
    moments = [
        lambda: _lines(samples.with_name("samples.jsonl.partial")) > 1 or samples.is_file(),
        lambda: len(StepLog.read(run.improve.steps)) >= 5,
    ]
    for moment in moments:
        job = start(file, tmp_path / "log.txt")
        deadline = time.monotonic() + scaled(150)
        while not moment():
            assert job.poll() is None, (tmp_path / "log.txt").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        job.send_signal(signal.SIGKILL)
        job.wait()
    made = {p: p.read_bytes() for p in (samples,) if p.is_file()}
    assert made  # the second kill came after the first round's answers
    latest = CheckpointStore(run.improve.checkpoints).latest()
    assert latest is not None
    assert read_state(latest).round < ROUNDS
    assert start(file, tmp_path / "log.txt").wait(scaled(150)) == 0, (
        tmp_path / "log.txt"
    ).read_text()[-3000:]
    assert figures(run) == figures(calm)
    assert losses(run) == losses(calm)
    assert {p: p.read_bytes() for p in made} == made  # no round is answered twice


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def start(config: Path, log: Path) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if k != "DS_ACCELERATOR"}
    with log.open("a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "quasar", "improve", "--config", str(config)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def test_what_cannot_be_improved_is_refused_before_anything_is_made(model, tmp_path):
    nothing = configured("build", tmp_path)
    with pytest.raises(ConfigError, match=r"nothing to improve: .*--set policy.model=DIR"):
        run_improvement(nothing)
    with pytest.raises(CheckpointError, match="nowhere"):
        run_improvement(configured(tmp_path / "nowhere", tmp_path))
    with pytest.raises(ConfigError, match=r"generation.tool_format=compact"):
        run_improvement(configured(model, tmp_path, "generation.tool_format=chat_template"))
    assert not (tmp_path / "run" / "improve").exists()


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        load_config("laptop", ["improve.rounds=0"])
    with pytest.raises(ConfigError, match="is 0 examples a step"):
        load_config("laptop", ["improve={teacher_share: 0.1, batch_size: 4}"])
    with pytest.raises(ConfigError, match="needs references"):
        load_config("laptop", ["improve.validation.metric=at_least_reference"])


def test_a_round_is_sampled_in_single_turns_without_tools():
    turns = ["generation.max_turns=3", "generation.tools=[verify, optimise]"]
    config = load_config("laptop", turns)
    config = with_overrides(config, {"improve.temperature": 1.3})
    found = sampling(config).generation
    assert (found.max_turns, found.tools, found.temperature) == (1, ("verify",), 1.3)
