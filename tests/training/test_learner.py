"""One rank of the learner, in this process: a real DeepSpeed engine over a process group of one."""

import resource
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from quasar.config import GrpoConfig, LearnerConfig, PolicyConfig
from quasar.errors import TrainingError
from quasar.policy.models import load_policy
from quasar.policy.sequence import TokenSequence
from quasar.training.algorithm import scorer
from quasar.training.algorithm.packing import TrainingSequence, deal, pad
from quasar.training.learner.deepspeed import Objective, PolicyLearner
from quasar.training.learner.native_ops import load_cpu_communication_op
from quasar.training.state import CheckpointStore, RunState
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def process_group():
    import deepspeed

    names = dict(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (names | {"MASTER_PORT": str(free_port())}).items():
            patch.setenv(name, value)
        load_cpu_communication_op()
        deepspeed.init_distributed("gloo", verbose=False)
        yield
        torch.distributed.destroy_process_group()


@pytest.fixture
def make(process_group, tiny_policy):
    def learner(*, keep_reference=False, teacher=None, config=None, **policy):
        return PolicyLearner(
            tiny_policy,
            policy=PolicyConfig(**policy),
            config=config or LearnerConfig(),
            device="cpu",
            keep_reference=keep_reference,
            teacher=teacher,
        )

    return learner


def sequences(count=6, seed=5):
    random, made = np.random.default_rng(seed), []
    for i in range(count):
        ids = random.integers(5, 200, 10 + 3 * i).astype(np.int32)
        old = random.normal(-6.0, 0.1, len(ids) - 4).astype(np.float32)
        tokens = TokenSequence(ids[:4], ids[4:], np.ones(len(ids) - 4), old)
        made.append(TrainingSequence.of(tokens, (-1.0) ** i))
    return made


def packed(made, budget, *, pad_id, share_prompts):
    (shard,) = deal(made, num_ranks=1, max_tokens=budget, share_prompts=share_prompts)
    return [pad(members, pad_id=pad_id, share_prompts=share_prompts) for members in shard]


def step(learner, made, *, rate=1e-2, budget=4096, num_updates=1, share_prompts=False, **settings):
    batches = packed(made, budget, pad_id=learner.pad_id, share_prompts=share_prompts)
    tokens = sum(b.num_tokens for b in batches)
    return learner.train_step(
        batches,
        objective=Objective("grpo", 0.9, GrpoConfig(**settings)),
        learning_rate=rate,
        num_tokens=tokens,
        num_updates=num_updates,
    )


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_gradient_accumulation_is_one_step_on_all_tokens(make):
    made = sequences()
    whole, parts = step(make(), made), step(make(), made, budget=32)
    for name in ("loss", "gradient_norm", "tokens", "entropy"):
        assert parts[name] == pytest.approx(whole[name], rel=1e-4), name


def test_a_prompt_computed_once_gives_the_same_step(make):
    random = np.random.default_rng(5)
    prompts = [random.integers(5, 200, n).astype(np.int32) for n in (9, 17, 1)]
    made = []
    for i, s in enumerate(sequences(9)):
        prompt = prompts[i % 3]
        made.append(TrainingSequence.of(replace(s.tokens, prompt_ids=prompt), s.advantage))
    whole, shared = make(), make()
    expected = step(whole, made)
    for budget in (4096, 120):
        learner = shared if budget == 4096 else make()
        got = step(learner, made, budget=budget, share_prompts=True)
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-5), budget
    for name, value in whole.gather_weights().items():
        np.testing.assert_allclose(shared.gather_weights()[name], value, atol=1e-3)
    batches = packed(made, 4096, pad_id=0, share_prompts=True)
    assert sum(b.padded_tokens for b in batches) < sum(s.counts.total for s in made) + 9 * 27


@pytest.mark.parametrize(
    ("dtype", "tolerance", "apart"), [("float32", 1e-3, 0.05), ("bfloat16", 1e-2, 0.2)]
)
def test_the_engine_of_the_gpu_benchmark_takes_the_same_step(
    make, tiny_policy, dtype, tolerance, apart
):
    """`benchmarks/gpu.py` trains without DeepSpeed where there is none. apart: of weights, in units
    of what they moved; those near 1 have steps of 0.004 in bfloat16, a third of it.
    """
    from gpu_learner import TorchLearner

    made, settings = sequences(), {"policy": PolicyConfig(dtype=dtype), "config": LearnerConfig()}
    ours, other = make(dtype=dtype), TorchLearner(tiny_policy, device="cpu", **settings)
    before = ours.gather_weights()
    for _ in range(2):
        expected = step(ours, made, budget=32)
        assert step(other, made, budget=32) == pytest.approx(expected, rel=tolerance)
    got, expected = other.gather_weights(), ours.gather_weights()
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        moved = np.abs(value - before[name]).mean()
        assert moved > 1e-3, name
        assert np.abs(got[name] - value).mean() < apart * moved, name


