"""`quasar generate` with several turns: what is submitted last, wherever it was interrupted."""

import json
from itertools import chain

import pytest

from quasar.config import with_overrides
from quasar.datasets.io import read_problems, write_problems
from quasar.episodes.answers import answer, answering, unshared
from quasar.episodes.generate import generate_file
from quasar.errors import InputError
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.verification.execution.pool import LocalVerifierPool


@pytest.fixture(scope="module")
def records(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")[:4]


@pytest.fixture(scope="module")
def config(tiny_config):
    return with_overrides(
        tiny_config,
        {
            "generation.constrained": True,
            "generation.stop_at_program_end": True,
            "generation.max_turns": 2,
            "generation.turn_tokens": 64,
            "generation.max_response_tokens": 128,
            "generation.satisfied_at": 1.0,
            "generation.batch_size": 4,
        },
    )


def test_a_file_of_two_turns_holds_what_is_submitted_last(config, tiny_policy, records, tmp_path):
    problems, output = tmp_path / "problems.jsonl", tmp_path / "generations.jsonl"
    write_problems(problems, records)
    generate_file(tiny_policy, problems, samples=2, output=output, config=config, progress=False)
    found = [json.loads(line)["completions"] for line in output.open()]

    engine = CircuitGenerator.load(tiny_policy, device="cpu")
    pool = LocalVerifierPool(unshared(config.verification))
    both = answer(answering(engine, pool.verify, config), records, samples=2, config=config)
    assert found == both
    once = with_overrides(config, {"generation.max_turns": 1})
    first = answer(answering(engine, pool.verify, once), records, samples=2, config=once)
    assert all(a != b for a, b in zip(chain(*first), chain(*found), strict=True))


def test_a_prompt_over_the_limit_is_named_before_anything_is_written(
    config, tiny_policy, records, tmp_path
):
    problems, output = tmp_path / "problems.jsonl", tmp_path / "generations.jsonl"
    write_problems(problems, records)
    narrow = with_overrides(config, {"generation.max_prompt_tokens": 16})
    with pytest.raises(InputError, match=r"problems\.jsonl: the prompt of sample_index \d+ has"):
        generate_file(tiny_policy, problems, samples=1, output=output, config=narrow)
    assert list(tmp_path.glob("[!.]*")) == [problems]
