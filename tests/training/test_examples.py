"""Examples that are streamed during training: the same wherever training stands."""

import numpy as np
import pytest

from quasar.config import load_config
from quasar.datasets.stream import ExampleStream
from quasar.errors import TrainingError
from quasar.policy.models import build_policy, load_chat
from quasar.training.examples import StreamedExamples
from quasar.training.sft import num_steps
from tests.support.tiny import TINY

SETTINGS = [
    *TINY,
    "dataset.prompts=compact",
    "dataset.style=canonical",
    "dataset.max_qubits=6",
    "sft.batch_size=4",
    "sft.stream.examples=18",
    "sft.stream.num_workers=2",
    "generation.max_response_tokens=256",
    "policy.vocab_size=300",
]


PER_STEP = 4


@pytest.fixture(scope="module")
def config():
    return load_config("published", SETTINGS)


@pytest.fixture(scope="module")
def model(config, tmp_path_factory):
    texts = [ExampleStream(config, []).example(k).answer for k in range(4)]
    return build_policy(config, texts, tmp_path_factory.mktemp("model") / "initial")


def ids(batch):
    return [np.concatenate([s.tokens.prompt_ids, s.tokens.response_ids]).tolist() for s in batch]


@pytest.mark.ray
def test_steps_are_the_same_from_wherever_they_are_begun(config, model, local_ray):
    whole = StreamedExamples(config, [], model=model, first=0, per_step=PER_STEP)
    later = StreamedExamples(config, [], model=model, first=2, per_step=PER_STEP)
    try:
        steps = [ids(whole.batch(step)) for step in range(4)]
        assert [ids(later.batch(step)) for step in (2, 3)] == steps[2:]
        with pytest.raises(TrainingError, match="step 9 are asked for, those of 4 next"):
            whole.batch(9)
    finally:
        whole.close()
        later.close()
    chat, stream = load_chat(model), ExampleStream(config, [])
    example = stream.example(5)
    expected = chat.prompt_ids(example.messages) + chat.answer_ids(example.answer)
    assert steps[1][1] == expected
    assert all(len(one) <= whole.longest for step in steps for one in step)


def test_steps_are_those_of_the_stream(config):
    assert num_steps(config, num_examples=10**6) == 5


@pytest.mark.ray
def test_choices_are_trained_on_among_what_was_legal_and_mistakes_are_not(config, model, local_ray):
    stream = [
        *SETTINGS,
        "sft.stream.improving=1",
        "sft.loss=choices",
        "generation.constrained=true",
    ]
    settings = load_config("laptop", stream)
    whole = StreamedExamples(settings, [], model=model, first=0, per_step=PER_STEP)
    chat, made = load_chat(model), ExampleStream(settings, [])
    try:
        batch = [*whole.batch(0), *whole.batch(1)]
    finally:
        whole.close()
    mistakes = 0
    for number, sequence in enumerate(batch):
        example, tokens = made.example(number), sequence.tokens
        texts = [chat.tokenizer.decode([i]) for i in tokens.response_ids]
        decisions = [k for k, text in enumerate(texts) if text in (" -> 0\n", " -> 1\n")]
        assert len(decisions) >= example.hamiltonian.num_qubits
        learned = [k for place, k in enumerate(decisions) if place not in example.mistakes]
        assert np.flatnonzero(tokens.trained).tolist() == learned
        assert {len(tokens.legal.sets[tokens.legal.index[k]]) for k in learned} == {2}
        mistakes += len(example.mistakes)
    assert mistakes


@pytest.mark.ray
def test_choices_of_a_tokenizer_without_pieces_are_refused(tiny_policy, local_ray):
    import ray

    choices = ["sft.loss=choices", "generation.constrained=true"]
    settings = load_config("laptop", [*SETTINGS, *choices])
    whole = StreamedExamples(settings, [], model=tiny_policy, first=0, per_step=PER_STEP)
    try:
        with pytest.raises(ray.exceptions.RayTaskError, match=r"set sft\.loss=all"):
            whole.batch(0)
    finally:
        whole.close()