def test_gradient_checkpointing_changes_nothing(make):
    made = sequences()
    plain, recomputed = make(), make(gradient_checkpointing=True)
    assert step(plain, made) == pytest.approx(step(recomputed, made), rel=1e-6)
    for name, value in plain.gather_weights().items():
        np.testing.assert_allclose(recomputed.gather_weights()[name], value, atol=1e-6)


def test_bfloat16_follows_float32(make):
    made = sequences()
    exact, rounded = make(), make(dtype="bfloat16")
    first, second = ([step(learner, made) for _ in range(3)] for learner in (exact, rounded))
    for a, b in zip(first, second, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], abs=0.05)
    assert next(rounded.engine.module.parameters()).dtype == torch.bfloat16


def test_bfloat16_of_many_micro_batches_and_chunks_follows_float32(make, monkeypatch):
    """A sequence a micro-batch, seven tokens a chunk of logits: what is summed in bfloat16 stays
    within 2 % of the gradient's norm and 1 % of the entropy.
    """
    made = sequences(40)
    learners = {dtype: make(dtype=dtype) for dtype in ("float32", "bfloat16")}
    vocabulary = learners["float32"].engine.module.policy.config.vocab_size
    monkeypatch.setattr(scorer, "CHUNK_BYTES", 4 * vocabulary * 7)
    batches = packed(made, 64, pad_id=0, share_prompts=False)
    assert len(batches) > 30
    assert max(b.num_tokens for b in batches) > 10 * scorer.chunk_tokens(vocabulary)
    exact, rounded = (step(learner, made, budget=64) for learner in learners.values())
    assert rounded["gradient_norm"] == pytest.approx(exact["gradient_norm"], rel=0.02)
    assert rounded["entropy"] == pytest.approx(exact["entropy"], rel=0.01)


def test_further_updates_are_clipped_against_the_policy_before_the_first(make):
    made = sequences()
    once = step(make(), made, num_updates=1, rate=0.05)
    twice = step(make(), made, num_updates=2, rate=0.05)
    assert once["clipped"] == 0  # whatever the sampler's log-probabilities are
    assert twice["clipped"] > 0
    assert twice["sampler_kl"] == pytest.approx(once["sampler_kl"], rel=1e-6)


def test_entropy_bonus_keeps_the_entropy_up(make):
    made = sequences()
    results = {}
    for coefficient in (0.0, 1.0):
        learner = make()
        for _ in range(6):
            settings = {
                "rate": 1e-3,
                "entropy_coefficient": coefficient,
            }  # larger steps may overshoot
            results[coefficient] = step(learner, made, **settings)["entropy"]
    assert results[1.0] > results[0.0]


def test_preflight_learns_nothing(make):
    made, objective = sequences(), Objective("grpo", 0.9)
    plain, tried = make(), make()
    tried.preflight(200, objective)
    assert step(plain, made) == step(tried, made)
    assert_same(plain.gather_weights(), tried.gather_weights())


def test_preflight_that_does_not_fit_says_at_what_size(make):
    learner = make(config=LearnerConfig(micro_batch_tokens=400_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    room = 200 * 2**20  # less than the logits of 400,000 tokens
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + room, hard))
    try:
        with pytest.raises(TrainingError, match="out of memory at 400 x 1000 tokens"):
            learner.preflight(1000, Objective("grpo"))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_adapters_start_at_the_model_and_only_they_are_trained(make):
    made = sequences()
    full, adapted = make(), make(lora_rank=4)
    assert_same(full.gather_weights(), adapted.gather_weights())
    assert step(adapted, made)["loss"] == pytest.approx(step(full, made)["loss"], rel=1e-5)
    trained = [n for n, p in adapted.engine.module.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)


