import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.errors import CheckpointError
from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy


@pytest.fixture(scope="module")
def tokenizer(tiny_policy):
    return AutoTokenizer.from_pretrained(tiny_policy)


@settings(max_examples=200)
@given(text=st.text(max_size=80))
def test_any_text_survives_a_round_trip(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text


def test_the_language_is_spelt_in_whole_pieces(tokenizer, tiny_dataset):
    for record in read_problems(tiny_dataset / "train.jsonl"):
        circuit = record.problem.reference_circuit
        ids = tokenizer.encode(circuit, add_special_tokens=False)
        assert tokenizer.decode(ids) == circuit
        # header, registers, one piece a plain statement, three a rotation
        statements = circuit.count("\n") + 1 - 4
        assert len(ids) == 2 + statements + 2 * circuit.count("rz(")


def test_the_saved_directory_is_a_hugging_face_model(tiny_policy, tokenizer):
    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.model_type == "qwen3"
    assert tokenizer.chat_template


def test_observation_continues_the_buffer_as_the_template_would(tokenizer, tiny_dataset):
    chat = ChatFormat(tokenizer)
    problem = read_problems(tiny_dataset / "train.jsonl")[0].problem
    messages = build_messages(problem)
    answer, observation = problem.reference_circuit, "energy -1.5 of -2"
    buffer = chat.prompt_ids(messages) + chat.answer_ids(answer)
    buffer += chat.observation_ids(observation, max_tokens=64)
    whole = tokenizer.apply_chat_template(
        [
            *messages,
            {"role": "assistant", "content": answer},
            {"role": "tool", "content": observation},
        ],
        add_generation_prompt=True,
        tokenize=False,
    )
    assert tokenizer.decode(buffer) == whole


@pytest.mark.parametrize("limit", [16, 24, 64])
def test_a_long_observation_is_cut_and_still_ends_with_the_assistant_header(tokenizer, limit):
    chat = ChatFormat(tokenizer)
    ids = chat.observation_ids("x y z " * 500, max_tokens=limit)
    assert len(ids) <= limit
    assert tokenizer.decode(ids).endswith("<|im_start|>assistant\n")


def test_what_is_no_model_is_refused_in_one_line(tmp_path):
    (tmp_path / "readme.txt").write_text("not a model")
    for source in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError) as caught:
            load_policy(source)
        assert "\n" not in str(caught.value)
        assert str(source) in str(caught.value)
