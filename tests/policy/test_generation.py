from importlib.util import find_spec

import pytest
import regex
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.qasm import read_qasm
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.errors import CircuitError, ConfigError
from quasar.policy.engines.decoding import draw
from quasar.policy.engines.loading import load_engine
from quasar.policy.engines.protocol import Sampling, stream_seed
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.grammar import ascii_pieces
from quasar.policy.patterns import program_pattern
from quasar.policy.program_form import ProgramForm


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


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("sampling", [Sampling(1.0, 1.0, 32), Sampling(0.8, 0.9, 32, True)])
def test_a_sequence_does_not_depend_on_its_batch(generator, prompts, sampling, constrained):
    """Alone, four at a time with ended rows replaced by waiting ones, or all at once."""
    many = [prompts[i % len(prompts)] for i in range(18)]
    forms = [ProgramForm(2 + i % 4) for i in range(len(many))] if constrained else None
    limits = [8 + 5 * (i % 5) if not constrained else 32 for i in range(len(many))]

    def ids(engine):
        done = engine.sample(
            many,
            seeds=range(len(many)),
            sampling=sampling,
            max_tokens=limits,
            forms=forms,
        )
        return [c.token_ids for c in done]

    wide = CircuitGenerator(generator.model, generator.tokenizer, batch_size=64)
    alone = CircuitGenerator(generator.model, generator.tokenizer, batch_size=1)
    assert ids(generator) == ids(wide) == ids(alone)


def test_constrained_log_probs_are_over_the_tokens_that_keep_a_program_possible(generator, prompts):
    """Brute force: every token of the vocabulary is tried as the next piece of text."""
    sampling, size = Sampling(0.7, 1.0, 200), 3
    (done,) = generator.sample(
        prompts[:1], seeds=[4], sampling=sampling, forms=[ProgramForm(size)], max_tokens=[200]
    )
    spelt = ascii_pieces(generator.tokenizer)
    pieces = {i: piece.decode() for piece, ids in spelt.items() for i in ids}
    pattern = regex.compile(program_pattern(size))
    with torch.inference_mode():
        ids = torch.tensor([[*prompts[0], *done.token_ids]])
        logits = generator.model(ids).logits[0, len(prompts[0]) - 1 :].float() / 0.7
    text = ""
    for t, token in enumerate(done.token_ids[:40]):
        legal = [i for i, p in pieces.items() if pattern.fullmatch(text + p, partial=True)]
        if pattern.fullmatch(text):
            legal.append(generator.chat.eos_id)
        assert done.legal.sets[done.legal.index[t]].tolist() == sorted(legal)
        expected = logits[t, token] - logits[t, legal].logsumexp(0)
        assert done.log_probs[t] == pytest.approx(expected.item(), abs=2e-5)
        text += pieces.get(token, "")
    assert len(done.token_ids) > 20


def test_an_untrained_model_writes_valid_programs_only(generator, prompts, tiny_dataset):
    sizes = [r.problem.num_qubits for r in read_problems(tiny_dataset / "train.jsonl")[:6]]
    free = generator.sample(prompts, seeds=range(6), sampling=Sampling(1.0, 1.0, 48))
    held = generator.sample(
        prompts,
        seeds=range(6),
        sampling=Sampling(1.0, 1.0, 48),
        forms=[ProgramForm(size) for size in sizes],
    )
    for completion, size in zip(held, sizes, strict=True):
        assert completion.finished
        assert read_qasm(completion.text).num_qubits == size
    for completion in free:
        assert completion.legal is None
        with pytest.raises(CircuitError):
            read_qasm(completion.text)


def test_a_turn_can_end_with_its_program(generator, prompts):
    forms = [ProgramForm(3)] * len(prompts)
    ended, stopped = (
        generator.sample(
            prompts,
            seeds=range(len(prompts)),
            sampling=Sampling(1.0, 1.0, 64, stop),
            forms=forms,
        )
        for stop in (False, True)
    )
    for e, s in zip(ended, stopped, strict=True):
        assert e.finished
        assert s.finished
        assert e.token_ids[-1] == generator.chat.eos_id
        assert generator.chat.eos_id not in s.token_ids
        if len(e.token_ids) < 48:  # far from the limit both are steered alike
            assert e.token_ids[:-1] == s.token_ids
            assert e.text == s.text