def test_published_and_saved_weights_are_the_adapted_model(make, tiny_policy, tmp_path):
    made = sequences()
    learner = make(lora_rank=4, gradient_checkpointing=True)
    before = learner.gather_weights()
    for _ in range(3):
        step(learner, made)
    published = learner.gather_weights()
    changed = [k for k in published if not np.array_equal(published[k], before[k])]
    assert changed
    assert all("proj" in name for name in changed)
    learner.save(tmp_path, rank=0)

    ids = torch.arange(5, 45)[None]
    with torch.no_grad():
        adapted = learner.engine.module.policy.eval()(ids).logits
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "huggingface")
        torch.testing.assert_close(merged.eval()(ids).logits, adapted, atol=1e-4, rtol=1e-4)
        base, _ = load_policy(tiny_policy)
        assert not torch.allclose(base(ids).logits, adapted, atol=1e-2)
        base.load_state_dict({k: torch.from_numpy(v) for k, v in published.items()})
        torch.testing.assert_close(base(ids).logits, adapted, atol=1e-4, rtol=1e-4)
        again = PeftModel.from_pretrained(load_policy(tiny_policy)[0], tmp_path / "adapter")
        torch.testing.assert_close(again.eval()(ids).logits, adapted, atol=1e-4, rtol=1e-4)

    resumed = make(lora_rank=4)
    resumed.load(tmp_path)
    assert_same(resumed.gather_weights(), published)


def test_the_reference_under_adapters_is_the_starting_model(make):
    made = sequences()
    full = make(keep_reference=True)
    adapted = make(keep_reference=True, lora_rank=4)
    assert adapted.reference is None  # no second copy of the weights
    for learner in (full, adapted):
        assert step(learner, made, kl_coefficient=0.1)["reference_kl"] == pytest.approx(0, abs=1e-3)
        assert step(learner, made, kl_coefficient=0.1)["reference_kl"] > 0.01


def test_a_teacher_draws_the_policy_towards_itself(make, tiny_policy, tmp_path):
    """Without advantages of rewards; a teacher that is the policy itself changes nothing."""
    made = [replace(s, advantage=0.0) for s in sequences()]
    network, tokenizer = load_policy(tiny_policy)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    learner = make(teacher=tmp_path)
    found = [step(learner, made, rate=1e-3)["teacher_kl"] for _ in range(6)]
    assert found[-1] < found[0]
    same = step(make(teacher=tiny_policy), made)
    assert same["teacher_kl"] == pytest.approx(0.0, abs=1e-6)
    assert same["gradient_norm"] == pytest.approx(0.0, abs=1e-6)


def test_a_disk_that_is_full_leaves_the_last_good_checkpoint(make, tmp_path):
    made, learner, store = sequences(), make(), CheckpointStore(tmp_path, keep=1)
    step(learner, made)
    with store.writing(RunState("grpo", step=1)) as directory:
        learner.save(directory, rank=0)
    good = learner.gather_weights()
    step(learner, made)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (1_000, 300_000):  # in the small files, and in the middle of the shards
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(Exception, match=r"File too large|iostream|unexpected pos|write"):
                save_step(store, learner, 2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [p.name for p in tmp_path.iterdir()] == ["step-000001"]
    resumed = make()
    resumed.load(store.latest())
    assert_same(resumed.gather_weights(), good)
    save_step(store, learner, 2)  # with space again
    assert store.latest().name == "step-000002"


def save_step(store, learner, number):
    with store.writing(RunState("grpo", step=number)) as directory:
        learner.save(directory, rank=0)


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_tied_weights_are_saved_once(make, tiny_policy, tmp_path, lora_rank):
    """As the starting model has them; what is saved loads equal to what is published."""
    learner = make(lora_rank=lora_rank)
    learner.save(tmp_path, rank=0)
    files = (tiny_policy, tmp_path / "huggingface")
    before, after = (load_file(directory / "model.safetensors") for directory in files)
    assert before.keys() == after.keys()
    assert "lm_head.weight" not in after
    model, _ = load_policy(tmp_path / "huggingface")
    published = learner.gather_weights()
    assert model.state_dict().keys() == published.keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, torch.from_numpy(published[name]))
    assert published["lm_head.weight"] is published["model.embed_tokens.weight"]


def test_the_size_of_a_checkpoint_is_known_before_it_is_written(make, tmp_path):
    learner = make()
    step(learner, sequences())  # before the first step there are no moments
    learner.save(tmp_path, rank=0)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert written <= learner.checkpoint_bytes() <= 1.1 * written + 2**20
