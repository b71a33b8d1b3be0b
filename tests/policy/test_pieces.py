"""Pieces of the small tokenizer: canonical answers are short, and nothing is lost."""

import pytest
import torch
from transformers import Qwen3ForCausalLM

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.config import load_config
from quasar.datasets.canonical_answers import basis_state_answer
from quasar.datasets.stream import ExampleStream
from quasar.policy.models import embed_features, embed_numbers, policy_shape
from quasar.policy.tokenizer import train_tokenizer, whole_pieces

CANONICAL = ["dataset.prompts=compact", "dataset.style=canonical", "dataset.max_qubits=8"]
CONFIG = load_config("laptop", CANONICAL)


@pytest.fixture(scope="module")
def pieces():
    return whole_pieces(CONFIG.dataset)


@pytest.fixture(scope="module")
def tokenizer(pieces):
    texts = [piece.text for piece in pieces]
    return train_tokenizer(["a b c"], vocab_size=len(texts) + 400, pieces=texts)


def test_each_piece_is_there_once_and_is_one_token(pieces, tokenizer):
    texts = [piece.text for piece in pieces]
    assert len(set(texts)) == len(texts)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    assert all(len(i) == 1 for i in ids)


def test_examples_come_back_as_they_were(tokenizer):
    stream = ExampleStream(CONFIG, [])
    for number in range(40):
        example = stream.example(number)
        for text in (example.answer, example.messages[0]["content"]):
            assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize("name", [n for n in ansatz_names() if n.startswith("sim_")])
@pytest.mark.parametrize("bits", [(0, 1, 1, 0, 1, 0, 0), (0,) * 8, (1, 1, 1, 1)], ids=str)
def test_a_basis_state_takes_a_token_a_qubit_and_few_more(tokenizer, name, bits):
    for layers in (1, 3):
        program = basis_state_answer(name, bits, layers=layers, decimals=2)
        if name == "sim_9":
            assert program is None
            return
        ids = tokenizer.encode(program, add_special_tokens=False)
        assert len(ids) <= len(bits) + 6 + layers


def test_qaoa_takes_its_numbers_and_four_tokens_a_term(tokenizer):
    assert get_ansatz("qaoa").family == "qaoa"
    program = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nconst float g1 = 1.07;\nconst float b1 = -0.4;\n'
        "gate zz(t) a, b { cx b, a; rz(t) a; cx b, a; }\n"
        "gate cost(g) q0, q1, q2 {\nzz(g*0.58) q0, q1;\nzz(g*-0.081) q1, q2;\n}\n"
        "bit[3] c;\nqubit[3] q;\nh q;\ncost(2*g1) q[0], q[1], q[2];\nrx(2*b1) q;\nc = measure q;"
    )
    ids = tokenizer.encode(program, add_special_tokens=False)
    shown = [tokenizer.decode([i]) for i in ids]
    assert {"1.07", "-0.4", "0.58", "-0.081"} <= set(shown)
    assert len(ids) == 1 + 6 + 1 + 1 + 2 * 4 + 1 + 1 + 1 + 2 + 1 + 1


def test_pieces_of_one_qubit_start_alike(pieces, tokenizer):
    torch.manual_seed(0)
    shape = policy_shape(CONFIG.policy, vocab_size=len(tokenizer))
    model = Qwen3ForCausalLM(shape)
    embed_features(model, tokenizer, pieces, seed=0)
    embed_numbers(model, tokenizer)
    table, vocabulary = model.get_input_embeddings().weight.detach(), tokenizer.get_vocab()

    def alike(a, b):
        return float(torch.cosine_similarity(table[vocabulary[a]], table[vocabulary[b]], dim=0))

    assert alike("// q3:", " q3=1") > 0.2 > abs(alike("// q3:", " q4=1"))
    assert alike(" 0.42", " 0.43") > 0.9 > alike(" 0.42", " -0.42")
    assert alike(" 0.42", "0.42") == pytest.approx(1.0)
