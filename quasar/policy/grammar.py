"""Grammar-constrained decoding: which tokens may come next so that the answer is a valid program.

The language (`program_pattern`) is the layout of `Circuit.to_qasm` with every gate of stdgates.inc
on one or two qubits: header, registers of the problem's size, one statement a line with indices
below that size and distinct operands, literal angles, and at the end the measurement of all qubits.
Whatever belongs to it is accepted by our reader. It is a regular language, so outlines-core turns
it, once for a tokenizer and a number of qubits, into an automaton over whole tokens. That gives
more than a mask: the fewest tokens that finish the program from any state, so that decoding is
steered to a legal end exactly where the token limit asks for it and nowhere earlier.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from outlines_core import Index, Vocabulary

from quasar.circuits.circuit import STANDARD_GATES
from quasar.policy.legal import LegalTokens, place_of

_NUMBER = r"(0|[1-9][0-9]?)(\.[0-9]{1,8})?"
_ANGLE = rf"-?({_NUMBER}|([1-9][0-9]?\*)?pi(/[1-9][0-9]?)?)"
_MEASURE_ALL = "c = measure q;"
_FIRST_ROWS = 64
_NO_LIMIT = 1 << 30  # tokens


def program_pattern(num_qubits: int) -> str:
    """Regular expression of all programs on `num_qubits` ≥ 1 qubits that may be written."""
    indices = range(num_qubits)
    one = rf"{_gates(1)} q\[({'|'.join(map(str, indices))})\]"
    pairs = "|".join(rf"{a}\], q\[({'|'.join(str(b) for b in indices if b != a)})" for a in indices)
    two = rf"{_gates(2)} q\[({pairs})\]"
    gate = f"({one}|{two})" if num_qubits > 1 else one
    bit_by_bit = r"\n".join(rf"c\[{i}\] = measure q\[{i}\];" for i in indices)
    return (
        r'OPENQASM 3\.0;\ninclude "stdgates\.inc";\n'
        rf"bit\[{num_qubits}\] c;\nqubit\[{num_qubits}\] q;\n"
        rf"({gate};\n)*({_MEASURE_ALL}|{bit_by_bit})"
    )


def _gates(num_qubits: int) -> str:
    """Names of the standard gates on so many qubits, with their angles."""
    heads = []
    for num_params in sorted({params for params, _ in STANDARD_GATES.values()}):
        names = [
            name for name, arity in STANDARD_GATES.items() if arity == (num_params, num_qubits)
        ]
        angles = rf"\({', '.join([_ANGLE] * num_params)}\)" if num_params else ""
        if names:
            heads.append(f"({'|'.join(names)}){angles}")
    return f"({'|'.join(heads)})"


class ProgramAutomaton:
    """The programs on one number of qubits, over the tokens of one tokenizer.

    States are small integers, `start` the first. Immutable once built.
    """

    def __init__(self, vocabulary: Vocabulary, *, num_qubits: int, eos_id: int):
        index = Index(program_pattern(num_qubits), vocabulary)
        edges = index.get_transitions()
        names = {name: state for state, name in enumerate(sorted(edges))}
        self.num_qubits = num_qubits
        self.start = names[index.get_initial_state()]
        self.final = frozenset(names[name] for name in index.get_final_states())
        self.eos_id = eos_id
        self._next: list[dict[int, int]] = [{} for _ in names]
        for name, state in names.items():
            following = {t: names[to] for t, to in edges[name].items() if t != eos_id}
            self._next[state] = dict(sorted(following.items()))
        self._costs = self._tokens_to_finish()

    @cached_property
    def shortest(self) -> int:
        """Tokens of the shortest program, the end-of-turn token included."""
        return int(self._costs[self.start])

    def advance(self, state: int, token: int) -> int:
        """The state after a legal token; the end-of-turn token leaves it where it is."""
        return state if token == self.eos_id else self._next[state][token]

    def horizon(self, state: int) -> int:
        """With so many tokens left, or more, every legal token leaves room to finish."""
        costs = [int(self._costs[to]) for to in self._next[state].values()]
        return 1 + max(costs, default=0)

    def legal(self, state: int, remaining: int) -> np.ndarray:
        """Sorted ids that may come next so that the program ends within `remaining` tokens.

        Only the end-of-turn token where the program is complete. Where even the shortest ending is
        too long, all ids that the grammar allows: the answer will be cut at its limit.
        """
        if state in self.final:
            return np.array([self.eos_id], np.int32)
        following = self._next[state]
        fitting = [t for t, to in following.items() if 1 + self._costs[to] <= remaining]
        return np.array(fitting or list(following), np.int32)

    def _tokens_to_finish(self) -> np.ndarray:
        """(states,) fewest tokens to the end of turn: breadth first, from the final states back."""
        before: list[set[int]] = [set() for _ in self._next]
        for state, following in enumerate(self._next):
            for to in set(following.values()):
                before[to].add(state)
        costs = np.full(len(self._next), np.iinfo(np.int32).max // 2)
        front, cost = set(self.final), 1
        while front:
            costs[list(front)] = cost
            cost += 1
            front = {s for to in front for s in before[to] if costs[s] > cost}
        return costs


class TokenGrammar:
    """The automata of one tokenizer, and the masks of their legal sets on the model's device."""

    def __init__(self, tokenizer: Any, *, vocab_size: int, device: Any = "cpu"):
        self.eos_id = tokenizer.eos_token_id
        self._vocabulary = Vocabulary(self.eos_id, ascii_pieces(tokenizer))
        self._automata: dict[int, ProgramAutomaton] = {}
        self._sets: list[np.ndarray] = []
        self._places: dict[bytes, int] = {}
        self._rows: dict[tuple[int, int, int], int] = {}
        self._masks = torch.zeros(_FIRST_ROWS, vocab_size, dtype=torch.bool, device=device)

    def automaton(self, num_qubits: int) -> ProgramAutomaton:
        """The automaton for a number of qubits: built at its first use (milliseconds for thousands
        of tokens, seconds for a hundred thousand), then kept.
        """
        if num_qubits not in self._automata:
            self._automata[num_qubits] = ProgramAutomaton(
                self._vocabulary, num_qubits=num_qubits, eos_id=self.eos_id
            )
        return self._automata[num_qubits]

    def row(self, automaton: ProgramAutomaton, state: int, remaining: int) -> int:
        """Number of the legal set at a state with so many tokens left."""
        key = (automaton.num_qubits, state, min(remaining, automaton.horizon(state)))
        if key not in self._rows:
            tokens = automaton.legal(state, remaining)
            place = place_of(tokens, self._places, self._sets)
            if place == len(self._masks):
                self._masks = torch.cat([self._masks, torch.zeros_like(self._masks)])
            self._masks[place, torch.from_numpy(tokens).long().to(self._masks.device)] = True
            self._rows[key] = place
        return self._rows[key]

    def masks(self, rows: Sequence[int]) -> torch.Tensor:
        """(len(rows), vocab) bool: True where a token is legal."""
        return self._masks[torch.tensor(rows, device=self._masks.device)]

    def record(self, rows: Sequence[int]) -> LegalTokens:
        """The legal sets of a sequence whose tokens were drawn from the sets of these numbers."""
        used, index = np.unique(np.asarray(rows, np.int32), return_inverse=True)
        return LegalTokens(index.astype(np.int32), tuple(self._sets[row] for row in used))

    def replay(self, num_qubits: int, token_ids: Sequence[int]) -> LegalTokens:
        """The record of a sequence that another engine drew from the same pattern, unsteered."""
        path = ProgramPath(self, num_qubits)
        rows = []
        for token in token_ids:
            rows.append(path.row(_NO_LIMIT))
            path.take(token)
        return self.record(rows)


