"""Strangers' models: each works, or is refused in one line before any work."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from quasar.cli.main import main
from quasar.config import load_config
from quasar.errors import CheckpointError, ConfigError, InputError
from quasar.policy.engines.protocol import Sampling
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.models import load_chat, load_policy
from quasar.policy.preflight import (
    require_policy,
    require_prompts,
    require_teacher,
    require_training,
)
from quasar.policy.program_form import ProgramForm
from quasar.system.shipped import shipped_run

PUBLISHED = load_config("published")
END, TURN_END = "<|endoftext|>", "<|im_end|>"


@pytest.fixture(scope="module")
def llama(tiny_policy, tmp_path_factory) -> Path:
    """A Llama with a ChatML template whose tokenizer ends with another token than a turn, and
    which writes nothing but the turn's end."""
    directory = tmp_path_factory.mktemp("llama") / "model"
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.eos_token = END
    turn_end = tokenizer.convert_tokens_to_ids(TURN_END)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.generation_config.eos_token_id = [turn_end, tokenizer.eos_token_id]
    with torch.no_grad():
        model.model.embed_tokens.weight.fill_(1.0)
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            model.model.layers[0].get_submodule(name).weight.zero_()
        model.lm_head.weight.zero_()
        model.lm_head.weight[turn_end] = 10.0
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture
def copy(llama, tmp_path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "model"))


def settings(directory: Path, name: str, **values) -> None:
    path = directory / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_turn_ends_as_the_models_own_settings_say(llama):
    """`model.generate` stops at any of generation_config.eos_token_id."""
    generator = CircuitGenerator.load(llama, device="cpu")
    chat = generator.chat
    prompt = chat.prompt_ids([{"role": "user", "content": "one circuit"}])
    (written,) = generator.sample([prompt], seeds=[1], sampling=Sampling(max_tokens=32))
    turn_end = generator.tokenizer.convert_tokens_to_ids(TURN_END)
    expected = generator.model.generate(
        torch.tensor([prompt]), max_new_tokens=32, do_sample=False, pad_token_id=0
    )[0, len(prompt) :]
    assert written.token_ids == tuple(expected.tolist()) == (turn_end,)
    assert written.finished
    assert written.text == ""
    assert chat.end_ids == {turn_end, generator.tokenizer.eos_token_id}


def test_training_and_the_grammar_end_a_turn_as_the_template_does(llama):
    chat = load_chat(llama)
    turn_end = chat.tokenizer.convert_tokens_to_ids(TURN_END)
    assert chat.answer_ids("x")[-1] == chat.eos_id == turn_end
    # What was sampled ended the turn: the tool's answer goes on behind it, and ends it no second
    # time; where it was cut, the end comes first.
    ended = chat.observation_ids("seen", max_tokens=64)
    cut = chat.observation_ids("seen", max_tokens=64, ended=False)
    assert chat.tokenizer.decode(ended).startswith("\n<|im_start|>")
    assert cut == [turn_end, *ended]
    generator = CircuitGenerator.load(llama, device="cpu")
    assert generator.grammar.eos_id == turn_end
    (written,) = generator.sample(
        [chat.prompt_ids([{"role": "user", "content": "?"}])],
        seeds=[1],
        sampling=Sampling(max_tokens=200),
        forms=[ProgramForm(2)],
    )
    assert written.finished
    assert written.token_ids[-1] == turn_end


@pytest.mark.parametrize(
    "ends", [None, "config", "template"], ids=["nothing said", "config.json", "template alone"]
)
def test_ends_come_from_wherever_they_are_said(copy, ends):
    (copy / "generation_config.json").unlink()
    tokenizer = AutoTokenizer.from_pretrained(copy)
    turn_end = tokenizer.convert_tokens_to_ids(TURN_END)
    settings(copy, "config.json", eos_token_id=[turn_end, 7] if ends == "config" else None)
    found = {turn_end, tokenizer.eos_token_id} | ({7} if ends == "config" else set())
    assert load_chat(copy).end_ids == found
    assert CircuitGenerator.load(copy, device="cpu").chat.end_ids == found


