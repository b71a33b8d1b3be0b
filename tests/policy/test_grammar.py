"""The program grammar: all it allows is read, whatever is drawn from it ends in time."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from quasar.circuits.qasm import read_qasm
from quasar.datasets.io import read_problems
from quasar.policy.engines.decoding import draw
from quasar.policy.engines.protocol import Sampling
from quasar.policy.grammar import TokenGrammar, ascii_pieces
from quasar.policy.legal import LegalTokens, concatenate
from quasar.policy.patterns import alphabet, program_pattern
from quasar.policy.program_form import ProgramForm

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "problems.jsonl"
# The split of Qwen's tokenizers: single digits, words with one blank before, signs with line ends.
_QWEN_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"


def byte_level_bpe() -> PreTrainedTokenizerFast:
    """A tokenizer built as Qwen's are, trained on a few programs."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[4] c;\nqubit[4] q;\nrx(-0.25) q[1];\n'
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text * 3, text + "c = measure q;", "ünïcode"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>"
    )


@pytest.fixture(scope="module", params=["small", "byte-level BPE"])
def grammar(request, tiny_policy):
    small = request.param == "small"
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy) if small else byte_level_bpe()
    made = TokenGrammar(tokenizer, vocab_size=len(tokenizer) + 7)  # models pad their vocabulary
    made.tokenizer = tokenizer
    return made


def write(grammar, num_qubits, limit, rng, *, scale=3.0, top_p=1.0):
    """Ids that a model of random logits writes under the grammar, and the legal sets it had."""
    path, ids, sets = grammar.path(ProgramForm(num_qubits)), [], []
    while len(ids) < limit and (not ids or ids[-1] != grammar.eos_id):
        sets.append(path.row(limit - len(ids)))
        logits = scale * torch.randn(1, grammar.masks([0]).shape[1], generator=rng)
        uniform = torch.rand(1, generator=rng, dtype=torch.float64)
        legal = grammar.masks(sets[-1:])
        chosen, _ = draw(logits, uniform, [Sampling(1.0, top_p, limit)] * len(logits), legal)
        ids.append(int(chosen))
        path.take(ids[-1])
    return ids, sets


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    num_qubits=st.integers(1, 9),
    spare=st.integers(0, 60),
    scale=st.floats(0.0, 30.0),
    top_p=st.floats(0.05, 1.0),
)
def test_any_model_writes_a_valid_program_within_its_limit(
    grammar, seed, num_qubits, spare, scale, top_p
):
    limit = grammar.automaton(ProgramForm(num_qubits)).shortest + spare
    rng = torch.Generator().manual_seed(seed)
    ids, _ = write(grammar, num_qubits, limit, rng, scale=scale, top_p=top_p)
    assert ids[-1] == grammar.eos_id
    assert len(ids) <= limit
    text = grammar.tokenizer.decode(ids[:-1])
    assert read_qasm(text).num_qubits == num_qubits
    assert re.fullmatch(program_pattern(num_qubits), text)


def test_a_limit_below_the_shortest_program_is_reached_without_an_end(grammar):
    limit = grammar.automaton(ProgramForm(4)).shortest - 1
    ids, _ = write(grammar, 4, limit, torch.Generator().manual_seed(0))
    assert len(ids) == limit
    assert grammar.eos_id not in ids


def test_the_shortest_program_is_the_shortest(grammar):
    """Brute force: no path from the start ends earlier."""
    automaton = grammar.automaton(ProgramForm(2))
    front, length = {automaton.start}, 0
    while not front & automaton.final:
        front = {automaton.advance(s, int(t)) for s in front for t in automaton.legal(s, 1 << 20)}
        length += 1
    assert automaton.shortest == length + 1  # and the end of the turn


