"""Sequences that are under way when there are new weights go on under them."""

import numpy as np
import pytest
import torch

from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.policy.engines.decoding import Decoding
from quasar.policy.engines.protocol import Sampling, SamplingRequest
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.program_form import ProgramForm
from quasar.verification.execution.pool import LocalVerifierPool

CLOSE = dict(atol=2e-5, rtol=1e-5)
OLD, NEW = 5, 6


@pytest.fixture
def engine(tiny_policy):
    return CircuitGenerator.load(tiny_policy, device="cpu", batch_size=4)


@pytest.fixture
def other(engine):
    """Weights a little beside those of the engine."""
    torch.manual_seed(0)
    weights = engine.model.state_dict().items()
    return {name: t + 0.02 * torch.randn_like(t) for name, t in weights}


@pytest.fixture(scope="module")
def records(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")[:6]


def log_probs(engine, ids, legal, start):
    """Of ids from `start` on, in one dense pass; legal: the record of these."""
    with torch.inference_mode():
        logits = engine.model(torch.tensor([ids])).logits[0, start - 1 : -1].float()
    if legal is not None:
        table = torch.from_numpy(legal.table(logits.shape[-1]))
        logits = logits.masked_fill(~table[legal.index], -torch.inf)
    chosen = torch.tensor(ids[start:])[:, None]
    return torch.log_softmax(logits, -1).gather(-1, chosen)[:, 0]


def finish(engine, requests, weights=None, after=10):
    """Completions in order; the weights come when so many steps are done."""
    session = engine.session(weights_version=OLD)
    for key, request in enumerate(requests):
        session.add(key, request)
    done, steps = {}, 0
    while session.busy:
        done.update(session.step())
        steps += 1
        if steps == after and weights is not None:
            session.load_weights(weights, NEW)
    return [done[key] for key in range(len(requests))]


@pytest.mark.parametrize("constrained", [False, True])
def test_each_token_is_of_the_weights_that_it_names(engine, other, records, constrained):
    old = {name: t.clone() for name, t in engine.model.state_dict().items()}
    prompts = [engine.chat.prompt_ids(build_messages(r.problem)) for r in records]
    requests = [
        SamplingRequest(p, seed, Sampling(1.0, 1.0, 48), ProgramForm(3) if constrained else None)
        for seed, p in enumerate(prompts)
    ]
    made = finish(engine, requests, other)
    pairs = list(zip(prompts, made, strict=True))
    of_new = [log_probs(engine, [*p, *c.token_ids], c.legal, len(p)) for p, c in pairs]
    engine.load_weights(old)
    of_old = [log_probs(engine, [*p, *c.token_ids], c.legal, len(p)) for p, c in pairs]
    for completion, new, before in zip(made, of_new, of_old, strict=True):
        drawn = torch.tensor(completion.log_probs)
        assert len(completion.versions) == len(drawn)
        assert list(completion.versions) == sorted(completion.versions)
        is_new = torch.tensor(completion.versions) == NEW
        torch.testing.assert_close(drawn, torch.where(is_new, new, before), **CLOSE)
    # four were under way, two waited for a place
    mixed = [set(completion.versions) for completion in made]
    assert mixed[:4] == [{OLD, NEW}] * 4
    assert mixed[4:] == [{NEW}] * 2


@pytest.mark.parametrize("constrained", [False, True])
def test_weights_that_are_the_same_change_no_token(engine, records, constrained):
    prompts = [engine.chat.prompt_ids(build_messages(r.problem)) for r in records]
    requests = [
        SamplingRequest(p, seed, Sampling(1.0, 1.0, 48), ProgramForm(3) if constrained else None)
        for seed, p in enumerate(prompts)
    ]
    same = {name: t.clone() for name, t in engine.model.state_dict().items()}
    calm, disturbed = finish(engine, requests), finish(engine, requests, same)
    assert [c.token_ids for c in calm] == [c.token_ids for c in disturbed]
    for one, another in zip(calm, disturbed, strict=True):
        np.testing.assert_allclose(one.log_probs, another.log_probs, **CLOSE)
        assert set(one.versions) == {OLD}


def test_what_is_read_again_is_read_in_passes_of_bounded_size(engine, other, records, monkeypatch):
    old = {name: t.clone() for name, t in engine.model.state_dict().items()}
    prompts = [engine.chat.prompt_ids(build_messages(r.problem)) for r in records]
    requests = [SamplingRequest(p, s, Sampling(1.0, 1.0, 48)) for s, p in enumerate(prompts)]
    at_once = finish(engine, requests, other)
    monkeypatch.setattr("quasar.policy.engines.transformers._READ_AGAIN", 1)
    sizes, admit = [], Decoding.admit

    def watched(self, rows):
        sizes.append((len(rows), bool(rows[0].ids)))
        return admit(self, rows)

    monkeypatch.setattr(Decoding, "admit", watched)
    engine.load_weights(old)
    one_by_one = finish(engine, requests, other)
    assert {count for count, has_written in sizes if has_written} == {1}
    assert [c.token_ids for c in one_by_one] == [c.token_ids for c in at_once]


def test_an_episode_tells_what_its_tokens_are_of(engine, other, records, tiny_config):
    """Over turns and observations: weights that come in the first turn write the second."""
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
    asked = 0

    def newer():
        nonlocal asked
        asked += 1
        return (other, NEW) if asked == 12 else None

    runner = EpisodeRunner(
        engine,
        verifying(LocalVerifierPool(config.verification).verify, config.reward, config.generation),
        generation=config.generation,
        newer=newer,
    )
    tasks = [EpisodeTask(r.problem, build_messages(r.problem), g, 0, (g,)) for g, r in
             enumerate(records[:3])]  # fmt: skip
    for episode in runner.run(tasks, weights_version=OLD):
        tokens = episode.tokens
        written = tokens.mask.astype(bool)
        assert len(episode.texts) == 2
        assert set(tokens.versions[~written]) == {-1}
        versions = tokens.versions[written]
        assert (np.diff(versions) >= 0).all()
        assert set(versions) == {OLD, NEW}
        assert episode.weights_version == NEW
        trained = tokens.versions[tokens.trained]
        old = int((trained == OLD).sum())
        assert episode.counts.versions == ((OLD, old), (NEW, len(trained) - old))
        ages = episode.token_ages(NEW + 2)
        assert ages.max == 3
        assert ages.mean == pytest.approx((NEW + 2 - trained).mean())
    assert runner.weights_version == NEW
