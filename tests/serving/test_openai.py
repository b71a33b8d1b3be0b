"""OpenAI's own client against the application under uvicorn, with a real small model."""

from collections import Counter

import openai
import pytest
from endpoint import Endpoint, running

from quasar.config import load_config
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.serving.keys import new_key, read_keys
from quasar.serving.writer import WriterLoop
from tests.support.machine import scaled

PROBLEM = [{"role": "user", "content": "smallest vertex cover of 0-1 1-2"}]


@pytest.fixture(scope="module")
def client(checkpoint, tmp_path_factory):
    config = load_config("laptop", ["generation.max_response_tokens=128"])
    generator = CircuitGenerator.load(checkpoint, device="cpu")

    loop = WriterLoop(generator, config.generation)
    file = tmp_path_factory.mktemp("keys") / "keys"
    key = new_key("openai", file)
    keys = read_keys(file.read_text(), source=str(file))
    overrides = ("generation.max_response_tokens=128", "serving.temperature=0.2")
    with running(Endpoint([], *overrides, write=loop.write, keys=keys).api) as (host, port):
        url = f"http://{host}:{port}/v1"
        yield openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=scaled(60))
    loop.close()


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["run/final", "run/final:verified"]


def test_the_verified_model_answers_a_problem_in_words_with_a_circuit(client):
    done = client.chat.completions.create(model="run/final:verified", messages=PROBLEM, seed=1)
    content = done.choices[0].message.content
    assert content.startswith("OPENQASM 3.0;")
    assert done.choices[0].finish_reason == "stop"
    assert done.quasar["valid"]
    assert done.quasar["circuit"] == content
    assert done.quasar["answer"] == [1]


def test_a_verified_stream_is_the_same_circuit(client):
    asked = {"model": "run/final:verified", "messages": PROBLEM, "seed": 1}
    whole = client.chat.completions.create(**asked).choices[0].message.content
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"


def test_the_model_itself_is_sampled(client):
    asked = {"model": "run/final", "messages": PROBLEM, "n": 2, "max_tokens": 5, "seed": 3}
    done = client.chat.completions.create(**asked, temperature=0.0)
    assert [choice.finish_reason for choice in done.choices] == ["length", "length"]
    assert done.usage.completion_tokens == 10
    assert done.usage.total_tokens == done.usage.prompt_tokens + 10
    again = client.chat.completions.create(**asked, temperature=0.0)
    assert [c.message.content for c in again.choices] == [c.message.content for c in done.choices]
    streamed = client.chat.completions.create(
        **asked, temperature=0.0, stream=True, stream_options={"include_usage": True}
    )
    texts, usage = ["", ""], None
    for chunk in streamed:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
        usage = chunk.usage or usage
    assert texts == [choice.message.content for choice in done.choices]
    assert usage.completion_tokens == 10


def test_text_comes_while_it_is_written(client):
    """Not all at its end: the last piece comes well after the first one."""
    asked = {"model": "run/final", "messages": PROBLEM, "n": 8, "seed": 3, "stream": True}
    pieces = [c.choices[0] for c in client.chat.completions.create(**asked, temperature=2.0)]
    first_end = next(i for i, choice in enumerate(pieces) if choice.finish_reason)
    by_sample = Counter(choice.index for choice in pieces[:first_end] if choice.delta.content)
    assert len(by_sample) == 8
    assert max(by_sample.values()) > 1, by_sample


@pytest.mark.parametrize(
    ("change", "error", "part"),
    [
        ({"model": "gpt-x"}, openai.NotFoundError, "no model 'gpt-x'"),
        ({"messages": []}, openai.UnprocessableEntityError, "messages"),
        ({"messages": [{"role": "user", "content": "hi"}]}, openai.UnprocessableEntityError, "no"),
        ({"tools": []}, openai.UnprocessableEntityError, "unknown field 'tools'"),
        ({"n": 99}, openai.UnprocessableEntityError, "limit of 32"),
        ({"top_p": 0.5}, openai.UnprocessableEntityError, "top_p is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client, change, error, part):
    with pytest.raises(error, match=part):
        client.chat.completions.create(
            **{"model": "run/final:verified", "messages": PROBLEM} | change
        )


def test_a_wrong_key_is_an_authentication_error(client):
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="qk_wrong").models.list()