def test_a_template_without_an_end_of_turn_ends_with_the_tokenizers(copy):
    (copy / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    )
    (copy / "generation_config.json").unlink()
    chat = load_chat(copy)
    assert chat.answer_ids("x")[-1] == chat.tokenizer.eos_token_id == chat.eos_id


def test_whole_models_of_other_shapes_are_taken(copy, tiny_policy, tmp_path):
    require_policy(copy, PUBLISHED)
    require_policy(tiny_policy, PUBLISHED)  # tied weights
    model, tokenizer = load_policy(copy)
    sharded = tmp_path / "sharded"
    model.save_pretrained(sharded, max_shard_size="100KB")
    tokenizer.save_pretrained(sharded)
    assert (sharded / "model.safetensors.index.json").is_file()
    require_policy(sharded, PUBLISHED)
    pickled = Path(shutil.copytree(copy, tmp_path / "pickled"))
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    require_policy(pickled, PUBLISHED)
    assert torch.equal(load_policy(pickled)[0].lm_head.weight, model.lm_head.weight)
    settings(copy, "tokenizer_config.json", pad_token=None)
    require_policy(copy, PUBLISHED)
    assert load_chat(copy).tokenizer.pad_token_id is not None


def _pointer(directory):
    (directory / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4096\n"
    )


def _pointer_tokenizer(directory):
    (directory / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\n")


def _cut(directory):
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _empty(directory):
    (directory / "model.safetensors").write_bytes(b"")


def _cut_pickle(directory):
    torch.save(load_file(directory / "model.safetensors"), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    path = directory / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-100])


def _no_shard(directory):
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {"lm_head.weight": "model-1-of-2.safetensors"}})
    )


def _lost_tensor(directory):
    weights = load_file(directory / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def _other_shape(directory):
    settings(directory, "config.json", intermediate_size=64)


def _no_weights(directory):
    (directory / "model.safetensors").rename(directory / "model.gguf")


def _adapter(directory):
    (directory / "adapter_config.json").write_text('{"base_model_name_or_path": "x"}')


def _no_config(directory):
    (directory / "config.json").unlink()


def _bad_config(directory):
    (directory / "config.json").write_text("{")


def _unknown_kind(directory):
    settings(directory, "config.json", model_type="nonsense")


def _no_template(directory):
    (directory / "chat_template.jinja").unlink()


def _no_system(directory):
    (directory / "chat_template.jinja").write_text(
        "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools here') }}"
        "{% endif %}{{ m.content }}{% endfor %}"
    )


def _no_tokenizer(directory):
    for path in directory.glob("tokenizer*"):
        path.unlink()


def _small_vocabulary(directory):
    weights = load_file(directory / "model.safetensors")
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        weights[name] = weights[name][:100].clone()
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    settings(directory, "config.json", vocab_size=100)


def _end_outside(directory):
    settings(directory, "generation_config.json", eos_token_id=[99_999])


def _few_positions(directory):
    settings(directory, "config.json", max_position_embeddings=300)


REFUSED = {
    _pointer: r"model\.safetensors: a Git LFS pointer",
    _pointer_tokenizer: r"tokenizer\.json: a Git LFS pointer",
    _cut: r"model\.safetensors: no safetensors file, or cut off",
    _empty: r"model\.safetensors: empty",
    _cut_pickle: r"pytorch_model\.bin: no torch file, or cut off",
    _no_shard: r"model-1-of-2\.safetensors is missing",
    _lost_tensor: r"1 of the model's tensors .* model\.norm\.weight",
    _other_shape: r"mlp\..*_proj\.weight is of shape",
    _no_weights: r"no weights .* model\.gguf cannot be read",
    _adapter: "LoRA adapters",
    _no_config: r"no config\.json",
    _bad_config: "cannot be loaded",
    _unknown_kind: "nonsense",
    _no_template: "no chat template",
    _no_system: "no tools here",
    _no_tokenizer: "cannot be loaded",
    _small_vocabulary: "embeddings for 100",
    _end_outside: "eos_token_id 99999",
    _few_positions: "the model takes 300 tokens",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__.strip("_"))
def test_a_strangers_fault_is_one_line_that_names_it(copy, spoil):
    spoil(copy)
    with pytest.raises((CheckpointError, ConfigError), match=REFUSED[spoil]) as caught:
        require_policy(copy, PUBLISHED, turns=2)
    assert "\n" not in str(caught.value)


def test_what_is_no_directory_or_no_language_model_is_refused(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="a GGUF file"):
        require_policy(file, PUBLISHED)
    with pytest.raises(CheckpointError, match="no such model directory"):
        require_policy(tmp_path / "none", PUBLISHED)
    BertModel(
        BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16)
    ).save_pretrained(tmp_path / "bert")
    with pytest.raises(CheckpointError, match="a BertModel, not a causal language model"):
        require_policy(tmp_path / "bert", PUBLISHED)


