"""The vLLM engine beside the transformers engine, on the same models: `make vllm-test`."""

from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from quasar.config import load_config, with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.answers import answer, answering
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import EngineError
from quasar.policy.engines import vllm as module
from quasar.policy.engines.loading import load_engine
from quasar.policy.engines.protocol import Sampling, SamplingRequest
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.program_form import ProgramForm
from quasar.system.run_paths import RunPaths
from quasar.system.shipped import shipped_run
from quasar.verification.execution.pool import LocalVerifierPool

pytest.importorskip("vllm", reason="vLLM is not installed here; `make vllm-test` runs these")
pytestmark = pytest.mark.slow

# Of log-probabilities: both compute in float32, in other orders.
TOLERANCE = 5e-5


@pytest.fixture(scope="module")
def config(tiny_config):
    """With room for several turns."""
    return with_overrides(tiny_config, {"generation.engine": "vllm", "generation.max_turns": 3})


@pytest.fixture(scope="module")
def engine(config, tiny_policy):
    return load_engine(tiny_policy, config, device="cpu")


@pytest.fixture(scope="module")
def generator(tiny_policy):
    return CircuitGenerator.load(tiny_policy, device="cpu")


@pytest.fixture(scope="module")
def records(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")[:6]


@pytest.fixture(scope="module")
def prompts(generator, records):
    return [generator.chat.prompt_ids(build_messages(r.problem)) for r in records]


def same(made, expected):
    """Two engines' completions: the same tokens from the same sets, with the same odds."""
    assert len(made) == len(expected)
    for one, other in zip(made, expected, strict=True):
        assert (one.token_ids, one.text, one.finished) == (
            other.token_ids,
            other.text,
            other.finished,
        )
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=TOLERANCE)
        assert (one.legal is None) == (other.legal is None)
        if one.legal is not None and other.legal is not None:
            sets = [[c.legal.sets[i].tolist() for i in c.legal.index] for c in (one, other)]
            assert sets[0] == sets[1]


@pytest.mark.parametrize("sampling", [Sampling(1.0, 1.0, 48), Sampling(0.7, 0.8, 48, True)])
@pytest.mark.parametrize("constrained", [False, True])
def test_a_seed_writes_the_same_with_either_engine(
    engine, generator, prompts, sampling, constrained
):
    """More sequences than are decoded together, each with a limit of its own."""
    many = [prompts[i % len(prompts)] for i in range(20)]
    forms = [ProgramForm(2 + i % 3) for i in range(20)] if constrained else None
    options = {
        "seeds": range(20),
        "sampling": sampling,
        "max_tokens": [48 if constrained else 10 + 7 * (i % 5) for i in range(20)],
        "forms": forms,
    }
    made = engine.sample(many, **options)
    same(made, generator.sample(many, **options))
    same(engine.sample(many, **options), made)
    assert len({c.token_ids for c in made}) > 10


def test_new_weights_leave_nothing_of_the_old_ones(engine, tiny_policy, prompts):
    """Also of keys and values: the prompts are longer than a block of the prefix cache."""
    generator = CircuitGenerator.load(tiny_policy, device="cpu")
    sampling, options = Sampling(1.0, 1.0, 24), {"seeds": range(8)}
    group = [max(prompts, key=len)] * 8
    assert len(group[0]) > 2 * module._BLOCK
    before = engine.sample(group, sampling=sampling, **options)
    old = {name: tensor.clone() for name, tensor in generator.model.state_dict().items()}
    torch.manual_seed(0)
    new = {name: t + 0.02 * torch.randn_like(t) for name, t in old.items()}
    for weights in (new, old):
        engine.load_weights(weights)
        generator.load_weights(weights)
        made = engine.sample(group, sampling=sampling, **options)
        same(made, generator.sample(group, sampling=sampling, **options))
        assert (made == before) == (weights is old)


@pytest.mark.parametrize("constrained", [False, True])
def test_requests_under_way_go_on_under_new_weights_as_rows_do(
    engine, tiny_policy, prompts, constrained
):
    """The sampled tokens, their odds and the versions of their weights are those of the other
    engine, where the weights come after as many tokens of each."""
    generator = CircuitGenerator.load(tiny_policy, device="cpu")
    old = {name: tensor.clone() for name, tensor in generator.model.state_dict().items()}
    torch.manual_seed(0)
    new = {name: t + 0.02 * torch.randn_like(t) for name, t in old.items()}
    form = ProgramForm(3) if constrained else None
    requests = [SamplingRequest(p, s, Sampling(1.0, 1.0, 40), form) for s, p in enumerate(prompts)]

    def written(one, weights):
        """Sequences one by one, so that a step is a token of each engine."""
        made = []
        for key, request in enumerate(requests):
            one.load_weights(old)
            session = one.session(weights_version=1)
            session.add(key, request)
            while session.busy and len(session._rows[key].ids) < 9:
                session.step()
            session.load_weights(weights, 2)
            while session.busy:
                made += session.step().values()
        return made

    made, expected = written(engine, new), written(generator, new)
    same(made, expected)
    assert [c.versions for c in made] == [c.versions for c in expected]
    assert all(set(c.versions) == {1, 2} for c in made)
    undisturbed = [c.token_ids for c in written(engine, old)]
    engine.load_weights(old)
    options = {"seeds": range(len(prompts)), "sampling": Sampling(1.0, 1.0, 40)}
    forms = [form] * len(prompts) if form else None
    assert [c.token_ids for c in engine.sample(prompts, forms=forms, **options)] == undisturbed