class ProgramPath:
    """Where one sequence stands in its grammar."""

    __slots__ = ("_automaton", "_state", "grammar")

    def __init__(self, grammar: TokenGrammar, num_qubits: int):
        self.grammar, self._automaton = grammar, grammar.automaton(num_qubits)
        self._state = self._automaton.start

    def row(self, remaining: int) -> int:
        """Number of the legal set of the next token, with so many tokens left."""
        return self.grammar.row(self._automaton, self._state, remaining)

    def take(self, token: int) -> None:
        """Go on by a legal token."""
        self._state = self._automaton.advance(self._state, token)

    @property
    def complete(self) -> bool:
        """Whether the program has ended: only the end of the turn may follow."""
        return self._state in self._automaton.final


def ascii_pieces(tokenizer: Any) -> dict[bytes, list[int]]:
    """Text of each token that is plain ASCII, as it reads behind other text → its ids.

    Special tokens are left out. Each id is decoded behind an anchor, because some tokenizers strip
    the blank of a leading piece.
    """
    anchor = tokenizer.encode("a", add_special_tokens=False)[-1]
    before = tokenizer.decode([anchor])
    special = set(tokenizer.all_special_ids)
    ids = [i for i in range(len(tokenizer)) if i not in special]
    texts = tokenizer.batch_decode([[anchor, i] for i in ids], clean_up_tokenization_spaces=False)
    pieces: dict[bytes, list[int]] = {}
    for i, text in zip(ids, texts, strict=True):
        piece = text.removeprefix(before)
        if piece and piece.isascii():
            pieces.setdefault(piece.encode(), []).append(i)
    return pieces