def test_new_weights_leave_nothing_of_the_old_ones(generator, tiny_policy, prompts):
    engine = CircuitGenerator.load(tiny_policy, device="cpu", batch_size=4)
    sampling = Sampling(1.0, 1.0, 16)
    before = engine.sample(prompts[:2], seeds=[0, 1], sampling=sampling)
    old = {name: tensor.clone() for name, tensor in engine.model.state_dict().items()}
    torch.manual_seed(0)
    engine.load_weights({name: t + 0.02 * torch.randn_like(t) for name, t in old.items()})
    changed = engine.sample(prompts[:2], seeds=[0, 1], sampling=sampling)
    for prompt, completion in zip(prompts, changed, strict=False):
        expected = dense_log_probs(engine, prompt, completion, 1.0)
        torch.testing.assert_close(
            torch.tensor(completion.log_probs), expected, atol=2e-5, rtol=1e-5
        )
    engine.load_weights(old)
    assert engine.sample(prompts[:2], seeds=[0, 1], sampling=sampling) == before
    assert changed != before


def test_the_configured_engine_is_loaded(tiny_policy, tiny_config):
    engine = load_engine(tiny_policy, tiny_config, device="cpu")
    assert isinstance(engine, CircuitGenerator)
    assert engine.batch_size == tiny_config.generation.batch_size


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_an_engine_that_is_not_installed_is_named(tiny_policy, tiny_config):
    config = with_overrides(tiny_config, {"generation.engine": "vllm"})
    with pytest.raises(ConfigError, match="not installed") as caught:
        load_engine(tiny_policy, config, device="cpu")
    assert "\n" not in str(caught.value)


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


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.05, 1.0))
def test_nucleus_sampling_never_leaves_the_nucleus(seed, top_p):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(16, 12, generator=rng) * 3
    uniform = torch.rand(16, generator=rng, dtype=torch.float64)
    chosen, log_probs = draw(logits, uniform, [Sampling(1.0, top_p, 1)] * len(logits))
    probabilities = torch.softmax(logits, -1)
    ordered, _ = probabilities.sort(-1, descending=True)
    for row, token in enumerate(chosen.tolist()):
        above = ordered[row][ordered[row] > probabilities[row, token] + 1e-7].sum()
        assert above < top_p + 1e-5
        assert log_probs[row].exp() == pytest.approx(probabilities[row, token].item(), rel=1e-4)


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.05, 1.0), st.floats(0.0, 200.0))
def test_only_legal_tokens_are_drawn_with_their_share(seed, top_p, scale):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(16, 12, generator=rng) * scale
    legal = torch.rand(16, 12, generator=rng) < 0.3
    legal[:, seed % 12] = True
    uniform = torch.rand(16, generator=rng, dtype=torch.float64)
    uniform[0] = 1 - 2.0**-53
    chosen, log_probs = draw(logits, uniform, [Sampling(0.7, top_p, 1)] * len(logits), legal)
    for row, token in enumerate(chosen.tolist()):
        assert legal[row, token]
        expected = torch.log_softmax(logits[row, legal[row]] / 0.7, -1)
        place = int(legal[row, :token].sum())
        assert log_probs[row].item() == pytest.approx(expected[place].item(), abs=1e-5)


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.lists(st.floats(0.05, 1.0), min_size=2, max_size=6))
def test_a_draw_is_the_same_in_any_company(seed, nuclei):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(nuclei), 12, generator=rng) * 3
    uniform = torch.rand(len(nuclei), generator=rng, dtype=torch.float64)
    sampling = [Sampling(0.5 + k, top_p, 1) for k, top_p in enumerate(nuclei)]
    together = torch.stack(draw(logits, uniform, sampling))
    alone = [draw(logits[[r]], uniform[[r]], sampling[r : r + 1]) for r in range(len(nuclei))]
    torch.testing.assert_close(together, torch.cat([torch.stack(one) for one in alone], dim=1))


def test_draws_follow_the_distribution():
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.7]])).repeat(20_000, 1)
    uniform = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:-1]
    chosen, _ = draw(logits, uniform, [Sampling()] * len(logits))
    share = torch.bincount(chosen, minlength=3) / 20_000
    torch.testing.assert_close(share, torch.tensor([0.1, 0.2, 0.7]), atol=1e-3, rtol=0)


def test_stream_seeds_are_stable_and_distinct():
    assert stream_seed(0, 1, 2) == stream_seed(0, 1, 2)
    keys = [(r, s, p) for r in range(4) for s in range(8) for p in range(8)]
    assert len({stream_seed(*k) for k in keys}) == len(keys)