def test_the_samples_of_a_prompt_share_what_was_read_of_it_until_there_are_new_weights(
    engine, generator, prompts, monkeypatch
):
    found, step = {}, engine.core.step

    def watched():
        outputs = step()
        for output in outputs:
            found.setdefault(output.request_id, output.num_cached_tokens)
        return outputs

    monkeypatch.setattr(engine.core, "step", watched)

    def cached():
        found.clear()
        engine.sample([max(prompts, key=len)] * 4, seeds=range(4), sampling=Sampling(max_tokens=2))
        return list(found.values())

    cached()
    assert min(cached()) >= module._BLOCK
    engine.load_weights(generator.model.state_dict())
    assert min(cached()) == 0


def test_several_turns_are_the_same_episodes(engine, generator, records, config):
    settings = with_overrides(
        config,
        {
            "generation.turn_tokens": 40,
            "generation.max_response_tokens": 120,
            "generation.constrained": True,
        },
    )
    verify = LocalVerifierPool(settings.verification).verify
    tools = verifying(verify, settings.reward, settings.generation)
    tasks = [
        EpisodeTask(r.problem, build_messages(r.problem), i, s, (i, s))
        for i, r in enumerate(records[:2])
        for s in range(3)
    ]
    made, expected = (
        EpisodeRunner(one, tools, generation=settings.generation).run(tasks, weights_version=1)
        for one in (engine, generator)
    )
    assert max(len(e.texts) for e in made) > 1
    for one, other in zip(made, expected, strict=True):
        assert (one.texts, one.observations, one.outcome) == (
            other.texts,
            other.observations,
            other.outcome,
        )
        np.testing.assert_array_equal(one.tokens.response_ids, other.tokens.response_ids)
        np.testing.assert_allclose(one.tokens.log_probs, other.tokens.log_probs, atol=TOLERANCE)


# Below are engines beside that of the fixture, which is of no use once one of them has ended: the
# groups of a process are one set for all its engines.


def test_sequences_that_lose_their_place_are_read_again_and_write_the_same(
    config, tiny_policy, generator, prompts, monkeypatch
):
    """A cache for about one and a half sequences of full length."""
    settings = with_overrides(
        config,
        {
            "generation.max_turns": 1,
            "generation.max_prompt_tokens": 128,
            "generation.max_response_tokens": 128,
        },
    )
    per_token = module._cache_bytes_per_token(tiny_policy, "float32")
    share = 1.5 * 256 * per_token / psutil.virtual_memory().available
    monkeypatch.setattr(module, "_CPU_CACHE", share)
    engine = load_engine(tiny_policy, settings, device="cpu")
    scheduler, preempted = engine.core.engine_core.engine_core.scheduler, []
    preempt = scheduler._preempt_request
    monkeypatch.setattr(
        scheduler, "_preempt_request", lambda *a, **k: preempted.append(1) or preempt(*a, **k)
    )
    short = [p[:60] for p in prompts]
    options = {"seeds": range(6), "sampling": Sampling(1.0, 1.0, 128)}
    forms = [ProgramForm(3)] * 6
    same(
        engine.sample(short, forms=forms, **options),
        generator.sample(short, forms=forms, **options),
    )
    assert preempted


def test_canonical_programs_and_orders_of_plans_are_the_same(records):
    """With the model that comes with the package: whole answers to real problems."""
    run = RunPaths(shipped_run())
    settings = load_config(
        str(run.config_file),
        ["generation.engine=vllm", "generation.plan_order=varied", "generation.batch_size=16"],
    )
    asked = [replace(r, ansatz=name) for r in records[:2] for name in ("qaoa", "adaptive", "sim_2")]
    verify = LocalVerifierPool(settings.verification).verify
    answers = []
    for name in ("vllm", "transformers"):
        one = with_overrides(settings, {"generation.engine": name})
        runner = answering(load_engine(run.final_model, one, device="cpu"), verify, one)
        answers.append(answer(runner, asked, samples=3, config=one))
    assert answers[0] == answers[1]
    plans = [text.count("// q") for texts in answers[0] for text in texts]
    assert plans[:3] == [0, 0, 0]
    assert min(plans[3:9]) >= 3


def test_an_engine_that_fails_is_one_line(config, tiny_policy, prompts):
    engine = load_engine(tiny_policy, config, device="cpu")
    engine.core.engine_core.shutdown()
    with pytest.raises(EngineError, match=r"^vLLM failed: .*$") as caught:
        engine.sample(prompts, seeds=range(6), sampling=Sampling(1.0, 1.0, 8))
    assert "\n" not in str(caught.value)
