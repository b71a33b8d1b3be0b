"""The small policy's tokenizer: whole pieces for the language, byte-level BPE for all other text.

`train_tokenizer` takes the project's own corpus (prompts and circuits) and gives a Hugging Face
fast tokenizer. Pieces that are one token each: the program header, register declarations, gate
heads, qubit references with their statement's end, two-qubit gate statements, fixed-point angles,
Hamiltonian factors and the prompt's fixed sentences. Everything else goes through a BPE with single
digits, so any text can be encoded and decoded without loss.
"""

from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import permutations

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from quasar.circuits.circuit import format_angle
from quasar.config import DatasetConfig
from quasar.datasets import prompts
from quasar.policy.pieces import (
    canonical_pieces,
    compact_pieces,
    imitation_pieces,
    number_pieces,
)
from quasar.policy.program_form import MAX_GRAMMAR_QUBITS
from quasar.tasks import get_task
from quasar.tasks.writing import Piece

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_DIGITS = r"\d|[^\d\s]+|\s+"
_TURNS = ("system\n", "user\n", "assistant\n", "tool\n")
_LARGEST_ANGLE = 3.15  # just over π: emitted angles lie in (−π, π]


def language_pieces(*, max_qubits: int, decimals: int) -> Iterator[str]:
    """The pieces that fit OpenQASM 3 circuits of up to `max_qubits` qubits, in a fixed order."""
    yield 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
    for n in range(1, max_qubits + 1):
        yield f"bit[{n}] c;\nqubit[{n}] q;\n"
    yield from ("rx(", "ry(", "rz(", "crx(", "cry(", "crz(")
    for q in range(max_qubits):
        yield f"h q[{q}];\n"
        yield f"x q[{q}];\n"
        yield f") q[{q}];\n"
        yield f"c[{q}] = measure q[{q}];\n"
        yield f"c[{q}] = measure q[{q}];"  # the program's last line has no line break
        yield f"*Z{q}"
    for a, b in permutations(range(max_qubits), 2):
        yield f"cx q[{a}], q[{b}];\n"
        yield f"cz q[{a}], q[{b}];\n"
        yield f"*Z{a}*Z{b}"
    yield from angle_pieces(decimals=decimals)
    yield from (prompts.SYSTEM, prompts.ENCODING, prompts.MINIMISE, prompts.ANSATZ)
    yield from (*_TURNS, "Problem: ", "\nGraph: ", "\nWith: ")
    yield from (" + ", " layer.", " layers.", " qubits.", " with ", "qaoa")


def task_pieces(*, max_qubits: int) -> Iterator[Piece]:
    """Those of prompts and programs of tasks other than graph problems: one gate a line."""
    for n in range(1, max_qubits + 1):
        yield Piece(f"bit[{n}] c;\nqubit[{n}] q;\n", ("registers", f"n {n}"))
        yield Piece(f"\nQubits: {n}\n", ("size", f"n {n}"))
    for q in range(max_qubits):
        for gate in ("h", "x", "y", "z", "s", "sdg"):
            yield Piece(f"{gate} q[{q}];\n", ("gate", f"gate {gate}", f"q {q}"))
        yield Piece(f") q[{q}];\n", ("only wire", f"q {q}"))
        for end in ("\n", ""):  # the program's last line has no line break
            yield Piece(f"c[{q}] = measure q[{q}];{end}", ("measure", f"q {q}"))
        for letter in "XYZ":
            yield Piece(f"*{letter}{q}", ("factor", f"factor {letter}", f"q {q}"))
    for gate in ("rx", "ry", "rz"):
        yield Piece(f"{gate}(", ("rotation", f"gate {gate}"))
    for a, b in permutations(range(max_qubits), 2):
        for gate in ("cx", "cz"):
            yield Piece(
                f"{gate} q[{a}], q[{b}];\n",
                ("pair", f"gate {gate}", f"control {a}", f"target {b}"),
            )


def angle_pieces(*, decimals: int) -> list[str]:
    """Every emitted angle in [−π, π] at up to two decimals (finer ones are spelt by the BPE)."""
    steps = min(decimals, 2)
    count = int(_LARGEST_ANGLE * 10**steps)
    return [format_angle(k / 10**steps, steps) for k in range(-count, count + 1)]


def whole_pieces(config: DatasetConfig) -> list[Piece]:
    """The pieces for prompts and programs of a dataset's style, each text once, in fixed order."""
    if config.style == "published" and config.prompts != "compact":
        texts = language_pieces(max_qubits=config.max_qubits, decimals=config.angle_decimals)
        pieces = [Piece(text) for text in texts]
    else:
        pieces = [*map(Piece, _TURNS), *number_pieces()]
        pieces += compact_pieces(max_qubits=config.max_qubits)
        pieces += canonical_pieces(max_qubits=config.max_qubits)
        if config.teacher == "published":
            pieces += imitation_pieces(config.max_qubits)
    if config.ranges:
        most = min(config.largest, MAX_GRAMMAR_QUBITS)
        if config.prompts != "compact":  # where a sign of its own stands behind a blank
            pieces.append(Piece(" + ", ("sum",)))
        pieces += task_pieces(max_qubits=most)
        for name in config.ranges:
            pieces += get_task(name).pieces(most)
    return list({p.text: p for p in reversed(pieces) if len(p.text) > 1}.values())[::-1]


def train_tokenizer(
    corpus: Iterable[str], *, vocab_size: int, pieces: Sequence[str]
) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `vocab_size` pieces, if those given and bytes are not more already;
    deterministic in its arguments.
    """
    budget = max(vocab_size - len(pieces) - len(SPECIAL), 300)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_DIGITS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=budget,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken(p, normalized=False, special=False) for p in pieces])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=[SPECIAL[1]],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = (
        resources.files("quasar").joinpath("policy/chat_template.jinja").read_text("utf-8")
    )
    return fast
