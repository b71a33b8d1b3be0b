import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.policy.decoding import draw
from quasar.policy.engine import Sampling, stream_seed
from quasar.policy.generation import CircuitGenerator


@pytest.fixture(scope="module")
def generator(tiny_policy):
    return CircuitGenerator.load(tiny_policy, device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def prompts(generator, tiny_dataset):
    records = read_problems(tiny_dataset / "train.jsonl")[:6]
    return [generator.chat.prompt_ids(build_messages(r.problem)) for r in records]


def dense_log_probs(generator, prompt, completion, temperature):
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    with torch.inference_mode():
        logits = generator.model(ids).logits[0].float() / temperature
    log_probs = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    return log_probs.gather(-1, ids[0, len(prompt) :, None])[:, 0]


@pytest.mark.parametrize("sampling", [Sampling(1.0, 1.0, 24), Sampling(0.7, 0.8, 24)])
def test_log_probs_are_those_of_a_dense_forward(generator, prompts, sampling):
    done = generator.sample(prompts, seeds=range(len(prompts)), sampling=sampling)
    for prompt, completion in zip(prompts, done, strict=True):
        expected = dense_log_probs(generator, prompt, completion, sampling.temperature)
        torch.testing.assert_close(
            torch.tensor(completion.log_probs), expected, atol=2e-5, rtol=1e-5
        )


def test_a_sequence_does_not_depend_on_its_batch(generator, prompts):
    sampling = Sampling(1.0, 1.0, 32)
    together = generator.sample(prompts, seeds=range(len(prompts)), sampling=sampling)
    alone = [
        generator.sample([prompt], seeds=[i], sampling=sampling)[0]
        for i, prompt in enumerate(prompts)
    ]
    assert [c.token_ids for c in together] == [c.token_ids for c in alone]


def test_other_seeds_write_other_texts(generator, prompts):
    sampling = Sampling(1.0, 1.0, 16)
    done = generator.sample([prompts[0]] * 8, seeds=range(8), sampling=sampling)
    assert len({c.token_ids for c in done}) > 1


def test_each_sequence_keeps_its_own_limit(generator, prompts):
    done = generator.sample(
        prompts[:3], seeds=[0, 1, 2], sampling=Sampling(1.0, 1.0, 20), max_tokens=[1, 7, 20]
    )
    assert all(len(c.token_ids) <= n for c, n in zip(done, (1, 7, 20), strict=True))
    assert all(c.finished or len(c.token_ids) == n for c, n in zip(done, (1, 7, 20), strict=True))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.05, 1.0))
def test_nucleus_sampling_never_leaves_the_nucleus(seed, top_p):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(16, 12, generator=rng) * 3
    uniform = torch.rand(16, generator=rng, dtype=torch.float64)
    chosen, log_probs = draw(logits, uniform, Sampling(1.0, top_p, 1))
    probabilities = torch.softmax(logits, -1)
    ordered, _ = probabilities.sort(-1, descending=True)
    for row, token in enumerate(chosen.tolist()):
        above = ordered[row][ordered[row] > probabilities[row, token] + 1e-7].sum()
        assert above < top_p + 1e-5
        assert log_probs[row].exp() == pytest.approx(probabilities[row, token].item(), rel=1e-4)


def test_draws_follow_the_distribution():
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.7]])).repeat(20_000, 1)
    uniform = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:-1]
    chosen, _ = draw(logits, uniform, Sampling())
    share = torch.bincount(chosen, minlength=3) / 20_000
    torch.testing.assert_close(share, torch.tensor([0.1, 0.2, 0.7]), atol=1e-3, rtol=0)


def test_stream_seeds_are_stable_and_distinct():
    assert stream_seed(0, 1, 2) == stream_seed(0, 1, 2)
    keys = [(r, s, p) for r in range(4) for s in range(8) for p in range(8)]
    assert len({stream_seed(*k) for k in keys}) == len(keys)