def test_steering_leaves_every_program_that_fits(grammar, tiny_dataset):
    """A reference program is legal, token by token, under a limit of exactly its own length."""
    for record in read_problems(tiny_dataset / "train.jsonl")[:8]:
        text = record.problem.reference_circuit
        ids = [*grammar.tokenizer.encode(text, add_special_tokens=False), grammar.eos_id]
        automaton = grammar.automaton(ProgramForm(record.problem.num_qubits))
        state = automaton.start
        for t, token in enumerate(ids):
            assert token in automaton.legal(state, len(ids) - t)
            state = automaton.advance(state, token)


@pytest.mark.parametrize(
    ("program", "inside"),
    [
        ("h q[0];\ncx q[0], q[1];\nc = measure q;", True),
        ("u3(pi/2, -3*pi/4, 0.5) q[1];\ncu(1, 2, 3, 4) q[1], q[0];\nc = measure q;", True),
        ("c[0] = measure q[0];\nc[1] = measure q[1];", True),
        ("cx q[0], q[0];\nc = measure q;", False),
        ("h q[2];\nc = measure q;", False),
        ("c = measure q;\nh q[0];", False),
        ("c[0] = measure q[0];", False),
        ("h q[0];", False),
        ("rx(nan) q[0];\nc = measure q;", False),
        ("rx(1e9) q[0];\nc = measure q;", False),
    ],
)
def test_what_the_pattern_holds(program, inside):
    text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[2] c;\nqubit[2] q;\n{program}'
    assert (re.fullmatch(program_pattern(2), text) is not None) is inside
    if inside:
        assert read_qasm(text).num_qubits == 2


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published problems are not here")
def test_published_references_are_in_the_language():
    for record in read_problems(PUBLISHED):
        pattern = program_pattern(record.problem.num_qubits)
        assert re.fullmatch(pattern, record.problem.reference_circuit.strip())


def test_pieces_spell_the_text_back(grammar):
    pieces = {i: piece for piece, ids in ascii_pieces(grammar.tokenizer).items() for i in ids}
    text = "OPENQASM 3.0;\nrx(-0.25) q[1];\n  two blanks"
    ids = grammar.tokenizer.encode(text, add_special_tokens=False)
    assert b"".join(pieces[i] for i in ids).decode() == text
    assert not set(grammar.tokenizer.all_special_ids) & pieces.keys()


def test_the_letters_of_a_pattern_are_those_of_its_programs(grammar, tiny_dataset):
    """What is left out of the automaton because of them could not be written."""
    for record in read_problems(tiny_dataset / "train.jsonl")[:8]:
        letters = alphabet(program_pattern(record.problem.num_qubits))
        assert set(record.problem.reference_circuit) <= set(letters)
    letters = alphabet(program_pattern(2))
    assert {*"OPENQASM0123456789\n -.*/"} <= set(letters)
    assert "!" not in letters


def test_a_record_holds_the_sets_that_were_drawn_from(grammar):
    ids, sets = write(grammar, 3, 40, torch.Generator().manual_seed(5))
    record = grammar.record(sets)
    width = grammar.masks([0]).shape[1]
    table = record.table(width)
    assert (table[record.index] == grammar.masks(sets).numpy()).all()
    assert all(table[place, token] for place, token in zip(record.index, ids, strict=True))
    assert len(record.sets) < len(ids)


def test_records_of_turns_are_joined_around_what_was_only_read():
    one = LegalTokens(np.array([0, 1], np.int32), (np.array([3]), np.array([4, 5])))
    two = LegalTokens(np.array([0], np.int32), (np.array([4, 5]),))
    joined = concatenate([(2, one), (3, None), (1, two)])
    assert joined.index.tolist() == [0, 1, -1, -1, -1, 1]
    assert joined.table(8)[joined.index].sum(-1).tolist() == [1, 2, 8, 8, 8, 2]
    assert concatenate([(2, None), (1, None)]) is None
    assert joined.select(np.array([1, 0, 1, 0, 0, 1], bool)).index.tolist() == [0, -1, 1]