def test_a_teacher_of_other_tokens_is_refused(tiny_policy):
    require_teacher(tiny_policy, tiny_policy)
    with pytest.raises(ConfigError, match=r"tokenizer is another .* grpo\.distillation\.teacher"):
        require_teacher(shipped_run() / "model" / "final", tiny_policy)


@pytest.fixture
def plain_gpt2(tiny_policy, tmp_path) -> Path:
    """The shape of a base model: no chat template, absolute positions."""
    directory = tmp_path / "gpt2"
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = None
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=1, n_positions=1024)
    ).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def test_each_command_refuses_before_it_makes_anything(
    plain_gpt2, tiny_dataset, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("quasar.serving.app.init_ray", None)  # none is started
    monkeypatch.setattr("quasar.pipeline.main_job.init_ray", None)
    problems, output, runs = tiny_dataset / "test.jsonl", tmp_path / "out.jsonl", tmp_path / "runs"
    given = ["--set", f"policy.model={plain_gpt2}", "--set", f"run.directory={runs}"]
    named = ["--checkpoint", str(plain_gpt2)]
    writing = ["--problems", str(problems), "--samples", "1", "--output", str(output)]
    commands = [
        ["train", *given],
        ["sft", *given],
        ["sweep", *given, "--param", "grpo.learning_rate=1e-4,3e-4"],
        ["serve", *named],
        ["serve", *given],  # rather than the model that comes with the package
        ["generate", *named, *writing],
        ["generate", *given, *writing],
    ]
    for command in commands:
        assert main(command) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "no chat template" in line
    assert not runs.exists()
    assert not list(tmp_path.glob("out*"))


def test_prompts_over_the_limit_are_refused_before_there_is_a_dataset(llama):
    config = load_config("laptop", [f"policy.model={llama}", "generation.max_prompt_tokens=40"])
    with pytest.raises(InputError, match=r"generation\.max_prompt_tokens is 40: set .*=[0-9]+"):
        require_training(config)
    require_training(load_config("laptop", [f"policy.model={llama}"]))
    chat = load_chat(llama)
    prompt = [{"role": "user", "content": "word " * 300}]
    with pytest.raises(InputError, match=r"generation\.max_prompt_tokens is 256"):
        require_prompts(chat, [prompt], PUBLISHED)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "hidden", "named"),
    [
        (4, 3, 128, "num_key_value_heads"),
        (2, 4, 128, "num_key_value_heads"),
        (4, 2, 100, "hidden_size"),
    ],
)
def test_a_shape_that_cannot_be_built_names_its_setting(heads, kv_heads, hidden, named):
    changed = [f"policy.num_attention_heads={heads}", f"policy.num_key_value_heads={kv_heads}"]
    with pytest.raises(ConfigError, match=f"policy.{named}"):
        load_config("laptop", [*changed, f"policy.hidden_size={hidden}"])


def test_a_built_model_has_a_limit_of_positions():
    with pytest.raises(ConfigError, match="the model takes 32768 tokens"):
        require_training(load_config("laptop", ["generation.max_response_tokens=33000"]))
